/*
 * The reading half of a restore: the walk through a sequence, each message
 * held against the plan.  See restore_parts.h.
 */
#include "snapd/restore_parts.h"

#include <stdio.h>
#include <string.h>

static bool
is_of_messages(const struct control_job *job)
{
	return job->uid != 0 || job->message_id[0] != '\0';
}

static bool
is_whole_account(const struct control_job *job)
{
	return job->mailbox[0] == '\0' && job->message_id[0] == '\0';
}

bool
restore_make_target(struct restore *restore, struct text mailbox)
{
	const struct control_job *job = restore->job;
	int size;

	if (job->into[0] != '\0' && job->mailbox[0] != '\0')
		size = snprintf(restore->target, sizeof(restore->target), "%s",
		    restore->base);
	else
		size = snprintf(restore->target, sizeof(restore->target),
		    "%s/%.*s", restore->base, TEXT_FMT(mailbox));
	return size <= RECORD_MAX_NAME_SIZE;
}

static void
keep_plan(struct restore *restore)
{
	struct control_plan *sums = &restore->plan.sums;
	uint8_t data[RECORD_MAX_NAME_SIZE + 128], size[4];
	struct writer w, s;

	restore->planned += sums->add + sums->refill;
	if (sums->add + sums->refill + sums->change + sums->move == 0 &&
	    !restore->plan.is_retired && !restore->plan.is_renamed)
		return;
	writer_init(&w, data, sizeof(data));
	control_put_plan(&w, sums);
	writer_init(&s, size, sizeof(size));
	writer_put_u32(&s, (uint32_t)w.size);
	buf_put(&restore->plans, size, sizeof(size));
	buf_put(&restore->plans, data, w.size);
}

static void
put_item(struct restore *restore, enum restore_what what,
    const struct message_row *row, uint32_t uid)
{
	struct restore_item *item = &restore->items[restore->item_count++];

	item->what = what;
	item->row.record = row->record;
	item->row.record.base = text_make(NULL, 0);
	item->row.delivery = row->delivery;
	item->uid = uid;
}

/* -- A message of then -- */

/* 1: its bytes are those that were stored; 0; -1. */
static int
is_body_good(struct restore *restore, struct transaction *t,
    const struct message_row *row, struct error *error)
{
	struct digest *digest = restore->plan.journal->digest;
	struct object object;
	struct text part;
	struct hash hash;
	uint64_t at = 0;
	int got;

	got = object_store_find(t, row->record.blob, &object, error);
	digest_start(digest);
	while (got == 1 &&
	       (got = object_store_part(t, &object, at, &part, error)) == 1) {
		digest_add(digest, part.data, part.size);
		at += part.size;
	}
	hash = digest_finish(digest);
	restore->bytes_read += at;
	if (got < 0)
		return error->code == ERROR_DAMAGED ? 0 : -1;
	return at == row->record.stored_size &&
	       memcmp(&hash, &row->record.hash, sizeof(hash)) == 0;
}

static void
name_damaged(struct restore *restore, const struct message_row *row)
{
	char where[RECORD_MAX_NAME_SIZE + 40];

	snprintf(where, sizeof(where), "%.*s;UID=%u",
	    TEXT_FMT(restore->job->walk.mailbox.record.name), row->record.uid);
	restore->damaged++;
	restore_send_finding(
	    restore, where, "the stored message is damaged, left out");
}

/* A dry run does not read bodies. */
static int
look_at_body(struct restore *restore, struct transaction *t,
    const struct message_row *row)
{
	struct error error = { .code = ERROR_NONE };
	int is_good = 1;

	if (!restore->job->is_dry_run)
		is_good = is_body_good(restore, t, row, &error);
	if (is_good < 0)
		restore->job->error = error;
	if (is_good != 0)
		return is_good;
	name_damaged(restore, row);
	restore->plan.sums.add--;
	restore->plan.sums.bytes -= row->record.stored_size;
	return 0;
}

