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
queue_put_parcel(struct writer *w, const struct queue_parcel_record *record)
{
	writer_put_u64(w, record->message);
	writer_put_u16(w, record->parcel);
	writer_put_raw(
	    w, record->delivery.bytes, sizeof(record->delivery.bytes));
	writer_put_u32(w, record->account);
	writer_put_u64(w, (uint64_t)record->time);
	writer_put_u64(w, (uint64_t)record->next);
	writer_put_u64(w, record->size);
	writer_put_u16(w, record->tries);
	writer_put_u16(w, record->recipients);
	writer_put_u8(w, record->state);
	writer_put_text(w, record->sender, MAX_ADDRESS);
	writer_put_text(w, record->domain, MAX_DOMAIN);
	writer_put_text(w, record->first, MAX_ADDRESS);
	writer_put_u16(w, record->code);
	writer_put_text(w, record->enhanced, MAX_ENHANCED);
	writer_put_text(w, record->words, MAX_WORDS);
	writer_put_text(w, record->host, MAX_DOMAIN);
}

int
queue_get_parcel(struct reader *r, struct queue_parcel_record *record)
{
	memset(record, 0, sizeof(*record));
	if (!r->failed && r->size == 0)
		return 0;
	record->message = reader_get_u64(r);
	record->parcel = reader_get_u16(r);
	reader_get_raw(
	    r, record->delivery.bytes, sizeof(record->delivery.bytes));
	record->account = reader_get_u32(r);
	record->time = (int64_t)reader_get_u64(r);
	record->next = (int64_t)reader_get_u64(r);
	record->size = reader_get_u64(r);
	record->tries = reader_get_u16(r);
	record->recipients = reader_get_u16(r);
	record->state = reader_get_u8(r);
	record->sender = reader_get_text(r, MAX_ADDRESS);
	record->domain = reader_get_text(r, MAX_DOMAIN);
	record->first = reader_get_text(r, MAX_ADDRESS);
	record->code = reader_get_u16(r);
	record->enhanced = reader_get_text(r, MAX_ENHANCED);
	record->words = reader_get_text(r, MAX_WORDS);
	record->host = reader_get_text(r, MAX_DOMAIN);
	if (record->state >= QUEUE_STATES)
		r->failed = true;
	return r->failed ? -1 : 1;
}

void
queue_put_recipient(
    struct writer *w, const struct queue_recipient_record *record)
{
	writer_put_u8(w, record->state);
	writer_put_u8(w, record->notify);
	writer_put_u64(w, (uint64_t)record->time);
	writer_put_text(w, record->address, MAX_ADDRESS);
	writer_put_text(w, record->original, MAX_ADDRESS);
	writer_put_u16(w, record->code);
	writer_put_text(w, record->enhanced, MAX_ENHANCED);
	writer_put_text(w, record->words, MAX_WORDS);
	writer_put_text(w, record->host, MAX_DOMAIN);
}

int
queue_get_recipient(struct reader *r, struct queue_recipient_record *record)
{
	memset(record, 0, sizeof(*record));
	if (!r->failed && r->size == 0)
		return 0;
	record->state = reader_get_u8(r);
	record->notify = reader_get_u8(r);
	record->time = (int64_t)reader_get_u64(r);
	record->address = reader_get_text(r, MAX_ADDRESS);
	record->original = reader_get_text(r, MAX_ADDRESS);
	record->code = reader_get_u16(r);
	record->enhanced = reader_get_text(r, MAX_ENHANCED);
	record->words = reader_get_text(r, MAX_WORDS);
	record->host = reader_get_text(r, MAX_DOMAIN);
	if (record->state > QUEUE_EXPANDED)
		r->failed = true;
	return r->failed ? -1 : 1;
}

void
queue_put_tls_report(
    struct writer *w, const struct queue_tls_report_record *record)
{
	writer_put_u64(w, (uint64_t)record->begin);
	writer_put_u64(w, (uint64_t)record->due);
	writer_put_u64(w, record->good);
	writer_put_u64(w, record->bad);
	writer_put_u8(w, record->tries);
	writer_put_text(w, record->domain, MAX_DOMAIN);
}

int
queue_get_tls_report(struct reader *r, struct queue_tls_report_record *record)
{
	memset(record, 0, sizeof(*record));
	if (!r->failed && r->size == 0)
		return 0;
	record->begin = (int64_t)reader_get_u64(r);
	record->due = (int64_t)reader_get_u64(r);
	record->good = reader_get_u64(r);
	record->bad = reader_get_u64(r);
	record->tries = reader_get_u8(r);
	record->domain = reader_get_text(r, MAX_DOMAIN);
	return r->failed ? -1 : 1;
}
