/* When an event loop looks once more before it sleeps. */
#include "common/stay_awake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	CLIENT = 5,
	WORKER = 6,
	BROKER = 7
};

/* A loop's time, and what it does. */
struct world {
	struct stay_awake stay;
	int64_t now_us;
};

/* A round in which `fd` is heard after `wait_us`; true if it was awake. */
static bool
hear(struct world *world, int fd, int64_t wait_us)
{
	bool is_awake = stay_awake_begin(&world->stay, world->now_us);

	world->now_us += wait_us;
	stay_awake_heard(&world->stay, fd, world->now_us);
	stay_awake_end(&world->stay);
	return is_awake;
}

static void
hear_often(struct world *world, int count, int fd, int64_t wait_us)
{
	for (int i = 0; i < count; i++)
		assert_false(hear(world, fd, wait_us));
}

/* One that is awake until its moment is over: how long. */
static int64_t
wait_for_nothing(struct world *world)
{
	int64_t from_us = world->now_us;

	assert_true(stay_awake_begin(&world->stay, world->now_us));
	while (stay_awake_goes_on(&world->stay, world->now_us))
		world->now_us++;
	stay_awake_end(&world->stay);
	return world->now_us - from_us;
}

static void
begin(struct world *world)
{
	stay_awake_init(&world->stay);
	world->now_us = 1000;
	/* Until it knows him. */
	hear_often(world, 1, CLIENT, 10);
}

static void
a_client_who_is_quick_is_waited_for_awake(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	hear_often(&world, STAY_AFTER, CLIENT, STAY_QUICK_US);
	for (int i = 0; i < 100; i++)
		assert_true(hear(&world, CLIENT, STAY_AWAKE_US - 1));
}

static void
so_are_a_client_and_his_worker_in_turn(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	hear_often(&world, 1, WORKER, 10);
	for (int i = 0; i < STAY_AFTER; i++)
		assert_false(hear(&world, i % 2 ? WORKER : CLIENT, 10));
	assert_true(hear(&world, CLIENT, 10));
	assert_true(hear(&world, WORKER, 10));
}

static void
a_slow_one_is_not(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	hear_often(&world, 1000, CLIENT, STAY_QUICK_US + 1);
	/* Nor one who is slow at times. */
	for (int i = 0; i < 1000; i++)
		assert_false(
		    hear(&world, CLIENT, i % STAY_AFTER == 0 ? 1000 : 1));
}

static void
three_are_not(void **state)
{
	static const int fds[] = { CLIENT, WORKER, BROKER };
	struct world world;

	(void)state;
	begin(&world);
	for (int i = 0; i < 1000; i++)
		assert_false(hear(&world, fds[i % 3], 1));
}

static void
a_third_one_ends_it(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	hear_often(&world, STAY_AFTER, CLIENT, 1);
	assert_true(hear(&world, CLIENT, 1));
	assert_true(hear(&world, WORKER, 1));
	assert_false(hear(&world, CLIENT, 1));
}

static void
a_moment_for_nothing_is_short_and_the_next_comes_later(void **state)
{
	struct world world;
	int after = STAY_AFTER;

	(void)state;
	begin(&world);
	for (int i = 0; i < 10; i++) {
		hear_often(&world, after, CLIENT, 1);
		assert_int_equal(wait_for_nothing(&world), STAY_AWAKE_US);
		if (after < STAY_AFTER_MOST)
			after *= 2;
	}
	assert_int_equal(after, STAY_AFTER_MOST);
	/* One that was worth it makes good for them. */
	hear_often(&world, after, CLIENT, 1);
	assert_true(hear(&world, CLIENT, 1));
	assert_int_equal(wait_for_nothing(&world), STAY_AWAKE_US);
	hear_often(&world, 2 * STAY_AFTER, CLIENT, 1);
	assert_true(hear(&world, CLIENT, 1));
}

/* A timer that fires between two commands. */
static void
a_round_of_timers_alone_counts_neither_way(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (int i = 0; i < STAY_AFTER; i++) {
		assert_false(stay_awake_begin(&world.stay, world.now_us));
		stay_awake_end(&world.stay);
		assert_false(hear(&world, CLIENT, 1));
	}
	assert_true(hear(&world, CLIENT, 1));
	/* Nor does it make a silence shorter. */
	begin(&world);
	for (int i = 0; i < 1000; i++) {
		assert_false(hear(&world, CLIENT, STAY_QUICK_US));
		assert_false(stay_awake_begin(&world.stay, world.now_us));
		world.now_us += STAY_QUICK_US;
		stay_awake_end(&world.stay);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_who_is_quick_is_waited_for_awake),
		cmocka_unit_test(so_are_a_client_and_his_worker_in_turn),
		cmocka_unit_test(a_slow_one_is_not),
		cmocka_unit_test(three_are_not),
		cmocka_unit_test(a_third_one_ends_it),
		cmocka_unit_test(
		    a_moment_for_nothing_is_short_and_the_next_comes_later),
		cmocka_unit_test(a_round_of_timers_alone_counts_neither_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
