/* See record.h.  Fields in the order of the structs. */
#include "common/record.h"

#include <string.h>

/* 0 at the end of the list, 1 if another record begins, -1 after a failure. */
static int
begins(const struct reader *r)
{
	if (r->failed)
		return -1;
	return r->size == 0 ? 0 : 1;
}

static int
got(const struct reader *r)
{
	return r->failed ? -1 : 1;
}

void
record_put_mailbox(struct writer *w, const struct mailbox_record *r)
{
	writer_put_u64(w, r->id);
	writer_put_u32(w, r->uidvalidity);
	writer_put_u32(w, r->uidnext);
	writer_put_u64(w, r->highest_modseq);
	writer_put_u64(w, r->message_count);
	writer_put_u32(w, r->special_use);
	writer_put_u8(w, r->is_retired);
	writer_put_text(w, r->name, RECORD_MAX_NAME_SIZE);
	writer_put_u8(w, r->keyword_count);
	for (unsigned int i = 0; i < r->keyword_count; i++)
		writer_put_text(w, r->keywords[i], RECORD_MAX_KEYWORD_SIZE);
}

int
record_get_mailbox(struct reader *r, struct mailbox_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->id = reader_get_u64(r);
	record->uidvalidity = reader_get_u32(r);
	record->uidnext = reader_get_u32(r);
	record->highest_modseq = reader_get_u64(r);
	record->message_count = reader_get_u64(r);
	record->special_use = reader_get_u32(r);
	record->is_retired = reader_get_u8(r);
	record->name = reader_get_text(r, RECORD_MAX_NAME_SIZE);
	record->keyword_count = reader_get_u8(r);
	if (record->keyword_count > RECORD_MAX_KEYWORDS) {
		r->failed = true;
		record->keyword_count = 0;
	}
	for (unsigned int i = 0; i < record->keyword_count; i++)
		record->keywords[i] =
		    reader_get_text(r, RECORD_MAX_KEYWORD_SIZE);
	return got(r);
}

void
record_put_message(struct writer *w, const struct message_record *r)
{
	writer_put_u64(w, r->mailbox);
	writer_put_u32(w, r->uid);
	writer_put_u64(w, r->modseq);
	writer_put_u64(w, r->born);
	writer_put_u64(w, (uint64_t)r->internaldate);
	writer_put_u64(w, r->size);
	writer_put_u64(w, r->stored_size);
	writer_put_u32(w, r->flags);
	writer_put_u64(w, r->keywords);
	writer_put_u64(w, r->blob);
	writer_put_u8(w, r->form);
	writer_put_raw(w, r->hash.bytes, sizeof(r->hash.bytes));
	writer_put_text(w, r->base, RECORD_MAX_BASE_SIZE);
}

int
record_get_message(struct reader *r, struct message_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->mailbox = reader_get_u64(r);
	record->uid = reader_get_u32(r);
	record->modseq = reader_get_u64(r);
	record->born = reader_get_u64(r);
	record->internaldate = (int64_t)reader_get_u64(r);
	record->size = reader_get_u64(r);
	record->stored_size = reader_get_u64(r);
	record->flags = reader_get_u32(r);
	record->keywords = reader_get_u64(r);
	record->blob = reader_get_u64(r);
	record->form = reader_get_u8(r);
	reader_get_raw(r, record->hash.bytes, sizeof(record->hash.bytes));
	record->base = reader_get_text(r, RECORD_MAX_BASE_SIZE);
	return got(r);
}

void
record_put_change(struct writer *w, const struct change_record *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u8(w, (uint8_t)r->kind);
	switch (r->kind) {
	case CHANGE_MESSAGE:
	case CHANGE_EXPUNGE:
		record_put_message(w, &r->message);
		break;
	case CHANGE_PAST:
		writer_put_u32(w, r->number);
		record_put_message(w, &r->message);
		break;
	case CHANGE_MAILBOX:
		record_put_mailbox(w, &r->mailbox);
		break;
	case CHANGE_SUBSCRIBE:
		writer_put_text(w, r->name, RECORD_MAX_NAME_SIZE);
		writer_put_u8(w, r->is_subscribed);
		break;
	}
}

