/*
 * See workers.h.  A worker's place goes ABSENT -> HOME (master makes sure of
 * its directory) -> RUNNING -> STOPPING -> ABSENT; after a crash it rests in
 * BACKOFF, and when all places are taken it is QUEUED until one that idles has
 * been retired for it: mail waits until somebody does, a session only if
 * somebody does now.  What is asked of it meanwhile waits in the place, which
 * is forgotten when there is nothing in it.
 */
#include "broker/workers.h"

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
	size_t waiting_count;
	struct waiting waiting[WORKER_MAX_WAITING];
};

struct workers {
	struct broker *broker;
	struct table *by_account;
	size_t running;
	size_t stopping; /* of these, retired */
	size_t queued;
	uint64_t next_session;
};

static void try_start(struct worker *worker);

struct workers *
workers_new(struct broker *broker)
{
	struct workers *workers = memory_new(1, sizeof(*workers));

	workers->broker = broker;
	workers->by_account = table_new();
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
		free(worker);
	}
	table_free(&(*workers)->by_account);
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
	struct message message = { .type = MESSAGE_session_open };
	int ends[2], result;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		ends) == -1) {
		answer_attach(
		    worker->member.broker, waiting, STATUS_UNAVAILABLE, -1);
		return;
	}
	message.session_open.session = ++worker->workers->next_session;
	message.session_open.is_tls = waiting->is_tls;
	message.session_open.user = text_of(waiting->grant.user);
	message.session_open.client_ip = text_of(waiting->grant.client_ip);
	result = channel_send(worker->member.channel, &message, &ends[1], 1);
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
}

static void
answer_all(struct worker *worker, enum status status)
{
	answer_sessions(worker, status);
	answer_askers(worker, status);
}

static bool
is_wanted(const struct worker *worker)
{
	return worker->waiting_count > 0 || worker->queue_waits > 0 ||
	       worker->snapd_waits > 0;
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

static struct worker *
worker_of(struct workers *workers, uint32_t account)
{
	struct worker *worker = table_find_u64(workers->by_account, account);

	if (worker != NULL)
		return worker;
	worker = memory_new(1, sizeof(*worker));
	worker->workers = workers;
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

/* The place of one that ended, and that nothing is remembered of. */
static void
forget(struct worker *worker)
{
	table_remove_u64(worker->workers->by_account, worker->member.account);
	timer_free(&worker->member.timer);
	timer_free(&worker->member.kill_timer);
	if (worker->member.log_end != -1)
		close(worker->member.log_end);
	free(worker);
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

	if (broker->is_stopping || !broker->equipment[ROLE_WORKER].is_set) {
		answer_all(worker, STATUS_UNAVAILABLE);
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
		answer_all(worker, STATUS_OK);
	} else if (worker->state == WORKER_ABSENT) {
		try_start(worker);
	} else if (worker->state == WORKER_QUEUED &&
		   !places_come(worker->workers, worker->workers->queued)) {
		answer_sessions(worker, STATUS_UNAVAILABLE);
	}
}

static bool
is_account(const struct broker *broker, uint32_t account)
{
	return broker->accounts != NULL &&
	       account_find_number(broker->accounts, account) != NULL;
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

void
worker_idle(struct workers *workers, struct member *member, uint8_t reason)
{
	struct worker *worker = (struct worker *)(void *)member;

	if (worker->state != WORKER_RUNNING)
		return;
	worker->is_idle = true;
	if (reason == IDLE_FOR_LONG)
		timer_start(member->timer, WORKER_LINGER_MS);
	else
		timer_stop(member->timer);
	if (workers->queued > workers->stopping)
		(void)retire_one(workers);
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
	if (workers->broker->is_stopping) {
		worker->state = WORKER_ABSENT;
		return;
	}
	start_queued(workers);
	if (was_asked) {
		worker->state = WORKER_ABSENT;
		if (is_wanted(worker))
			try_start(worker);
		else if (member->quick_ends == 0)
			forget(worker);
		return;
	}
	/* What waits for a crashing worker is told at once. */
	worker->state = WORKER_BACKOFF;
	answer_all(worker, STATUS_UNAVAILABLE);
	timer_start(member->timer, process_backoff_ms(member->quick_ends));
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
	workers_each(workers, stop_one);
}
