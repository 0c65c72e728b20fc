/*
 * The steps of ls, cat, export and a drill: a walk through the store as of a
 * sequence, whose accounts, mailboxes, messages and bodies become rows of a
 * job.
 */
#include "snapd/control_steps.h"

#include "common/mail_header.h"

#include <stdio.h>
#include <string.h>

enum {
	MAX_HEADER = 64 << 10 /* searched for a Message-ID */
};

void
control_put_message(struct control_job *job, const struct message_row *row)
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

void
control_put_mailbox(struct control_job *job)
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

void
control_put_damage(struct control_job *job, const char *what, uint64_t number)
{
	struct control_finding finding = { .what = text_of(job->error.text) };
	uint8_t data[RECORD_MAX_NAME_SIZE + 600];
	char where[60];
	struct writer w;

	snprintf(
	    where, sizeof(where), "%s %llu", what, (unsigned long long)number);
	finding.where = text_of(where);
	writer_init(&w, data, sizeof(data));
	control_put_finding(&w, &finding);
	control_put_row(job, CONTROL_FINDING, &w);
	job->error.code = ERROR_NONE;
}

static void
put_subscription(struct control_job *job, struct text name, bool is_subscribed)
{
	uint8_t data[RECORD_MAX_NAME_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_raw(&w, name.data, name.size);
	if (is_subscribed)
		control_put_row(job, CONTROL_SUBSCRIPTION, &w);
}

/* One that cannot be read is named and passed over. */
static int
next_subscription(struct control_job *job, struct cursor *cursor,
    struct text *key, struct text *value)
{
	int got = -1;

	while (got == -1) {
		*key = text_make(NULL, 0);
		got = cursor_next(cursor, key, value, &job->error);
		if (key->size >= 4 &&
		    key_u32_at(*key, 0) != job->walk.account) {
			job->error.code = ERROR_NONE; /* not of this account */
			return 0;
		}
		if (got == -1 &&
		    (job->error.code != ERROR_DAMAGED || key->size < 4))
			return -1;
		if (got == -1)
			control_put_damage(
			    job, "subscription", job->walk.account);
	}
	return got;
}

/* Versions of a name lie side by side by age: the last one counts. */
static int
put_subscriptions(struct control_job *job, struct transaction *t)
{
	struct text key, value, name = { NULL, 0 }, last = { NULL, 0 };
	struct key from = { .size = 0 };
	bool is_subscribed = false;
	struct cursor *cursor;
	struct reader r;
	int got;

	key_put_u32(&from, job->walk.account);
	cursor = cursor_open(t, DB_SUBSCRIBED, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while ((got = next_subscription(job, cursor, &key, &value)) == 1) {
		struct text hashed = text_make(key.data, 36);

		if (key_u64_at(key, 36) > job->sequence)
			continue;
		if (!text_equal(hashed, last))
			put_subscription(job, name, is_subscribed);
		last = hashed;
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		is_subscribed = reader_get_u8(&r) != 0;
		name = reader_get_text(&r, RECORD_MAX_NAME_SIZE);
	}
	put_subscription(job, name, is_subscribed);
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

void
control_put_account_number(struct control_job *job)
{
	struct control_account account = { .account = job->walk.account };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_account(&w, &account);
	control_put_row(job, CONTROL_ACCOUNT, &w);
}

/* Its number, and what it had subscribed then. */
static int
begin_account(struct control_job *job, struct transaction *t)
{
	if (job->verb != MESSAGE_control_export &&
	    job->verb != MESSAGE_control_find)
		return 0;
	control_put_account_number(job);
	return job->verb == MESSAGE_control_export ? put_subscriptions(job, t)
						   : 0;
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

/* A row that cannot be read. For a drill the UID of a message goes before the
 * finding, which is then about it; an export has nothing of it to write. What
 * belongs to an account stands in other rows than its own, and follows. */
static int
put_damaged_row(struct control_job *job, struct transaction *t,
    const struct message_row *row)
{
	struct message_row only = { .record = { .uid = row->record.uid,
					.mailbox = job->walk.after_mailbox } };

	if (row->record.uid != 0) {
		if (job->verb == MESSAGE_control_drill)
			control_put_message(job, &only);
		control_put_damage(job, "uid", row->record.uid);
	} else if (job->walk.after_mailbox != 0) {
		control_put_damage(job, "mailbox", job->walk.after_mailbox);
	} else {
		control_put_account_number(job);
		control_put_damage(job, "account", job->walk.account);
		if (job->verb == MESSAGE_control_export)
			return put_subscriptions(job, t);
	}
	return 0;
}

int
control_begin_body(struct control_job *job, struct transaction *t,
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
	if (job->verb == MESSAGE_control_drill)
		return control_drill_message(job, t, row);
	job->totals.messages++;
	job->totals.bytes += row->record.stored_size;
	if (job->verb == MESSAGE_control_find)
		return control_put_found(job, t, row, row->record.internaldate);
	if (job->verb == MESSAGE_control_export)
		control_put_message(job, row);
	if (job->verb == MESSAGE_control_cat ||
	    job->verb == MESSAGE_control_export)
		return control_begin_body(job, t, row);
	/* A file of the service's has one version at a time: it goes along. */
	if (job->mailbox[0] != '\0' || id.size > 0 ||
	    job->account == ACCOUNT_SERVICE)
		control_put_message(job, row);
	return 0;
}

static void
begin_mailbox(struct control_job *job)
{
	bool is_one_message = job->uid != 0 || job->message_id[0] != '\0';

	job->totals.mailboxes++;
	if (job->account != 0)
		job->totals.messages = 0;
	if (job->mailbox[0] != '\0' && !is_one_message &&
	    job->verb != MESSAGE_control_cat)
		job->was_found = true;
	if (job->verb == MESSAGE_control_export ||
	    job->verb == MESSAGE_control_find)
		control_put_mailbox(job);
}

static int
take_event(struct control_job *job, struct transaction *t,
    enum walk_event event, const struct message_row *row)
{
	bool is_ls = job->verb == MESSAGE_control_ls;

	if (event == WALK_DAMAGED) {
		job->was_found = true;
		if (job->verb == MESSAGE_control_drill && !job->is_counted) {
			job->error.code = ERROR_NONE;
			return 0; /* it is named when it is restored */
		}
		return put_damaged_row(job, t, row);
	}
	if (job->verb == MESSAGE_control_drill && event != WALK_FAILED &&
	    event != WALK_MESSAGE) {
		control_drill_event(job, event);
		return 0;
	}
	switch (event) {
	case WALK_ACCOUNT:
		job->totals = (struct control_account){ 0 };
		return begin_account(job, t);
	case WALK_MAILBOX:
		begin_mailbox(job);
		return 0;
	case WALK_MESSAGE:
		return take_message(job, t, row);
	case WALK_MAILBOX_END:
		if (is_ls && job->account != 0 && job->mailbox[0] == '\0' &&
		    job->message_id[0] == '\0')
			control_put_mailbox(job);
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

	if (job->verb == MESSAGE_control_drill && !control_drill_ends(job))
		return 0;
	job->is_done = true;
	if (is_one && !job->was_found)
		return error_set(&job->error, ERROR_MISSING,
		    job->account == ACCOUNT_SERVICE ? "no such file then"
		    : job->uid != 0 || job->message_id[0] != '\0'
			? "no such message then"
			: "no such mailbox then");
	return 0;
}

/* The end of a body: whoever reads one wants it whole, whoever reads many wants
 * the others all the same. */
static int
end_body(struct control_job *job)
{
	bool is_one = job->verb == MESSAGE_control_cat;

	job->is_in_body = false;
	job->is_done = is_one;
	if (job->error.code != ERROR_DAMAGED || is_one)
		return job->error.code == ERROR_NONE ? 0 : -1;
	control_put_damage(job, "blob", job->object.blob);
	return 0;
}

static void
check_hash(struct control_job *job)
{
	struct hash hash = digest_finish(job->digest);

	if (memcmp(&hash, &job->object.hash, sizeof(hash)) != 0)
		error_set(&job->error, ERROR_DAMAGED,
		    "the message does not match its hash");
}

static int
step_body(struct control_job *job, struct transaction *t)
{
	struct text part;

	while (!control_is_step_full(job)) {
		int got = object_store_part(
		    t, &job->object, job->position, &part, &job->error);

		if (got < 0)
			return end_body(job);
		if (got == 0) {
			check_hash(job);
			return end_body(job);
		}
		digest_add(job->digest, part.data, part.size);
		control_put_bytes(job, CONTROL_BODY, part);
		job->position += part.size;
	}
	return 0;
}

static int
step_messages(
    struct control_job *job, struct transaction *t, unsigned int *looked)
{
	struct message_row row;
	enum walk_event event;
	int result = 0;

	if (walk_resume(&job->walk, t, &job->error) != 0)
		return -1;
	while (result == 0 && !job->is_in_body && !control_is_step_full(job) &&
	       (*looked)++ < CONTROL_STEP_ROWS) {
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

int
control_step_walk(struct control_job *job, struct transaction *t)
{
	unsigned int looked = 0;
	int result = 0;

	while (result == 0 && !job->is_done && !control_is_step_full(job) &&
	       looked < CONTROL_STEP_ROWS)
		result = job->is_in_body ? step_body(job, t)
					 : step_messages(job, t, &looked);
	return result;
}
