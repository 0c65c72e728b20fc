/* The event loop (timers, watches, rounds, signals) and the log's lines. */
#include "common/channel.h"
#include "common/error.h"
#include "common/event_loop.h"
#include "common/log.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
	struct event_loop *loop;
	struct timer *slow;
	int fast;
	int slow_fired;
	int rounds;
	int readable;
	int signals;
	int other_end;
};

static void
fast_fired(void *context)
{
	struct seen *seen = context;

	seen->fast++;
	timer_stop(seen->slow);
	event_loop_stop(seen->loop);
}

static void
slow_fired(void *context)
{
	struct seen *seen = context;

	seen->slow_fired++;
	event_loop_stop(seen->loop);
}

static void
round_done(void *context)
{
	struct seen *seen = context;

	seen->rounds++;
}

static void
a_timer_fires_once_and_a_stopped_one_never(void **state)
{
	struct seen seen = { 0 };
	struct timer *fast;

	(void)state;
	seen.loop = event_loop_new();
	seen.slow = timer_new(seen.loop, slow_fired, &seen);
	fast = timer_new(seen.loop, fast_fired, &seen);
	event_loop_on_round(seen.loop, round_done, &seen);
	timer_start(seen.slow, 5000);
	timer_start(fast, 1);
	event_loop_run(seen.loop);
	assert_int_equal(seen.fast, 1);
	assert_int_equal(seen.slow_fired, 0);
	assert_true(seen.rounds >= 1);
	timer_free(&fast);
	timer_free(&seen.slow);
	assert_null(fast);
	event_loop_free(&seen.loop);
}

static void
readable(int fd, int events, void *context)
{
	struct seen *seen = context;
	char byte;

	assert_int_equal(events, WATCH_READ);
	assert_int_equal(read(fd, &byte, 1), 1);
	if (++seen->readable == 2)
		event_loop_stop(seen->loop);
}

static void
a_watch_is_called_for_what_it_waits_for_as_often_as_it_comes(void **state)
{
	struct seen seen = { 0 };
	struct watch *watch;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	seen.loop = event_loop_new();
	watch = watch_new(seen.loop, ends[0], 0, readable, &seen);
	watch_set(watch, WATCH_READ);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	event_loop_run(seen.loop);
	assert_int_equal(seen.readable, 2);
	watch_free(&watch);
	event_loop_free(&seen.loop);
	close(ends[0]);
	close(ends[1]);
}

/* What it reads it says again, a thousand times. */
static void
echo(int fd, int events, void *context)
{
	struct seen *seen = context;
	char byte;

	assert_int_equal(events, WATCH_READ);
	assert_int_equal(read(fd, &byte, 1), 1);
	if (++seen->readable < 1000)
		assert_int_equal(write(seen->other_end, &byte, 1), 1);
}

/* And when nobody says anything any more, a timer still fires. */
static void
a_loop_that_stays_awake_hears_all_and_ends_in_time(void **state)
{
	struct seen seen = { 0 };
	struct watch *watch;
	struct timer *fast;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	seen.other_end = ends[1];
	seen.loop = event_loop_new();
	event_loop_stay_awake(seen.loop);
	event_loop_on_round(seen.loop, round_done, &seen);
	watch = watch_new(seen.loop, ends[0], WATCH_READ, echo, &seen);
	seen.slow = timer_new(seen.loop, slow_fired, &seen);
	fast = timer_new(seen.loop, fast_fired, &seen);
	assert_int_equal(write(ends[1], "a", 1), 1);
	while (seen.readable < 1000) {
		timer_start(fast, 0);
		timer_start(seen.slow, 60000);
		event_loop_run(seen.loop);
	}
	timer_start(fast, 20);
	timer_start(seen.slow, 60000);
	event_loop_run(seen.loop);
	assert_int_equal(seen.readable, 1000);
	assert_int_equal(seen.slow_fired, 0);
	assert_true(seen.rounds >= 1000);
	timer_free(&fast);
	timer_free(&seen.slow);
	watch_free(&watch);
	event_loop_free(&seen.loop);
	close(ends[0]);
	close(ends[1]);
}

static void
signalled(int number, void *context)
{
	struct seen *seen = context;

	assert_int_equal(number, SIGHUP);
	seen->signals++;
	event_loop_stop(seen->loop);
}

static void
a_signal_reaches_its_watch(void **state)
{
	struct seen seen = { 0 };
	struct signal_watch *watch;

	(void)state;
	seen.loop = event_loop_new();
	watch = signal_watch_new(seen.loop, SIGHUP, signalled, &seen);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	event_loop_run(seen.loop);
	assert_int_equal(seen.signals, 1);
	signal_watch_free(&watch);
	event_loop_free(&seen.loop);
}

/* Receives what the logger would get; the pairs as text. */
static struct text
logged(int fd, uint8_t *storage)
{
	struct message message;
	struct error error;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t count;

	assert_int_equal(channel_receive_now(fd, ROLE_LOGGER, ROLE_SMTPD, 5000,
			     storage, &message, fds, &count, &error),
	    0);
	assert_int_equal(message.type, MESSAGE_log_line);
	return message.log_line.pairs;
}

static void
a_log_line_is_one_message_without_control_bytes(void **state)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	char long_text[3000];
	struct error error;
	struct text pairs;
	int ends[2];

	(void)state;
	assert_int_equal(channel_pair(ends, &error), 0);
	log_open(ends[0], "smtpd");
	log_info("greeting", "user=%s", "a\nevent=forged\x1b[2J");
	pairs = logged(ends[1], storage);
	for (size_t i = 0; i < pairs.size; i++)
		assert_true((unsigned char)pairs.data[i] >= 0x20);
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	log_info("long", "what=%s", long_text);
	pairs = logged(ends[1], storage);
	assert_true(pairs.size > 900 && pairs.size <= 1000);
	log_open(-1, "test");
	close(ends[0]);
	close(ends[1]);
}

static void
logging_never_blocks(void **state)
{
	struct error error;
	int ends[2];

	(void)state;
	assert_int_equal(channel_pair(ends, &error), 0);
	log_open(ends[0], "smtpd");
	for (int i = 0; i < 20000; i++)
		log_info("flood", "n=%d", i);
	log_open(-1, "test");
	close(ends[0]);
	close(ends[1]);
}

static void
errors_carry_their_code_and_keep_errno(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(error_set(&error, ERROR_LIMIT, "n=%d", 7), -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	assert_string_equal(error.text, "n=7");
	errno = ENOSPC;
	assert_int_equal(error_set_errno(&error, "write"), -1);
	assert_int_equal(error.code, ERROR_FULL);
	assert_int_equal(error.errno_value, ENOSPC);
	assert_int_equal(errno, ENOSPC);
	errno = ENOENT;
	error_set_errno(&error, "open");
	assert_int_equal(error.code, ERROR_MISSING);
	errno = EIO;
	error_set_errno(&error, "read");
	assert_int_equal(error.code, ERROR_SYSTEM);
	assert_int_equal(error_set(NULL, ERROR_INPUT, "x"), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_and_a_stopped_one_never),
		cmocka_unit_test(
		    a_watch_is_called_for_what_it_waits_for_as_often_as_it_comes),
		cmocka_unit_test(
		    a_loop_that_stays_awake_hears_all_and_ends_in_time),
		cmocka_unit_test(a_signal_reaches_its_watch),
		cmocka_unit_test(
		    a_log_line_is_one_message_without_control_bytes),
		cmocka_unit_test(logging_never_blocks),
		cmocka_unit_test(errors_carry_their_code_and_keep_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
