/* The front of IMAP without TLS: the worker has the client's own socket. */
#include "tests/unit/imap_front_stand.h"

#include <string.h>
#include <unistd.h>

static void
send_over(struct world *world, enum status status)
{
	struct message over = { .type = MESSAGE_session_over };

	over.session_over.connection = world->connection;
	over.session_over.status = (uint8_t)status;
	over.session_over.is_packed = world->is_packed;
	close_stream(world);
	channel_send(world->broker, &over, NULL, 0);
}

static void
open_direct_session(struct world *world, uint32_t most)
{
	world_open(world, true, most);
	introduce_authd(world);
	say(world, NULL, "* OK");
	say(world, "a LOGIN alice right\r\nb X\r\n", "b X\r\n");
	assert_true(world->has_socket);
	assert_non_null(strstr(world->heard, "a OK by the worker\r\n"));
}

static void
a_worker_answers_the_login_and_what_was_read_behind_it(void **state)
{
	static const char *const logins[] = {
		"a LOGIN \"alice\" {5+}\r\nright\r\n",
		"a AUTHENTICATE PLAIN AGFsaWNlAHJpZ2h0\r\n",
	};
	struct world world;

	(void)state;
	open_direct_session(&world, 10);
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_string_equal(world.heard, "c Y\r\n");
	world_close(&world);
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		world_open(&world, true, 10);
		introduce_authd(&world);
		say(&world, logins[i], "a OK by the worker\r\n");
		world_close(&world);
	}
}

static void
the_front_ends_what_the_worker_has_done_with(void **state)
{
	struct world world;

	(void)state;
	open_direct_session(&world, 10);
	send_over(&world, STATUS_OK);
	expect_closed(&world);
	assert_null(strstr(world.heard, "BYE"));
	world_close(&world);
	open_direct_session(&world, 10);
	send_over(&world, STATUS_UNAVAILABLE);
	say(&world, NULL, "* BYE [UNAVAILABLE] Server is restarting\r\n");
	expect_closed(&world);
	world_close(&world);
	open_direct_session(&world, 10);
	world.is_packed = true;
	send_over(&world, STATUS_UNAVAILABLE);
	expect_closed(&world);
	assert_null(strstr(world.heard, "BYE"));
	world_close(&world);
}

/* Until its worker is done with it: it is no connection of this front's. */
static void
what_an_earlier_front_handed_over_is_counted(void **state)
{
	struct message inherited = { .type = MESSAGE_session_inherited };
	struct watch *first;
	struct world world;
	int first_fd, tries = 0;

	(void)state;
	world_open(&world, true, 2);
	introduce_authd(&world);
	say(&world, NULL, "* OK");
	/* It is answered behind that, and said twice is once. */
	inherited.session_inherited.connection = UINT64_MAX;
	inherited.session_inherited.client_ip = TEXT("127.0.0.1");
	for (int i = 0; i < 2; i++)
		channel_send(world.broker, &inherited, NULL, 0);
	say(&world, "a LOGIN alice right\r\nb X\r\n", "b X\r\n");
	first = world.client;
	first_fd = world.client_fd;
	connect_again(&world);
	say(&world, NULL, "* BYE [UNAVAILABLE] Too many");
	disconnect(&world);
	world.connection = UINT64_MAX;
	send_over(&world, STATUS_OK);
	/* Which comes by another way than a client does. */
	do {
		connect_again(&world);
		say(&world, NULL, "* ");
		disconnect(&world);
	} while (strstr(world.heard, "* OK") == NULL && ++tries < 10000);
	assert_non_null(strstr(world.heard, "* OK"));
	world.client = first;
	world.client_fd = first_fd;
	world_close(&world);
}

/* It is counted until the worker is done with it. */
static void
what_was_handed_over_is_still_a_connection(void **state)
{
	struct watch *first;
	struct world world;
	int first_fd;

	(void)state;
	open_direct_session(&world, 1);
	first = world.client;
	first_fd = world.client_fd;
	connect_again(&world);
	say(&world, NULL, "* BYE [UNAVAILABLE] Too many");
	disconnect(&world);
	world.client = first;
	world.client_fd = first_fd;
	world.is_client_closed = false;
	send_over(&world, STATUS_OK);
	expect_closed(&world);
	disconnect(&world);
	connect_again(&world);
	say(&world, NULL, "* OK");
	world_close(&world);
}

static void
who_sent_much_behind_his_login_is_relayed(void **state)
{
	static char line[2000];
	struct world world;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "a LOGIN alice right\r\n", 21);
	memcpy(line + sizeof(line) - 7, " END\r\n", 6);
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, line, " END\r\n");
	assert_false(world.has_socket);
	assert_non_null(strstr(world.heard, "a OK [CAPABILITY"));
	world_close(&world);
}

int
main(void)
{
#define DIRECT(name) cmocka_unit_test_setup(name, without_tls)
	const struct CMUnitTest tests[] = {
		DIRECT(a_worker_answers_the_login_and_what_was_read_behind_it),
		DIRECT(the_front_ends_what_the_worker_has_done_with),
		DIRECT(what_an_earlier_front_handed_over_is_counted),
		DIRECT(what_was_handed_over_is_still_a_connection),
		DIRECT(who_sent_much_behind_his_login_is_relayed),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
