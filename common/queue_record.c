/* See queue_record.h. */
#include "common/queue_record.h"

#include <string.h>

enum {
	MAX_ADDRESS = 512,
	MAX_DOMAIN = 255,
	MAX_ENHANCED = 12,
	MAX_WORDS = 500
};

void
queue_put_parcel(struct writer *w, const struct queue_parcel_record *r)
{
	writer_put_u64(w, r->message);
	writer_put_u16(w, r->parcel);
	writer_put_raw(w, r->delivery.bytes, sizeof(r->delivery.bytes));
	writer_put_u32(w, r->account);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_u64(w, (uint64_t)r->next);
	writer_put_u64(w, r->size);
	writer_put_u16(w, r->tries);
	writer_put_u16(w, r->recipients);
	writer_put_u8(w, r->state);
	writer_put_text(w, r->sender, MAX_ADDRESS);
	writer_put_text(w, r->domain, MAX_DOMAIN);
	writer_put_text(w, r->first, MAX_ADDRESS);
	writer_put_u16(w, r->code);
	writer_put_text(w, r->enhanced, MAX_ENHANCED);
	writer_put_text(w, r->words, MAX_WORDS);
	writer_put_text(w, r->host, MAX_DOMAIN);
}

int
queue_get_parcel(struct reader *reader, struct queue_parcel_record *r)
{
	memset(r, 0, sizeof(*r));
	if (!reader->failed && reader->size == 0)
		return 0;
	r->message = reader_get_u64(reader);
	r->parcel = reader_get_u16(reader);
	reader_get_raw(reader, r->delivery.bytes, sizeof(r->delivery.bytes));
	r->account = reader_get_u32(reader);
	r->time = (int64_t)reader_get_u64(reader);
	r->next = (int64_t)reader_get_u64(reader);
	r->size = reader_get_u64(reader);
	r->tries = reader_get_u16(reader);
	r->recipients = reader_get_u16(reader);
	r->state = reader_get_u8(reader);
	r->sender = reader_get_text(reader, MAX_ADDRESS);
	r->domain = reader_get_text(reader, MAX_DOMAIN);
	r->first = reader_get_text(reader, MAX_ADDRESS);
	r->code = reader_get_u16(reader);
	r->enhanced = reader_get_text(reader, MAX_ENHANCED);
	r->words = reader_get_text(reader, MAX_WORDS);
	r->host = reader_get_text(reader, MAX_DOMAIN);
	if (r->state >= QUEUE_STATES)
		reader->failed = true;
	return reader->failed ? -1 : 1;
}

void
queue_put_recipient(struct writer *w, const struct queue_recipient_record *r)
{
	writer_put_u8(w, r->state);
	writer_put_u8(w, r->notify);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_text(w, r->address, MAX_ADDRESS);
	writer_put_text(w, r->original, MAX_ADDRESS);
	writer_put_u16(w, r->code);
	writer_put_text(w, r->enhanced, MAX_ENHANCED);
	writer_put_text(w, r->words, MAX_WORDS);
	writer_put_text(w, r->host, MAX_DOMAIN);
}

int
queue_get_recipient(struct reader *reader, struct queue_recipient_record *r)
{
	memset(r, 0, sizeof(*r));
	if (!reader->failed && reader->size == 0)
		return 0;
	r->state = reader_get_u8(reader);
	r->notify = reader_get_u8(reader);
	r->time = (int64_t)reader_get_u64(reader);
	r->address = reader_get_text(reader, MAX_ADDRESS);
	r->original = reader_get_text(reader, MAX_ADDRESS);
	r->code = reader_get_u16(reader);
	r->enhanced = reader_get_text(reader, MAX_ENHANCED);
	r->words = reader_get_text(reader, MAX_WORDS);
	r->host = reader_get_text(reader, MAX_DOMAIN);
	if (r->state > QUEUE_FAILED)
		reader->failed = true;
	return reader->failed ? -1 : 1;
}
