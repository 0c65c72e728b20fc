/*
 * The steps of a job: see control_reading.h.  Rows go to the job's buffer and
 * from there, by control.c, to snapctl.
 */
#include "snapd/control_reading.h"

#include "common/mail_header.h"
#include "common/memory.h"
#include "snapd/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_HEADER = 64 << 10, /* searched for a Message-ID */
	MAX_ROW = 60000
};

/* -- Rows -- */

static void
put_bytes(
    struct control_job *job, enum control_row_kind kind, struct text record)
{
	uint8_t head[5];
	struct writer w;

	writer_init(&w, head, sizeof(head));
	writer_put_u8(&w, (uint8_t)kind);
	writer_put_u32(&w, (uint32_t)record.size);
	buf_put(&job->rows, head, sizeof(head));
	buf_put(&job->rows, record.data, record.size);
}

static void
put_row(
    struct control_job *job, enum control_row_kind kind, const struct writer *w)
{
	if (!w->failed)
		put_bytes(job, kind, text_make(w->data, w->size));
}

bool
control_job_row(const struct control_job *job, size_t *at, uint8_t *kind,
    struct text *record)
{
	struct reader r;

	reader_init(&r, job->rows.data + *at, job->rows.size - *at);
	if (r.size == 0)
		return false;
	*kind = reader_get_u8(&r);
	*record = reader_get_text(&r, MAX_ROW);
	*at = job->rows.size - r.size;
	return !r.failed;
}

static bool
is_step_full(const struct control_job *job)
{
	return job->rows.size >= CONTROL_STEP_BYTES;
}

/* -- list -- */

static int
step_list(struct control_job *job, struct transaction *t)
{
	uint8_t data[1200];
	struct writer w;

	for (; job->next_snapshot < job->snapshots.count && !is_step_full(job);
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
		put_row(job, CONTROL_SNAPSHOT, &w);
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
	put_row(job, CONTROL_EVENT, &w);
	return 0;
}

static int
step_log(struct control_job *job, struct transaction *t)
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
		if (is_step_full(job) || ++looked == CONTROL_STEP_ROWS)
			break;
	}
	cursor_close(&cursor);
	job->is_done = got == 0;
	return got < 0 ? -1 : 0;
}

/* -- ls, cat and a restore's plan: a walk -- */

static void
put_message(struct control_job *job, const struct message_row *row)
{
	struct message_record record = row->record;
	uint8_t data[RECORD_MESSAGE_MAX];
	struct writer w;
	char hex[40];

	record.base = row_base(row, hex);
	writer_init(&w, data, sizeof(data));
	record_put_message(&w, &record);
	put_row(job, CONTROL_MESSAGE, &w);
}

static void
put_mailbox(struct control_job *job)
{
	uint8_t data[RECORD_MAILBOX_MAX];
	struct writer w;

	job->walk.mailbox.record.message_count = job->totals.messages;
	writer_init(&w, data, sizeof(data));
	record_put_mailbox(&w, &job->walk.mailbox.record);
	put_row(job, CONTROL_MAILBOX, &w);
}

static int
count_unfiled(struct control_job *job, struct transaction *t)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, job->walk.account);
	cursor = cursor_open(t, DB_UNFILED, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       key_u32_at(key, 0) == job->walk.account)
		if (key_u64_at(key, 4) <= job->sequence)
			job->totals.unfiled++;
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
put_account(struct control_job *job, struct transaction *t)
{
	uint8_t data[64];
	struct writer w;

	job->totals.account = job->walk.account;
	if (count_unfiled(job, t) != 0)
		return -1;
	writer_init(&w, data, sizeof(data));
	control_put_account(&w, &job->totals);
	put_row(job, CONTROL_ACCOUNT, &w);
	return 0;
}

static void
put_plan(struct control_job *job)
{
	uint8_t data[RECORD_MAX_NAME_SIZE + 64];
	struct writer w;

	job->plan.sums.mailbox = job->walk.mailbox.record.name;
	writer_init(&w, data, sizeof(data));
	control_put_plan(&w, &job->plan.sums);
	if (job->plan.sums.add + job->plan.sums.refill > 0 ||
	    job->plan.is_retired)
		put_row(job, CONTROL_PLAN, &w);
}

