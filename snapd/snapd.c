/*
 * The snapshot process: see snapd.h.  Its parts begin and end here, and here is
 * what they ask of each other.
 */
#include "snapd/snapd.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/table.h"
#include "snapd/accept_log.h"
#include "snapd/drill_timer.h"
#include "snapd/expire.h"
#include "snapd/reconcile.h"
#include "snapd/restore.h"
#include "snapd/round.h"
#include "snapd/sealer.h"
#include "snapd/segments_open.h"
#include "snapd/service_files.h"
#include "snapd/snapd_state.h"
#include "snapd/verify_client.h"

#include <stdio.h>
#include <sys/statvfs.h>

enum {
	CLOCK_EVERY_MS = 60000, /* the guard clock is put on disk */
	EXPIRE_EVERY_MS = 10000 /* between looks whether a pass is due */
};

const struct retention *
snapd_retention(const struct snapd *snapd)
{
	const struct journal *journal = snapd->journal;

	return journal != NULL && journal->ratchet.count > 0
		   ? ratchet_policy(&journal->ratchet)
		   : &snapd->options.retention;
}

void
snapd_disk_room(
    const struct snapd *snapd, uint64_t *bytes, uint64_t *free_bytes)
{
	struct statvfs disk;

	*bytes = *free_bytes = 0;
	if (statvfs(snapd->options.path, &disk) != 0)
		return;
	*bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
	*free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
}

struct sealer *
snapd_sealer(struct snapd *snapd)
{
	return snapd->sealer;
}

struct event_loop *
snapd_loop(struct snapd *snapd)
{
	return snapd->loop;
}

struct restore **
snapd_restore(struct snapd *snapd)
{
	return &snapd->restore;
}

struct reconciler *
snapd_reconciler(struct snapd *snapd)
{
	return snapd->reconciler;
}

struct drill *
snapd_drill(struct snapd *snapd)
{
	return snapd->drill;
}

struct verify_client *
snapd_verifier(struct snapd *snapd)
{
	return snapd->verifier;
}

const char *
snapd_damaged_path(const struct snapd *snapd)
{
	return snapd->is_damaged ? snapd->options.path : NULL;
}

struct journal *
snapd_journal(struct snapd *snapd)
{
	if (snapd->journal != NULL)
		journal_set_clock(
		    snapd->journal, clock_wall_us(), clock_raw_us());
	return snapd->journal;
}

void
snapd_answer(
    struct client *client, const struct message *answer, struct text data)
{
	round_answer(client->snapd->round, client->id, answer, data, 0);
}

void
snapd_answer_accepted(struct client *client, const struct message *answer,
    const struct accept_record *record)
{
	round_answer_accepted(client->snapd->round, client->id, answer, record);
}

void
snapd_answer_applied(struct client *client, const struct message *answer,
    struct text data, const struct accept_batch *batch, size_t patient)
{
	round_answer_applied(
	    client->snapd->round, client->id, answer, data, batch, patient);
}

void
snapd_settle(struct snapd *snapd)
{
	round_settle(snapd->round);
}

bool
snapd_has_delivery(
    const struct snapd *snapd, const struct delivery_id *delivery)
{
	return round_has_delivery(snapd->round, delivery);
}

void
snapd_answer_patiently(struct client *client, const struct message *answer,
    struct text data, size_t changes)
{
	round_answer(client->snapd->round, client->id, answer, data, changes);
}

void
snapd_answer_bulk(struct client *client, const struct message *answer,
    struct text data, uint64_t bytes)
{
	round_answer_bulk(
	    client->snapd->round, client->id, answer, data, bytes);
}

void
snapd_read(struct client *client, struct reading *reading)
{
	reading->account = client->account;
	round_read(client->snapd->round, client->id, reading);
}

void
snapd_read_on(struct client *client, struct reading *reading)
{
	reading->context = (void *)(uintptr_t)client->id;
	reader_thread_submit(client->snapd->reader, reading);
}

void
snapd_read_round(struct client *client, struct reading *reading)
{
	struct snapd *snapd = client->snapd;

	if (snapd->journal == NULL || snapd->journal->round == NULL) {
		snapd_read_on(client, reading);
		return;
	}
	reading->context = (void *)(uintptr_t)client->id;
	reading_run_in(reading, snapd->journal->round);
	snapd_reading_done(reading, snapd);
}

void
snapd_alarm(struct snapd *snapd, uint8_t role, uint32_t account, uint8_t reason)
{
	struct journal *journal = snapd_journal(snapd);
	char why[80];

	snprintf(why, sizeof(why), "%s of account %u: %s",
	    role < ROLE_COUNT ? role_name(role) : "?", account,
	    reason == ALARM_KILLED ? "seccomp kill" : "misbehaved");
	if (journal != NULL)
		journal_mark_attack(journal, account, why);
	else
		log_alarm("alarm", "why=\"%s\"", why);
}

void
snapd_service_file(
    struct snapd *snapd, const struct message_service_file *file, int fd)
{
	service_files_add(snapd->service_files, file, fd);
}

