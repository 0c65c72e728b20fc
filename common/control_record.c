/* See control_record.h.  Fields in the order of the structs. */
#include "common/control_record.h"

#include "common/change_note.h"

static struct reader
open_row(struct text row)
{
	struct reader reader;

	reader_init(&reader, row.data, row.size);
	return reader;
}

void
control_put_snapshot(struct writer *w, const struct control_snapshot *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_u32(w, r->account);
	writer_put_u8(w, r->kind);
	writer_put_text(w, r->id, CONTROL_MAX_NAME);
	writer_put_text(w, r->name, CONTROL_MAX_NAME);
	writer_put_text(w, r->why, CONTROL_MAX_TEXT);
}

int
control_get_snapshot(struct text row, struct control_snapshot *r)
{
	struct reader reader = open_row(row);

	r->sequence = reader_get_u64(&reader);
	r->time = (int64_t)reader_get_u64(&reader);
	r->account = reader_get_u32(&reader);
	r->kind = reader_get_u8(&reader);
	r->id = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->name = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->why = reader_get_text(&reader, CONTROL_MAX_TEXT);
	return reader_done(&reader);
}

void
control_put_account(struct writer *w, const struct control_account *r)
{
	writer_put_u32(w, r->account);
	writer_put_u64(w, r->mailboxes);
	writer_put_u64(w, r->messages);
	writer_put_u64(w, r->bytes);
	writer_put_u64(w, r->unfiled);
}

