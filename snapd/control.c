/*
 * The admin's requests, from snapctl: new accounts, marks, the state of the
 * store.  Each is answered by rows (common/control_record.h) and one done.
 * Like everything else they only add: there is no request here, or in
 * messages.def, that removes or shortens anything.
 */
#include "snapd/control.h"

#include "common/control_record.h"
#include "common/memory.h"
#include "snapd/seal_batch.h"
#include "snapd/accept_missing.h"
#include "snapd/drill.h"
#include "snapd/drill_record.h"
#include "snapd/reconcile.h"
#include "snapd/restore.h"
#include "snapd/service_files.h"
#include "snapd/snapshot.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void
control_answer_row(struct client *client, uint64_t tag,
    enum control_row_kind kind, const struct writer *w)
{
	struct message row = { .type = MESSAGE_control_row };

	row.control_row.tag = tag;
	row.control_row.kind = (uint8_t)kind;
	snapd_answer(client, &row, text_make(w->data, w->size));
}

void
control_answer_done(struct client *client, uint64_t tag, enum status status,
    const struct error *error)
{
	struct message done = { .type = MESSAGE_control_done };

	done.control_done.tag = tag;
	done.control_done.status = (uint8_t)status;
	snapd_answer(client, &done,
	    error->code != ERROR_NONE ? text_of(error->text)
				      : text_make(NULL, 0));
}

static void
receive_account(
    struct client *client, const struct message_control_account_create *request)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;

	if (journal != NULL)
		status = journal_create_account(
		    journal, request->account, text_make(NULL, 0), &error);
	control_answer_done(client, request->tag, status, &error);
}

/* -- status -- */

static void __attribute__((format(printf, 4, 5)))
put_fact(struct client *client, uint64_t tag, const char *name,
    const char *format, ...)
{
	struct control_fact fact = { .name = text_of(name) };
	char value[300];
	uint8_t data[400];
	struct writer w;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	fact.value = text_of(value);
	writer_init(&w, data, sizeof(data));
	control_put_fact(&w, &fact);
	control_answer_row(client, tag, CONTROL_FACT, &w);
}

static void
put_counts(struct client *client, uint64_t tag, struct journal *journal,
    struct transaction *t)
{
	uint64_t sealed, live = 0, dead = 0;
	struct account_row service;
	struct error error;

	/* The service's own files are neither an account nor messages. */
	(void)service_files_count(t, &live, &dead, &error);
	put_fact(client, tag, "accounts", "%" PRIu64,
	    store_count(t, DB_ACCOUNT) -
		(row_find_account(t, ACCOUNT_SERVICE, &service, &error) == 1));
	put_fact(client, tag, "messages", "%" PRIu64,
	    store_count(t, DB_LIVE) - live);
	put_fact(client, tag, "messages_kept", "%" PRIu64,
	    store_count(t, DB_DEAD) - dead);
	put_fact(
	    client, tag, "unfiled", "%" PRIu64, store_count(t, DB_UNFILED));
	put_fact(client, tag, "marks", "%" PRIu64, store_count(t, DB_MARK));
	put_fact(
	    client, tag, "bytes", "%" PRIu64, store_used_bytes(journal->store));
	put_fact(client, tag, "staged_bytes", "%" PRIu64,
	    store_count(t, DB_CHUNK) * STORE_CHUNK_SIZE);
	put_fact(client, tag, "segments", "%" PRIu64,
	    store_count(t, DB_SEGMENT_USE));
	if (seal_batch_sealed(t, &sealed, &error) == 0)
		put_fact(client, tag, "sealed", "%" PRIu64, sealed);
}

static void
put_snapshot_fact(struct client *client, uint64_t tag, const char *name,
    const struct snapshot *snapshot)
{
	char hex[2 * SNAPSHOT_ID_BYTES + 1];

	text_format_hex(snapshot->id, sizeof(snapshot->id), hex);
	put_fact(client, tag, name, "%.*s sequence=%" PRIu64 " time=%" PRId64,
	    snapshot->digits, hex, snapshot->sequence, snapshot->time);
}

static void
put_snapshots(struct client *client, uint64_t tag, struct journal *journal,
    struct transaction *t)
{
	struct snapshot_list list;
	struct error error;
	uint64_t alarms = 0;
	size_t i;

	if (snapshot_list_make(&list, t, journal->digest,
		store_identity(journal->store), snapd_retention(client->snapd),
		journal->now_us / 1000000, 0, &error) == 0) {
		for (i = 0; i < list.count; i++)
			alarms += list.snapshots[i].kind == SNAPSHOT_ALARM;
		put_fact(client, tag, "snapshots", "%zu", list.count);
		put_fact(client, tag, "alarms", "%" PRIu64, alarms);
		if (list.count > 0) {
			put_snapshot_fact(
			    client, tag, "oldest_snapshot", &list.snapshots[0]);
			put_snapshot_fact(client, tag, "newest_snapshot",
			    &list.snapshots[list.count - 1]);
		}
	}
	snapshot_list_clear(&list);
}