/* A record inside another one: its absence is a failure. */
static void
need(struct reader *r, int result)
{
	if (result != 1)
		r->failed = true;
}

int
record_get_change(struct reader *r, struct change_record *record)
{
	int more = begins(r);
	uint8_t kind;

	if (more != 1)
		return more;
	record->sequence = reader_get_u64(r);
	kind = reader_get_u8(r);
	record->kind = kind;
	switch (kind) {
	case CHANGE_MESSAGE:
	case CHANGE_EXPUNGE:
		need(r, record_get_message(r, &record->message));
		break;
	case CHANGE_PAST:
		record->number = reader_get_u32(r);
		need(r, record_get_message(r, &record->message));
		break;
	case CHANGE_MAILBOX:
		need(r, record_get_mailbox(r, &record->mailbox));
		break;
	case CHANGE_SUBSCRIBE:
		record->name = reader_get_text(r, RECORD_MAX_NAME_SIZE);
		record->is_subscribed = reader_get_u8(r);
		break;
	default:
		r->failed = true;
	}
	return got(r);
}

void
record_put_recipient(struct writer *w, const struct recipient_record *r)
{
	writer_put_u32(w, r->account);
	writer_put_text(w, r->address, RECORD_MAX_ADDRESS_SIZE);
}

int
record_get_recipient(struct reader *r, struct recipient_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->account = reader_get_u32(r);
	record->address = reader_get_text(r, RECORD_MAX_ADDRESS_SIZE);
	return got(r);
}

void
record_put_outgoing(struct writer *w, const struct outgoing_record *r)
{
	writer_put_u8(w, r->notify);
	writer_put_text(w, r->original, RECORD_MAX_ADDRESS_SIZE);
	writer_put_text(w, r->address, RECORD_MAX_ADDRESS_SIZE);
	writer_put_u8(w, r->fate);
}

int
record_get_outgoing(struct reader *r, struct outgoing_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->notify = reader_get_u8(r);
	record->original = reader_get_text(r, RECORD_MAX_ADDRESS_SIZE);
	record->address = reader_get_text(r, RECORD_MAX_ADDRESS_SIZE);
	record->fate = reader_get_u8(r);
	if (record->fate > OUTGOING_BACK)
		return -1;
	return got(r);
}

void
record_put_unfiled(struct writer *w, const struct unfiled_record *r)
{
	writer_put_raw(w, r->delivery.bytes, sizeof(r->delivery.bytes));
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_u8(w, r->form);
	writer_put_u64(w, r->size);
	writer_put_u64(w, r->stored_size);
	writer_put_u64(w, r->blob);
	writer_put_text(w, r->sender, RECORD_MAX_ADDRESS_SIZE);
	writer_put_text(w, r->address, RECORD_MAX_ADDRESS_SIZE);
}

int
record_get_unfiled(struct reader *r, struct unfiled_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	reader_get_raw(
	    r, record->delivery.bytes, sizeof(record->delivery.bytes));
	record->time = (int64_t)reader_get_u64(r);
	record->form = reader_get_u8(r);
	record->size = reader_get_u64(r);
	record->stored_size = reader_get_u64(r);
	record->blob = reader_get_u64(r);
	record->sender = reader_get_text(r, RECORD_MAX_ADDRESS_SIZE);
	record->address = reader_get_text(r, RECORD_MAX_ADDRESS_SIZE);
	return got(r);
}

void
record_put_flags(struct writer *w, const struct flag_record *r)
{
	writer_put_u32(w, r->uid);
	writer_put_u32(w, r->flags);
	writer_put_u64(w, r->keywords);
}

int
record_get_flags(struct reader *r, struct flag_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->uid = reader_get_u32(r);
	record->flags = reader_get_u32(r);
	record->keywords = reader_get_u64(r);
	return got(r);
}

