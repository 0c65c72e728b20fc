/*
 * The broker's places for workers, with a false master and a false snapd: each
 * request is answered, and what one snapd asked is not answered to the next.
 */
#include "broker/worker_places.h"

#include "common/channel.h"
#include "common/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	ACCOUNT = 1,
	ACCOUNTS = WORKER_SPARE_SHARE + 1
};

struct fixture {
	struct broker broker;
	struct settings *settings;
	struct channel *master;
	struct channel *snapd;
	struct timer *deadline;
	unsigned int asked;       /* by snapd, as the broker has seen it */
	unsigned int homes;       /* that master was to make, */
	uint32_t whose[ACCOUNTS]; /* of these accounts first */
	unsigned int answered;    /* to snapd */
	uint8_t status;
};

static struct fixture fixture;

static void
to_broker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	if (message->type == MESSAGE_start_worker) {
		workers_need(f->broker.workers, message->start_worker.account,
		    ROLE_SNAPD);
		f->asked++;
	}
	event_loop_stop(f->broker.loop);
}

static void
to_master(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	if (message->type == MESSAGE_make_home) {
		if (f->homes < ACCOUNTS)
			f->whose[f->homes] = message->make_home.account;
		f->homes++;
	}
	event_loop_stop(f->broker.loop);
}

static void
to_snapd(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	assert_int_equal(message->type, MESSAGE_account_started);
	f->status = message->account_started.status;
	f->answered++;
	event_loop_stop(f->broker.loop);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("channel closed: %s", error->text);
}

static const struct channel_handler at_broker = { to_broker, closed };
static const struct channel_handler at_master = { to_master, closed };
static const struct channel_handler at_snapd = { to_snapd, closed };

static void
too_late(void *context)
{
	fail_msg("not before the deadline");
}

static void
wait_for(struct fixture *f, const unsigned int *count, unsigned int wanted)
{
	timer_start(f->deadline, DEADLINE_MS);
	while (*count < wanted)
		event_loop_run(f->broker.loop);
	timer_stop(f->deadline);
	assert_int_equal(*count, wanted);
}

static void
connect_two(struct fixture *f, struct channel **broker_end,
    struct channel **peer_end, enum role role,
    const struct channel_handler *handler)
{
	struct error error;
	int ends[2];

	channel_free(broker_end);
	channel_free(peer_end);
	assert_int_equal(channel_pair(ends, &error), 0);
	*broker_end = channel_new(
	    f->broker.loop, ends[0], ROLE_BROKER, role, &at_broker, f);
	*peer_end =
	    channel_new(f->broker.loop, ends[1], role, ROLE_BROKER, handler, f);
}

static struct account_table *
make_accounts(void)
{
	struct account_table *accounts = account_table_new();
	struct account account = { .hash = "" };
	char address[16];

	account.address = address;
	for (uint32_t n = ACCOUNT; n <= ACCOUNTS; n++) {
		account.number = account.uid = n;
		snprintf(address, sizeof(address), "u%u@b.test", n);
		assert_int_equal(account_table_add(accounts, &account), 0);
	}
	return accounts;
}

static int
set_up(void **state)
{
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	f->broker.loop = event_loop_new();
	f->deadline = timer_new(f->broker.loop, too_late, f);
	f->settings = settings_new();
	f->broker.settings = f->settings;
	f->broker.accounts = make_accounts();
	f->broker.equipment[ROLE_WORKER].is_set = true;
	f->broker.workers = workers_new(&f->broker);
	connect_two(f, &f->broker.master, &f->master, ROLE_MASTER, &at_master);
	connect_two(f, &f->broker.snapd, &f->snapd, ROLE_SNAPD, &at_snapd);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	channel_free(&f->broker.master);
	channel_free(&f->broker.snapd);
	channel_free(&f->master);
	channel_free(&f->snapd);
	workers_free(&f->broker.workers);
	account_table_free(&f->broker.accounts);
	settings_free(&f->settings);
	timer_free(&f->deadline);
	event_loop_free(&f->broker.loop);
	return 0;
}

static void
want(struct fixture *f, unsigned int times)
{
	struct message m = { .type = MESSAGE_start_worker };

	m.start_worker.account = ACCOUNT;
	f->asked = 0;
	for (unsigned int i = 0; i < times; i++)
		assert_int_equal(channel_send(f->snapd, &m, NULL, 0), 0);
	wait_for(f, &f->asked, times);
}

static void
cannot_make_home(struct fixture *f)
{
	int fd = -1;

	workers_home_made(f->broker.workers, ACCOUNT, STATUS_UNAVAILABLE, &fd);
}

/* An answer that is missing would be one request less that can be under way,
 * for as long as snapd runs. */
static void
each_request_is_answered(void **state)
{
	struct fixture *f = *state;

	for (unsigned int turn = 1; turn <= CHANNEL_CREDIT; turn++) {
		want(f, 3);
		wait_for(f, &f->homes, turn);
		cannot_make_home(f);
		wait_for(f, &f->answered, 3 * turn);
		assert_int_equal(f->status, STATUS_UNAVAILABLE);
	}
}

