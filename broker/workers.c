/*
 * See workers.h.  A worker's place goes ABSENT -> HOME (master makes sure of
 * its directory) -> RUNNING -> STOPPING -> ABSENT; after a crash it rests in
 * BACKOFF, and when all places are taken it is QUEUED until one that idles has
 * been retired for it: mail waits until somebody does, a session only if
 * somebody does now.  What is asked of it meanwhile waits in the place, as do the
 * account's sessions while they sleep; it is forgotten when there is nothing in
 * it.
 */
#include "broker/workers.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"
#include "common/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum worker_state {
	WORKER_ABSENT,
	WORKER_QUEUED,
	WORKER_HOME,
	WORKER_RUNNING,
	WORKER_STOPPING,
	WORKER_BACKOFF
};

struct waiting {
	enum role front;
	uint64_t instance;
	uint64_t connection;
	bool is_tls;
	struct grant grant;
};

struct worker {
	struct member member; /* first: a worker's member is its worker */
	struct workers *workers;
	enum worker_state state;
	/* Their requests, each of which gets an answer. */
	unsigned int queue_waits;
	unsigned int snapd_waits;
	bool is_idle; /* said so, and nothing was wanted since */
	int64_t wanted_us;
	struct session_list *sessions;
	uint64_t sessions_given; /* to the process that runs */
	size_t waiting_count;
	struct waiting *waiting; /* NULL, or room for WORKER_MAX_WAITING */
};

struct workers {
	struct broker *broker;
	struct table *by_account;
	size_t running;
	size_t stopping; /* of these, retired */
	size_t queued;
	struct sessions *sessions;
};

static void try_start(struct worker *worker);

struct workers *
workers_new(struct broker *broker)
{
	struct workers *workers = memory_new(1, sizeof(*workers));

	workers->broker = broker;
	workers->by_account = table_new();
	workers->sessions = sessions_new(broker->loop);
	return workers;
}

/* The places; none of them runs. */
void
workers_free(struct workers **workers)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (table_next(
	    (*workers)->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		timer_free(&worker->member.timer);
		timer_free(&worker->member.kill_timer);
		session_list_free(&worker->sessions);
		free(worker->waiting);
		free(worker);
	}
	table_free(&(*workers)->by_account);
	sessions_free(&(*workers)->sessions);
	memory_free(workers);
}

/* -- Answers -- */

static void
answer_attach(struct broker *broker, const struct waiting *waiting,
    enum status status, int fd)
{
	struct member *front = &broker->services[waiting->front];
	struct message message = { .type = MESSAGE_attached };

	if (front->channel == NULL || front->instance != waiting->instance)
		return; /* the front that asked is gone */
	message.attached.connection = waiting->connection;
	message.attached.status = (uint8_t)status;
	(void)channel_send(front->channel, &message, &fd, fd != -1);
}

static void
open_session(struct worker *worker, const struct waiting *waiting)
{
	const struct session_front front = { waiting->instance,
		waiting->connection };
	struct message message = { .type = MESSAGE_session_open };
	int ends[2], result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		ends) == -1) {
		answer_attach(
		    worker->member.broker, waiting, STATUS_UNAVAILABLE, -1);
		return;
	}
	message.session_open.is_tls = waiting->is_tls;
	message.session_open.user = text_of(waiting->grant.user);
	message.session_open.client_ip = text_of(waiting->grant.client_ip);
	message.session_open.session =
	    session_list_add(worker->sessions, &front, waiting->is_tls,
		message.session_open.user, message.session_open.client_ip);
	result =
	    message.session_open.session == 0
		? -1
		: channel_send(worker->member.channel, &message, &ends[1], 1);
	if (result == 0)
		worker->sessions_given++;
	else
		session_list_remove(
		    worker->sessions, message.session_open.session);
	answer_attach(worker->member.broker, waiting,
	    result == 0 ? STATUS_OK : STATUS_UNAVAILABLE,
	    result == 0 ? ends[0] : -1);
	close(ends[0]);
	close(ends[1]);
}