void
record_put_copy(struct writer *w, const struct copy_record *r)
{
	writer_put_u32(w, r->uid);
	writer_put_u64(w, r->keywords);
	writer_put_raw(w, r->delivery.bytes, sizeof(r->delivery.bytes));
}

int
record_get_copy(struct reader *r, struct copy_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->uid = reader_get_u32(r);
	record->keywords = reader_get_u64(r);
	reader_get_raw(
	    r, record->delivery.bytes, sizeof(record->delivery.bytes));
	return got(r);
}

void
record_put_recall(struct writer *w, const struct recall_record *r)
{
	writer_put_raw(w, r->delivery.bytes, sizeof(r->delivery.bytes));
	writer_put_u64(w, r->blob);
	writer_put_u64(w, (uint64_t)r->internaldate);
	writer_put_u32(w, r->flags);
	writer_put_u64(w, r->keywords);
	writer_put_u8(w, r->form);
}

int
record_get_recall(struct reader *r, struct recall_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	reader_get_raw(
	    r, record->delivery.bytes, sizeof(record->delivery.bytes));
	record->blob = reader_get_u64(r);
	record->internaldate = (int64_t)reader_get_u64(r);
	record->flags = reader_get_u32(r);
	record->keywords = reader_get_u64(r);
	record->form = reader_get_u8(r);
	return got(r);
}

void
record_put_snapshot(struct writer *w, const struct snapshot_record *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_text(w, r->id, RECORD_MAX_ID_SIZE);
}

int
record_get_snapshot(struct reader *r, struct snapshot_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->sequence = reader_get_u64(r);
	record->time = (int64_t)reader_get_u64(r);
	record->id = reader_get_text(r, RECORD_MAX_ID_SIZE);
	return got(r);
}

void
record_put_body(struct writer *w, const struct body_record *r)
{
	writer_put_u8(w, r->status);
	writer_put_u64(w, r->size);
}

int
record_get_body(struct reader *r, struct body_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->status = reader_get_u8(r);
	record->size = reader_get_u64(r);
	return got(r);
}

void
record_put_vanished(struct writer *w, const struct vanished_record *r)
{
	writer_put_u64(w, r->mailbox);
	writer_put_u64(w, r->modseq);
	writer_put_u32(w, r->first);
	writer_put_u32(w, r->last);
}

int
record_get_vanished(struct reader *r, struct vanished_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->mailbox = reader_get_u64(r);
	record->modseq = reader_get_u64(r);
	record->first = reader_get_u32(r);
	record->last = reader_get_u32(r);
	if (record->first == 0 || record->last < record->first)
		r->failed = true;
	return got(r);
}

void
record_put_saved(struct writer *w, const struct saved_record *r)
{
	writer_put_u64(w, r->mailbox);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_u32(w, r->first);
	writer_put_u32(w, r->last);
}

int
record_get_saved(struct reader *r, struct saved_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->mailbox = reader_get_u64(r);
	record->time = (int64_t)reader_get_u64(r);
	record->first = reader_get_u32(r);
	record->last = reader_get_u32(r);
	if (record->first == 0 || record->last < record->first)
		r->failed = true;
	return got(r);
}

void
record_put_result(struct writer *w, const struct result_record *r)
{
	writer_put_u64(w, r->mailbox);
	writer_put_u32(w, r->uid);
	writer_put_u64(w, r->modseq);
	writer_put_u64(w, r->born);
	writer_put_u64(w, r->blob);
	writer_put_u64(w, r->size);
	writer_put_raw(w, r->hash.bytes, sizeof(r->hash.bytes));
}

int
record_get_result(struct reader *r, struct result_record *record)
{
	int more = begins(r);

	if (more != 1)
		return more;
	record->mailbox = reader_get_u64(r);
	record->uid = reader_get_u32(r);
	record->modseq = reader_get_u64(r);
	record->born = reader_get_u64(r);
	record->blob = reader_get_u64(r);
	record->size = reader_get_u64(r);
	reader_get_raw(r, record->hash.bytes, sizeof(record->hash.bytes));
	return got(r);
}