/* How long is kept, and what beyond that. */
static void
put_promises(struct client *client, uint64_t tag, struct journal *journal,
    struct transaction *t)
{
	char text[RETENTION_TEXT_SIZE];

	put_fact(client, tag, "holds", "%" PRIu64, store_count(t, DB_HOLD));
	if (journal->ratchet.count == 0)
		return;
	retention_policy_format(ratchet_policy(&journal->ratchet), text);
	put_fact(client, tag, "keep", "%s", text);
	put_fact(
	    client, tag, "policies_in_force", "%zu", journal->ratchet.count);
}

static void
put_last_drill(struct client *client, uint64_t tag, struct transaction *t)
{
	struct drill_last last;
	struct error error;

	if (drill_record_last(t, &last, &error) != 0)
		put_fact(client, tag, "last_drill", "%s", error.text);
	else if (last.sequence == 0)
		put_fact(client, tag, "last_drill", "never");
	else
		put_fact(client, tag, "last_drill", "%s time=%" PRId64,
		    last.detail, last.time);
}

static void
put_facts(struct client *client, uint64_t tag, struct journal *journal,
    struct transaction *t)
{
	const struct journal_state *state = &journal->state;
	struct hash root = merkle_log_root(&state->merkle, journal->digest);
	char hex[65];

	text_format_hex(store_identity(journal->store)->bytes, 16, hex);
	put_fact(client, tag, "store", "%s", hex);
	put_fact(client, tag, "incarnation", "%" PRIu64, state->incarnation);
	put_fact(client, tag, "sequence", "%" PRIu64, state->sequence);
	put_fact(client, tag, "events", "%" PRIu64, state->merkle.count);
	put_counts(client, tag, journal, t);
	put_snapshots(client, tag, journal, t);
	put_promises(client, tag, journal, t);
	put_last_drill(client, tag, t);
	put_fact(client, tag, "guard_clock_s", "%" PRIu64,
	    state->guard_us / 1000000);
	text_format_hex(root.bytes, sizeof(root.bytes), hex);
	put_fact(client, tag, "root", "%s", hex);
	text_format_hex(
	    journal->key.public_key, sizeof(journal->key.public_key), hex);
	put_fact(client, tag, "signing_key", "%s", hex);
	put_fact(client, tag, "vault", "none paired");
}

static void
receive_status(struct client *client, uint64_t tag)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	struct transaction *t = NULL;

	if (journal == NULL) {
		control_answer_done(client, tag, STATUS_UNAVAILABLE, &error);
		return;
	}
	t = journal->round != NULL
		? journal->round
		: transaction_begin(journal->store, false, &error);
	if (t != NULL)
		put_facts(client, tag, journal, t);
	if (t != journal->round)
		transaction_abort(&t);
	control_answer_done(client, tag, journal_status_of(&error), &error);
}

/* -- What is read: in steps, as fast as snapctl takes the rows -- */

void
control_follow_on(struct client *client, uint64_t sequence)
{
	struct reading *reading = client->follower;

	if (reading == NULL ||
	    !control_job_continue(reading->control, sequence))
		return;
	client->follower = NULL;
	snapd_read_on(client, reading);
}

/* At the end of the log, and more is wanted: the next commit brings it on. */
static void
follow(struct client *client, struct reading *reading)
{
	struct journal *journal = snapd_journal(client->snapd);

	client->follower = reading;
	if (journal != NULL)
		control_follow_on(client, journal->committed.sequence);
}

static void
go_on(struct client *client)
{
	struct reading *reading = client->stream;

	client->stream = NULL;
	if (reading != NULL && reading->control->is_done)
		follow(client, reading);
	else if (reading != NULL)
		snapd_read_on(client, reading);
}

static void
drained(struct channel *channel, void *context)
{
	go_on(context);
}

static void
end_job(struct client *client, struct reading *reading)
{
	struct control_job *job = reading->control;
	struct message done = { .type = MESSAGE_control_done };
	struct error *error = &job->error;

	client->is_asking = false;
	done.control_done.tag = job->tag;
	done.control_done.status = (uint8_t)journal_status_of(error);
	if (error->code != ERROR_NONE)
		done.control_done.text = text_of(error->text);
	(void)channel_send(client->channel, &done, NULL, 0);
	reading_free(&reading);
}

