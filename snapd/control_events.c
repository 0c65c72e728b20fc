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
	default:
		return "unknown";
	}
}

static int
put_event(struct control_job *job, uint64_t sequence, struct text value)
{
	struct control_event event = { .sequence = sequence };
	uint8_t kind, actor, data[600];
	struct hash content;
	struct text detail;
	struct reader r;
	struct writer w;
	uint64_t rows;
	char what[400];

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	event.time_us = (int64_t)reader_get_u64(&r);
	reader_get_u64(&r);
	reader_get_u64(&r);
	kind = reader_get_u8(&r);
	actor = reader_get_u8(&r);
	event.account = reader_get_u32(&r);
	rows = reader_get_u64(&r);
	reader_get_raw(&r, content.bytes, sizeof(content.bytes));
	detail = reader_get_text(&r, 255);
	if (reader_done(&r) != 0)
		return error_set(
		    &job->error, ERROR_DAMAGED, "store: malformed event");
	if (event.time_us / 1000000 < job->since ||
	    (job->account != 0 && event.account != 0 &&
		event.account != job->account))
		return 0;
	snprintf(what, sizeof(what), "%s rows=%llu%s%.*s", event_name(kind),
	    (unsigned long long)rows, detail.size > 0 ? " detail=" : "",
	    TEXT_FMT(detail));
	event.what = text_of(what);
	event.actor = text_of(actor < ROLE_COUNT ? role_name(actor) : "?");
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
	unsigned int looked = 0;
	int got;

	key_put_u64(&from, job->position + 1);
	cursor = cursor_open(t, DB_LOG, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1) {
		job->position = key_u64_at(key, 0);
		if (job->position > job->sequence) {
			got = 0;
			break;
		}
		got = put_event(job, job->position, value);
		if (got < 0)
			break;
		got = 1;
		if (control_is_step_full(job) || ++looked == CONTROL_STEP_ROWS)
			break;
	}
	cursor_close(&cursor);
	job->is_done = got == 0;
	return got < 0 ? -1 : 0;
}
