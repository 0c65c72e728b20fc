/*
 * The steps of diff.  Of a mailbox that is there at both sequences only those
 * messages are looked at that the log says changed since the older one; one
 * that is not, or of which too much changed, is read as of both, by UID, side
 * by side.
 */
#include "snapd/control_steps.h"

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
	control_put_row(job, CONTROL_DIFF, &w);
}

static bool
is_changed(const struct message_row *a, const struct message_row *b)
{
	return (a->record.flags & FLAG_ALL) != (b->record.flags & FLAG_ALL) ||
	       a->record.keywords != b->record.keywords;
}

/* -- Side by side -- */

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

		if (control_is_step_full(job) || looked++ == CONTROL_STEP_ROWS)
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

/* -- What changed -- */

static int
put_if_changed(struct control_job *job, struct transaction *t,
    const struct change_at *changes, size_t count)
{
	struct message_row from, to;
	int was, is;

	was = changed_row(changes, count, t, job->sequence, &from, &job->error);
	is = was < 0 ? -1
		     : changed_row(changes, count, t, job->to_sequence, &to,
			   &job->error);
	if (is < 0)
		return -1;
	if (was && is && is_changed(&from, &to))
		put_difference(job, DIFFERENCE_CHANGED, &from, &to);
	else if (was && !is)
		put_difference(job, DIFFERENCE_REMOVED, &from, NULL);
	else if (is && !was)
		put_difference(job, DIFFERENCE_ADDED, NULL, &to);
	return 0;
}

/* 1 if there is more of the mailbox, 0, -1. */
static int
look_at_changes(struct control_job *job, struct transaction *t)
{
	uint64_t mailbox = job->walk.after_mailbox;
	const struct change_at *changes;
	unsigned int looked = 0;
	size_t count;

	while ((changes = changed_next(&job->changed, mailbox,
		    (uint32_t)job->position, &count)) != NULL) {
		if (control_is_step_full(job) || looked++ == CONTROL_STEP_ROWS)
			return 1;
		if (put_if_changed(job, t, changes, count) != 0)
			return -1;
		job->position = changes->uid;
	}
	return 0;
}

/* Those of the mailbox's account since the older of the two. */
static int
read_changes(struct control_job *job, struct transaction *t)
{
	uint64_t older =
	    job->sequence < job->to_sequence ? job->sequence : job->to_sequence;

	return changed_read(
	    &job->changed, t, job->walk.account, older, &job->error);
}

/* -- Mailboxes -- */

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

	if (was < 0 || is < 0 || read_changes(job, t) != 0)
		return -1;
	if (was == 0 && is == 0)
		return 0;
	job->walk.mailbox.record.name =
	    is == 1 ? later.record.name : then.record.name;
	if (was && is && !job->changed.is_too_many)
		return look_at_changes(job, t);
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

int
control_step_diff(struct control_job *job, struct transaction *t)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got = 1;

	while (got == 1 && !control_is_step_full(job)) {
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