void
control_reading_done(struct client *client, struct reading *reading)
{
	struct control_job *job = reading->control;
	struct message row = { .type = MESSAGE_control_row };
	size_t at = 0;

	row.control_row.tag = job->tag;
	while (control_job_row(
	    job, &at, &row.control_row.kind, &row.control_row.record))
		if (channel_send(client->channel, &row, NULL, 0) != 0)
			break;
	if (job->is_done &&
	    (!job->is_following || job->error.code != ERROR_NONE)) {
		end_job(client, reading);
		return;
	}
	client->stream = reading;
	if (channel_waiting_bytes(client->channel) == 0)
		go_on(client);
	else
		channel_on_drained(client->channel, drained);
}

static void
start_job(struct client *client, struct control_job *job)
{
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->kind = READ_CONTROL;
	reading->control = job;
	client->is_asking = true;
	snapd_read(client, reading);
}

static void
receive_question(struct client *client, const struct message *message)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	struct control_job *job = NULL;

	if (journal != NULL && client->is_asking) {
		error_set(&error, ERROR_BUSY, "one question at a time");
		status = STATUS_LIMIT;
	} else if (journal != NULL) {
		job = control_job_new(message, &error);
		status = job != NULL ? STATUS_OK : STATUS_INVALID;
	}
	if (job == NULL) {
		/* Each request of this group begins with its tag. */
		control_answer_done(
		    client, message->control_status.tag, status, &error);
		return;
	}
	job->retention = *snapd_retention(client->snapd);
	job->now = journal->now_us / 1000000;
	if (message->type == MESSAGE_control_stats)
		snapd_disk_room(
		    client->snapd, &job->disk_bytes, &job->disk_free_bytes);
	if (message->type != MESSAGE_control_restore) {
		start_job(client, job);
		return;
	}
	status = restore_start(client, job, &error);
	if (status == STATUS_OK) {
		client->is_asking = true;
		return;
	}
	control_answer_done(client, job->tag, status, &error);
	control_job_free(&job);
}

/* A proof is one under a signed head: this round makes one. */
static void
sign_head(struct client *client)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error;

	if (journal == NULL)
		return;
	journal->is_head_due = true;
	(void)journal_keep_clock(journal, &error);
}

/* The account of a request that is about mail and its Maildir; else 0. */
static uint32_t
account_of_mail(const struct message *message)
{
	switch ((int)message->type) {
	case MESSAGE_control_restore:
		return message->control_restore.account;
	case MESSAGE_control_drill:
		return message->control_drill.account;
	case MESSAGE_control_export:
		return message->control_export.account;
	case MESSAGE_control_find:
		return message->control_find.account;
	case MESSAGE_control_reconcile:
		return message->control_reconcile.account;
	case MESSAGE_control_accept_missing:
		return message->control_accept_missing.account;
	case MESSAGE_control_purge:
		return message->control_purge.account;
	default:
		return 0;
	}
}

static void
refuse_service(struct client *client, uint64_t tag)
{
	struct error error;

	error_set(&error, ERROR_REFUSED,
	    "account 0 holds the service's own files, not mail: `snapctl cat "
	    "SNAP:0/FILE > FILE` brings one back");
	control_answer_done(client, tag, STATUS_REFUSED, &error);
}

static void
carry_out(struct client *client, const struct message *message)
{
	if (account_of_mail(message) == ACCOUNT_SERVICE) {
		refuse_service(client, message->control_status.tag);
		return;
	}
	switch ((int)message->type) {
	case MESSAGE_control_account_create:
		receive_account(client, &message->control_account_create);
		break;
	case MESSAGE_control_create:
		control_create_received(client, &message->control_create);
		break;
	case MESSAGE_control_status:
		receive_status(client, message->control_status.tag);
		break;
	case MESSAGE_control_keep_show:
	case MESSAGE_control_keep_set:
	case MESSAGE_control_hold:
	case MESSAGE_control_holds:
	case MESSAGE_control_release:
	case MESSAGE_control_purge:
	case MESSAGE_control_keep_key:
		control_promise_received(client, message);
		break;
	case MESSAGE_control_prove:
		sign_head(client);
		receive_question(client, message);
		break;
	case MESSAGE_control_seal:
		seal_request_received(client, &message->control_seal);
		break;
	case MESSAGE_control_drill:
		drill_request_received(client, message);
		break;
	case MESSAGE_control_verify:
		verify_request_received(client, &message->control_verify);
		break;
	case MESSAGE_control_reconcile:
		reconcile_request_received(client, &message->control_reconcile);
		break;
	case MESSAGE_control_accept_missing:
		accept_missing_received(
		    client, &message->control_accept_missing);
		break;
	default:
		receive_question(client, message);
		break;
	}
}

void
control_request_received(struct client *client, const struct message *message)
{
	struct journal *journal = snapd_journal(client->snapd);

	/* An administrator is told of all that was answered before. */
	snapd_settle(client->snapd);
	if (journal != NULL)
		journal->note = &client->note;
	carry_out(client, message);
	if (journal != NULL)
		journal->note = NULL;
}
