/*
 * The life of a restore: see restore.h; its parts are in restore_parts.h.
 * Order, for each account: a rewind moves mailboxes aside that were not there;
 * mailboxes that were retired are listed again; rows of expunged messages get
 * new UIDs; what came later is moved aside; subscriptions; then the worker.
 */
#include "snapd/restore.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/batch_changes.h"
#include "snapd/restore_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	COMMIT_WAIT_MS = 1,
	WAITING_BYTES = 1 << 20,
	TELL_EVERY_MS = 1000
};

/* -- What the client sees -- */

void
restore_send_row(
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

void
restore_send_progress(
    struct restore *restore, const char *what, uint64_t done, uint64_t total)
{
	struct control_progress progress = { done, total, text_of(what) };
	uint8_t data[200];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_progress(&w, &progress);
	restore_send_row(restore, CONTROL_PROGRESS, text_make(w.data, w.size));
}

void
restore_send_finding(
    struct restore *restore, const char *where, const char *what)
{
	struct control_finding finding = { text_of(where), text_of(what) };
	uint8_t data[RECORD_MAX_NAME_SIZE + 400];
	struct writer w;

	if (++restore->findings > RESTORE_MAX_FINDINGS)
		return;
	writer_init(&w, data, sizeof(data));
	control_put_finding(&w, &finding);
	restore_send_row(restore, CONTROL_FINDING, text_make(w.data, w.size));
}

/* Which event it is, so that the same can be asked for again. */
static void
send_point(struct restore *restore, int64_t time)
{
	struct control_snapshot row = { .sequence = restore->job->sequence,
		.account = restore->job->account,
		.kind = SNAPSHOT_TIMER,
		.time = time };
	uint8_t data[300];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	control_put_snapshot(&w, &row);
	restore_send_row(restore, CONTROL_SNAPSHOT, text_make(w.data, w.size));
}

static void
send_plans(struct restore *restore)
{
	struct reader r;

	reader_init(&r, restore->plans.data, restore->plans.size);
	while (r.size > 0 && !r.failed)
		restore_send_row(restore, CONTROL_PLAN,
		    reader_get_text(&r, RECORD_MAX_NAME_SIZE + 128));
	buf_reset(&restore->plans);
}

static void
finish(struct restore *restore, enum status status, const char *text)
{
	struct snapd *snapd = restore->snapd;
	uint32_t account = restore->job->walk.account;
	struct client *client = snapd_client(restore->snapd, restore->client);
	struct message done = { .type = MESSAGE_control_done };

	if (client != NULL) {
		client->is_asking = false;
		done.control_done.tag = restore->job->tag;
		done.control_done.status = (uint8_t)status;
		done.control_done.text = text_of(text);
		(void)channel_send(client->channel, &done, NULL, 0);
	}
	restore_free(snapd_restore(snapd));
	if (status != STATUS_OK)
		restore_tell_worker(snapd, account);
}

static void
end(struct restore *restore)
{
	struct control_job *job = restore->job;
	bool is_part = job->mailbox[0] != '\0' || job->message_id[0] != '\0';
	enum status status = STATUS_OK;
	char text[300] = "";

	if (is_part && !job->was_found) {
		finish(restore, STATUS_MISSING, "nothing of that was there");
		return;
	}
	if (restore->damaged > 0)
		status = STATUS_DAMAGED;
	else if (restore->files_failed > 0 || restore->workers_missing > 0 ||
		 restore->skipped > 0)
		status = STATUS_PARTLY;
	if (status != STATUS_OK)
		snprintf(text, sizeof(text),
		    "%llu damaged messages, %llu files that could not be "
		    "written, %llu accounts whose files follow later, %llu "
		    "mailboxes that kept their names",
		    (unsigned long long)restore->damaged,
		    (unsigned long long)restore->files_failed,
		    (unsigned long long)restore->workers_missing,
		    (unsigned long long)restore->skipped);
	finish(restore, status, text);
}

/* -- Steps -- */

void
restore_go_on(struct restore *restore)
{
	timer_start(restore->timer, 0);
}

static void
end_account(struct restore *restore)
{
	restore->is_account_done = false;
	send_plans(restore);
	if (!restore->job->is_dry_run)
		restore_files_start(restore, restore->job->walk.account, false);
}

static enum status
step_rows(struct restore *restore, struct journal *journal)
{
	struct control_job *job = restore->job;
	enum status status = STATUS_OK;
	int got;

	if (job->mode == MODE_REWIND && !job->is_dry_run &&
	    !restore->is_marked) {
		restore->is_marked = true;
		return restore_mark(restore, journal);
	}
	got = restore_look(restore, journal);
	if (got >= 0)
		status = restore_write(restore, journal);
	else
		status = journal_status_of(&job->error);
	if (got < 0 && status == STATUS_OK)
		status = STATUS_DAMAGED;
	restore->is_walk_done = got == 0;
	for (size_t i = 0; i < restore->look_count; i++)
		restore_files_start(restore, restore->look_at[i], true);
	restore->look_count = 0;
	return status;
}

/* A worker that is there shows what is back while the rest is coming. */
static void
tell_worker(struct restore *restore)
{
	int64_t now_ms = clock_monotonic_us() / 1000;

	if (restore->told == restore->sequence ||
	    now_ms - restore->told_ms < TELL_EVERY_MS)
		return;
	restore->told = restore->sequence;
	restore->told_ms = now_ms;
	restore_tell_worker(restore->snapd, restore->job->walk.account);
}

/* What the last step wrote is on disk. A round with others' mail in it may wait
 * for more of it before its commit. */
static bool
is_committed(struct restore *restore, const struct journal *journal)
{
	if (!restore->is_uncommitted)
		return true;
	if (restore->lost_rounds != journal->lost_rounds) {
		finish(restore, STATUS_FULL, "the snapshot store is full");
		return false;
	}
	if (restore->sequence > journal->committed.sequence) {
		timer_start(restore->timer, COMMIT_WAIT_MS);
		return false;
	}
	restore->is_uncommitted = false;
	return true;
}

static void
step_on(struct restore *restore, struct journal *journal)
{
	enum status status;

	if (!is_committed(restore, journal))
		return;
	if (restore->is_account_done)
		end_account(restore);
	else if (!restore->is_walk_done)
		tell_worker(restore);
	if (restore->is_walk_done) {
		if (restore->files == NULL)
			end(restore);
		return;
	}
	status = step_rows(restore, journal);
	if (status != STATUS_OK) {
		finish(restore, status, restore->job->error.text);
		return;
	}
	restore_send_progress(restore, "rows", restore->rows_written, 0);
	restore_go_on(restore);
}

/* Is it the workers' turn? They call restore_go_on. */
static bool
is_waiting(struct restore *restore)
{
	if (restore->must_look)
		restore->must_look = !restore_files_take_look(restore);
	return restore->must_look ||
	       (!restore->job->is_dry_run && !restore->is_walk_done &&
		   restore->files_count >= RESTORE_WORKERS);
}

static void
step(void *context)
{
	struct restore *restore = context;
	struct client *client = snapd_client(restore->snapd, restore->client);

	if (client == NULL) {
		log_warning("restore-stopped", "rows=%llu",
		    (unsigned long long)restore->rows_written);
		finish(restore, STATUS_PARTLY, "");
	} else if (channel_waiting_bytes(client->channel) > WAITING_BYTES) {
		timer_start(restore->timer, 100);
	} else if (!is_waiting(restore)) {
		step_on(restore, snapd_journal(restore->snapd));
	}
}

/* -- Beginning -- */

/* "Restored/2026-11-22T14:00:05Z": of the point, so that asked again it is the
 * same. */
static int
make_base(struct restore *restore, struct journal *journal, struct error *error)
{
	const struct control_job *job = restore->job;
	struct transaction *t;
	int64_t time_us = 0;
	struct tm tm;
	time_t time;
	int result = 0;

	t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return -1;
	if (job->sequence > 0)
		result = as_of_event_time(t, job->sequence, &time_us, error);
	transaction_abort(&t);
	time = (time_t)(time_us / 1000000);
	if (result != 0 || gmtime_r(&time, &tm) == NULL)
		return -1;
	if (job->into[0] != '\0')
		snprintf(restore->base, sizeof(restore->base), "%s", job->into);
	else
		snprintf(restore->base, sizeof(restore->base),
		    "%s/%04d-%02d-%02dT%02d:%02d:%02dZ",
		    job->mode == MODE_COPY ? RESTORED : SUPERSEDED,
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
	send_point(restore, time_us / 1000000);
	return 0;
}

static struct restore *
restore_new(struct client *client, struct control_job *job)
{
	struct restore *restore = memory_new(1, sizeof(*restore));

	restore->snapd = client->snapd;
	restore->client = client->id;
	restore->job = job;
	restore->plan.journal = snapd_journal(client->snapd);
	restore->plan.mode = job->mode;
	buf_init(&restore->subscribe, 64 << 20);
	buf_init(&restore->plans, 64 << 20);
	restore->timer = timer_new(snapd_loop(client->snapd), step, restore);
	return restore;
}

enum status
restore_start(
    struct client *client, struct control_job *job, struct error *error)
{
	struct restore **slot = snapd_restore(client->snapd);
	struct journal *journal = snapd_journal(client->snapd);
	struct restore *restore;

	if (*slot != NULL && snapd_client(client->snapd, (*slot)->client)) {
		error_set(error, ERROR_BUSY, "another restore is running");
		return STATUS_BUSY;
	}
	restore_free(slot);
	if (job->into[0] != '\0' && !change_is_name(text_of(job->into))) {
		error_set(error, ERROR_INPUT, "no mailbox can be called so");
		return STATUS_INVALID;
	}
	if (control_job_resolve(job, journal->store, error) != 0)
		return journal_status_of(error);
	restore = restore_new(client, job);
	if (make_base(restore, journal, error) != 0) {
		restore->job = NULL;
		restore_free(&restore);
		return journal_status_of(error);
	}
	*slot = restore;
	restore_go_on(restore);
	return STATUS_OK;
}

void
restore_free(struct restore **restore)
{
	if (*restore == NULL)
		return;
	restore_files_free(*restore);
	restore_plan_clear(&(*restore)->plan);
	timer_free(&(*restore)->timer);
	if ((*restore)->job != NULL)
		control_job_free(&(*restore)->job);
	buf_clear(&(*restore)->subscribe);
	buf_clear(&(*restore)->plans);
	memory_free(restore);
}
