/*
 * See restore.h.  Order, for each account: mailboxes that were retired are
 * listed again; rows of expunged messages get new UIDs; subscriptions; then
 * the worker.  Every step reads in a transaction of its own and decides again
 * inside the write, so a step that is cut off or done twice adds nothing.
 */
#include "snapd/restore.h"

#include "common/memory.h"
#include "snapd/batch_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP_ADDS = 256,   /* rows of one event */
	STEP_LOOKS = 5000, /* rows looked at in one round */
	HEARTBEAT_MS = 5000,
	WORKER_TRIES = 3,
	WORKER_BEATS = 12,  /* that a worker may take to come */
	ANSWER_BEATS = 720, /* and to write its files: an hour */
	WAITING_BYTES = 1 << 20
};

enum state {
	IN_ROWS,
	WAITING_WORKER,
	WAITING_FILES
};

struct restore {
	struct snapd *snapd;
	uint64_t client;
	struct control_job *job; /* what was asked; its walk and plan */
	struct timer *timer;
	enum state state;
	struct message_row adds[STEP_ADDS];
	size_t add_count;
	uint64_t bring_back;  /* a mailbox, before its rows */
	struct buf subscribe; /* u16 size and name each */
	struct buf plans;     /* of this account, framed as job->rows is */
	bool is_account_done;
	uint64_t sequence; /* of our last event: it must be committed */
	uint64_t rows_added;
	uint64_t files_written;
	uint64_t files_failed;
	unsigned int tries;
	unsigned int beats;
	uint64_t catch_up_tag;
	bool is_worker_missing;
};

static void step(void *context);

/* -- What the client sees -- */

static void
send_row(
    struct restore *restore, enum control_row_kind kind, struct text record)
{
	struct client *client = snapd_client(restore->snapd, restore->client);
	struct message row = { .type = MESSAGE_control_row };

	if (client == NULL)
		return;
	row.control_row.tag = restore->job->tag;
	row.control_row.kind = (uint8_t)kind;
	row.control_row.record = record;
	(void)channel_send(client->channel, &row, NULL, 0);
}

static void
send_progress(
    struct restore *restore, const char *what, uint64_t done, uint64_t total)
{
	struct control_progress progress = { done, total, text_of(what) };
	uint8_t data[200];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_progress(&w, &progress);
	send_row(restore, CONTROL_PROGRESS, text_make(w.data, w.size));
}

static void
finish(struct restore *restore, enum status status, const char *text)
{
	struct client *client = snapd_client(restore->snapd, restore->client);
	struct message done = { .type = MESSAGE_control_done };

	if (client != NULL) {
		client->is_asking = false;
		done.control_done.tag = restore->job->tag;
		done.control_done.status = (uint8_t)status;
		done.control_done.text = text_of(text);
		(void)channel_send(client->channel, &done, NULL, 0);
	}
	restore_free(snapd_restore(restore->snapd));
}

/* -- Looking: one read transaction -- */

static void
keep_plan(struct restore *restore)
{
	struct restore_plan *plan = &restore->job->plan;
	uint8_t data[RECORD_MAX_NAME_SIZE + 64], size[4];
	struct writer w, s;

	if (plan->sums.add + plan->sums.refill == 0 && !plan->is_retired)
		return;
	plan->sums.mailbox = restore->job->walk.mailbox.record.name;
	writer_init(&w, data, sizeof(data));
	control_put_plan(&w, &plan->sums);
	writer_init(&s, size, sizeof(size));
	writer_put_u32(&s, (uint32_t)w.size);
	buf_put(&restore->plans, size, sizeof(size));
	buf_put(&restore->plans, data, w.size);
}

static int
look_at_message(struct restore *restore, struct transaction *t,
    const struct message_row *row)
{
	struct control_job *job = restore->job;
	struct text id = text_of(job->message_id);
	struct message_row *add;
	int what = 1;

	if (id.size > 0)
		what = control_has_message_id(
		    t, row->record.blob, id, &job->error);
	if (what != 1)
		return what;
	job->was_found = true;
	what = restore_plan_message(
	    &job->plan, t, job->walk.account, row, &job->error);
	if (what != RESTORE_ADD)
		return what < 0 ? -1 : 0;
	add = &restore->adds[restore->add_count++];
	add->record = row->record;
	add->record.base = text_make(NULL, 0);
	add->delivery = row->delivery;
	return 0;
}