static void
what_one_asked_is_not_answered_to_the_next(void **state)
{
	struct fixture *f = *state;

	want(f, 2);
	wait_for(f, &f->homes, 1);
	connect_two(f, &f->broker.snapd, &f->snapd, ROLE_SNAPD, &at_snapd);
	workers_connect_snapd(f->broker.workers);
	cannot_make_home(f);
	want(f, 1);
	wait_for(f, &f->homes, 2);
	assert_int_equal(f->answered, 0);
	cannot_make_home(f);
	wait_for(f, &f->answered, 1);
}

/* At the start the queue may be quicker than what master has to say. */
static void
who_asks_before_workers_are_equipped_waits(void **state)
{
	struct fixture *f = *state;

	f->broker.equipment[ROLE_WORKER].is_set = false;
	want(f, 1);
	assert_int_equal(f->homes, 0);
	assert_int_equal(f->answered, 0);
	f->broker.equipment[ROLE_WORKER].is_set = true;
	workers_equipped(f->broker.workers);
	wait_for(f, &f->homes, 1);
	cannot_make_home(f);
	wait_for(f, &f->answered, 1);
}

static void
need(struct fixture *f, uint32_t account)
{
	workers_need(f->broker.workers, account, ROLE_QUEUE);
}

static void
first_come_are_first_started(void **state)
{
	static const uint32_t order[] = { 7, 2, 11, 1, 9, 4, 12, 3, 10, 6 };
	const unsigned int count = sizeof(order) / sizeof(order[0]);
	struct fixture *f = *state;

	f->broker.equipment[ROLE_WORKER].is_set = false;
	for (unsigned int i = 0; i < count; i++)
		need(f, order[i]);
	f->broker.equipment[ROLE_WORKER].is_set = true;
	workers_equipped(f->broker.workers);
	wait_for(f, &f->homes, count);
	assert_memory_equal(f->whose, order, sizeof(order));
}

/* As if master had made its home and it had been started. */
static struct worker *
run(struct fixture *f, uint32_t account)
{
	struct worker *worker;

	need(f, account);
	worker = worker_find(f->broker.workers, account);
	assert_int_equal(worker->state, WORKER_HOME);
	worker->state = WORKER_RUNNING;
	return worker;
}

static void
the_one_that_idles_for_longest_makes_room(void **state)
{
	static const uint32_t order[] = { 3, 1, 5, 2 };
	static const struct message_worker_idle idle = { .reason =
							     IDLE_JUST_NOW };
	struct fixture *f = *state;
	struct worker *workers[6];

	f->settings->max_workers = 5;
	for (uint32_t n = 1; n <= 5; n++)
		workers[n] = run(f, n);
	for (unsigned int i = 0; i < 4; i++)
		worker_idle(
		    f->broker.workers, &workers[order[i]]->member, &idle);
	need(f, 1); /* is wanted again, and idles again */
	worker_idle(f->broker.workers, &workers[1]->member, &idle);
	need(f, 6);
	assert_int_equal(workers[3]->state, WORKER_STOPPING);
	need(f, 7);
	assert_int_equal(workers[5]->state, WORKER_STOPPING);
	assert_int_equal(workers[1]->state, WORKER_RUNNING);
	assert_int_equal(workers[2]->state, WORKER_RUNNING);
	assert_int_equal(workers[4]->state, WORKER_RUNNING);
}

static void
a_place_is_free_before_somebody_comes(void **state)
{
	static const struct message_worker_idle idle = { .reason =
							     IDLE_JUST_NOW };
	struct fixture *f = *state;
	struct worker *first = NULL, *second = NULL, *worker;

	f->settings->max_workers = WORKER_SPARE_SHARE;
	for (uint32_t n = 1; n < WORKER_SPARE_SHARE; n++) {
		worker = run(f, n);
		worker_idle(f->broker.workers, &worker->member, &idle);
		first = n == 1 ? worker : first;
		second = n == 2 ? worker : second;
	}
	assert_int_equal(first->state, WORKER_RUNNING);
	(void)run(f, WORKER_SPARE_SHARE);
	assert_int_equal(first->state, WORKER_STOPPING);
	/* One place more comes than is asked for. */
	need(f, WORKER_SPARE_SHARE + 1);
	assert_int_equal(second->state, WORKER_RUNNING);
}

/* Who works is not sent away for that. */
static void
a_spare_place_costs_nobody_who_works(void **state)
{
	static const struct message_worker_idle idle = { .reason =
							     IDLE_JUST_NOW };
	struct fixture *f = *state;
	struct worker *workers[WORKER_SPARE_SHARE + 1];

	f->settings->max_workers = WORKER_SPARE_SHARE;
	for (uint32_t n = 1; n <= WORKER_SPARE_SHARE; n++)
		workers[n] = run(f, n);
	for (uint32_t n = 1; n <= WORKER_SPARE_SHARE; n++)
		assert_int_equal(workers[n]->state, WORKER_RUNNING);
	worker_idle(f->broker.workers, &workers[7]->member, &idle);
	assert_int_equal(workers[7]->state, WORKER_STOPPING);
	worker_idle(f->broker.workers, &workers[8]->member, &idle);
	assert_int_equal(workers[8]->state, WORKER_RUNNING);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_request_is_answered),
		TEST(what_one_asked_is_not_answered_to_the_next),
		TEST(who_asks_before_workers_are_equipped_waits),
		TEST(first_come_are_first_started),
		TEST(the_one_that_idles_for_longest_makes_room),
		TEST(a_place_is_free_before_somebody_comes),
		TEST(a_spare_place_costs_nobody_who_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
