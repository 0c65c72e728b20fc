/* The front of IMAP and sessions that sleep: what it keeps, who wakes them. */
#include "tests/unit/imap_front_stand.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
put_to_sleep(struct world *world)
{
	struct message asleep = { .type = MESSAGE_session_asleep };

	asleep.session_asleep.connection = world->connection;
	asleep.session_asleep.turn = 7;
	channel_send(world->broker, &asleep, NULL, 0);
}

static void
open_session(struct world *world)
{
	world_open(world, true, 10);
	introduce_authd(world);
	say(world, "a LOGIN alice right\r\nb X\r\n", "b X\r\n");
}

/* Whatever comes first, the end of the old stream or the client's bytes. */
static void
a_session_that_slept_goes_on_with_a_new_stream(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	for (unsigned int turn = 1; turn <= 3; turn++) {
		put_to_sleep(&world);
		say(&world, "c Y\r\n", "c Y\r\n");
		assert_int_equal(world.parked, turn);
		assert_int_equal(world.resumed, turn);
	}
	say(&world, "d Z\r\n", "d Z\r\n");
	assert_int_equal(world.resumed, 3);
	world_close(&world);
}

static void
run_until(struct world *world, const unsigned int *count, unsigned int least)
{
	world->wanted = NULL;
	timer_start(world->deadline, DEADLINE_MS);
	while (*count < least && !world->is_late)
		event_loop_run(world->loop);
	assert_int_equal(*count, least);
	timer_stop(world->deadline);
}

/* Woken by news, while the end of the old stream is on the way. */
static void
the_old_stream_comes_before_the_new_one(void **state)
{
	struct world world;
	const char *old;
	int stream;

	(void)state;
	open_session(&world);
	world.keeps_stream = true;
	put_to_sleep(&world);
	run_until(&world, &world.parked, 1);
	assert_int_equal(write(world.worker_fd, "* 1 OLD\r\n", 9), 9);
	close_stream(&world);
	stream = open_stream(&world);
	assert_int_equal(write(world.worker_fd, "* 2 NEW\r\n", 9), 9);
	send_awake(&world, STATUS_OK, stream);
	say(&world, NULL, "* 2 NEW\r\n");
	old = strstr(world.heard, "* 1 OLD\r\n");
	assert_non_null(old);
	assert_true(old < strstr(world.heard, "* 2 NEW\r\n"));
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_int_equal(world.resumed, 0);
	world_close(&world);
}

/* It woke before both had let go of the stream. */
static void
a_session_that_hardly_slept_goes_on_with_its_stream(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	world.keeps_stream = true;
	put_to_sleep(&world);
	run_until(&world, &world.parked, 1);
	send_awake(&world, STATUS_OK, -1);
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_int_equal(world.resumed, 0);
	world_close(&world);
}

static void
who_sleeps_and_cannot_be_woken_hears_why(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	put_to_sleep(&world);
	send_awake(&world, STATUS_MISSING, -1);
	say(&world, NULL, "* BYE [UNAVAILABLE] Account is not served");
	expect_closed(&world);
	world_close(&world);
}

/* It would be no deflate data. */
static void
who_compresses_is_told_nothing_in_plain(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	put_to_sleep(&world);
	world.is_packed = true;
	send_awake(&world, STATUS_MISSING, -1);
	expect_closed(&world);
	assert_null(strstr(world.heard, "BYE"));
	world_close(&world);
}

static void
who_goes_while_he_sleeps_is_said_to_be_gone(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	put_to_sleep(&world);
	shutdown(world.client_fd, SHUT_WR);
	run_until(&world, &world.gone, 1);
	assert_int_equal(world.gone, 1);
	world_close(&world);
}

int
main(void)
{
#define RELAYED(name) cmocka_unit_test_setup(name, with_tls)
	const struct CMUnitTest tests[] = {
		RELAYED(a_session_that_slept_goes_on_with_a_new_stream),
		RELAYED(the_old_stream_comes_before_the_new_one),
		RELAYED(a_session_that_hardly_slept_goes_on_with_its_stream),
		RELAYED(who_sleeps_and_cannot_be_woken_hears_why),
		RELAYED(who_compresses_is_told_nothing_in_plain),
		RELAYED(who_goes_while_he_sleeps_is_said_to_be_gone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
