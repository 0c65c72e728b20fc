/*
 * Fuzz target: the values of an account's index, which a crash may have
 * damaged.  The first byte chooses the kind.  What decodes must encode to
 * bytes that decode to the same.
 */
#include "imapd/index_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_file(struct text bytes)
{
	struct index_file file, again;
	uint8_t room[1024];
	struct writer w;

	if (index_file_decode(bytes, &file) == -1)
		return;
	writer_init(&w, room, sizeof(room));
	index_file_encode(&w, &file);
	if (w.failed ||
	    index_file_decode(text_make(room, w.size), &again) == -1 ||
	    !text_equal(file.name, again.name) ||
	    !text_equal(file.base, again.base) || file.born != again.born ||
	    file.stored_size != again.stored_size)
		abort();
}

static void
check_mailbox(struct text bytes)
{
	static struct mailbox_record record, again;
	static uint8_t room[RECORD_MAILBOX_MAX + 64];
	struct index_mailbox_state state;
	struct writer w;

	if (index_mailbox_decode(bytes, &record, &state) == -1)
		return;
	writer_init(&w, room, sizeof(room));
	index_mailbox_encode(&w, &record, &state);
	if (w.failed ||
	    index_mailbox_decode(text_make(room, w.size), &again, &state) ==
		-1 ||
	    !text_equal(record.name, again.name) ||
	    record.keyword_count != again.keyword_count)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t row_bytes[INDEX_ROW_SIZE];
	struct index_meta meta;
	struct index_row row;
	struct text bytes;

	if (size < 1)
		return 0;
	bytes = text_make(data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		check_file(bytes);
		break;
	case 1:
		check_mailbox(bytes);
		break;
	case 2:
		index_meta_decode(bytes, &meta);
		break;
	default:
		if (bytes.size < INDEX_ROW_SIZE)
			break;
		index_row_decode(data + 1, &row);
		index_row_encode(&row, row_bytes);
		if (memcmp(row_bytes, data + 1, INDEX_ROW_SIZE) != 0)
			abort();
	}
	return 0;
}