static int
look_at_message(struct restore *restore, struct transaction *t,
    const struct message_row *row)
{
	struct control_job *job = restore->job;
	struct text id = text_of(job->message_id);
	struct message_row now = { .delivery = row->delivery };
	int what = 1;

	if (id.size > 0)
		what = control_has_message_id(
		    t, row->record.blob, id, &job->error);
	if (what != 1)
		return what;
	job->was_found = true;
	what = restore_plan_message(
	    &restore->plan, t, job->walk.account, row, &now, &job->error);
	if (what == RESTORE_ADD) {
		what = look_at_body(restore, t, row);
		if (what == 1)
			put_item(restore, RESTORE_ADD, row, 0);
	} else if (what > 0 && (what & RESTORE_CHANGE) != 0) {
		put_item(restore, RESTORE_CHANGE, row, now.record.uid);
	}
	return what < 0 ? -1 : 0;
}

/* -- What came later -- */

static int
look_at_newer(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	struct message_row row;
	int got;

	got = restore_plan_newer(&restore->plan, t, job->walk.mailbox.record.id,
	    restore->newer_uid, &row, &job->error);
	if (got == 1) {
		restore->newer_uid = row.record.uid;
		put_item(restore, RESTORE_MOVE, &row, 0);
	} else if (got == 0) {
		restore->is_among_newer = false;
		restore->is_mailbox_done = true;
		keep_plan(restore);
	}
	return got < 0 ? -1 : 0;
}

/* A mailbox that was not there then is moved as a whole. */
static int
look_at_newer_box(struct restore *restore, struct transaction *t)
{
	static _Thread_local struct mailbox_row mailbox;
	struct control_job *job = restore->job;
	struct restore_plan *plan = &restore->plan;
	struct message_row row = { .died = 0 };
	int got;

	got = restore_plan_newer_mailbox(t, job->walk.account, job->sequence,
	    restore->newer_box, &mailbox, &job->error);
	if (got != 1) {
		restore->is_among_newer_boxes = false;
		return got;
	}
	restore->newer_box = mailbox.record.id;
	plan->is_retired = false;
	plan->is_renamed = true;
	plan->sums = (struct control_plan){ .account = job->walk.account,
		.mailbox = mailbox.record.name,
		.move = mailbox.record.message_count };
	keep_plan(restore);
	row.record.mailbox = mailbox.record.id;
	put_item(restore, RESTORE_MOVE, &row, 0);
	return 0;
}

/* -- Subscriptions -- */

static void
put_subscription(struct restore *restore, const char *name, bool is_subscribed)
{
	buf_put_byte(&restore->subscribe, is_subscribed);
	buf_put(&restore->subscribe, name, strlen(name) + 1);
}

/* Versions of a name lie side by side by age: those that were subscribed then
 * and are not now; a rewind also takes back what was not. */
