/*
 * Turns of sessions: one whose client reads as fast as the worker writes, or
 * not at all, leaves the others their turn, and costs bounded memory.
 */
#include "common/event_loop.h"
#include "imapd/imap_session.h"
#include "imapd/imap_session_state.h"
#include "tests/unit/false_account.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 20000,
	MESSAGE_SIZE = 900 * 1024,
	MESSAGES = 20
};

/* How a client reads: all at once, or nothing. */
static enum {
	READS_ALL,
	READS_NOTHING
} client;
static size_t sent;
static bool has_said_done;

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);

ssize_t
__wrap_send(int fd, const void *data, size_t size, int flags)
{
	if (client == READS_NOTHING) {
		errno = EAGAIN;
		return -1;
	}
	sent += size;
	if (memmem(data, size, "f OK", 4) != NULL)
		has_said_done = true;
	return (ssize_t)size;
}

static struct world {
	struct event_loop *loop;
	struct timer *deadline;
	struct account_store *account;
	struct imap_session *session;
	int client_fd;
	size_t rounds;
	size_t most_waiting; /* bytes, at the end of a round */
	bool is_silent;      /* 30 minutes pass in each round */
	bool has_ended;
	bool is_late;
} world;

static void
session_ended(struct imap_session *session, void *context)
{
	assert_true(world.is_silent);
	imap_session_free(&world.session);
	world.has_ended = true;
	event_loop_stop(world.loop);
}

static void
too_late(void *context)
{
	world.is_late = true;
	event_loop_stop(world.loop);
}

static void
round_ended(void *context)
{
	size_t waiting;

	if (world.has_ended)
		return;
	waiting = world.session->out.size;
	world.rounds++;
	if (waiting > world.most_waiting)
		world.most_waiting = waiting;
	if (has_said_done || (client == READS_NOTHING && world.rounds > 2000))
		event_loop_stop(world.loop);
	else if (world.is_silent && world.session->state == SESSION_WORKING)
		session_silent(world.session);
}

static void
fill_inbox(void)
{
	static char message[MESSAGE_SIZE + 1];

	memset(message, 'x', MESSAGE_SIZE);
	memcpy(message, "Subject: x\r\n\r\n", 14);
	for (size_t at = 80; at + 2 < MESSAGE_SIZE; at += 80)
		memcpy(message + at, "\r\n", 2);
	memcpy(message + MESSAGE_SIZE - 2, "\r\n", 2);
	for (int i = 0; i < MESSAGES; i++)
		false_account_deliver(world.account, message);
}

static void
run(const char *script, bool is_silent)
{
	struct session_start start;
	int ends[2];

	memset(&world, 0, sizeof(world));
	world.is_silent = is_silent;
	sent = 0;
	has_said_done = false;
	world.loop = event_loop_new();
	world.account = false_account_new(world.loop);
	fill_inbox();
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	world.client_fd = ends[0];
	assert_int_equal(
	    write(ends[0], script, strlen(script)), strlen(script));
	start = false_account_session(ends[1]);
	world.session = imap_session_new(
	    world.loop, world.account, &start, session_ended, NULL);
	world.deadline = timer_new(world.loop, too_late, NULL);
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_on_round(world.loop, round_ended, NULL);
	event_loop_run(world.loop);
	assert_false(world.is_late);
	imap_session_free(&world.session);
	close(world.client_fd);
	false_account_free(&world.account);
	timer_free(&world.deadline);
	event_loop_free(&world.loop);
}

/* 18 MB: without turns all of it would be one round, in which nobody else is
 * served. */
static void
a_client_that_reads_all_at_once_leaves_others_their_turn(void **state)
{
	client = READS_ALL;
	run("s SELECT INBOX\r\nf FETCH 1:* BODY.PEEK[]\r\n", false);
	assert_true(sent > (size_t)MESSAGES * MESSAGE_SIZE);
	/* Half a MiB a turn, and not much more. */
	assert_true(world.rounds >= sent / (1024 * 1024));
}

static void
a_client_that_never_reads_costs_bounded_memory(void **state)
{
	client = READS_NOTHING;
	run("s SELECT INBOX\r\n"
	    "a FETCH 1:* BODY.PEEK[]\r\nb FETCH 1:* BODY.PEEK[]\r\n"
	    "c FETCH 1:* (BODY.PEEK[] BODY.PEEK[TEXT])\r\n",
	    false);
	assert_true(world.most_waiting > 0);
	assert_true(world.most_waiting < 2 * COMMAND_OUTPUT_SIZE);
}

static void
a_client_that_reads_for_hours_is_not_silent(void **state)
{
	client = READS_ALL;
	run("s SELECT INBOX\r\nf FETCH 1:* BODY.PEEK[]\r\n", true);
	assert_false(world.has_ended);
	assert_true(sent > (size_t)MESSAGES * MESSAGE_SIZE);
}

static void
a_client_that_never_reads_is_sent_away(void **state)
{
	client = READS_NOTHING;
	run("s SELECT INBOX\r\na FETCH 1:* BODY.PEEK[]\r\n", true);
	assert_true(world.has_ended);
	assert_int_equal(sent, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_client_that_reads_all_at_once_leaves_others_their_turn),
		cmocka_unit_test(
		    a_client_that_never_reads_costs_bounded_memory),
		cmocka_unit_test(a_client_that_reads_for_hours_is_not_silent),
		cmocka_unit_test(a_client_that_never_reads_is_sent_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