int
control_has_message_id(struct transaction *t, uint64_t blob, struct text wanted,
    struct error *error)
{
	struct mail_field field;
	struct object object;
	struct buf header;
	struct text part, id;
	int got;

	got = object_store_find(t, blob, &object, error);
	if (got != 1)
		return got;
	buf_init(&header, MAX_HEADER);
	while ((got = object_store_part(
		    t, &object, header.size, &part, error)) == 1 &&
	       buf_put(&header, part.data, part.size) == 0 &&
	       mail_header_size(text_make(header.data, header.size)) ==
		   header.size)
		continue;
	if (got >= 0) {
		got = 0;
		if (mail_header_find(text_make(header.data, header.size),
			"Message-ID", &field)) {
			id = text_trim(field.value);
			if (id.size >= 2 && id.data[0] == '<' &&
			    id.data[id.size - 1] == '>' &&
			    (wanted.size == 0 || wanted.data[0] != '<'))
				id = text_make(id.data + 1, id.size - 2);
			got = text_equal(id, wanted);
		}
	}
	buf_clear(&header);
	return got;
}

static int
begin_body(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	int found =
	    object_store_find(t, row->record.blob, &job->object, &job->error);

	if (found != 1)
		return found < 0 ? -1
				 : error_set(&job->error, ERROR_DAMAGED,
				       "store: a message without body");
	job->is_in_body = true;
	job->position = 0;
	digest_start(job->digest);
	return 0;
}

static int
take_message(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	struct text id = text_of(job->message_id);
	int is_it = 1;

	if (id.size > 0)
		is_it = control_has_message_id(
		    t, row->record.blob, id, &job->error);
	if (is_it != 1)
		return is_it;
	job->was_found = true;
	job->totals.messages++;
	job->totals.bytes += row->record.stored_size;
	if (job->verb == MESSAGE_control_cat)
		return begin_body(job, t, row);
	if (job->verb == MESSAGE_control_restore)
		return restore_plan_message(&job->plan, t, job->walk.account,
			   row, &job->error) < 0
			   ? -1
			   : 0;
	if (job->mailbox[0] != '\0' || id.size > 0)
		put_message(job, row);
	return 0;
}

static int
take_event(struct control_job *job, struct transaction *t,
    enum walk_event event, const struct message_row *row)
{
	bool is_ls = job->verb == MESSAGE_control_ls;

	switch (event) {
	case WALK_ACCOUNT:
		job->totals = (struct control_account){ 0 };
		return 0;
	case WALK_MAILBOX:
		job->totals.mailboxes++;
		if (job->account != 0)
			job->totals.messages = 0;
		if (job->mailbox[0] != '\0' && job->uid == 0 &&
		    job->message_id[0] == '\0')
			job->was_found = true;
		return job->verb == MESSAGE_control_restore
			   ? restore_plan_mailbox(
				 &job->plan, t, &job->walk.mailbox, &job->error)
			   : 0;
	case WALK_MESSAGE:
		return take_message(job, t, row);
	case WALK_MAILBOX_END:
		if (job->verb == MESSAGE_control_restore)
			put_plan(job);
		else if (is_ls && job->account != 0 &&
			 job->mailbox[0] == '\0' && job->message_id[0] == '\0')
			put_mailbox(job);
		return 0;
	case WALK_ACCOUNT_END:
		return is_ls && job->account == 0 && job->message_id[0] == '\0'
			   ? put_account(job, t)
			   : 0;
	default:
		return -1;
	}
}

static int
end_walk(struct control_job *job)
{
	bool is_one = job->uid != 0 || job->message_id[0] != '\0' ||
		      job->mailbox[0] != '\0';

	job->is_done = true;
	if (is_one && !job->was_found)
		return error_set(&job->error, ERROR_MISSING,
		    job->uid != 0 || job->message_id[0] != '\0'
			? "no such message then"
			: "no such mailbox then");
	return 0;
}