void
snapd_service_files(struct snapd *snapd)
{
	struct journal *journal = snapd_journal(snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	const uint8_t *recovery;

	if (journal != NULL && !round_is_failed(snapd->round)) {
		recovery = segments_options(snapd->segments)->recovery;
		if (!recovery_key_is_set(recovery))
			log_warning("service-files",
			    "why=\"the store has no recovery key: neither "
			    "users nor keys are kept\"");
		status = service_files_keep(
		    snapd->service_files, journal, recovery, &error);
	}
	if (status != STATUS_OK)
		log_error("service-files", "status=\"%s\" why=\"%s\"",
		    status_name((uint8_t)status),
		    error.code != ERROR_NONE ? error.text : "");
}

void
snapd_set_verifier(struct snapd *snapd, int fd)
{
	verify_client_free(&snapd->verifier);
	snapd->verifier = verify_client_new(snapd->loop, fd);
}

void
snapd_configure_drill(struct snapd *snapd, uint32_t every_s, uint32_t sample)
{
	drill_timer_configure(snapd->drill_timer, every_s, sample);
}

void
snapd_configure_segments(
    struct snapd *snapd, uint64_t segment_bytes, uint32_t seal_after_s)
{
	if (snapd->segments == NULL)
		return;
	segments_limit(snapd->segments, segment_bytes);
	sealer_configure(snapd->sealer, (int64_t)seal_after_s * 1000);
}

static void
keep_clock(void *context)
{
	struct snapd *snapd = context;
	struct journal *journal = snapd_journal(snapd);
	struct error error = { .code = ERROR_NONE };

	if (journal != NULL && !round_is_failed(snapd->round) &&
	    journal_keep_clock(journal, &error) != STATUS_OK)
		log_warning("guard-clock", "error=\"%s\"", error.text);
	timer_start(snapd->clock, CLOCK_EVERY_MS);
}

/* No message leads here. */
static void
expire_some(void *context)
{
	struct snapd *snapd = context;
	struct journal *journal = snapd_journal(snapd);
	struct error error = { .code = ERROR_NONE };
	bool has_more = false;

	/* A restore sees all of what it began with, and so does a drill. */
	if (journal != NULL && !round_is_failed(snapd->round) &&
	    snapd->restore == NULL && !drill_is_running(snapd->drill) &&
	    expire_step(snapd->expire, journal, &has_more, &error) != STATUS_OK)
		log_alarm("expire", "error=\"%s\"", error.text);
	timer_start(
	    snapd->expiry, has_more ? EXPIRE_PAUSE_MS : EXPIRE_EVERY_MS);
}

static void
make_round(struct snapd *snapd)
{
	const struct round_options options = { .loop = snapd->loop,
		.snapd = snapd,
		.store = snapd->store,
		.journal = snapd->journal,
		.log = snapd->log,
		.patience_ms = snapd->options.patience_ms,
		.hold_ms = snapd->options.hold_ms,
		.settle_ms = snapd->options.settle_ms,
		.failed = snapd->options.failed,
		.context = snapd->options.context };

	snapd->round = round_new(&options);
}

/* The sealer met a disk that failed. */
static void
seal_failed(void *context, const struct error *error)
{
	round_fail(((struct snapd *)context)->round, error);
}

static void
start_threads(struct snapd *snapd)
{
	const struct sealer_options options = {
		.at_bytes = snapd->options.seal_at_bytes,
		.after_ms = snapd->options.seal_after_ms,
		.hold_bytes = snapd->options.seal_hold_bytes,
		.failed = seal_failed,
		.context = snapd
	};

	snapd->reader = reader_thread_new(
	    snapd->loop, snapd->store, snapd_reading_done, snapd);
	snapd->sealer =
	    sealer_new(snapd->loop, snapd->journal, snapd->segments, &options);
}

struct snapd *
snapd_new(struct event_loop *loop, const struct snapd_options *options)
{
	struct snapd *snapd = memory_new(1, sizeof(*snapd));
	struct error error;

	snapd->loop = loop;
	snapd->options = *options;
	snapd->clients = table_new();
	snapd->service_files = service_files_new();
	if (snapd_open_store(snapd, &error) != 0) {
		log_alarm("store-unavailable", "error=\"%s\"", error.text);
		snapd->is_damaged = error.code == ERROR_DAMAGED;
		journal_free(&snapd->journal);
		accept_log_free(&snapd->log);
		store_close(&snapd->store);
		segments_free(&snapd->segments);
	} else {
		start_threads(snapd);
	}
	snapd->clock = timer_new(loop, keep_clock, snapd);
	timer_start(snapd->clock, CLOCK_EVERY_MS);
	make_round(snapd);
	snapd->drill = drill_new(snapd);
	snapd->drill_timer = drill_timer_new(snapd, options->drill_tick_ms);
	snapd_configure_drill(
	    snapd, options->drill_every_s, options->drill_sample);
	snapd->expire = expire_new();
	snapd->expiry = timer_new(loop, expire_some, snapd);
	timer_start(snapd->expiry, EXPIRE_EVERY_MS);
	snapd->reconciler = reconciler_new(
	    snapd, options->reconcile_every_s, options->reconcile_tick_ms);
	/* The clock goes on from here, whoever comes when. */
	(void)snapd_journal(snapd);
	return snapd;
}

void
snapd_free(struct snapd **snapd)
{
	struct snapd *s = *snapd;
	size_t position = 0;
	bool is_failed;
	void *client;

	if (s == NULL)
		return;
	restore_free(&s->restore);
	service_files_free(&s->service_files);
	drill_timer_free(&s->drill_timer);
	drill_free(&s->drill);
	timer_free(&s->clock);
	timer_free(&s->expiry);
	expire_free(&s->expire);
	verify_client_free(&s->verifier);
	round_settle(s->round);
	reader_thread_free(&s->reader);
	sealer_free(&s->sealer);
	while (table_next(s->clients, &position, NULL, NULL, &client))
		snapd_free_client(client);
	table_free(&s->clients);
	reconciler_free(&s->reconciler);
	is_failed = round_is_failed(s->round);
	round_free(&s->round);
	snapd_close_store(s, is_failed);
	memory_free(snapd);
}
