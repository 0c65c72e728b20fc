/*
 * See workers.h: when a worker starts and when it ends.  Its place goes ABSENT
 * -> HOME (master makes sure of its directory) -> RUNNING -> STOPPING ->
 * ABSENT; after a crash it rests in BACKOFF, and when all places are taken it
 * is QUEUED until one that idles has been retired for it: mail waits until
 * somebody does, a session only if somebody does now.  What is asked of it
 * meanwhile waits in the place, as do the account's sessions while they sleep;
 * it is forgotten when there is nothing in it.
 */
#include "broker/workers.h"

#include "broker/worker_places.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"
#include "common/table.h"

#include <string.h>

static void try_start(struct worker *worker);

struct workers *
workers_new(struct broker *broker)
{
	struct workers *workers = memory_new(1, sizeof(*workers));

	workers->broker = broker;
	workers->by_account = table_new();
	workers->by_process = table_new();
	workers->sessions = sessions_new(broker->loop);
	return workers;
}

/* The places; none of them runs. */
void
workers_free(struct workers **workers)
{
	struct worker *worker;
	size_t position = 0;

	while ((worker = worker_next(*workers, &position)) != NULL)
		worker_forget(worker);
	table_free(&(*workers)->by_account);
	table_free(&(*workers)->by_process);
	sessions_free(&(*workers)->sessions);
	memory_free(workers);
}

/* -- States -- */

static void
retire(struct worker *worker)
{
	worker_leave_line(worker);
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
		if (worker_is_wanted(worker))
			try_start(worker);
	}
}

static void
kill_due(void *context)
{
	struct worker *worker = context;

	member_kill(&worker->member);
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

	if (worker->state == WORKER_ABSENT && !worker_is_wanted(worker) &&
	    worker->member.quick_ends == 0)
		worker_forget(worker);
}

static struct worker *
worker_of(struct workers *workers, uint32_t account)
{
	static const struct session_list_handler handler = { sleepers_wanted,
		sessions_emptied, tell_front };
	struct worker *worker = worker_find(workers, account);

	if (worker != NULL)
		return worker;
	worker = worker_add(workers, account);
	worker->sessions =
	    session_list_new(workers->sessions, account, &handler, worker);
	worker->member.timer =
	    timer_new(workers->broker->loop, timer_due, worker);
	worker->member.kill_timer =
	    timer_new(workers->broker->loop, kill_due, worker);
	return worker;
}

/* All places are taken: the one that idles for longest makes room. */
static bool
retire_one(struct workers *workers)
{
	if (workers->idle.first == NULL)
		return false;
	retire(workers->idle.first);
	return true;
}

/* Whether fewer places are free, or will be, than are to be kept. */
static bool
is_crowded(const struct workers *workers)
{
	size_t most = workers->broker->settings->max_workers;

	return workers->running - workers->stopping +
		   most / WORKER_SPARE_SHARE >
	       most;
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
	struct worker *worker = workers->queued.first;

	if (worker == NULL)
		return;
	worker_leave_line(worker);
	worker->state = WORKER_ABSENT;
	try_start(worker);
}

static void
wait_in_line(struct worker *worker)
{
	worker->state = WORKER_QUEUED;
	worker_enter_line(worker, &worker->workers->queued);
}

static void
enter_queue(struct worker *worker)
{
	if (!places_come(worker->workers, worker->workers->queued.count + 1))
		worker_answer_sessions(worker, STATUS_UNAVAILABLE);
	if (worker_is_wanted(worker))
		wait_in_line(worker);
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
		worker_answer_all(worker, STATUS_UNAVAILABLE);
		return;
	}
	/* At the start others may have been equipped a moment earlier. */
	if (!broker->equipment[ROLE_WORKER].is_set) {
		wait_in_line(worker);
		return;
	}
	if (worker->workers->running >= broker->settings->max_workers) {
		enter_queue(worker);
		return;
	}
	message.make_home.account = worker->member.account;
	if (channel_send(broker->master, &message, NULL, 0) == -1) {
		worker_answer_all(worker, STATUS_UNAVAILABLE);
		return;
	}
	worker->state = WORKER_HOME;
	worker->workers->running++;
	if (is_crowded(worker->workers))
		(void)retire_one(worker->workers);
}

static void
tell_watch(struct worker *worker)
{
	size_t count = session_list_asleep(worker->sessions);
	struct message message = { .type = MESSAGE_session_watch };

	if (count == 0)
		return;
	message.session_watch.count = (uint32_t)count;
	(void)channel_send(worker->member.channel, &message, NULL, 0);
}

void
workers_equipped(struct workers *workers)
{
	size_t count = workers->queued.count;

	while (count-- > 0)
		start_queued(workers);
}