static void
answer_askers(struct worker *worker, enum status status)
{
	struct broker *broker = worker->member.broker;
	struct message message = { .type = MESSAGE_worker_started };
	struct channel *queue = broker->services[ROLE_QUEUE].channel;

	message.worker_started.account = worker->member.account;
	message.worker_started.status = (uint8_t)status;
	for (; worker->queue_waits > 0; worker->queue_waits--)
		if (queue != NULL)
			(void)channel_send(queue, &message, NULL, 0);
	message.type = MESSAGE_account_started;
	message.account_started.account = worker->member.account;
	message.account_started.status = (uint8_t)status;
	for (; worker->snapd_waits > 0; worker->snapd_waits--)
		if (broker->snapd != NULL)
			(void)channel_send(broker->snapd, &message, NULL, 0);
}

static void
answer_sessions(struct worker *worker, enum status status)
{
	for (size_t i = 0; i < worker->waiting_count; i++) {
		if (status == STATUS_OK)
			open_session(worker, &worker->waiting[i]);
		else
			answer_attach(worker->member.broker,
			    &worker->waiting[i], status, -1);
	}
	worker->waiting_count = 0;
	memory_free(&worker->waiting);
}

/* Those that sleep and are to be woken. */
static void
answer_sleepers(struct worker *worker, enum status status)
{
	if (status == STATUS_OK)
		worker->sessions_given +=
		    session_list_give(worker->sessions, worker->member.channel);
	else
		session_list_dismiss(worker->sessions, false, status);
}

/* May free the worker. */
static void
answer_all(struct worker *worker, enum status status)
{
	answer_sessions(worker, status);
	answer_askers(worker, status);
	answer_sleepers(worker, status);
}

static bool
is_wanted(const struct worker *worker)
{
	return worker->waiting_count > 0 || worker->queue_waits > 0 ||
	       worker->snapd_waits > 0 ||
	       session_list_waking(worker->sessions) > 0;
}

/* -- States -- */

static void
retire(struct worker *worker)
{
	worker->state = WORKER_STOPPING;
	worker->workers->stopping++;
	member_stop(&worker->member, 0);
}

/* After linger: idle still, since each wish stops the timer. After a crash:
 * rested. */
static void
timer_due(void *context)
{
	struct worker *worker = context;

	if (worker->state == WORKER_RUNNING) {
		retire(worker);
	} else if (worker->state == WORKER_BACKOFF) {
		worker->state = WORKER_ABSENT;
		if (is_wanted(worker))
			try_start(worker);
	}
}

static void
kill_due(void *context)
{
	struct worker *worker = context;

	member_kill(&worker->member);
}

/* The place of one that ended, and that nothing is remembered of. */
static void
forget(struct worker *worker)
{
	table_remove_u64(worker->workers->by_account, worker->member.account);
	timer_free(&worker->member.timer);
	timer_free(&worker->member.kill_timer);
	if (worker->member.log_end != -1)
		close(worker->member.log_end);
	session_list_free(&worker->sessions);
	free(worker->waiting);
	free(worker);
}

static bool
is_account(const struct broker *broker, uint32_t account)
{
	return broker->accounts != NULL &&
	       account_find_number(broker->accounts, account) != NULL;
}

static void want(struct worker *worker);

/* Of the list of sessions: some are to be woken. */
static void
sleepers_wanted(void *context)
{
	struct worker *worker = context;

	if (is_account(worker->member.broker, worker->member.account))
		want(worker);
	else
		session_list_dismiss(worker->sessions, true, STATUS_MISSING);
}

static int
tell_front(const struct session_front *front, const struct message *message,
    const int *fd, void *context)
{
	struct worker *worker = context;
	const struct member *imapd =
	    &worker->member.broker->services[ROLE_IMAPD];

	if (imapd->channel == NULL || imapd->instance != front->instance)
		return -1;
	return channel_send(imapd->channel, message, fd, fd != NULL);
}

