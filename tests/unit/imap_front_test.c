/* The front of IMAP: commands before login, and what it relays after it. */
#include "tests/unit/imap_front_stand.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The worker writes as much as it can, the client a byte, all the time. */
static void
talk_on(void *context)
{
	static const char bytes[65536];
	struct world *world = context;
	ssize_t size;

	do
		size = send(world->worker_fd, bytes, sizeof(bytes),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (size > 0);
	if (errno == EPIPE || errno == ECONNRESET) {
		world->is_stream_closed = true;
		event_loop_stop(world->loop);
		return;
	}
	(void)send(world->client_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	timer_start(world->talk, 10);
}

static void
commands_before_login(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, NULL, "* OK [CAPABILITY IMAP4rev1");
	say(&world, "a CAPABILITY\r\n", "AUTH=PLAIN");
	say(&world, "b noop\r\n", "b OK");
	say(&world, "c ID NIL\r\n", "c OK");
	say(&world, "d SELECT INBOX\r\n", "d BAD");
	say(&world, "e STARTTLS\r\n", "e BAD");
	say(&world, "* NOOP\r\n", "* BAD");
	say(&world, "f LOGIN alice\r\n", "f BAD");
	say(&world, "g LOGIN alice wrong\r\n", "g NO [AUTHENTICATIONFAILED]");
	say(&world, "h AUTHENTICATE X\r\n", "h NO [CANNOT]");
	say(&world, "i AUTHENTICATE PLAIN\r\n", "+ ");
	say(&world, "*\r\n", "i BAD");
	say(&world, "j AUTHENTICATE PLAIN !!\r\n", "j BAD");
	say(&world, "k LOGOUT\r\n", "* BYE");
	expect_closed(&world);
	assert_int_equal(world.questions, 1);
	world_close(&world);
}

static void
a_session_is_relayed_with_what_was_sent_ahead(void **state)
{
	static const char *const logins[] = {
		"a LOGIN alice right\r\nb X\r\n",
		"a LOGIN \"alice\" {5+}\r\nright\r\nb X\r\n",
		"a AUTHENTICATE PLAIN AGFsaWNlAHJpZ2h0\r\nb X\r\n",
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		world_open(&world, true, 10);
		introduce_authd(&world);
		say(&world, NULL, "* OK");
		say(&world, logins[i], "b X\r\n");
		assert_non_null(strstr(world.heard, "a OK [CAPABILITY"));
		say(&world, "c Y\r\n", "c Y\r\n");
		world_close(&world);
	}
}

static void
large_answers_pass_whole_and_the_end_reaches_the_client(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, "a LOGIN alice right\r\n", "a OK");
	world.heard_total = 0;
	world.wanted = NULL;
	world.wanted_total = BIG_SIZE;
	assert_int_equal(write(world.client_fd, "BIG", 3), 3);
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_run(world.loop);
	assert_int_equal(world.heard_total, BIG_SIZE);
	watch_free(&world.worker);
	close(world.worker_fd);
	world.worker_fd = -1;
	expect_closed(&world);
	world_close(&world);
}

/* What the worker says stands in both sockets and the front, no more of it is
 * taken, and the client sends on. */
static void
a_client_that_never_reads_is_sent_away(void **state)
{
	struct world world;
	struct timer *talk;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, "a LOGIN alice right\r\n", "a OK");
	watch_set(world.client, 0);
	watch_set(world.worker, 0);
	talk = timer_new(world.loop, talk_on, &world);
	timer_start(talk, 0);
	world.talk = talk;
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_run(world.loop);
	assert_false(world.is_late);
	assert_true(world.is_stream_closed);
	timer_free(&talk);
	world_close(&world);
}

static void
no_tls_no_login(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, false, 10);
	introduce_authd(&world);
	say(&world, NULL, "LOGINDISABLED");
	say(&world, "a LOGIN alice right\r\n", "a NO [PRIVACYREQUIRED]");
	assert_int_equal(world.questions, 0);
	world_close(&world);
}

static void
authd_or_worker_away_is_said(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	say(&world, "a LOGIN alice right\r\n", "a NO [UNAVAILABLE]");
	introduce_authd(&world);
	world.attach_status = STATUS_UNAVAILABLE;
	say(&world, "b LOGIN alice right\r\n", "b NO [UNAVAILABLE]");
	say(&world, "c NOOP\r\n", "c OK");
	world_close(&world);
}

static void
guessing_and_nonsense_end_the_connection(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	for (int i = 0; i < 4; i++)
		say(&world, "a LOGIN alice wrong\r\n", "a NO");
	say(&world, "a LOGIN alice wrong\r\n", "* BYE");
	expect_closed(&world);
	world_close(&world);
	world_open(&world, true, 10);
	for (int i = 0; i < 9; i++)
		say(&world, "a XYZZY\r\n", "a BAD");
	say(&world, "a XYZZY\r\n", "* BYE");
	expect_closed(&world);
	world_close(&world);
}

static void
connections_beyond_the_limit_are_told(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 0);
	say(&world, NULL, "* BYE [UNAVAILABLE] Too many");
	expect_closed(&world);
	world_close(&world);
}

int
main(void)
{
#define RELAYED(name) cmocka_unit_test_setup(name, with_tls)
#define DIRECT(name)  cmocka_unit_test_setup(name, without_tls)
	const struct CMUnitTest tests[] = {
		DIRECT(commands_before_login),
		RELAYED(a_session_is_relayed_with_what_was_sent_ahead),
		RELAYED(
		    large_answers_pass_whole_and_the_end_reaches_the_client),
		RELAYED(a_client_that_never_reads_is_sent_away),
		DIRECT(no_tls_no_login),
		DIRECT(authd_or_worker_away_is_said),
		RELAYED(authd_or_worker_away_is_said),
		DIRECT(guessing_and_nonsense_end_the_connection),
		DIRECT(connections_beyond_the_limit_are_told),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
