/*
 * Which segments are collected: single cases, and a store that churns for many
 * rounds, in numbers only.
 */
#include "snapd/collect_choice.h"

#include "common/memory.h"
#include "snapd/segment_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* -- Cases -- */

struct choice_case {
	const char *what;
	struct segment_load loads[4];
	const char *chosen; /* one letter each: y or n */
};

static void
choice_is_as_it_should_be(void **state)
{
	static const struct choice_case cases[] = {
		{ "a little of each is dead",
		    { { 1, 1, 970, 30, true, false },
			{ 2, 1, 970, 30, true, false },
			{ 3, 1, 990, 0, false, false } },
		    "nnn" },
		{ "what is wholly dead goes, however little it is",
		    { { 1, 1, 0, 1, true, false },
			{ 2, 1, 1000, 0, true, false },
			{ 3, 1, 1000, 0, false, false } },
		    "ynn" },
		{ "the one of which least is alive, until the bound holds",
		    { { 1, 1, 800, 200, true, false },
			{ 2, 1, 100, 900, true, false },
			{ 3, 1, 9000, 90, true, false },
			{ 4, 1, 9000, 0, false, false } },
		    "nynn" },
		{ "and the next one, if it does not hold yet",
		    { { 1, 1, 100, 500, true, false },
			{ 2, 1, 100, 900, true, false },
			{ 3, 1, 9000, 0, true, false } },
		    "yyn" },
		{ "but not more than a pass may copy",
		    { { 1, 1, 800, 200, true, false },
			{ 2, 1, 100, 900, true, false },
			{ 3, 1, 1000, 40, true, false },
			{ 4, 1, 1000, 0, false, false } },
		    "nynn" },
		{ "one that is written or damaged stays",
		    { { 1, 1, 10, 990, false, false },
			{ 2, 1, 1000, 0, true, false } },
		    "nn" },
		{ "no copying for what lies where it cannot go",
		    { { 1, 1, 10, 990, false, false },
			{ 2, 1, 1000, 30, true, false } },
		    "nn" },
		{ "rows alone are no garbage", { { 1, 9, 0, 0, true, false } },
		    "n" },
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct segment_load loads[4];
		size_t count = strlen(cases[i].chosen), chosen = 0;

		memcpy(loads, cases[i].loads, sizeof(loads));
		n = collect_choose(loads, count);
		while (count-- > 0) {
			if (loads[count].is_chosen !=
			    (cases[i].chosen[count] == 'y'))
				fail_msg("%s: segment %zu", cases[i].what,
				    count + 1);
			chosen += loads[count].is_chosen;
		}
		assert_int_equal(n, chosen);
	}
}

static void
a_segment_is_a_part_of_its_store(void **state)
{
	(void)state;
	assert_int_equal(collect_goal(0), SEGMENT_MIN_VALUES);
	assert_int_equal(collect_goal(100), SEGMENT_MIN_VALUES);
	assert_int_equal(collect_goal(3200), 100);
	assert_int_equal(collect_goal(UINT64_MAX), SEGMENT_MAX_VALUES);
}

/* -- Churn -- */

enum {
	VALUE_BODIES = 100,
	STORE_BODIES = 20000,
	ROUNDS = 60,
	MAX_LOADS = 4096
};

struct world {
	struct segment_load loads[MAX_LOADS];
	size_t count;
	uint32_t at[STORE_BODIES]; /* number of the segment each lies in */
	uint64_t copied;
};

static struct segment_load *
load_of(struct world *world, uint32_t number)
{
	size_t i;

	for (i = 0; i < world->count; i++)
		if (world->loads[i].number == number)
			return &world->loads[i];
	fail_msg("a body lies in segment %u, which is gone", number);
	return NULL;
}

static uint64_t
sum(const struct world *world, uint64_t *dead)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0, *dead = 0; i < world->count; i++) {
		*dead += world->loads[i].dead_bytes;
		bytes +=
		    world->loads[i].live_bytes + world->loads[i].dead_bytes;
	}
	return bytes;
}

static void
put_body(struct world *world, size_t body)
{
	struct segment_load *newest = &world->loads[world->count - 1];
	uint64_t dead, values = sum(world, &dead) / VALUE_BODIES;

	if (newest->live_bytes + newest->dead_bytes >=
	    (uint64_t)collect_goal(values) * VALUE_BODIES) {
		assert_true(world->count < MAX_LOADS);
		newest->may_go = true;
		world->loads[world->count] =
		    (struct segment_load){ .number = newest->number + 1 };
		newest = &world->loads[world->count++];
	}
	world->at[body] = newest->number;
	newest->live_bytes++;
}

static void
kill_body(struct world *world, size_t body)
{
	struct segment_load *load = load_of(world, world->at[body]);

	load->live_bytes--;
	load->dead_bytes++;
}

static void
empty_chosen(struct world *world)
{
	size_t i, body, kept = 0;

	for (body = 0; body < STORE_BODIES; body++)
		if (load_of(world, world->at[body])->is_chosen) {
			kill_body(world, body);
			put_body(world, body);
			world->copied++;
		}
	for (i = 0; i < world->count; i++)
		if (!world->loads[i].is_chosen)
			world->loads[kept++] = world->loads[i];
		else
			assert_int_equal(world->loads[i].live_bytes, 0);
	world->count = kept;
}

/* One in twenty of the bodies is exchanged in each round; how many bodies were
 * copied for one that came. `is_any` or else the oldest. */
static double
run_churn(bool is_any)
{
	struct world *world = memory_new(1, sizeof(*world));
	uint64_t dead, bytes;
	double copied;
	size_t body, next = 0;
	int round, i;

	srandom(1);
	world->loads[world->count++].number = 1;
	for (body = 0; body < STORE_BODIES; body++)
		put_body(world, body);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < STORE_BODIES / 20; i++) {
			body = is_any ? (size_t)random() : next++;
			kill_body(world, body % STORE_BODIES);
			put_body(world, body % STORE_BODIES);
		}
		while (collect_choose(world->loads, world->count) > 0)
			empty_chosen(world);
		bytes = sum(world, &dead);
		/* The bound, and what the newest may have. */
		if (dead > bytes / COLLECT_GARBAGE + bytes / SEGMENT_PARTS)
			fail_msg("round %d: %llu of %llu are dead", round,
			    (unsigned long long)dead,
			    (unsigned long long)bytes);
		assert_true(world->count < SEGMENT_PARTS * 3);
	}
	copied = (double)world->copied / ROUNDS / (STORE_BODIES / 20.0);
	free(world);
	return copied;
}

static void
churn_of_the_oldest_copies_next_to_nothing(void **state)
{
	(void)state;
	assert_true(run_churn(false) < .1);
}

static void
churn_of_any_keeps_the_bound(void **state)
{
	double copied = run_churn(true);

	(void)state;
	print_message("%.1f copied for one that came\n", copied);
	assert_true(copied > 5 && copied < 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choice_is_as_it_should_be),
		cmocka_unit_test(a_segment_is_a_part_of_its_store),
		cmocka_unit_test(churn_of_the_oldest_copies_next_to_nothing),
		cmocka_unit_test(churn_of_any_keeps_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