static void
sessions_emptied(void *context)
{
	struct worker *worker = context;

	if (worker->state == WORKER_ABSENT && !is_wanted(worker) &&
	    worker->member.quick_ends == 0)
		forget(worker);
}

static struct worker *
worker_of(struct workers *workers, uint32_t account)
{
	static const struct session_list_handler handler = { sleepers_wanted,
		sessions_emptied, tell_front };
	struct worker *worker = table_find_u64(workers->by_account, account);

	if (worker != NULL)
		return worker;
	worker = memory_new(1, sizeof(*worker));
	worker->workers = workers;
	worker->sessions =
	    session_list_new(workers->sessions, account, &handler, worker);
	worker->member.broker = workers->broker;
	worker->member.role = ROLE_WORKER;
	worker->member.account = account;
	worker->member.log_end = -1;
	worker->member.timer =
	    timer_new(workers->broker->loop, timer_due, worker);
	worker->member.kill_timer =
	    timer_new(workers->broker->loop, kill_due, worker);
	table_put_u64(workers->by_account, account, worker);
	return worker;
}

/* All places are taken: one that idles makes room. */
static bool
retire_one(struct workers *workers)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (worker->state != WORKER_RUNNING || !worker->is_idle)
			continue;
		retire(worker);
		return true;
	}
	return false;
}

/* For so many that are queued. */
static bool
places_come(struct workers *workers, size_t queued)
{
	return workers->stopping >= queued || retire_one(workers);
}

/* A place is free. */
static void
start_queued(struct workers *workers)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (worker->state != WORKER_QUEUED)
			continue;
		worker->state = WORKER_ABSENT;
		workers->queued--;
		try_start(worker);
		return;
	}
}

static void
enter_queue(struct worker *worker)
{
	if (!places_come(worker->workers, worker->workers->queued + 1))
		answer_sessions(worker, STATUS_UNAVAILABLE);
	if (!is_wanted(worker))
		return;
	worker->state = WORKER_QUEUED;
	worker->workers->queued++;
}

void
worker_send_quota(struct member *member)
{
	const struct account_table *accounts = member->broker->accounts;
	struct message message = { .type = MESSAGE_quota };
	const struct account *account;

	if (accounts == NULL || member->channel == NULL)
		return;
	account = account_find_number(accounts, member->account);
	if (account == NULL)
		return; /* it was taken out of the users file */
	message.quota.bytes = account->quota_bytes;
	message.quota.messages = account->quota_messages;
	(void)channel_send(member->channel, &message, NULL, 0);
}

/* First the home: master's answer goes on in workers_home_made. */
static void
try_start(struct worker *worker)
{
	struct broker *broker = worker->member.broker;
	struct message message = { .type = MESSAGE_make_home };

	if (broker->is_stopping) {
		answer_all(worker, STATUS_UNAVAILABLE);
		return;
	}
	/* At the start others may have been equipped a moment earlier. */
	if (!broker->equipment[ROLE_WORKER].is_set) {
		worker->state = WORKER_QUEUED;
		worker->workers->queued++;
		return;
	}
	if (worker->workers->running >= broker->settings->max_workers) {
		enter_queue(worker);
		return;
	}
	message.make_home.account = worker->member.account;
	if (channel_send(broker->master, &message, NULL, 0) == -1) {
		answer_all(worker, STATUS_UNAVAILABLE);
		return;
	}
	worker->state = WORKER_HOME;
	worker->workers->running++;
}

static void
tell_watch(struct worker *worker)
{
	size_t count = session_list_watching(worker->sessions);
	struct message message = { .type = MESSAGE_session_watch };

	if (count == 0)
		return;
	message.session_watch.count = (uint32_t)count;
	(void)channel_send(worker->member.channel, &message, NULL, 0);
}

void
workers_equipped(struct workers *workers)
{
	size_t count = workers->queued;

	while (count-- > 0)
		start_queued(workers);
}