/* Names that were subscribed then and are not now. */
static int
look_at_subscriptions(struct restore *restore, struct transaction *t)
{
	struct control_job *job = restore->job;
	char name[RECORD_MAX_NAME_SIZE + 1] = "", hash[32] = { 0 };
	bool was = false, is = true, more = true;
	struct key from = { .size = 0 };
	struct text key, value, text;
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
			if (was && !is)
				buf_put(&restore->subscribe, name,
				    strlen(name) + 1);
			was = false;
		}
		if (!more)
			break;
		memcpy(hash, key.data + 4, sizeof(hash));
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		is = reader_get_u8(&r) != 0;
		text = reader_get_text(&r, RECORD_MAX_NAME_SIZE);
		text_copy(text, name, sizeof(name));
		if (key_u64_at(key, 36) <= job->sequence)
			was = is;
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
		return 0;
	case WALK_MAILBOX:
		job->was_found |= job->uid == 0 && job->message_id[0] == '\0';
		if (restore_plan_mailbox(
			&job->plan, t, &job->walk.mailbox, &job->error) != 0)
			return -1;
		if (job->plan.is_retired)
			restore->bring_back = job->walk.mailbox.record.id;
		return 0;
	case WALK_MESSAGE:
		return look_at_message(restore, t, row);
	case WALK_MAILBOX_END:
		keep_plan(restore);
		return 0;
	case WALK_ACCOUNT_END:
		restore->is_account_done = true;
		return job->mailbox[0] == '\0' && job->message_id[0] == '\0'
			   ? look_at_subscriptions(restore, t)
			   : 0;
	default:
		return -1;
	}
}

/* Until there is something to write, or enough was seen: 1, 0 at the end of
 * everything, -1. */
static int
look(struct restore *restore, struct journal *journal)
{
	struct control_job *job = restore->job;
	unsigned int looked = 0;
	enum walk_event event = WALK_ACCOUNT;
	struct message_row row;
	struct transaction *t;
	int result;

	t = transaction_begin(journal->store, false, &job->error);
	if (t == NULL)
		return -1;
	result = walk_resume(&job->walk, t, &job->error);
	while (result == 0 && looked++ < STEP_LOOKS &&
	       restore->add_count < STEP_ADDS && restore->bring_back == 0 &&
	       !restore->is_account_done) {
		event = walk_next(&job->walk, &row, &job->error);
		if (event == WALK_END)
			break;
		result = look_at(restore, t, event, &row);
	}
	walk_pause(&job->walk);
	transaction_abort(&t);
	return result < 0 ? -1 : event != WALK_END;
}

/* -- Writing: one event -- */

static enum status
add_one(struct change_context *context, struct restore *restore,
    struct message_row *row)
{
	struct journal *journal = context->journal;
	struct mailbox_row mailbox;
	enum status status;
	int is_lost;

