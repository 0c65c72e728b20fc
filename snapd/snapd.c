/*
 * Rounds and channels: see snapd.h.  Messages come from queue, workers and
 * snapctl; answers go back after the commit.
 */
#include "snapd/snapd.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/table.h"
#include "common/control_record.h"
#include "snapd/accept_log.h"
#include "snapd/batch.h"
#include "snapd/drill_timer.h"
#include "snapd/expire.h"
#include "snapd/expunged.h"
#include "snapd/fence.h"
#include "snapd/leap.h"
#include "snapd/reconcile.h"
#include "snapd/repeat.h"
#include "snapd/restore.h"
#include "snapd/round.h"
#include "snapd/sealer.h"
#include "snapd/segments_open.h"
#include "snapd/service_files.h"
#include "snapd/witness.h"
#include "snapd/verify_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	CLOCK_EVERY_MS = 60000, /* the guard clock is put on disk */
	EXPIRE_EVERY_MS = 10000 /* between looks whether a pass is due */
};

struct snapd {
	struct event_loop *loop;
	struct snapd_options options;
	struct store *store;
	struct journal *journal;
	struct segments *segments;
	struct accept_log *log; /* NULL: there is no room for it */
	struct sealer *sealer;
	struct reader_thread *reader;
	struct verify_client *verifier;
	struct table *clients; /* by id */
	uint64_t next_client;
	struct round *round;
	uint64_t broker; /* client id; 0: none */
	struct timer *clock;
	struct expire *expire;
	struct timer *expiry;
	struct restore *restore; /* at most one runs */
	struct reconciler *reconciler;
	bool is_damaged; /* the store: it was not opened */
	struct drill *drill;
	struct drill_timer *drill_timer;
	uint64_t driller; /* client id; 0: none */
	struct service_files *service_files;
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

struct client *
snapd_client(struct snapd *snapd, uint64_t id)
{
	return table_find_u64(snapd->clients, id);
}

void
snapd_tell_followers(struct snapd *snapd, uint64_t sequence)
{
	size_t position = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value))
		control_follow_on(value, sequence);
}

size_t
snapd_waiting_bytes(const struct snapd *snapd)
{
	size_t position = 0, sum = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value)) {
		const struct client *client = value;

		if (client->role == ROLE_SNAPCTL)
			sum += channel_waiting_bytes(client->channel);
	}
	return sum;
}

struct client *
snapd_worker(struct snapd *snapd, uint32_t account)
{
	struct client *newest = NULL;
	size_t position = 0;
	void *value;

	while (table_next(snapd->clients, &position, NULL, NULL, &value)) {
		struct client *client = value;

		if (client->role == ROLE_WORKER && client->account == account &&
		    (newest == NULL || client->id > newest->id))
			newest = client;
	}
	return newest;
}

bool
snapd_is_replaced(const struct client *client)
{
	size_t position = 0;
	void *value;

	while (
	    table_next(client->snapd->clients, &position, NULL, NULL, &value)) {
		const struct client *other = value;

		if (other->role == client->role &&
		    other->account == client->account && other->id > client->id)
			return true;
	}
	return false;
}