void
workers_home_made(
    struct workers *workers, uint32_t account, uint8_t status, int *fd)
{
	struct worker *worker = table_find_u64(workers->by_account, account);
	struct member *member;
	struct error error;

	if (worker == NULL || worker->state != WORKER_HOME)
		return;
	member = &worker->member;
	if (status != STATUS_OK || *fd == -1 ||
	    member_start(member, *fd, &error) == -1) {
		worker->state = WORKER_ABSENT;
		workers->running--;
		log_error("worker", "account=%u result=not-started", account);
		answer_all(worker, STATUS_UNAVAILABLE);
		start_queued(workers);
		return;
	}
	worker->state = WORKER_RUNNING;
	worker->is_idle = false;
	worker_send_quota(member);
	worker->sessions_given = 0;
	/* Before it can hear of any change. */
	tell_watch(worker);
	member_connect_snapd(member);
	members_connect(member, &workers->broker->services[ROLE_QUEUE]);
	answer_all(worker, STATUS_OK);
}

/* The worker is wanted: now, after its start, or after its end. */
static void
want(struct worker *worker)
{
	if (worker->state == WORKER_RUNNING) {
		timer_stop(worker->member.timer);
		worker->is_idle = false;
		worker->wanted_us = clock_monotonic_us();
		answer_all(worker, STATUS_OK);
	} else if (worker->state == WORKER_ABSENT) {
		try_start(worker);
	} else if (worker->state == WORKER_QUEUED &&
		   !places_come(worker->workers, worker->workers->queued)) {
		answer_sessions(worker, STATUS_UNAVAILABLE);
	}
}

void
workers_attach(struct workers *workers, struct member *front,
    uint64_t connection, bool is_tls, const struct grant *grant)
{
	struct waiting waiting = { front->role, front->instance, connection,
		is_tls, *grant };
	struct worker *worker;

	if (!is_account(workers->broker, grant->account)) {
		answer_attach(workers->broker, &waiting, STATUS_MISSING, -1);
		return;
	}
	worker = worker_of(workers, grant->account);
	if (worker->waiting_count == WORKER_MAX_WAITING) {
		answer_attach(
		    workers->broker, &waiting, STATUS_UNAVAILABLE, -1);
		return;
	}
	if (worker->waiting == NULL)
		worker->waiting =
		    memory_new(WORKER_MAX_WAITING, sizeof(*worker->waiting));
	worker->waiting[worker->waiting_count++] = waiting;
	want(worker);
}

void
workers_need(struct workers *workers, uint32_t account, enum role asker)
{
	struct worker unknown = { .workers = workers,
		.member = { .broker = workers->broker, .account = account } };
	struct worker *worker = &unknown;

	if (is_account(workers->broker, account))
		worker = worker_of(workers, account);
	if (asker == ROLE_QUEUE)
		worker->queue_waits++;
	else
		worker->snapd_waits++;
	if (worker == &unknown)
		answer_askers(worker, STATUS_MISSING);
	else
		want(worker);
}

/* For how long it stays because somebody wanted it a moment ago. */
static int64_t
wanted_ms(const struct worker *worker)
{
	int64_t since_us = clock_monotonic_us() - worker->wanted_us;

	return since_us < WORKER_WANTED_US
		   ? (WORKER_WANTED_US - since_us) / 1000 + 1
		   : 0;
}

void
worker_idle(struct workers *workers, struct member *member,
    const struct message_worker_idle *said)
{
	struct worker *worker = (struct worker *)(void *)member;

	if (worker->state != WORKER_RUNNING ||
	    said->sessions != worker->sessions_given)
		return;
	worker->is_idle = true;
	timer_stop(member->timer);
	/* What the queue was told a moment ago may be on the way to it. */
	if (said->reason == IDLE_ASLEEP)
		timer_start(member->timer, wanted_ms(worker));
	else if (said->reason != IDLE_JUST_NOW)
		timer_start(member->timer, WORKER_LINGER_MS);
	if (workers->queued > workers->stopping)
		(void)retire_one(workers);
}