	status = change_find_mailbox(context, row->record.mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	is_lost = restore_find_delivery(journal->batch, journal->digest,
	    context->account, row, &row->delivery, context->error);
	if (is_lost != 1)
		return is_lost < 0 ? change_failed(context) : STATUS_OK;
	row->record.flags &= FLAG_ALL;
	if (change_refer(context, row) != 0)
		return change_failed(context);
	status = change_add_message(context, &mailbox, row, 0);
	if (status != STATUS_OK)
		return status;
	restore->rows_added++;
	return row_put_mailbox(journal->batch, &mailbox, context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
}

static enum status
write_all(struct change_context *context, struct restore *restore)
{
	enum status status = STATUS_OK;
	size_t i;

	if (restore->bring_back != 0)
		status = change_bring_back(context, restore->bring_back);
	for (i = 0; i < restore->add_count && status == STATUS_OK; i++)
		status = add_one(context, restore, &restore->adds[i]);
	for (i = 0; i < restore->subscribe.size && status == STATUS_OK;) {
		struct text name =
		    text_of((const char *)restore->subscribe.data + i);

		status = change_subscribe(context, name, true);
		i += name.size + 1;
	}
	return status;
}

static enum status
write_step(struct restore *restore, struct journal *journal)
{
	struct error *error = &restore->job->error;
	struct buf results;
	struct change_context context = { .journal = journal,
		.account = restore->job->walk.account,
		.results = &results,
		.error = error };
	enum status status;
	char detail[64];

	if (restore->bring_back == 0 && restore->add_count == 0 &&
	    restore->subscribe.size == 0)
		return STATUS_OK;
	status = journal_begin(journal,
	    (restore->add_count + 1) * sizeof(struct message_row), error);
	if (status != STATUS_OK)
		return status;
	buf_init(&results, (STEP_ADDS + 2) * RECORD_RESULT_SIZE);
	status = write_all(&context, restore);
	buf_clear(&results);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	snprintf(detail, sizeof(detail), "from=%llu added=%zu",
	    (unsigned long long)restore->job->sequence, restore->add_count);
	restore->sequence = journal_sequence(journal);
	restore->bring_back = 0;
	restore->add_count = 0;
	buf_reset(&restore->subscribe);
	return journal_finish(journal, EVENT_RESTORE, ROLE_SNAPCTL,
	    context.account, detail, error);
}

/* -- The worker -- */

static void
ask_worker(struct restore *restore, struct client *worker)
{
	struct message message = { .type = MESSAGE_catch_up };

	message.catch_up.tag = ++restore->catch_up_tag;
	message.catch_up.sequence =
	    snapd_journal(restore->snapd)->committed.sequence;
	message.catch_up.check_files = 1;
	restore->state = WAITING_FILES;
	restore->beats = 0;
	(void)channel_send(worker->channel, &message, NULL, 0);
	timer_start(restore->timer, HEARTBEAT_MS);
}

/* The account is done: its plan, then the next one. */
static void
next_account(struct restore *restore)
{
	struct reader r;

	send_progress(restore, "files", restore->files_written,
	    restore->files_written + restore->files_failed);
	reader_init(&r, restore->plans.data, restore->plans.size);
	while (r.size > 0 && !r.failed)
		send_row(restore, CONTROL_PLAN,
		    reader_get_text(&r, RECORD_MAX_NAME_SIZE + 64));
	buf_reset(&restore->plans);
	restore->is_account_done = false;
	restore->tries = 0;
	restore->state = IN_ROWS;
	timer_start(restore->timer, 0);
}

static void
want_worker(struct restore *restore)
{
	uint32_t account = restore->job->walk.account;
	struct client *worker = snapd_worker(restore->snapd, account);

	if (worker != NULL) {
		ask_worker(restore, worker);
		return;
	}
	if (restore->tries++ == WORKER_TRIES ||
	    snapd_start_worker(restore->snapd, account) != 0) {
		restore->is_worker_missing = true;
		next_account(restore);
		return;
	}
	restore->state = WAITING_WORKER;
	restore->beats = 0;
	timer_start(restore->timer, HEARTBEAT_MS);
}

static struct restore *
waiting_for(struct snapd *snapd, uint32_t account, enum state state)
{
	struct restore *restore = *snapd_restore(snapd);

	return restore != NULL && restore->state == state &&
		       restore->job->walk.account == account
		   ? restore
		   : NULL;
}

void
restore_worker_there(struct snapd *snapd, uint32_t account)
{
	struct restore *restore = waiting_for(snapd, account, WAITING_WORKER);

	if (restore != NULL)
		want_worker(restore);
}

void
restore_worker_gone(struct snapd *snapd, uint32_t account)
{
	struct restore *restore = waiting_for(snapd, account, WAITING_FILES);

	if (restore != NULL)
		want_worker(restore);
}

void
restore_worker_failed(struct snapd *snapd, uint32_t account)
{
	struct restore *restore = waiting_for(snapd, account, WAITING_WORKER);

	if (restore == NULL)
		return;
	restore->is_worker_missing = true;
	next_account(restore);
}

void
restore_caught_up(struct snapd *snapd, uint32_t account,
    const struct message_caught_up *caught_up)
{
	struct restore *restore = waiting_for(snapd, account, WAITING_FILES);

	if (restore == NULL || caught_up->tag != restore->catch_up_tag)
		return;
	restore->files_written += caught_up->files_written;
	restore->files_failed += caught_up->files_failed;
	if (caught_up->status != STATUS_OK)
		restore->is_worker_missing = true;
	next_account(restore);
}

/* -- Steps -- */

static void
heartbeat(struct restore *restore)
{
	bool is_there = restore->state == WAITING_FILES;

	if (++restore->beats <
	    (is_there ? (unsigned int)ANSWER_BEATS : WORKER_BEATS)) {
		send_progress(restore, is_there ? "files" : "worker",
		    restore->files_written, 0);
		timer_start(restore->timer, HEARTBEAT_MS);
		return;
	}
	restore->is_worker_missing = true;
	next_account(restore);
}

static void
end(struct restore *restore)
{
	struct control_job *job = restore->job;
	bool is_part = job->mailbox[0] != '\0' || job->message_id[0] != '\0';

	if (is_part && !job->was_found)
		finish(restore, STATUS_MISSING, "nothing of that was there");
	else if (restore->files_failed > 0)
		finish(
		    restore, STATUS_DAMAGED, "some files could not be written");
	else if (restore->is_worker_missing)
		finish(restore, STATUS_UNAVAILABLE,
		    "the rows are back; the files follow when the account's "
		    "worker starts");
	else
		finish(restore, STATUS_OK, "");
}

static void
step_rows(struct restore *restore, struct journal *journal)
{
	enum status status;
	int got;

	/* What a step wrote is on disk by the next, or it failed. */
	if (restore->sequence > journal->committed.sequence) {
		finish(restore, STATUS_FULL, "the snapshot store is full");
		return;
	}
	if (restore->is_account_done) {
		want_worker(restore);
		return;
	}
	got = look(restore, journal);
	status = got < 0 ? journal_status_of(&restore->job->error)
			 : write_step(restore, journal);
	if (got < 0 && status == STATUS_OK)
		status = STATUS_DAMAGED;
	if (status != STATUS_OK) {
		finish(restore, status, restore->job->error.text);
		return;
	}
	if (got == 0) {
		end(restore);
		return;
	}
	send_progress(restore, "rows", restore->rows_added, 0);
	timer_start(restore->timer, 0);
}

static void
step(void *context)
{
	struct restore *restore = context;
	struct journal *journal = snapd_journal(restore->snapd);
	struct client *client = snapd_client(restore->snapd, restore->client);

	if (restore->state != IN_ROWS)
		heartbeat(restore);
	else if (client != NULL &&
		 channel_waiting_bytes(client->channel) > WAITING_BYTES)
		timer_start(restore->timer, 100);
	else
		step_rows(restore, journal);
}

enum status
restore_start(
    struct client *client, struct control_job *job, struct error *error)
{
	struct restore **slot = snapd_restore(client->snapd);
	struct journal *journal = snapd_journal(client->snapd);
	struct restore *restore;

	if (*slot != NULL) {
		error_set(error, ERROR_BUSY, "another restore is running");
		return STATUS_UNAVAILABLE;
	}
	if (control_job_resolve(job, journal->store, error) != 0)
		return journal_status_of(error);
	restore = memory_new(1, sizeof(*restore));
	restore->snapd = client->snapd;
	restore->client = client->id;
	restore->job = job;
	buf_init(&restore->subscribe, 64 << 20);
	buf_init(&restore->plans, 64 << 20);
	restore->timer = timer_new(snapd_loop(client->snapd), step, restore);
	timer_start(restore->timer, 0);
	*slot = restore;
	return STATUS_OK;
}

void
restore_free(struct restore **restore)
{
	if (*restore == NULL)
		return;
	timer_free(&(*restore)->timer);
	control_job_free(&(*restore)->job);
	buf_clear(&(*restore)->subscribe);
	buf_clear(&(*restore)->plans);
	memory_free(restore);
}
