/*
 * How far a command is (RFC 9585), asked for at the end of each round of the
 * loop, as if 5 seconds had passed in it.
 */
#include "common/event_loop.h"
#include "imapd/imap_session.h"
#include "imapd/imap_session_state.h"
#include "tests/unit/false_account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 20000,
	MESSAGES = 30,
	LINES = 2000,
	LARGE = 9 * 1024 * 1024
};

static struct world {
	struct event_loop *loop;
	struct timer *deadline;
	struct watch *watch;
	struct account_store *account;
	struct imap_session *session;
	int client_fd;
	size_t size;
	char got[8 * 1024 * 1024];
	bool is_late;
} world;

static void
session_ended(struct imap_session *session, void *context)
{
	imap_session_free(&world.session);
	event_loop_stop(world.loop);
}

static void
too_late(void *context)
{
	world.is_late = true;
	event_loop_stop(world.loop);
}

static void
client_ready(int fd, int events, void *context)
{
	ssize_t n = recv(fd, world.got + world.size,
	    sizeof(world.got) - 1 - world.size, MSG_DONTWAIT);

	if (n > 0)
		world.size += (size_t)n;
}

static void
round_ended(void *context)
{
	if (world.session != NULL)
		session_progress_tell(world.session);
}

static void
fill_inbox(void)
{
	static char message[LINES * 10 + 100];
	char *at = message;

	at += sprintf(at, "Subject: %d\r\n\r\n", LINES);
	for (int i = 0; i < LINES; i++)
		at += sprintf(at, "(a line)\r\n");
	for (int i = 0; i < MESSAGES; i++)
		false_account_deliver(world.account, message);
}

/* One more, whose bytes take more than a turn to count. */
static void
fill_large(void)
{
	static char message[LARGE + 1];

	memset(message, 'x', LARGE);
	memcpy(message, "Subject: large\r\n\r\n", 18);
	for (size_t at = 80; at + 2 < LARGE; at += 80)
		memcpy(message + at, "\r\n", 2);
	false_account_deliver(world.account, message);
}

/* All that is said to it, up to LOGOUT. */
static const char *
run_with(const char *script, void (*fill)(void))
{
	struct session_start start;
	int ends[2];

	memset(&world, 0, sizeof(world));
	world.loop = event_loop_new();
	world.account = false_account_new(world.loop);
	fill();
	false_account_read_later(true);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	world.client_fd = ends[0];
	assert_int_equal(
	    write(ends[0], script, strlen(script)), strlen(script));
	start = false_account_session(ends[1]);
	world.session = imap_session_new(
	    world.loop, world.account, &start, session_ended, NULL);
	world.watch =
	    watch_new(world.loop, ends[0], WATCH_READ, client_ready, NULL);
	world.deadline = timer_new(world.loop, too_late, NULL);
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_on_round(world.loop, round_ended, NULL);
	event_loop_run(world.loop);
	assert_false(world.is_late);
	client_ready(world.client_fd, WATCH_READ, NULL);
	watch_free(&world.watch);
	close(world.client_fd);
	false_account_read_later(false);
	false_account_free(&world.account);
	timer_free(&world.deadline);
	event_loop_free(&world.loop);
	return world.got;
}

static const char *
run(const char *script)
{
	return run_with(script, fill_inbox);
}

#define NOTICE "* OK [INPROGRESS ("

/* Each that was told: how many there are. `goal` 0: none is told. */
static size_t
check_counts(const char *got, unsigned int goal)
{
	unsigned int last = 0, done, of;
	size_t count = 0;
	char tag[20];

	for (; (got = strstr(got, NOTICE)) != NULL; got++, count++) {
		int fields =
		    sscanf(got, NOTICE "\"%19[^\"]\" %u %u)]", tag, &done, &of);

		assert_int_equal(fields, goal == 0 ? 2 : 3);
		assert_true(done >= last);
		last = done;
		if (goal == 0)
			continue;
		assert_int_equal(of, goal);
		assert_true(done < goal);
	}
	return count;
}

