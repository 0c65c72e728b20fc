/*
 * When the queue has mail filed: not while it comes in, then all together; for
 * one account after the other while somebody hands in mail, but whoever does
 * not answer holds nobody up.
 */
#include "smtpd/filing.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	ACCOUNT = 7, /* the first of them */
	WORKERS = 3 * QUEUE_FILE_MORE,
	CLIENTS = 2,
	DEADLINE_MS = 60000
};

/* A queue of which only loop and fronts are used, and workers. */
struct fixture {
	struct queue queue;
	struct front front;
	struct timer *deadline;
	struct timer *rain;
	struct channel *workers[WORKERS];
	int fds[WORKERS];
	struct channel *last; /* who heard something */
	unsigned int heard;
	unsigned int wanted;
	unsigned int poured;
};

static void
worker_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	assert_int_equal(message->type, MESSAGE_file);
	assert_int_equal(message->file.delivery.bytes[0], f->heard % 256);
	f->last = channel;
	if (++f->heard == f->wanted)
		event_loop_stop(f->queue.loop);
}

static void
worker_gone(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("%s", error->text);
}

static void
too_late(void *context)
{
	fail_msg("nothing was filed before the deadline");
}

static void
add_worker(struct fixture *f, unsigned int n)
{
	static const struct channel_handler handler = { worker_hears,
		worker_gone };
	struct message_introduce introduce = { .account = ACCOUNT + n };
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	f->fds[n] = ends[0];
	f->workers[n] = channel_new(
	    f->queue.loop, ends[0], ROLE_WORKER, ROLE_QUEUE, &handler, f);
	filing_worker(f->queue.filings, &introduce, ends[1]);
}

static int
set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.queue.loop = event_loop_new();
	f.queue.file_stuck_ms = QUEUE_FILE_STUCK_MS;
	f.queue.fronts = &f.front;
	f.front.transactions = table_new();
	f.queue.quotas = quota_book_new();
	f.queue.fetches = table_new();
	f.queue.filings = filing_list_new(&f.queue);
	f.deadline = timer_new(f.queue.loop, too_late, &f);
	for (unsigned int n = 0; n < WORKERS; n++)
		add_worker(&f, n);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	filing_list_free(&f->queue.filings);
	quota_book_free(&f->queue.quotas);
	table_free(&f->queue.fetches);
	for (unsigned int n = 0; n < WORKERS; n++)
		channel_free(&f->workers[n]);
	timer_free(&f->deadline);
	table_free(&f->front.transactions);
	event_loop_free(&f->queue.loop);
	return 0;
}

static void
add_to(struct fixture *f, uint32_t account, unsigned int n)
{
	struct delivery_id delivery = { { (uint8_t)n } };

	filing_add(f->queue.filings, account, &delivery);
}

static void
add(struct fixture *f, unsigned int n)
{
	add_to(f, ACCOUNT, n);
}

static bool
has_something_to_hear(const struct fixture *f)
{
	struct pollfd readable[WORKERS];

	for (unsigned int n = 0; n < WORKERS; n++)
		readable[n] =
		    (struct pollfd){ .fd = f->fds[n], .events = POLLIN };
	return poll(readable, WORKERS, 0) > 0;
}

static void
wait_until_heard(struct fixture *f, unsigned int wanted)
{
	f->wanted = wanted;
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->queue.loop);
	timer_stop(f->deadline);
	assert_true(f->heard >= wanted);
}

static void
mail_is_filed_after_a_rest_and_in_order(void **state)
{
	struct fixture *f = *state;
	unsigned int n;

	for (n = 0; n < 3; n++)
		add(f, n);
	assert_false(has_something_to_hear(f));
	wait_until_heard(f, 3);
	assert_int_equal(filing_count(f->queue.filings), 1);
}

/* Mail that keeps coming. */
static void
pour(void *context)
{
	struct fixture *f = context;

	add(f, f->poured++ % 256);
	timer_start(f->rain, 1);
}

static void
rest_ends_though_mail_keeps_coming(void **state)
{
	struct fixture *f = *state;

	f->rain = timer_new(f->queue.loop, pour, f);
	pour(f);
	assert_false(has_something_to_hear(f));
	wait_until_heard(f, 1);
	timer_free(&f->rain);
}

/* One after the other, so that at times nobody is in the middle of one. */
static void
pour_for_all(void *context)
{
	struct fixture *f = context;
	unsigned int n = f->poured++;

	add_to(f, ACCOUNT + (n < WORKERS ? n : WORKERS), n % 256);
	timer_start(f->rain, 1);
}

static void
accounts_come_a_few_at_a_time_between_two_messages(void **state)
{
	struct fixture *f = *state;
	unsigned int told = 0;

	f->queue.file_stuck_ms = 2 * DEADLINE_MS;
	f->rain = timer_new(f->queue.loop, pour_for_all, f);
	pour_for_all(f);
	wait_until_heard(f, 1);
	for (unsigned int n = 0; n < WORKERS; n++) {
		struct pollfd readable = { .fd = f->fds[n], .events = POLLIN };

		told += (unsigned int)poll(&readable, 1, 0);
	}
	assert_in_range(f->heard + told, QUEUE_FILE_MORE, WORKERS - 1);
	timer_free(&f->rain);
}

/* Clients in the middle of a transaction. */
static void
hand_in(struct fixture *f)
{
	for (uint64_t n = 1; n <= CLIENTS; n++)
		table_put_u64(f->front.transactions, n, f);
}

static void
answer_last(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_filed };

	m.filed.delivery.bytes[0] = (uint8_t)n;
	assert_int_equal(channel_send(f->last, &m, NULL, 0), 0);
}

/* The answer of one brings the next its turn. */
static void
accounts_come_a_few_at_a_time(void **state)
{
	const unsigned int few = QUEUE_FILE_MORE + CLIENTS;
	struct fixture *f = *state;

	f->queue.file_stuck_ms = 2 * DEADLINE_MS;
	hand_in(f);
	for (unsigned int n = 0; n < WORKERS; n++)
		add_to(f, ACCOUNT + n, n);
	wait_until_heard(f, few);
	for (unsigned int n = few; n < WORKERS; n++) {
		assert_false(has_something_to_hear(f));
		answer_last(f, n - 1);
		wait_until_heard(f, n + 1);
	}
}

static void
who_does_not_answer_holds_nobody_up(void **state)
{
	struct fixture *f = *state;

	hand_in(f);
	for (unsigned int n = 0; n < WORKERS; n++)
		add_to(f, ACCOUNT + n, n);
	wait_until_heard(f, WORKERS);
}

/* With nobody to wait for a 250, all at once. */
static void
accounts_come_together_when_it_is_quiet(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < WORKERS; n++)
		add_to(f, ACCOUNT + n, n);
	wait_until_heard(f, 1);
	assert_int_equal(filing_count(f->queue.filings), WORKERS);
	for (unsigned int n = 1; n < WORKERS; n++) {
		struct pollfd readable = { .fd = f->fds[n], .events = POLLIN };

		assert_true(
		    f->heard > n || poll(&readable, 1, DEADLINE_MS) == 1);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(mail_is_filed_after_a_rest_and_in_order),
		TEST(rest_ends_though_mail_keeps_coming),
		TEST(accounts_come_a_few_at_a_time),
		TEST(accounts_come_a_few_at_a_time_between_two_messages),
		TEST(who_does_not_answer_holds_nobody_up),
		TEST(accounts_come_together_when_it_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