/* 0 and, at the end of the body, job->is_done. */
static int
step_body(struct control_job *job, struct transaction *t)
{
	struct text part;
	struct hash hash;
	int got;

	while (!is_step_full(job)) {
		got = object_store_part(
		    t, &job->object, job->position, &part, &job->error);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		digest_add(job->digest, part.data, part.size);
		put_bytes(job, CONTROL_BODY, part);
		job->position += part.size;
	}
	if (job->position < job->object.size)
		return 0;
	hash = digest_finish(job->digest);
	if (memcmp(&hash, &job->object.hash, sizeof(hash)) != 0)
		return error_set(&job->error, ERROR_DAMAGED,
		    "the message does not match its hash");
	job->is_done = true;
	return 0;
}

static int
step_walk(struct control_job *job, struct transaction *t)
{
	unsigned int looked = 0;
	struct message_row row;
	enum walk_event event;
	int result = 0;

	if (job->is_in_body)
		return step_body(job, t);
	if (walk_resume(&job->walk, t, &job->error) != 0)
		return -1;
	while (result == 0 && !is_step_full(job) && !job->is_in_body &&
	       looked++ < CONTROL_STEP_ROWS) {
		event = walk_next(&job->walk, &row, &job->error);
		if (event == WALK_END) {
			result = end_walk(job);
			break;
		}
		result = take_event(job, t, event, &row);
	}
	walk_pause(&job->walk);
	return result;
}

/* -- diff -- */

static void
put_difference(struct control_job *job, enum control_difference difference,
    const struct message_row *from, const struct message_row *to)
{
	const struct message_record *one = &(to != NULL ? to : from)->record;
	struct control_diff row = { .difference = (uint8_t)difference,
		.account = job->walk.account,
		.mailbox = job->walk.mailbox.record.name,
		.uid = one->uid,
		.internaldate = one->internaldate,
		.size = one->size };
	uint8_t data[RECORD_MAX_NAME_SIZE + 64];
	struct writer w;

	if (from != NULL)
		row.flags_before = from->record.flags & FLAG_ALL;
	if (to != NULL)
		row.flags_after = to->record.flags & FLAG_ALL;
	writer_init(&w, data, sizeof(data));
	control_put_diff(&w, &row);
	put_row(job, CONTROL_DIFF, &w);
}

static bool
is_changed(const struct message_row *a, const struct message_row *b)
{
	return (a->record.flags & FLAG_ALL) != (b->record.flags & FLAG_ALL) ||
	       a->record.keywords != b->record.keywords;
}

struct side {
	struct as_of *as_of;
	struct message_row row;
	int got; /* 1: row is the next one; 0: the end; -1 */
};

static void
advance(struct side *side, struct error *error)
{
	side->got = as_of_next(side->as_of, &side->row, error);
}

static int
merge(struct control_job *job, struct side *from, struct side *to)
{
	struct error *error = &job->error;
	unsigned int looked = 0;
	uint32_t uid = (uint32_t)job->position;

	advance(from, error);
	advance(to, error);
	while (from->got >= 0 && to->got >= 0 && (from->got || to->got)) {
		bool is_from =
		    from->got &&
		    (!to->got || from->row.record.uid <= to->row.record.uid);
		bool is_to =
		    to->got &&
		    (!from->got || to->row.record.uid <= from->row.record.uid);

		if (is_step_full(job) || looked++ == CONTROL_STEP_ROWS)
			break;
		uid = is_from ? from->row.record.uid : to->row.record.uid;
		if (is_from && is_to && is_changed(&from->row, &to->row))
			put_difference(
			    job, DIFFERENCE_CHANGED, &from->row, &to->row);
		else if (is_from && !is_to)
			put_difference(
			    job, DIFFERENCE_REMOVED, &from->row, NULL);
		else if (is_to && !is_from)
			put_difference(job, DIFFERENCE_ADDED, NULL, &to->row);
		if (is_from)
			advance(from, error);
		if (is_to)
			advance(to, error);
	}
	job->position = uid;
	if (from->got < 0 || to->got < 0)
		return -1;
	return from->got || to->got;
}

/* The mailbox as of a sequence: 1, 0 if it was not there or retired, -1. */
static int
there_at(struct control_job *job, struct transaction *t, uint64_t sequence,
    struct mailbox_row *row)
{
	int got = row_find_mailbox(
	    t, job->walk.account, job->walk.after_mailbox, row, &job->error);

