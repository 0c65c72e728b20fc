/*
 * Clocks that are moved free nothing: a year ahead, back, across a restart.
 */
#include "tests/unit/aging.h"

static void
a_clock_that_is_moved_frees_nothing(void **state)
{
	static const int64_t moves[] = { 365 * DAY, -365 * DAY, -365 * DAY,
		4000 * DAY, -8000 * DAY };
	struct aging *f = *state;
	size_t i;

	aging_append(f, "x\n");
	aging_append(f, "y\n");
	aging_pass(f, 8 * DAY);
	aging_expunge(f, 1);
	for (i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		aging_move_wall_clock(f, moves[i]);
		aging_append(f, "something happens\n");
		aging_expire(f);
		assert_int_equal(aging_count(f, DB_DEAD), 1);
		aging_restart(f, moves[i]);
		aging_expire(f);
		assert_int_equal(aging_count(f, DB_DEAD), 1);
	}
	/* Nor does a death under a clock that went back. */
	aging_expunge(f, 2);
	aging_pass(f, 60 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 2);
	aging_verify(f);
}

static void
downtime_is_no_time(void **state)
{
	struct aging *f = *state;

	aging_append(f, "x\n");
	aging_expunge(f, 1);
	aging_pass(f, 20 * DAY);
	aging_restart(f, 365 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, 9 * DAY);
	aging_restart(f, 0);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
}

static void
a_raw_clock_that_jumps_counts_for_ten_minutes(void **state)
{
	struct aging *f = *state;
	uint64_t before = f->journal->state.guard_us;

	f->raw_us += 365 * DAY;
	journal_set_clock(f->journal, f->wall_us, f->raw_us);
	assert_int_equal(
	    f->journal->state.guard_us, before + 600 * (uint64_t)SECOND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(a_clock_that_is_moved_frees_nothing),
		AGING_TEST(downtime_is_no_time),
		AGING_TEST(a_raw_clock_that_jumps_counts_for_ten_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