int
snapd_start_worker(struct snapd *snapd, uint32_t account)
{
	struct message message = { .type = MESSAGE_start_worker };
	struct client *broker = snapd_client(snapd, snapd->broker);

	if (broker == NULL)
		return -1;
	message.start_worker.account = account;
	return channel_send(broker->channel, &message, NULL, 0);
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

static void
reading_done(struct reading *reading, void *context)
{
	struct snapd *snapd = context;
	struct client *client = table_find_u64(
	    snapd->clients, (uint64_t)(uintptr_t)reading->context);

	if (client != NULL && !round_is_failed(snapd->round)) {
		if (client->role == ROLE_DRILL) {
			drill_reading_done(client, reading);
			return;
		}
		if (reading->kind == READ_CONTROL) {
			control_reading_done(client, reading);
			return;
		}
		mail_reading_done(client, reading);
	}
	reading_free(&reading);
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
	reading_done(reading, snapd);
}

static void
free_client(struct client *client)
{
	table_remove_u64(client->snapd->clients, client->id);
	if (client->snapd->broker == client->id)
		client->snapd->broker = 0;
	if (client->role == ROLE_WORKER) {
		restore_worker_gone(client->snapd, client->account);
		reconcile_worker_gone(client->snapd->reconciler,
		    client->account, client->has_committed);
	}
	if (client->role == ROLE_DRILL && client->snapd->drill != NULL)
		drill_process_gone(client->snapd->drill, client);
	reading_free(&client->stream);
	reading_free(&client->follower);
	channel_free(&client->channel);
	batch_free(&client->batch);
	free(client);
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

static struct client *add_client(
    struct snapd *snapd, int fd, enum role peer, uint32_t account);

static void
receive_from_broker(
    struct snapd *snapd, const struct message *message, int *fds)
{
	const struct message_introduce *introduce = &message->introduce;

	switch ((int)message->type) {
	case MESSAGE_introduce:
		if (fds[0] == -1 || (introduce->role != ROLE_QUEUE &&
					introduce->role != ROLE_WORKER))
			break;
		if (introduce->account >= ACCOUNT_SERVICE) {
			log_alarm("introduction-refused", "account=%u",
			    introduce->account);
			break;
		}
		add_client(snapd, fds[0], (enum role)introduce->role,
		    introduce->account)
		    ->instance = introduce->instance;
		fds[0] = -1;
		break;
	case MESSAGE_account_started:
		if (message->account_started.status == STATUS_OK)
			break;
		restore_worker_failed(snapd, message->account_started.account);
		reconcile_worker_failed(
		    snapd->reconciler, message->account_started.account);
		break;
	case MESSAGE_alarm:
		snapd_alarm(snapd, message->alarm.role, message->alarm.account,
		    message->alarm.reason);
		break;
	default:
		break;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct client *client = context;

	if (round_is_failed(client->snapd->round))
		return;
	if (client->role == ROLE_BROKER)
		receive_from_broker(client->snapd, message, fds);
	else if (client->role == ROLE_SNAPCTL)
		control_request_received(client, message);
	else if (client->role == ROLE_DRILL)
		drill_received(client, message);
	else
		mail_request_received(client, message, fds);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct client *client = context;

	process_peer_closed(
	    error, client->role, client->account, client->instance);
	free_client(client);
}

static const struct channel_handler handler = { received, closed };

static struct client *
add_client(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	struct client *client = memory_new(1, sizeof(*client));

	client->id = ++snapd->next_client;
	client->snapd = snapd;
	client->role = peer;
	client->account = account;
	client->channel =
	    channel_new(snapd->loop, fd, ROLE_SNAPD, peer, &handler, client);
	table_put_u64(snapd->clients, client->id, client);
	if (peer == ROLE_BROKER)
		snapd->broker = client->id;
	if (peer == ROLE_WORKER) {
		restore_worker_there(client);
		reconcile_worker_there(snapd->reconciler, account);
	}
	return client;
}

void
snapd_add_channel(struct snapd *snapd, int fd, enum role peer, uint32_t account)
{
	(void)add_client(snapd, fd, peer, account);
}

void
snapd_add_control(struct snapd *snapd, int fd, uint32_t uid)
{
	struct client *client = add_client(snapd, fd, ROLE_SNAPCTL, 0);

	snprintf(client->note.user, sizeof(client->note.user), "uid=%u", uid);
}

/* Where a full disk has no room to make it, the index alone has what is
 * accepted. One that is there and cannot be opened may have mail that nobody
 * else has. */
static int
open_log(struct snapd *snapd, struct error *error)
{
	struct transaction *t = transaction_begin(snapd->store, false, error);

	if (t == NULL)
		return -1;
	snapd->log =
	    accept_log_open(snapd->options.path, store_secret(t), error);
	transaction_abort(&t);
	if (snapd->log == NULL && error->code == ERROR_FULL)
		log_warning("accept-log", "error=\"%s\"", error->text);
	return snapd->log != NULL || error->code == ERROR_FULL ? 0 : -1;
}

/* What was answered before the store was closed without its last commit is
 * done again before anybody is served; then one that was put back leaps: what
 * was said before it keeps its numbers.  In one commit, since the log stands on
 * the event that the index ends with.  Then the log is wiped: on an event that
 * this index does not have yet it would stand again. */
static int
check_witness(struct snapd *snapd, struct error *error)
{
	struct journal *journal = snapd_journal(snapd);
	enum status status = STATUS_OK;
	char why[100];
	int sign = witness_check(snapd->options.path, journal, why, error);
	int repeated = 0;

	if (sign < 0)
		return -1;
	if (snapd->log != NULL)
		repeated = repeat_log(journal, snapd->log, error);
	if (repeated < 0)
		return -1;
	if (sign == 1)
		status = journal_leap(journal, 0, true, why, error);
	if (status != STATUS_OK || journal_commit(journal, error) != STATUS_OK)
		return -1;
	return repeated > 0 ? accept_log_wipe(snapd->log, error) : 0;
}

void
snapd_set_verifier(struct snapd *snapd, int fd)
{
	verify_client_free(&snapd->verifier);
	snapd->verifier = verify_client_new(snapd->loop, fd);
}

void
snapd_set_driller(struct snapd *snapd, int fd)
{
	struct client *before = snapd_find_client(snapd, snapd->driller);
	struct client *now;

	if (before != NULL)
		free_client(before);
	now = add_client(snapd, fd, ROLE_DRILL, 0);
	snapd->driller = now->id;
	drill_process_there(snapd->drill, now);
}

void
snapd_configure_drill(struct snapd *snapd, uint32_t every_s, uint32_t sample)
{
	drill_timer_configure(snapd->drill_timer, every_s, sample);
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

struct client *
snapd_find_client(struct snapd *snapd, uint64_t id)
{
	return table_find_u64(snapd->clients, id);
}

/* What the settings promise; options without a minimum say nothing. */
static int
configure_policy(struct snapd *snapd, struct error *error)
{
	struct journal *journal = snapd_journal(snapd);
	const struct retention *policy = &snapd->options.retention;

	if (policy->minimum_s == 0)
		return 0;
	return journal_configure_policy(journal, policy, error) == STATUS_OK
		   ? 0
		   : -1;
}

void
snapd_configure(struct snapd *snapd, const struct retention *retention,
    const struct allowance_limits *limits, uint32_t reconcile_every_s)
{
	struct error error = { .code = ERROR_NONE };

	reconciler_configure(snapd->reconciler, reconcile_every_s);
	snapd->options.retention = *retention;
	snapd->options.limits = *limits;
	if (snapd->journal != NULL)
		allowance_configure(snapd->journal->allowance, limits);
	if (snapd->journal != NULL && !round_is_failed(snapd->round) &&
	    configure_policy(snapd, &error) != 0)
		log_error("policy", "error=\"%s\"", error.text);
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

static const char lifted[] = "the store was opened although it is damaged, as "
			     "an administrator wished (snapctl open-damaged)";

/* Opens the store only if it is the one that the settings name. */
static int
open_store(struct snapd *snapd, struct error *error)
{
	size_t map_bytes = snapd->options.map_bytes;
	bool was_lifted;
	char id[33];

	if (map_bytes == 0)
		map_bytes = SNAPD_MAP_BYTES;
	if (fence_enter(snapd->options.path, &was_lifted, error) != 0)
		return -1;
	snapd->store = store_open(snapd->options.path, map_bytes, error);
	if (snapd->store == NULL)
		return -1;
	text_format_hex(store_identity(snapd->store)->bytes, 16, id);
	if (strcmp(id, snapd->options.store_id) != 0)
		return error_set(error, ERROR_REFUSED,
		    "the store is %s and not %s", id, snapd->options.store_id);
	snapd->segments = segments_open(snapd->store, snapd->options.path,
	    snapd->options.segment_bytes, error);
	if (snapd->segments == NULL)
		return -1;
	snapd->journal = journal_new(snapd->store, error);
	if (snapd->journal == NULL)
		return -1;
	if (open_log(snapd, error) != 0 || check_witness(snapd, error) != 0)
		return -1;
	allowance_configure(snapd->journal->allowance, &snapd->options.limits);
	if (was_lifted)
		journal_mark_damage(
		    snapd_journal(snapd), 0, "opened-damaged", lifted);
	if (configure_policy(snapd, error) != 0 ||
	    journal_commit(snapd->journal, error) != STATUS_OK)
		return -1;
	if (was_lifted)
		log_alarm("opened-damaged", "why=\"%s\"", lifted);
	/* Not before: it writes, and the witness looks at the file's times. */
	if (expunged_fill(snapd->store, error) != 0)
		log_warning("expunged-fill", "error=\"%s\"", error->text);
	return 0;
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

	snapd->reader =
	    reader_thread_new(snapd->loop, snapd->store, reading_done, snapd);
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
	if (open_store(snapd, &error) != 0) {
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

/* A clean stop: what was not committed was not answered. */
static void
close_store(struct snapd *snapd, bool is_failed)
{
	struct store_id id;
	struct error error;
	uint64_t sequence;

	if (snapd->journal == NULL)
		return;
	id = *store_identity(snapd->store);
	sequence = snapd->journal->committed.sequence;
	journal_free(&snapd->journal);
	accept_log_free(&snapd->log);
	store_close(&snapd->store);
	segments_free(&snapd->segments);
	if (is_failed)
		return;
	fence_leave(snapd->options.path);
	if (witness_write(snapd->options.path, &id, sequence, &error) != 0)
		log_warning("witness", "error=\"%s\"", error.text);
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
		free_client(client);
	table_free(&s->clients);
	reconciler_free(&s->reconciler);
	is_failed = round_is_failed(s->round);
	round_free(&s->round);
	close_store(s, is_failed);
	memory_free(snapd);
}