static int
look_at_subscriptions(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	char name[RECORD_MAX_NAME_SIZE + 1] = "", hash[32] = { 0 };
	bool was = false, is = false, more = true;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	struct reader r;
	int got;

	key_put_u32(&from, job->walk.account);
	cursor = cursor_open(t, DB_SUBSCRIBED, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while (more) {
		got = cursor_next(cursor, &key, &value, &job->error);
		more = got == 1 && key_u32_at(key, 0) == job->walk.account;
		if (!more || memcmp(hash, key.data + 4, sizeof(hash)) != 0) {
			if (was != is && (was || job->mode == MODE_REWIND) &&
			    !restore_is_own_name(text_of(name)))
				put_subscription(restore, name, was);
			was = is = false;
		}
		if (!more)
			break;
		memcpy(hash, key.data + 4, sizeof(hash));
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		is = reader_get_u8(&r) != 0;
		text_copy(reader_get_text(&r, RECORD_MAX_NAME_SIZE), name,
		    sizeof(name));
		if (key_u64_at(key, 36) <= job->sequence)
			was = is;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* -- The walk -- */

static int
begin_mailbox(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	struct restore_plan *plan = &restore->plan;
	const struct mailbox_row *mailbox = &job->walk.mailbox;

	job->was_found |= !is_of_messages(job);
	restore->is_mailbox_done = false;
	if (!restore_make_target(restore, mailbox->record.name)) {
		restore->target[0] = '\0';
		if (job->mode == MODE_COPY)
			return error_set(&job->error, ERROR_LIMIT,
			    "the name of the copy would be too long");
	}
	if (restore_plan_mailbox(
		plan, t, mailbox, text_of(restore->target), &job->error) != 0)
		return -1;
	/* Of one message's mailbox the name is not what was asked for. */
	plan->is_renamed &= !is_of_messages(job);
	restore->must_bring_back = plan->is_retired;
	restore->must_rename = plan->is_renamed;
	return 0;
}

static void
end_mailbox(struct restore *restore)
{
	struct control_job *job = restore->job;

	if (job->mode == MODE_REWIND && !is_of_messages(job)) {
		restore->is_among_newer = true;
		restore->newer_uid = job->walk.messages.after;
		return;
	}
	restore->is_mailbox_done = true;
	keep_plan(restore);
}

/* A dry run comes to an account: its worker and those of the next ones are
 * asked, as many at a time as a restore has. */
static int
choose_looks(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	uint32_t account = job->walk.account;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got = 1;

	restore->must_look = true;
	if (restore->looked < account)
		restore->looked = account - 1;
	key_put_u32(&from, restore->looked + 1);
	cursor = cursor_open(t, DB_ACCOUNT, &from, &job->error);
	if (cursor == NULL)
		return -1;
	while (restore->files_count + restore->look_count < RESTORE_WORKERS &&
	       (got = cursor_next(cursor, &key, &value, &job->error)) == 1) {
		account = key_u32_at(key, 0);
		if (account == ACCOUNT_SERVICE ||
		    (job->walk.only_account != 0 &&
			account != job->walk.only_account))
			break;
		restore->looked = account;
		restore->look_at[restore->look_count++] = account;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
look_at(struct restore *restore, struct transaction *t, enum walk_event event,
    const struct message_row *row)
{
	struct control_job *job = restore->job;

	switch (event) {
	case WALK_ACCOUNT:
		restore->is_among_newer_boxes =
		    job->mode == MODE_REWIND && is_whole_account(job);
		restore->newer_box = 0;
		return job->is_dry_run && job->mode != MODE_COPY
			   ? choose_looks(restore, t)
			   : 0;
	case WALK_MAILBOX:
		return begin_mailbox(restore, t);
	case WALK_MESSAGE:
		return look_at_message(restore, t, row);
	case WALK_MAILBOX_END:
		end_mailbox(restore);
		return 0;
	case WALK_ACCOUNT_END:
		restore->is_account_done = true;
		return job->mode != MODE_COPY && is_whole_account(job)
			   ? look_at_subscriptions(restore, t)
			   : 0;
	default:
		return -1;
	}
}

/* 1, 0 at the end of everything, -1. */
static int
look_once(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	struct message_row row;
	enum walk_event event;
	int result;

	if (restore->is_among_newer_boxes)
		result = look_at_newer_box(restore, t);
	else if (restore->is_among_newer)
		result = look_at_newer(restore, t);
	else {
		event = walk_next(&job->walk, &row, &job->error);
		if (event == WALK_END)
			return 0;
		result = look_at(restore, t, event, &row);
	}
	return result < 0 ? -1 : 1;
}

static bool
is_enough(const struct restore *restore)
{
	return restore->item_count == RESTORE_STEP_ITEMS ||
	       restore->bytes_read > RESTORE_STEP_BYTES ||
	       restore->must_bring_back || restore->must_rename ||
	       restore->must_look || restore->is_account_done ||
	       (restore->is_mailbox_done && restore->item_count > 0);
}

int
restore_look(struct restore *restore, struct journal *journal)
{
	struct control_job *job = restore->job;
	unsigned int looked = 0;
	struct transaction *t;
	int result = 1;

	t = transaction_begin(journal->store, false, &job->error);
	if (t == NULL)
		return -1;
	restore->bytes_read = 0;
	if (walk_resume(&job->walk, t, &job->error) != 0)
		result = -1;
	while (
	    result == 1 && looked++ < RESTORE_STEP_LOOKS && !is_enough(restore))
		result = look_once(restore, t);
	walk_pause(&job->walk);
	transaction_abort(&t);
	return result;
}
