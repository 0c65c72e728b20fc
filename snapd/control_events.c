/*
 * The steps of list and log: snapshots and events become rows of a job.
 */
#include "snapd/control_steps.h"

#include "snapd/journal.h"

#include <stdio.h>

/* -- list -- */

int
control_step_list(struct control_job *job, struct transaction *t)
{
	uint8_t data[1200];
	struct writer w;

	for (; job->next_snapshot < job->snapshots.count &&
	       !control_is_step_full(job);
	     job->next_snapshot++) {
		const struct snapshot *s =
		    &job->snapshots.snapshots[job->next_snapshot];
		struct control_snapshot row = { .sequence = s->sequence,
			.time = s->time,
			.account = s->account,
			.kind = s->kind };
		char hex[2 * SNAPSHOT_ID_BYTES + 1];

		if (s->time < job->since)
			continue;
		text_format_hex(s->id, sizeof(s->id), hex);
		row.id = text_make(hex, s->digits);
		if (snapshot_texts(t, s, &row.name, &row.why, &job->error) < 0)
			return -1;
		writer_init(&w, data, sizeof(data));
		control_put_snapshot(&w, &row);
		control_put_row(job, CONTROL_SNAPSHOT, &w);
	}
	job->is_done = job->next_snapshot == job->snapshots.count;
	return 0;
}

/* -- log -- */

static const char *
event_name(uint8_t kind)
{
	switch (kind) {
	case EVENT_ACCEPT:
		return "accepted";
	case EVENT_BATCH:
		return "changed";
	case EVENT_ACCOUNT:
		return "account-created";
	case EVENT_MARK:
		return "marked";
	case EVENT_RESTORE:
		return "restored";
	case EVENT_ALARM:
		return "alarm";
	case EVENT_LEAP:
		return "leapt";
	case EVENT_POLICY:
		return "policy";
	case EVENT_HOLD:
		return "held";
	case EVENT_RELEASE:
		return "released";
	case EVENT_ERASURE:
		return "erasure";
	case EVENT_FORGET:
		return "forgot";
	case EVENT_SEGMENT:
		return "segment";
	case EVENT_DRILL:
		return "drilled";
	default:
		return "unknown";
	}
}

struct control_note
control_note_of(const struct event_form *event)
{
	return (struct control_note){ text_of(change_cause_name(event->cause)),
		event->user, event->address };
}

/* What an event took out of which mailbox (the last one of several); or the
 * mailbox that it touched. */
struct removal {
	uint64_t messages;
	uint64_t mailbox;
};

/* A message that died, or a mailbox that left the list with all that was in
 * it. */
static int
count_entry(struct control_job *job, struct transaction *t, struct text key,
    const struct event_entry *entry, struct removal *removal)
{
	static _Thread_local struct mailbox_row row;
	uint64_t mailbox = key_u64_at(key, 12), count = 0;
	int found;

	if (entry->what == TOUCH_DIED)
		count = 1;
	if (entry->what == TOUCH_MAILBOX) {
		found = row_find_mailbox(
		    t, key_u32_at(key, 0), mailbox, &row, &job->error);
		if (found < 0)
			return -1;
		if (found == 1 && row.record.is_retired &&
		    row.born == key_u64_at(key, 4))
			count = row.record.message_count;
	}
	if (count > 0 || removal->messages == 0)
		removal->mailbox = mailbox;
	removal->messages += count;
	return 0;
}

static int
count_entries(struct control_job *job, struct transaction *t,
    const struct control_event *event, struct removal *removal)
{
	struct event_entry entry;
	struct text key, value;
	struct cursor *cursor;
	struct key from;
	int got;

	event_entry_key(&from, event->account, event->sequence, 0, 0);
	cursor = cursor_open(t, DB_ACCOUNT_LOG, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       key_u32_at(key, 0) == event->account &&
	       key_u64_at(key, 4) == event->sequence) {
		job->looked++;
		if (event_entry_decode(value, &entry) != 0)
			got = error_set(
			    &job->error, ERROR_DAMAGED, "store: entry");
		else
			got = count_entry(job, t, key, &entry, removal);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* The part of the row that is not in the event itself. */
static int
add_removal(struct control_job *job, struct transaction *t,
    struct control_event *event, struct mailbox_row *row)
{
	struct removal removal = { 0, 0 };
	int found;

	if (event->account == 0)
		return 0;
	if (count_entries(job, t, event, &removal) != 0)
		return -1;
	event->removed = removal.messages;
	found = row_find_mailbox(
	    t, event->account, removal.mailbox, row, &job->error);
	if (found == 1)
		event->mailbox = row->record.name;
	return found < 0 ? -1 : 0;
}

static int
put_event(struct control_job *job, struct transaction *t, uint64_t sequence,
    struct text value)
{
	struct control_event event = { .sequence = sequence };
	static _Thread_local struct mailbox_row row;
	struct event_form form;
	uint8_t data[3000];
	struct writer w;

	if (event_decode(value, &form) != 0)
		return error_set(
		    &job->error, ERROR_DAMAGED, "store: malformed event");
	event.time_us = (int64_t)form.wall_us;
	event.account = form.account;
	if (event.time_us / 1000000 < job->since ||
	    (job->account != 0 && event.account != 0 &&
		event.account != job->account))
		return 0;
	if (add_removal(job, t, &event, &row) != 0)
		return -1;
	event.actor =
	    text_of(form.actor < ROLE_COUNT ? role_name(form.actor) : "?");
	event.what = text_of(event_name(form.kind));
	event.rows = form.entries;
	event.detail = form.detail;
	event.note = control_note_of(&form);
	writer_init(&w, data, sizeof(data));
	control_put_event(&w, &event);
	control_put_row(job, CONTROL_EVENT, &w);
	return 0;
}

int
control_step_log(struct control_job *job, struct transaction *t)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	job->looked = 0;
	key_put_u64(&from, job->position + 1);
	cursor = cursor_open(t, DB_LOG, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1) {
		/* Who follows comes back for what was committed meanwhile. */
		if (key_u64_at(key, 0) > job->sequence) {
			got = 0;
			break;
		}
		job->position = key_u64_at(key, 0);
		got = put_event(job, t, job->position, value);
		if (got < 0)
			break;
		got = 1;
		if (control_is_step_full(job) ||
		    ++job->looked >= CONTROL_STEP_ROWS)
			break;
	}
	cursor_close(&cursor);
	job->is_done = got == 0;
	return got < 0 ? -1 : 0;
}