void
workers_home_made(
    struct workers *workers, uint32_t account, uint8_t status, int *fd)
{
	struct worker *worker = worker_find(workers, account);
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
		worker_answer_all(worker, STATUS_UNAVAILABLE);
		start_queued(workers);
		return;
	}
	worker->state = WORKER_RUNNING;
	worker_enter_process(worker);
	worker_send_quota(member);
	worker->sessions_given = 0;
	/* Before it can hear of any change. */
	tell_watch(worker);
	member_connect_snapd(member);
	members_connect(member, &workers->broker->services[ROLE_QUEUE]);
	worker_answer_all(worker, STATUS_OK);
}

/* The worker is wanted: now, after its start, or after its end. */
static void
want(struct worker *worker)
{
	if (worker->state == WORKER_RUNNING) {
		timer_stop(worker->member.timer);
		worker_leave_line(worker);
		worker->wanted_us = clock_monotonic_us();
		worker_answer_all(worker, STATUS_OK);
	} else if (worker->state == WORKER_ABSENT) {
		try_start(worker);
	} else if (worker->state == WORKER_QUEUED &&
		   !places_come(
		       worker->workers, worker->workers->queued.count)) {
		worker_answer_sessions(worker, STATUS_UNAVAILABLE);
	}
}

static struct waiting
wait_with(const struct member *front, const struct message_attach *wish,
    int *fd, const struct grant *grant)
{
	struct waiting waiting = { .front = front->role,
		.instance = front->instance,
		.connection = wish->connection,
		.is_tls = wish->is_tls != 0,
		.fd = *fd,
		.grant = *grant };

	*fd = -1;
	if (waiting.fd == -1)
		return waiting;
	waiting.tag_size = wish->tag.size;
	waiting.input_size = wish->input.size;
	waiting.said = memory_new(wish->tag.size + wish->input.size + 1, 1);
	if (wish->tag.size > 0)
		memcpy(waiting.said, wish->tag.data, wish->tag.size);
	if (wish->input.size > 0)
		memcpy(waiting.said + wish->tag.size, wish->input.data,
		    wish->input.size);
	return waiting;
}

void
workers_attach(struct workers *workers, struct member *front,
    const struct message_attach *wish, int *fd, const struct grant *grant)
{
	struct waiting waiting = wait_with(front, wish, fd, grant);
	struct worker *worker;

	if (!is_account(workers->broker, grant->account)) {
		worker_refuse(workers->broker, &waiting, STATUS_MISSING);
		return;
	}
	worker = worker_of(workers, grant->account);
	if (worker_keep_waiting(worker, &waiting))
		want(worker);
	else
		worker_refuse(workers->broker, &waiting, STATUS_UNAVAILABLE);
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
		worker_answer_askers(worker, STATUS_MISSING);
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
	if (worker->line == NULL)
		worker_enter_line(worker, &workers->idle);
	timer_stop(member->timer);
	/* What the queue was told a moment ago may be on the way to it. */
	if (said->reason == IDLE_ASLEEP)
		timer_start(member->timer, wanted_ms(worker));
	else if (said->reason != IDLE_JUST_NOW)
		timer_start(member->timer, WORKER_LINGER_MS);
	if (workers->queued.count > workers->stopping || is_crowded(workers))
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
worker_mailbox_changed(
    struct member *member, const struct message_mailbox_changed *said)
{
	struct worker *worker = (struct worker *)(void *)member;

	session_list_changed(worker->sessions, said->topic, said->what);
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
	struct worker *worker;
	size_t position = 0;

	while ((worker = worker_next(workers, &position)) != NULL)
		if (!is_account(workers->broker, worker->member.account))
			session_list_dismiss(
			    worker->sessions, true, STATUS_MISSING);
}

void
worker_ended(struct workers *workers, struct member *member)
{
	struct worker *worker = (struct worker *)(void *)member;
	bool was_asked = worker->state == WORKER_STOPPING;

	worker_leave_line(worker);
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
		if (worker_is_wanted(worker))
			try_start(worker);
		else if (session_list_is_empty(worker->sessions))
			sessions_emptied(worker);
		return;
	}
	/* What waits for a crashing worker is told at once; who sleeps goes on
	 * sleeping, but there may be news that it has not told. */
	worker->state = WORKER_BACKOFF;
	worker_answer_sessions(worker, STATUS_UNAVAILABLE);
	worker_answer_askers(worker, STATUS_UNAVAILABLE);
	timer_start(member->timer, process_backoff_ms(member->quick_ends));
	session_list_alarm(worker->sessions);
}

/* -- All of them -- */

void
workers_each(struct workers *workers, void (*callback)(struct member *member))
{
	struct worker *worker;
	size_t position = 0;

	while ((worker = worker_next(workers, &position)) != NULL)
		if (worker->member.pid != 0)
			callback(&worker->member);
}

/* Who asked is gone with the channel: the next one asked nothing. */
static void
forget_askers(struct workers *workers, enum role asker)
{
	struct worker *worker;
	size_t position = 0;

	while ((worker = worker_next(workers, &position)) != NULL) {
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
	struct worker *worker;
	size_t position = 0;

	workers_each(workers, stop_one);
	while ((worker = worker_next(workers, &position)) != NULL)
		session_list_dismiss(
		    worker->sessions, true, STATUS_UNAVAILABLE);
}