	if (got == 1)
		got = as_of_mailbox(t, sequence, row, &job->error);
	return got == 1 ? !row->record.is_retired : got;
}

/* Compares walk.after_mailbox from the UID behind job->position on: 1 if there
 * is more of it, 0, -1. */
static int
diff_mailbox(struct control_job *job, struct transaction *t)
{
	static _Thread_local struct mailbox_row then, later;
	int was = there_at(job, t, job->sequence, &then);
	int is = there_at(job, t, job->to_sequence, &later);
	struct side from = { .as_of = &job->walk.messages };
	struct side to = { .as_of = &job->other };
	uint64_t id = job->walk.after_mailbox;
	uint32_t after = (uint32_t)job->position;
	int result = -1;

	if (was < 0 || is < 0)
		return -1;
	if (was == 0 && is == 0)
		return 0;
	job->walk.mailbox.record.name =
	    is == 1 ? later.record.name : then.record.name;
	/* A mailbox that was not there was empty. */
	as_of_start(from.as_of, was ? id : 0, job->sequence, after);
	as_of_start(to.as_of, is ? id : 0, job->to_sequence, after);
	if (as_of_resume(from.as_of, t, &job->error) == 0 &&
	    as_of_resume(to.as_of, t, &job->error) == 0)
		result = merge(job, &from, &to);
	as_of_pause(from.as_of);
	as_of_pause(to.as_of);
	return result;
}

static int
step_diff(struct control_job *job, struct transaction *t)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got = 1;

	while (got == 1 && !is_step_full(job)) {
		if (job->is_in_body) {
			got = diff_mailbox(job, t);
			job->is_in_body = got == 1;
			if (got != 0)
				return got < 0 ? -1 : 0;
		}
		from.size = 0;
		key_put_u32(&from, job->walk.account);
		key_put_u64(&from, job->walk.after_mailbox + 1);
		cursor = cursor_open(t, DB_MAILBOX, &from, &job->error);
		if (cursor == NULL)
			return -1;
		got = cursor_next(cursor, &key, &value, &job->error);
		if (got == 1) {
			job->walk.account = key_u32_at(key, 0);
			job->walk.after_mailbox = key_u64_at(key, 4);
			job->is_in_body = true;
			job->position = 0;
		}
		cursor_close(&cursor);
		if (got == 1 && job->account != 0 &&
		    job->walk.account != job->account)
			got = 0;
	}
	job->is_done = got == 0;
	return got < 0 ? -1 : 0;
}

/* -- Jobs -- */

static int
start(struct control_job *job, struct transaction *t, struct store *store)
{
	job->is_started = true;
	if (snapshot_list_make(&job->snapshots, t, job->digest,
		store_identity(store), &job->retention, job->now, job->account,
		&job->error) != 0 ||
	    snapshot_resolve(&job->snapshots, t, &job->from, &job->sequence,
		&job->error) != 0 ||
	    snapshot_resolve(&job->snapshots, t, &job->to, &job->to_sequence,
		&job->error) != 0)
		return -1;
	job->walk.sequence = job->sequence;
	job->walk.only_account = job->account;
	job->walk.only_mailbox = text_of(job->mailbox);
	job->walk.only_uid = job->uid;
	job->plan.digest = job->digest;
	if (job->verb == MESSAGE_control_diff)
		job->walk.account = job->account;
	if (job->verb != MESSAGE_control_list)
		snapshot_list_clear(&job->snapshots);
	return 0;
}

static int
run(struct control_job *job, struct transaction *t)
{
	switch (job->verb) {
	case MESSAGE_control_list:
		return step_list(job, t);
	case MESSAGE_control_log:
		return step_log(job, t);
	case MESSAGE_control_diff:
		return step_diff(job, t);
	default:
		return step_walk(job, t);
	}
}

void
control_job_step(struct control_job *job, struct store *store)
{
	struct transaction *t;

	buf_reset(&job->rows);
	t = transaction_begin(store, false, &job->error);
	if (t == NULL || (!job->is_started && start(job, t, store) != 0) ||
	    run(job, t) != 0) {
		job->is_done = true;
		if (job->error.code == ERROR_NONE)
			error_set(&job->error, ERROR_DAMAGED, "store");
	}
	transaction_abort(&t);
}