static void
a_search_counts_the_messages(void **state)
{
	const char *got =
	    run("s SELECT INBOX\r\na SEARCH BODY x\r\nz LOGOUT\r\n");

	assert_true(check_counts(got, MESSAGES) >= MESSAGES / 2);
	assert_non_null(strstr(got, "* SEARCH\r\na OK "));
}

/* Which are to be ordered is known when all were looked at. */
static void
a_sort_counts_them_twice(void **state)
{
	char *got = (char *)(uintptr_t)run(
	    "s SELECT INBOX\r\na SORT (SUBJECT) UTF-8 BODY line\r\n"
	    "z LOGOUT\r\n");
	char last[100], *end;

	snprintf(last, sizeof(last), "%d %d)]", 2 * MESSAGES - 1, 2 * MESSAGES);
	end = strstr(got, "* SORT");
	assert_non_null(end);
	*end = '\0';
	assert_non_null(strstr(got, " 1 NIL)]"));
	assert_non_null(strstr(got, last));
}

static void
no_fetch_is_told_of_within_a_response(void **state)
{
	const char *got = run("s SELECT INBOX\r\n"
			      "a FETCH 1:* (BODY.PEEK[] BINARY.PEEK[1])\r\n"
			      "z LOGOUT\r\n");
	const char *at = got;

	assert_true(check_counts(got, MESSAGES) > 0);
	while ((at = strstr(at, NOTICE)) != NULL) {
		const char *before = at - 3;

		/* Behind a response, a notice or the SELECT: not a line of a
		 * message, all of which end in a small letter and ")". */
		assert_memory_equal(before + 1, "\r\n", 2);
		assert_true(*before != ')' || before[-1] == '\n');
		at++;
	}
}

static void
no_fetch_is_told_of_while_it_counts(void **state)
{
	const char *got = run_with("s SELECT INBOX\r\na FETCH 1 (UID "
				   "BINARY.SIZE[1])\r\nz LOGOUT\r\n",
	    fill_large);

	assert_non_null(
	    strstr(got, "* 1 FETCH (UID 1 BINARY.SIZE[1] 9437166)\r\na OK "));
}

static void
a_change_is_made_all_at_once(void **state)
{
	static const struct {
		const char *script, *notice;
	} cases[] = {
		{ "a STORE 1:7 +FLAGS.SILENT (\\Deleted)\r\n",
		    NOTICE "\"a\" 0 7)] " },
		{ "c CREATE x\r\na]b COPY 1:4 x\r\n", NOTICE "NIL 0 4)] " },
		{ "c CREATE x\r\na MOVE 1 x\r\n", NOTICE "\"a\" 0 1)] " },
		{ "b STORE 1:3 +FLAGS.SILENT (\\Deleted)\r\n"
		  "a UID EXPUNGE 1:*\r\n",
		    NOTICE "\"a\" 0 3)] " },
		{ "a EXPUNGE\r\n", NOTICE "\"a\" NIL NIL)] " },
		{ "a CREATE y\r\n", NOTICE "\"a\" NIL NIL)] " },
	};
	char script[500];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(script, sizeof(script),
		    "s SELECT INBOX\r\n%sz LOGOUT\r\n", cases[i].script);
		assert_non_null(strstr(run(script), cases[i].notice));
	}
}

static void
who_idles_or_says_nothing_hears_nothing(void **state)
{
	const char *got = run("s SELECT INBOX\r\na NOOP\r\nb IDLE\r\nDONE\r\n"
			      "c FETCH 1:* FLAGS\r\nz LOGOUT\r\n");

	assert_null(strstr(got, NOTICE));
	assert_non_null(strstr(got, "c OK "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_counts_the_messages),
		cmocka_unit_test(a_sort_counts_them_twice),
		cmocka_unit_test(no_fetch_is_told_of_within_a_response),
		cmocka_unit_test(no_fetch_is_told_of_while_it_counts),
		cmocka_unit_test(a_change_is_made_all_at_once),
		cmocka_unit_test(who_idles_or_says_nothing_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
