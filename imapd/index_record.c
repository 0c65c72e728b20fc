/*
 * See index_record.h.
 */
#include "imapd/index_record.h"

#include <endian.h>
#include <string.h>

enum {
	FILE_IS_NEW = 1,
	FILE_HAS_NEW_FLAGS = 2,
	FILE_IS_BEING_NAMED = 4
};

uint8_t *
index_put_big(uint8_t *to, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * (size - 1 - i));
	return to + size;
}

uint64_t
index_get_big(const uint8_t *from, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value = value << 8 | from[i];
	return value;
}

void
index_row_encode(const struct index_row *row, uint8_t *bytes)
{
	struct writer w;

	index_put_big(bytes, row->uid, 4);
	writer_init(&w, bytes + 4, INDEX_ROW_SIZE - 4);
	writer_put_u32(&w, row->flags);
	writer_put_u64(&w, row->keywords);
	writer_put_u64(&w, row->modseq);
	writer_put_u64(&w, (uint64_t)row->internaldate);
	writer_put_u64(&w, row->size);
}

/* Little-endian, without a reader's checks: rows have one size. */
static uint64_t
get_little(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return le64toh(value);
}

uint32_t
index_get_uid(const uint8_t *bytes)
{
	uint32_t uid;

	memcpy(&uid, bytes, sizeof(uid));
	return be32toh(uid);
}

void
index_row_decode(const uint8_t *bytes, struct index_row *row)
{
	uint32_t flags;

	memcpy(&flags, bytes + 4, sizeof(flags));
	row->uid = index_get_uid(bytes);
	row->flags = le32toh(flags);
	row->keywords = get_little(bytes + 8);
	row->modseq = get_little(bytes + 16);
	row->internaldate = (int64_t)get_little(bytes + 24);
	row->size = get_little(bytes + 32);
}

void
index_file_encode(struct writer *w, const struct index_file *file)
{
	writer_put_u64(w, file->born);
	writer_put_u64(w, file->blob);
	writer_put_u64(w, file->stored_size);
	writer_put_raw(w, file->hash.bytes, sizeof(file->hash.bytes));
	writer_put_u8(w, file->form);
	writer_put_u8(w, (file->is_new ? FILE_IS_NEW : 0) |
			     (file->has_new_flags ? FILE_HAS_NEW_FLAGS : 0) |
			     (file->is_being_named ? FILE_IS_BEING_NAMED : 0));
	writer_put_text(w, file->name, RECORD_MAX_BASE_SIZE);
	writer_put_text(w, file->base, RECORD_MAX_BASE_SIZE);
	writer_put_u64(w, file->cache_number);
}

int
index_file_decode(struct text bytes, struct index_file *file)
{
	struct reader r;
	uint8_t state;

	reader_init(&r, bytes.data, bytes.size);
	file->born = reader_get_u64(&r);
	file->blob = reader_get_u64(&r);
	file->stored_size = reader_get_u64(&r);
	reader_get_raw(&r, file->hash.bytes, sizeof(file->hash.bytes));
	file->form = reader_get_u8(&r);
	state = reader_get_u8(&r);
	file->is_new = (state & FILE_IS_NEW) != 0;
	file->has_new_flags = (state & FILE_HAS_NEW_FLAGS) != 0;
	file->is_being_named = (state & FILE_IS_BEING_NAMED) != 0;
	file->name = reader_get_text(&r, RECORD_MAX_BASE_SIZE);
	file->base = reader_get_text(&r, RECORD_MAX_BASE_SIZE);
	/* One of the old format ends here. */
	file->cache_number = r.size == 0 ? 0 : reader_get_u64(&r);
	return reader_done(&r);
}

void
index_meta_encode(struct writer *w, const struct index_meta *meta)
{
	writer_put_u8(w, INDEX_FORMAT);
	writer_put_raw(w, meta->store.bytes, sizeof(meta->store.bytes));
	writer_put_u64(w, meta->incarnation);
	writer_put_u64(w, meta->confirmed);
}

uint8_t
index_meta_format(struct text bytes)
{
	return bytes.size == 0 ? 0 : (uint8_t)bytes.data[0];
}

int
index_meta_decode(struct text bytes, struct index_meta *meta)
{
	struct reader r;
	uint8_t format;

	reader_init(&r, bytes.data, bytes.size);
	format = reader_get_u8(&r);
	if (format < INDEX_FORMAT_BY_HASH || format > INDEX_FORMAT)
		return -1;
	reader_get_raw(&r, meta->store.bytes, sizeof(meta->store.bytes));
	meta->incarnation = reader_get_u64(&r);
	meta->confirmed = reader_get_u64(&r);
	return reader_done(&r);
}

void
index_mailbox_encode(struct writer *w, const struct mailbox_record *record,
    const struct index_mailbox_state *state)
{
	writer_put_u32(w, state->first_recent);
	writer_put_u64(w, (uint64_t)state->cur_changed_ns);
	writer_put_u64(w, (uint64_t)state->new_changed_ns);
	writer_put_u64(w, state->vanished_after);
	record_put_mailbox(w, record);
}

int
index_mailbox_decode(struct text bytes, struct mailbox_record *record,
    struct index_mailbox_state *state)
{
	struct reader r;

	reader_init(&r, bytes.data, bytes.size);
	state->first_recent = reader_get_u32(&r);
	state->cur_changed_ns = (int64_t)reader_get_u64(&r);
	state->new_changed_ns = (int64_t)reader_get_u64(&r);
	state->vanished_after = reader_get_u64(&r);
	return record_get_mailbox(&r, record) == 1 ? 0 : -1;
}
