/*
 * Fuzz target: the records inside listings, batches and results.  The first
 * byte chooses the kind.  A change that decodes must encode and decode again.
 */
#include "common/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_changes(struct reader *r)
{
	static uint8_t room[RECORD_CHANGE_MAX];
	static struct change_record record, again;

	while (record_get_change(r, &record) == 1) {
		struct writer w;
		struct reader back;

		writer_init(&w, room, sizeof(room));
		record_put_change(&w, &record);
		reader_init(&back, room, w.size);
		if (w.failed || record_get_change(&back, &again) != 1)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mailbox_record mailbox;
	struct message_record message;
	struct recipient_record recipient;
	struct unfiled_record unfiled;
	struct flag_record flags;
	struct copy_record copy;
	struct recall_record recall;
	struct snapshot_record snapshot;
	struct saved_record saved;
	struct result_record result;
	struct reader r;

	if (size < 1)
		return 0;
	reader_init(&r, data + 1, size - 1);
	switch (data[0] % 11) {
	case 0:
		check_changes(&r);
		break;
	case 1:
		while (record_get_mailbox(&r, &mailbox) == 1)
			;
		break;
	case 2:
		while (record_get_message(&r, &message) == 1)
			;
		break;
	case 3:
		while (record_get_recipient(&r, &recipient) == 1)
			;
		break;
	case 4:
		while (record_get_unfiled(&r, &unfiled) == 1)
			;
		break;
	case 5:
		while (record_get_flags(&r, &flags) == 1)
			;
		break;
	case 6:
		while (record_get_copy(&r, &copy) == 1)
			;
		break;
	case 8:
		while (record_get_recall(&r, &recall) == 1)
			;
		break;
	case 9:
		while (record_get_snapshot(&r, &snapshot) == 1)
			;
		break;
	case 10:
		while (record_get_saved(&r, &saved) == 1)
			;
		break;
	default:
		while (record_get_result(&r, &result) == 1)
			;
	}
	return 0;
}
