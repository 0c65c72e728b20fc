/*
 * The steps of find: messages with their headers, which snapctl parses and
 * chooses from; nothing of a mail is looked at here but where its header may
 * end.  What was deleted is found among the dead rows of each mailbox, and
 * among the live ones of a mailbox that was deleted itself.
 */
#include "snapd/control_steps.h"

#include "common/event_form.h"

#include <string.h>

enum {
	MAX_HEAD = 64 << 10
};

/* Whether an empty line lies in the bytes, or between them and those before. */
static bool
ends_header(struct text before, struct text part)
{
	char joint[8];
	size_t tail = before.size < 3 ? before.size : 3;
	size_t head = part.size < 3 ? part.size : 3;

	if (tail > 0)
		memcpy(joint, before.data + before.size - tail, tail);
	memcpy(joint + tail, part.data, head);
	return memmem(part.data, part.size, "\n\n", 2) != NULL ||
	       memmem(part.data, part.size, "\n\r\n", 3) != NULL ||
	       memmem(joint, tail + head, "\n\n", 2) != NULL ||
	       memmem(joint, tail + head, "\n\r\n", 3) != NULL;
}

static int
put_head(struct control_job *job, struct transaction *t, uint64_t blob)
{
	struct text part, before = { NULL, 0 };
	struct object object;
	uint64_t at = 0;
	int got = object_store_find(t, blob, &object, &job->error);

	while (got == 1 && at < MAX_HEAD) {
		got = object_store_part(t, &object, at, &part, &job->error);
		if (got != 1)
			break;
		control_put_bytes(job, CONTROL_HEAD, part);
		if (ends_header(before, part))
			break;
		before = part;
		at += part.size;
	}
	/* A damaged one is shown without its header. */
	if (got < 0 && job->error.code == ERROR_DAMAGED) {
		job->error.code = ERROR_NONE;
		got = 0;
	}
	return got < 0 ? -1 : 0;
}

int
control_put_found(struct control_job *job, struct transaction *t,
    const struct message_row *row, int64_t date)
{
	if (date < job->since || (job->before != 0 && date >= job->before))
		return 0;
	control_put_message(job, row);
	return put_head(job, t, row->record.blob);
}

/* When, and who says to have done it; nothing if the event is not there any
 * more. */
static struct control_death
find_death(struct transaction *t, uint64_t sequence)
{
	struct control_death death = { .sequence = sequence };
	struct key key = { .size = 0 };
	struct event_form event;
	struct error error;
	struct text value;

	key_put_u64(&key, sequence);
	if (store_get(t, DB_LOG, &key, &value, &error) != 1 ||
	    event_decode(value, &event) != 0)
		return death;
	death.time = (int64_t)(event.wall_us / 1000000);
	death.note = control_note_of(&event);
	return death;
}

static int
put_deleted(struct control_job *job, struct transaction *t,
    const struct message_row *row, uint64_t died)
{
	struct control_death death = find_death(t, died);
	uint8_t data[600];
	struct writer w;

	if (death.time < job->since ||
	    (job->before != 0 && death.time >= job->before))
		return 0;
	writer_init(&w, data, sizeof(data));
	control_put_death(&w, &death);
	control_put_row(job, CONTROL_DEATH, &w);
	control_put_message(job, row);
	return put_head(job, t, row->record.blob);
}

/* Rows of the mailbox from `from` on, of either database; job->after is the
 * key of the last one. 1 if there are more of them, 0, -1. */
static int
step_rows(struct control_job *job, struct transaction *t,
    enum database database, unsigned int *looked)
{
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	int got;

	cursor = cursor_open(t, database, &job->after, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, &job->error)) == 1 &&
	       key_u64_at(key, 0) == job->walk.after_mailbox) {
		bool is_dead = database == DB_DEAD;

		if (control_is_step_full(job) ||
		    ++*looked > CONTROL_STEP_ROWS) {
			job->after.size = key.size;
			memcpy(job->after.bytes, key.data, key.size);
			cursor_close(&cursor);
			return 1;
		}
		if ((is_dead ? row_decode_dead : row_decode_live)(
			key, value, &row, &job->error) != 0 ||
		    ((!is_dead || row.death == DEATH_EXPUNGE) &&
			put_deleted(job, t, &row,
			    is_dead ? row.died : job->retired) != 0)) {
			got = -1;
			break;
		}
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static void
start_rows(struct control_job *job, enum database database)
{
	job->database = database;
	job->after.size = 0;
	key_put_u64(&job->after, job->walk.after_mailbox);
}

/* The next mailbox of the accounts asked for: 1, 0 if there is none, -1. */
static int
next_mailbox(struct control_job *job, struct transaction *t)
{
	static _Thread_local struct mailbox_row row;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	uint32_t account = 0;
	int got;

	key_put_u32(&from, job->walk.account);
	key_put_u64(&from, job->walk.after_mailbox + 1);
	cursor = cursor_open(t, DB_MAILBOX, &from, &job->error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, &job->error);
	if (got == 1)
		account = key_u32_at(key, 0);
	if (got == 1 && (job->account != 0 ? account != job->account
					   : account == ACCOUNT_SERVICE))
		got = 0;
	if (got == 1 && row_decode_mailbox(value, &row, &job->error) != 0)
		got = -1;
	if (got == 1) {
		if (account != job->walk.account || !job->was_found) {
			job->walk.account = account;
			control_put_account_number(job);
		}
		job->was_found = true;
		job->walk.after_mailbox = row.record.id;
		job->walk.mailbox.record = row.record;
		job->retired = row.record.is_retired ? row.born : 0;
		control_put_mailbox(job);
		start_rows(job, DB_DEAD);
	}
	cursor_close(&cursor);
	return got;
}

int
control_step_deleted(struct control_job *job, struct transaction *t)
{
	unsigned int looked = 0;
	int got = 1;

	while (got >= 0 && !job->is_done && !control_is_step_full(job) &&
	       looked < CONTROL_STEP_ROWS) {
		if (job->after.size == 0) {
			got = next_mailbox(job, t);
			job->is_done = got == 0;
			continue;
		}
		got = step_rows(job, t, job->database, &looked);
		if (got != 0)
			continue;
		job->after.size = 0;
		if (job->database == DB_DEAD && job->retired != 0)
			start_rows(job, DB_LIVE);
	}
	return got < 0 ? -1 : 0;
}