/* -- Sessions -- */

void
worker_session_sleeps(
    struct member *member, const struct message_session_sleep *said, int *fd)
{
	struct worker *worker = (struct worker *)(void *)member;

	session_list_sleep(worker->sessions, said, fd);
}

void
worker_session_ended(struct member *member, uint64_t session)
{
	struct worker *worker = (struct worker *)(void *)member;

	session_list_remove(worker->sessions, session);
}

void
worker_mailbox_changed(struct member *member, uint64_t topic)
{
	struct worker *worker = (struct worker *)(void *)member;

	session_list_changed(worker->sessions, topic);
}

struct sessions *
workers_sessions(struct workers *workers)
{
	return workers->sessions;
}

void
workers_front_gone(struct workers *workers, uint64_t instance)
{
	sessions_front_gone(workers->sessions, instance);
}

void
workers_renew_accounts(struct workers *workers)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (!is_account(workers->broker, worker->member.account))
			session_list_dismiss(
			    worker->sessions, true, STATUS_MISSING);
	}
}

void
worker_ended(struct workers *workers, struct member *member)
{
	struct worker *worker = (struct worker *)(void *)member;
	bool was_asked = worker->state == WORKER_STOPPING;

	workers->running--;
	if (was_asked)
		workers->stopping--;
	timer_stop(member->timer);
	session_list_lose(worker->sessions);
	if (workers->broker->is_stopping) {
		worker->state = WORKER_ABSENT;
		return;
	}
	start_queued(workers);
	if (was_asked) {
		worker->state = WORKER_ABSENT;
		if (is_wanted(worker))
			try_start(worker);
		else if (session_list_is_empty(worker->sessions))
			sessions_emptied(worker);
		return;
	}
	/* What waits for a crashing worker is told at once; who sleeps goes on
	 * sleeping, but there may be news that it has not told. */
	worker->state = WORKER_BACKOFF;
	answer_sessions(worker, STATUS_UNAVAILABLE);
	answer_askers(worker, STATUS_UNAVAILABLE);
	timer_start(member->timer, process_backoff_ms(member->quick_ends));
	session_list_alarm(worker->sessions);
}

/* -- All of them -- */

void
workers_each(struct workers *workers, void (*callback)(struct member *member))
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (worker->member.pid != 0)
			callback(&worker->member);
	}
}

/* Who asked is gone with the channel: the next one asked nothing. */
static void
forget_askers(struct workers *workers, enum role asker)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (asker == ROLE_QUEUE)
			worker->queue_waits = 0;
		else
			worker->snapd_waits = 0;
	}
}

static void
connect_queue(struct member *member)
{
	members_connect(member, &member->broker->services[ROLE_QUEUE]);
}

void
workers_connect_queue(struct workers *workers)
{
	forget_askers(workers, ROLE_QUEUE);
	workers_each(workers, connect_queue);
}

void
workers_connect_snapd(struct workers *workers)
{
	forget_askers(workers, ROLE_SNAPD);
	workers_each(workers, member_connect_snapd);
}

struct member *
workers_find_pid(struct workers *workers, pid_t pid)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		if (worker->member.pid == pid)
			return &worker->member;
	}
	return NULL;
}

size_t
workers_running(const struct workers *workers)
{
	return workers->running;
}

static void
stop_one(struct member *member)
{
	struct worker *worker = (struct worker *)(void *)member;

	if (worker->state != WORKER_STOPPING)
		retire(worker);
}

void
workers_stop(struct workers *workers)
{
	size_t position = 0, size;
	const void *key;
	void *value;

	workers_each(workers, stop_one);
	while (
	    table_next(workers->by_account, &position, &key, &size, &value)) {
		struct worker *worker = value;

		session_list_dismiss(
		    worker->sessions, true, STATUS_UNAVAILABLE);
	}
}
