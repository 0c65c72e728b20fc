/* See forget.h. */
#include "snapd/forget.h"

void
forget_key(struct key *key, uint64_t sequence, uint32_t number)
{
	key->size = 0;
	key_put_u64(key, sequence);
	key_put_u32(key, number);
}

void
forget_put_head(
    struct writer *writer, uint8_t *to, uint32_t account, uint64_t mailbox)
{
	writer_init(writer, to, FORGET_MAX_SIZE);
	writer_put_u8(writer, 1);
	writer_put_u32(writer, account);
	writer_put_u64(writer, mailbox);
}

void
forget_put_row(struct writer *writer, const struct forget_row *row)
{
	writer_put_u32(writer, row->uid);
	writer_put_u64(writer, row->born);
	writer_put_u64(writer, row->died);
}

int
forget_get_head(struct reader *reader, struct text value, uint32_t *account,
    uint64_t *mailbox)
{
	reader_init(reader, value.data, value.size);
	if (reader_get_u8(reader) != 1)
		return -1;
	*account = reader_get_u32(reader);
	*mailbox = reader_get_u64(reader);
	return reader->failed || reader->size == 0 ? -1 : 0;
}

int
forget_get_row(struct reader *reader, struct forget_row *row)
{
	if (reader->size == 0)
		return 0;
	row->uid = reader_get_u32(reader);
	row->born = reader_get_u64(reader);
	row->died = reader_get_u64(reader);
	return reader->failed ? -1 : 1;
}
