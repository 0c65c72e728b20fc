/*
 * When the queue has mail filed: not while it comes in, then all together.
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
	ACCOUNT = 7,
	DEADLINE_MS = 10000
};

/* A queue of which only the loop is used, and the worker of ACCOUNT. */
struct fixture {
	struct queue queue;
	struct timer *deadline;
	struct timer *rain;
	struct channel *worker;
	int worker_fd;
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

static int
set_up(void **state)
{
	static const struct channel_handler handler = { worker_hears,
		worker_gone };
	static const struct message_introduce introduce = { .account =
								ACCOUNT };
	static struct fixture f;
	struct error error;
	int ends[2];

	memset(&f, 0, sizeof(f));
	f.queue.loop = event_loop_new();
	f.queue.filings = filing_list_new(&f.queue);
	f.deadline = timer_new(f.queue.loop, too_late, &f);
	assert_int_equal(channel_pair(ends, &error), 0);
	f.worker_fd = ends[0];
	f.worker = channel_new(
	    f.queue.loop, ends[0], ROLE_WORKER, ROLE_QUEUE, &handler, &f);
	filing_worker(f.queue.filings, &introduce, ends[1]);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	filing_list_free(&f->queue.filings);
	channel_free(&f->worker);
	timer_free(&f->deadline);
	event_loop_free(&f->queue.loop);
	return 0;
}

static void
add(struct fixture *f, unsigned int n)
{
	struct delivery_id delivery = { { (uint8_t)n } };

	filing_add(f->queue.filings, ACCOUNT, &delivery);
}

static bool
has_heard(const struct fixture *f)
{
	struct pollfd readable = { .fd = f->worker_fd, .events = POLLIN };

	return f->heard > 0 || poll(&readable, 1, 0) == 1;
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
	assert_false(has_heard(f));
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
	assert_false(has_heard(f));
	wait_until_heard(f, 1);
	timer_free(&f->rain);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(mail_is_filed_after_a_rest_and_in_order),
		TEST(rest_ends_though_mail_keeps_coming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