int
control_get_account(struct text row, struct control_account *r)
{
	struct reader reader = open_row(row);

	r->account = reader_get_u32(&reader);
	r->mailboxes = reader_get_u64(&reader);
	r->messages = reader_get_u64(&reader);
	r->bytes = reader_get_u64(&reader);
	r->unfiled = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_diff(struct writer *w, const struct control_diff *r)
{
	writer_put_u8(w, r->difference);
	writer_put_u32(w, r->account);
	writer_put_text(w, r->mailbox, RECORD_MAX_NAME_SIZE);
	writer_put_u32(w, r->uid);
	writer_put_u64(w, (uint64_t)r->internaldate);
	writer_put_u64(w, r->size);
	writer_put_u32(w, r->flags_before);
	writer_put_u32(w, r->flags_after);
}

int
control_get_diff(struct text row, struct control_diff *r)
{
	struct reader reader = open_row(row);

	r->difference = reader_get_u8(&reader);
	r->account = reader_get_u32(&reader);
	r->mailbox = reader_get_text(&reader, RECORD_MAX_NAME_SIZE);
	r->uid = reader_get_u32(&reader);
	r->internaldate = (int64_t)reader_get_u64(&reader);
	r->size = reader_get_u64(&reader);
	r->flags_before = reader_get_u32(&reader);
	r->flags_after = reader_get_u32(&reader);
	return reader_done(&reader);
}

static void
put_note(struct writer *w, const struct control_note *note)
{
	writer_put_text(w, note->cause, CONTROL_MAX_NAME);
	writer_put_text(w, note->user, CHANGE_NOTE_MAX_USER);
	writer_put_text(w, note->address, CHANGE_NOTE_MAX_ADDRESS);
}

static void
get_note(struct reader *reader, struct control_note *note)
{
	note->cause = reader_get_text(reader, CONTROL_MAX_NAME);
	note->user = reader_get_text(reader, CHANGE_NOTE_MAX_USER);
	note->address = reader_get_text(reader, CHANGE_NOTE_MAX_ADDRESS);
}

void
control_put_event(struct writer *w, const struct control_event *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u64(w, (uint64_t)r->time_us);
	writer_put_u32(w, r->account);
	writer_put_text(w, r->actor, CONTROL_MAX_NAME);
	writer_put_text(w, r->what, CONTROL_MAX_NAME);
	writer_put_u64(w, r->rows);
	writer_put_u64(w, r->removed);
	writer_put_text(w, r->mailbox, RECORD_MAX_NAME_SIZE);
	writer_put_text(w, r->detail, CONTROL_MAX_TEXT);
	put_note(w, &r->note);
}

int
control_get_event(struct text row, struct control_event *r)
{
	struct reader reader = open_row(row);

	r->sequence = reader_get_u64(&reader);
	r->time_us = (int64_t)reader_get_u64(&reader);
	r->account = reader_get_u32(&reader);
	r->actor = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->what = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->rows = reader_get_u64(&reader);
	r->removed = reader_get_u64(&reader);
	r->mailbox = reader_get_text(&reader, RECORD_MAX_NAME_SIZE);
	r->detail = reader_get_text(&reader, CONTROL_MAX_TEXT);
	get_note(&reader, &r->note);
	return reader_done(&reader);
}

void
control_put_plan(struct writer *w, const struct control_plan *r)
{
	writer_put_u32(w, r->account);
	writer_put_text(w, r->mailbox, RECORD_MAX_NAME_SIZE);
	writer_put_u64(w, r->add);
	writer_put_u64(w, r->refill);
	writer_put_u64(w, r->change);
	writer_put_u64(w, r->move);
	writer_put_u64(w, r->bytes);
}

int
control_get_plan(struct text row, struct control_plan *r)
{
	struct reader reader = open_row(row);

	r->account = reader_get_u32(&reader);
	r->mailbox = reader_get_text(&reader, RECORD_MAX_NAME_SIZE);
	r->add = reader_get_u64(&reader);
	r->refill = reader_get_u64(&reader);
	r->change = reader_get_u64(&reader);
	r->move = reader_get_u64(&reader);
	r->bytes = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_progress(struct writer *w, const struct control_progress *r)
{
	writer_put_u64(w, r->done);
	writer_put_u64(w, r->total);
	writer_put_text(w, r->what, CONTROL_MAX_NAME);
}

int
control_get_progress(struct text row, struct control_progress *r)
{
	struct reader reader = open_row(row);

	r->done = reader_get_u64(&reader);
	r->total = reader_get_u64(&reader);
	r->what = reader_get_text(&reader, CONTROL_MAX_NAME);
	return reader_done(&reader);
}

void
control_put_finding(struct writer *w, const struct control_finding *r)
{
	writer_put_text(w, r->where, CONTROL_MAX_TEXT);
	writer_put_text(w, r->what, CONTROL_MAX_TEXT);
}

int
control_get_finding(struct text row, struct control_finding *r)
{
	struct reader reader = open_row(row);

	r->where = reader_get_text(&reader, CONTROL_MAX_TEXT);
	r->what = reader_get_text(&reader, CONTROL_MAX_TEXT);
	return reader_done(&reader);
}

void
control_put_death(struct writer *w, const struct control_death *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u64(w, (uint64_t)r->time);
	put_note(w, &r->note);
}

void
control_put_fact(struct writer *w, const struct control_fact *r)
{
	writer_put_text(w, r->name, CONTROL_MAX_NAME);
	writer_put_text(w, r->value, CONTROL_MAX_TEXT);
}

int
control_get_death(struct text row, struct control_death *r)
{
	struct reader reader;

	reader_init(&reader, row.data, row.size);
	r->sequence = reader_get_u64(&reader);
	r->time = (int64_t)reader_get_u64(&reader);
	get_note(&reader, &r->note);
	return reader_done(&reader);
}

int
control_get_fact(struct text row, struct control_fact *r)
{
	struct reader reader = open_row(row);

	r->name = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->value = reader_get_text(&reader, CONTROL_MAX_TEXT);
	return reader_done(&reader);
}

void
control_put_policy(struct writer *w, const struct control_policy *r)
{
	writer_put_text(w, r->keep, CONTROL_MAX_TEXT);
	writer_put_u64(w, r->every_s);
	writer_put_u64(w, r->left_s);
	writer_put_u8(w, r->has_end);
	writer_put_u8(w, r->is_settings);
}

int
control_get_policy(struct text row, struct control_policy *r)
{
	struct reader reader = open_row(row);

	r->keep = reader_get_text(&reader, CONTROL_MAX_TEXT);
	r->every_s = reader_get_u64(&reader);
	r->left_s = reader_get_u64(&reader);
	r->has_end = reader_get_u8(&reader);
	r->is_settings = reader_get_u8(&reader);
	return reader_done(&reader);
}

void
control_put_hold(struct writer *w, const struct control_hold *r)
{
	writer_put_u64(w, r->number);
	writer_put_text(w, r->tag, CONTROL_MAX_NAME);
	writer_put_text(w, r->why, CONTROL_MAX_TEXT);
	writer_put_u64(w, (uint64_t)r->time);
	writer_put_text(w, r->id, CONTROL_MAX_NAME);
	writer_put_u64(w, r->sequence);
	writer_put_u32(w, r->account);
	writer_put_u64(w, r->mailbox);
	writer_put_u32(w, r->uid);
	writer_put_u8(w, r->is_alarm);
	writer_put_u8(w, r->is_released);
	writer_put_u64(w, r->left_s);
}

int
control_get_hold(struct text row, struct control_hold *r)
{
	struct reader reader = open_row(row);

	r->number = reader_get_u64(&reader);
	r->tag = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->why = reader_get_text(&reader, CONTROL_MAX_TEXT);
	r->time = (int64_t)reader_get_u64(&reader);
	r->id = reader_get_text(&reader, CONTROL_MAX_NAME);
	r->sequence = reader_get_u64(&reader);
	r->account = reader_get_u32(&reader);
	r->mailbox = reader_get_u64(&reader);
	r->uid = reader_get_u32(&reader);
	r->is_alarm = reader_get_u8(&reader);
	r->is_released = reader_get_u8(&reader);
	r->left_s = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_usage(struct writer *w, const struct control_usage *r)
{
	writer_put_u32(w, r->account);
	writer_put_u64(w, r->messages);
	writer_put_u64(w, r->bytes);
	writer_put_u64(w, r->kept);
	writer_put_u64(w, r->kept_bytes);
	writer_put_u64(w, r->bodies);
	writer_put_u64(w, r->body_bytes);
	writer_put_u64(w, r->sealed_bytes);
	writer_put_u64(w, r->grown_bytes);
	writer_put_u64(w, (uint64_t)r->oldest);
	writer_put_u64(w, (uint64_t)r->newest);
	writer_put_u64(w, r->wire_bytes);
}

int
control_get_usage(struct text row, struct control_usage *r)
{
	struct reader reader = open_row(row);

	r->account = reader_get_u32(&reader);
	r->messages = reader_get_u64(&reader);
	r->bytes = reader_get_u64(&reader);
	r->kept = reader_get_u64(&reader);
	r->kept_bytes = reader_get_u64(&reader);
	r->bodies = reader_get_u64(&reader);
	r->body_bytes = reader_get_u64(&reader);
	r->sealed_bytes = reader_get_u64(&reader);
	r->grown_bytes = reader_get_u64(&reader);
	r->oldest = (int64_t)reader_get_u64(&reader);
	r->newest = (int64_t)reader_get_u64(&reader);
	r->wire_bytes = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_store(struct writer *w, const struct control_store *r)
{
	writer_put_u64(w, r->index_bytes);
	writer_put_u64(w, r->staged_bytes);
	writer_put_u64(w, r->segments);
	writer_put_u64(w, r->segment_bytes);
	writer_put_u64(w, r->packed_bytes);
	writer_put_u64(w, r->disk_bytes);
	writer_put_u64(w, r->disk_free_bytes);
	writer_put_u64(w, r->grown_s);
}

int
control_get_store(struct text row, struct control_store *r)
{
	struct reader reader = open_row(row);

	r->index_bytes = reader_get_u64(&reader);
	r->staged_bytes = reader_get_u64(&reader);
	r->segments = reader_get_u64(&reader);
	r->segment_bytes = reader_get_u64(&reader);
	r->packed_bytes = reader_get_u64(&reader);
	r->disk_bytes = reader_get_u64(&reader);
	r->disk_free_bytes = reader_get_u64(&reader);
	r->grown_s = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_drill(struct writer *w, const struct control_drill *r)
{
	writer_put_u64(w, r->sequence);
	writer_put_u64(w, r->accounts);
	writer_put_u64(w, r->mailboxes);
	writer_put_u64(w, r->messages);
	writer_put_u64(w, r->bytes);
	writer_put_u64(w, r->restore_us);
	writer_put_u64(w, r->check_us);
	writer_put_u64(w, r->total_us);
	writer_put_u64(w, r->findings);
}

int
control_get_drill(struct text row, struct control_drill *r)
{
	struct reader reader = open_row(row);

	r->sequence = reader_get_u64(&reader);
	r->accounts = reader_get_u64(&reader);
	r->mailboxes = reader_get_u64(&reader);
	r->messages = reader_get_u64(&reader);
	r->bytes = reader_get_u64(&reader);
	r->restore_us = reader_get_u64(&reader);
	r->check_us = reader_get_u64(&reader);
	r->total_us = reader_get_u64(&reader);
	r->findings = reader_get_u64(&reader);
	return reader_done(&reader);
}

void
control_put_drill_finding(
    struct writer *w, const struct control_drill_finding *r)
{
	writer_put_u32(w, r->account);
	writer_put_text(w, r->mailbox, RECORD_MAX_NAME_SIZE);
	writer_put_u32(w, r->uid);
	writer_put_text(w, r->what, CONTROL_MAX_TEXT);
}

int
control_get_drill_finding(struct text row, struct control_drill_finding *r)
{
	struct reader reader = open_row(row);

	r->account = reader_get_u32(&reader);
	r->mailbox = reader_get_text(&reader, RECORD_MAX_NAME_SIZE);
	r->uid = reader_get_u32(&reader);
	r->what = reader_get_text(&reader, CONTROL_MAX_TEXT);
	return reader_done(&reader);
}
