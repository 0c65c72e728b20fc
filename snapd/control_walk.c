/*
 * The steps of ls, cat and a restore's plan: a walk through the store as of a
 * sequence, whose accounts, mailboxes, messages and bodies become rows of a
 * job.
 */
#include "snapd/control_steps.h"

#include "common/mail_header.h"

#include <string.h>

enum {
	MAX_HEADER = 64 << 10 /* searched for a Message-ID */
};

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
	control_put_row(job, CONTROL_MESSAGE, &w);
}

static void
put_mailbox(struct control_job *job)
{
	uint8_t data[RECORD_MAILBOX_MAX];
	struct writer w;

	job->walk.mailbox.record.message_count = job->totals.messages;
	writer_init(&w, data, sizeof(data));
	record_put_mailbox(&w, &job->walk.mailbox.record);
	control_put_row(job, CONTROL_MAILBOX, &w);
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
	control_put_row(job, CONTROL_ACCOUNT, &w);
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
		control_put_row(job, CONTROL_PLAN, &w);
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

	while (!control_is_step_full(job)) {
		got = object_store_part(
		    t, &job->object, job->position, &part, &job->error);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		digest_add(job->digest, part.data, part.size);
		control_put_bytes(job, CONTROL_BODY, part);
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

int
control_step_walk(struct control_job *job, struct transaction *t)
{
	unsigned int looked = 0;
	struct message_row row;
	enum walk_event event;
	int result = 0;

	if (job->is_in_body)
		return step_body(job, t);
	if (walk_resume(&job->walk, t, &job->error) != 0)
		return -1;
	while (result == 0 && !control_is_step_full(job) && !job->is_in_body &&
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