int
control_job_resolve(
    struct control_job *job, struct store *store, struct error *error)
{
	struct transaction *t = transaction_begin(store, false, error);
	int result = -1;

	if (t != NULL) {
		result = start(job, t, store);
		transaction_abort(&t);
		if (result != 0)
			*error = job->error;
	}
	return result;
}

static int
copy_point(
    struct snapshot_point *to, uint8_t kind, int64_t time, struct text name)
{
	to->kind = kind;
	to->time = time;
	return kind <= POINT_TIME ? text_copy(name, to->name, sizeof(to->name))
				  : -1;
}

/* ls, cat and restore ask in the same words. */
static int
copy_selection(
    struct control_job *job, const struct message_control_ls *request)
{
	job->account = request->account;
	job->uid = request->uid;
	if (copy_point(&job->from, request->point_kind, request->point_time,
		request->point_name) != 0 ||
	    text_copy(request->mailbox, job->mailbox, sizeof(job->mailbox)) !=
		0 ||
	    text_copy(request->message_id, job->message_id,
		sizeof(job->message_id)) != 0)
		return -1;
	/* A part of nothing in particular is a mistake. */
	if (job->account == 0 && job->mailbox[0] != '\0')
		return -1;
	if (job->uid != 0 && job->mailbox[0] == '\0')
		return -1;
	return 0;
}

static int
copy_restore(
    struct control_job *job, const struct message_control_restore *restore)
{
	struct message_control_ls ls = { .point_kind = restore->point_kind,
		.point_time = restore->point_time,
		.point_name = restore->point_name,
		.account = restore->account,
		.mailbox = restore->mailbox,
		.uid = restore->uid,
		.message_id = restore->message_id };

	return copy_selection(job, &ls);
}

static int
copy_request(struct control_job *job, const struct message *request)
{
	const struct message_control_diff *diff = &request->control_diff;
	const struct message_control_cat *cat = &request->control_cat;
	struct message_control_ls ls;

	switch ((int)request->type) {
	case MESSAGE_control_list:
		job->account = request->control_list.account;
		job->since = request->control_list.since;
		return 0;
	case MESSAGE_control_log:
		job->account = request->control_log.account;
		job->since = request->control_log.since;
		return 0;
	case MESSAGE_control_ls:
		return copy_selection(job, &request->control_ls);
	case MESSAGE_control_cat:
		ls = (struct message_control_ls){ .point_kind = cat->point_kind,
			.point_time = cat->point_time,
			.point_name = cat->point_name,
			.account = cat->account,
			.mailbox = cat->mailbox,
			.uid = cat->uid,
			.message_id = cat->message_id };
		if (cat->account == 0 ||
		    (cat->uid == 0 && cat->message_id.size == 0))
			return -1;
		return copy_selection(job, &ls);
	case MESSAGE_control_restore:
		return copy_restore(job, &request->control_restore);
	case MESSAGE_control_diff:
		job->account = diff->account;
		if (copy_point(&job->from, diff->from_kind, diff->from_time,
			diff->from_name) != 0)
			return -1;
		return copy_point(
		    &job->to, diff->to_kind, diff->to_time, diff->to_name);
	default:
		return -1;
	}
}

struct control_job *
control_job_new(const struct message *request, struct error *error)
{
	struct control_job *job = memory_new(1, sizeof(*job));

	job->verb = request->type;
	/* Each request of this group begins with its tag. */
	job->tag = request->control_status.tag;
	job->from.kind = job->to.kind = POINT_NOW;
	if (copy_request(job, request) != 0) {
		error_set(error, ERROR_INPUT, "malformed request");
		free(job);
		return NULL;
	}
	job->digest = digest_new();
	buf_init(&job->rows, CONTROL_STEP_BYTES + 2 * MAX_ROW);
	return job;
}

void
control_job_free(struct control_job **job)
{
	if (*job == NULL)
		return;
	buf_clear(&(*job)->rows);
	digest_free(&(*job)->digest);
	snapshot_list_clear(&(*job)->snapshots);
	walk_clear(&(*job)->walk);
	as_of_clear(&(*job)->other);
	restore_plan_clear(&(*job)->plan);
	memory_free(job);
}
