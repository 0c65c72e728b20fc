/*
 * The rule by which a dead row may be forgotten: a table of cases, and random
 * histories in which a naive model looks at every snapshot that is listed.
 */
#include "snapd/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S  UINT64_C(1000000)
#define H  (3600 * S)
#define D  (86400 * S)
#define T0 (UINT64_C(1700092800) * S) /* a multiple of a week */

static const struct retention usual = { .every_s = 900,
	.minimum_s = 30 * 86400,
	.count = 4,
	.tiers = { { 900, 86400 }, { 3600, 7 * 86400 }, { 86400, 90 * 86400 },
	    { 7 * 86400, 730 * 86400 } } };

/* A row that lived from `born_us` to `died_us` after T0, clocks in step. */
static struct retention_row
row_of(uint64_t born_us, uint64_t died_us)
{
	return (struct retention_row){ .account = 1,
		.mailbox = 10,
		.uid = 7,
		.born = 100,
		.died = 200,
		.born_wall_us = T0 + born_us,
		.died_wall_us = T0 + died_us,
		.born_guard_us = born_us,
		.died_guard_us = died_us };
}

static struct retention_answer
ask(const struct retention_row *row, uint64_t now_us,
    const struct retention_pin *pins, size_t pin_count)
{
	struct retention_promises promises = { .now_us = now_us,
		.policy_count = 1,
		.policies = { usual },
		.pins = pins,
		.pin_count = pin_count };

	return retention_ask(&promises, row);
}

/* -- What a life is worth -- */

static void
each_tier_that_saw_a_row_keeps_it_for_its_span(void **state)
{
	static const struct {
		uint64_t born, died;
		enum retention_reason reason;
		uint64_t span;
	} cases[] = {
		{ H + 60 * S, H + 120 * S, RETENTION_MINIMUM, 30 * D },
		{ H + 60 * S, H + 16 * 60 * S, RETENTION_MINIMUM, 30 * D },
		{ H + 60 * S, 3 * H, RETENTION_MINIMUM, 30 * D },
		{ H, D + H, RETENTION_SNAPSHOT, 90 * D },
		{ D - S, D, RETENTION_MINIMUM, 30 * D },
		{ D, D + S, RETENTION_SNAPSHOT, 90 * D },
		{ H, 8 * D, RETENTION_SNAPSHOT, 730 * D },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct retention_row row = row_of(cases[i].born, cases[i].died);
		uint64_t end = cases[i].died + cases[i].span;
		struct retention_answer answer = ask(&row, end - 1, NULL, 0);

		assert_int_equal(answer.reason, cases[i].reason);
		assert_int_equal(answer.free_us, end);
		assert_int_equal(
		    ask(&row, end, NULL, 0).reason, RETENTION_FREE);
	}
}

static void
a_live_row_is_never_forgotten(void **state)
{
	struct retention_row row = row_of(0, 0);

	(void)state;
	row.died = 0;
	assert_int_equal(
	    ask(&row, RETENTION_NEVER - 1, NULL, 0).reason, RETENTION_LIVE);
}

static void
a_row_found_missing_never_expires_by_itself(void **state)
{
	struct retention_row row = row_of(0, 10);

	(void)state;
	row.was_missing = true;
	assert_int_equal(
	    ask(&row, 5000 * D, NULL, 0).reason, RETENTION_MISSING);
}

static void
a_lock_lasts_as_long_as_it_says(void **state)
{
	struct retention_row row = row_of(0, 10);

	(void)state;
	row.locked_until_us = 4000 * D;
	assert_int_equal(
	    ask(&row, 4000 * D - 1, NULL, 0).reason, RETENTION_LOCK);
	assert_int_equal(ask(&row, 4000 * D, NULL, 0).reason, RETENTION_FREE);
}

static void
without_a_policy_nothing_is_free(void **state)
{
	struct retention_promises promises = { .now_us = RETENTION_NEVER - 1 };
	struct retention_row row = row_of(0, 10);
	struct retention_answer answer = retention_ask(&promises, &row);

	(void)state;
	assert_int_equal(answer.reason, RETENTION_MINIMUM);
	assert_true(answer.free_us == RETENTION_NEVER);
}

static void
policies_hold_all_at_once(void **state)
{
	struct retention_row row = row_of(0, 10);
	struct retention_promises promises = { .policy_count = 2,
		.policies = { { .minimum_s = 100 }, { .minimum_s = 7 } } };

	(void)state;
	promises.now_us = 10 + 99 * S;
	assert_int_equal(
	    retention_ask(&promises, &row).reason, RETENTION_MINIMUM);
	promises.now_us = 10 + 100 * S;
	assert_int_equal(retention_ask(&promises, &row).reason, RETENTION_FREE);
}

/* -- Clocks that were moved -- */

static void
wall_clock_shortens_nothing_wherever_it_is_moved(void **state)
{
	/* The row was there for 8 days by the guard clock: all tiers saw it. */
	static const int64_t moves[] = { 0, 1, -1, 86400, -86400, 1 - 8 * 86400,
		365 * 86400, -365 * 86400, 40 * 365 * 86400,
		-40 * 365 * 86400 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct retention_row row = row_of(H, H + 8 * D);
		struct retention_answer answer;

		row.died_wall_us += (uint64_t)(moves[i] * (int64_t)S);
		answer = ask(&row, 700 * D, NULL, 0);
		assert_int_equal(answer.reason, RETENTION_SNAPSHOT);
		assert_int_equal(answer.free_us, H + 738 * D);
	}
}

static void
a_clock_that_went_back_counts_as_seen(void **state)
{
	struct retention_row row = row_of(H, H + 60 * S);

	(void)state;
	row.died_wall_us = row.born_wall_us - 1;
	assert_int_equal(
	    ask(&row, 60 * D, NULL, 0).free_us, row.died_guard_us + 730 * D);
}

/* -- Pins -- */

static void
a_pin_keeps_what_its_state_sees_in_its_scope(void **state)
{
	static const struct {
		struct retention_pin pin;
		bool keeps;
	} cases[] = {
		{ { .sequence = 100 }, true },
		{ { .sequence = 199 }, true },
		{ { .sequence = 99 }, false },
		{ { .sequence = 200 }, false },
		{ { .sequence = 150, .account = 1 }, true },
		{ { .sequence = 150, .account = 2 }, false },
		{ { .sequence = 150, .account = 1, .mailbox = 10 }, true },
		{ { .sequence = 150, .account = 1, .mailbox = 11 }, false },
		{ { .sequence = 150, .account = 1, .mailbox = 10, .uid = 7 },
		    true },
		{ { .sequence = 150, .account = 1, .mailbox = 10, .uid = 8 },
		    false },
	};
	static const enum retention_reason reasons[] = { RETENTION_MARK,
		RETENTION_HOLD, RETENTION_ALARM };
	struct retention_row row = row_of(H, H + 60 * S);
	size_t i, kind;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (kind = PIN_MARK; kind <= PIN_ALARM; kind++) {
			struct retention_pin pins[3] = { { .sequence = 1 },
				cases[i].pin, { .sequence = 999 } };

			pins[1].kind = (enum retention_pin_kind)kind;
			pins[1].until_us = 5000 * D;
			assert_int_equal(ask(&row, 4000 * D, pins, 3).reason,
			    cases[i].keeps ? reasons[kind] : RETENTION_FREE);
			assert_int_equal(ask(&row, 5000 * D, pins, 3).reason,
			    RETENTION_FREE);
		}
}

static void
a_pin_of_several_states_keeps_what_any_of_them_sees(void **state)
{
	static const struct {
		uint64_t from, sequence;
		bool keeps;
	} cases[] = { { 100, 150, true }, { 199, 900, true },
		{ 200, 900, false }, { 1, 99, false }, { 1, 100, true },
		{ 0, 199, true }, { 0, 200, false } };
	struct retention_row row = row_of(H, H + 60 * S);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct retention_pin pins[3] = { { .sequence = 1 },
			{ .sequence = cases[i].sequence,
			    .from = cases[i].from,
			    .until_us = RETENTION_NEVER,
			    .kind = PIN_ALARM },
			{ .sequence = 999 } };
		struct retention_promises promises = { .now_us = 4000 * D,
			.policy_count = 1,
			.policies = { usual },
			.pins = pins,
			.pin_count = 3 };

		if (cases[i].from > 0)
			promises.pin_width = cases[i].sequence - cases[i].from;
		assert_int_equal(retention_ask(&promises, &row).reason,
		    cases[i].keeps ? RETENTION_ALARM : RETENTION_FREE);
	}
}

static void
erasure_waits_for_the_minimum_and_for_holds(void **state)
{
	struct retention_pin pin = {
		.sequence = 150, .until_us = RETENTION_NEVER, .kind = PIN_HOLD
	};
	struct retention_pin mark = {
		.sequence = 150, .until_us = RETENTION_NEVER, .kind = PIN_MARK
	};
	struct retention_row row = row_of(H, 8 * D);
	struct retention_promises promises = { .policy_count = 1,
		.policies = { usual },
		.pins = &mark,
		.pin_count = 1,
		.erased = (const uint32_t[]){ 1 },
		.erased_count = 1 };

	(void)state;
	promises.now_us = 8 * D + 30 * D - 1;
	assert_int_equal(
	    retention_ask(&promises, &row).reason, RETENTION_MINIMUM);
	promises.now_us++;
	assert_int_equal(retention_ask(&promises, &row).reason, RETENTION_FREE);
	promises.pins = &pin;
	assert_int_equal(retention_ask(&promises, &row).reason, RETENTION_HOLD);
	row.account = 2;
	promises.pin_count = 0;
	assert_int_equal(
	    retention_ask(&promises, &row).reason, RETENTION_SNAPSHOT);
}

static void
a_flood_of_marks_frees_nothing(void **state)
{
	static struct retention_pin pins[100001];
	struct retention_row row = row_of(H, H + 60 * S);
	size_t i;

	(void)state;
	for (i = 0; i < 100001; i++)
		pins[i] = (struct retention_pin){ .sequence = 101 + i / 2000,
			.until_us = 10,
			.account = i == 50000 ? 1 : 2 };
	pins[50000].until_us = 5000 * D;
	assert_int_equal(
	    ask(&row, 4000 * D, pins, 100001).reason, RETENTION_MARK);
}

/* -- Random histories against a model that looks at every listed snapshot -- */

enum {
	EVENTS = 120,
	HISTORIES = 400
};

struct history {
	uint64_t wall_us[EVENTS + 1];
	uint64_t guard_us[EVENTS + 1];
};

static uint64_t random_state = 1;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 20) % limit;
}

/* Events some seconds to hours apart; now and then nobody runs for a while, so
 * that the guard clock stands still. */
static void
make_history(struct history *history)
{
	uint64_t wall = T0, guard = 5 * S, step;
	size_t i;

	for (i = 1; i <= EVENTS; i++) {
		step = 1 + random_below(random_below(3) == 0 ? 5 * H : 200 * S);
		wall += step;
		guard += step;
		if (random_below(20) == 0)
			wall += random_below(2 * D);
		history->wall_us[i] = wall;
		history->guard_us[i] = guard;
	}
}

static uint64_t
sequence_at(const struct history *history, uint64_t wall_us)
{
	uint64_t sequence = 0, i;

	for (i = 1; i <= EVENTS; i++)
		if (history->wall_us[i] <= wall_us)
			sequence = i;
	return sequence;
}

/* Does any snapshot that would be listed now see the row? */
static bool
is_listed(const struct history *history, const struct retention *policy,
    const struct retention_row *row, uint64_t wall_us, uint64_t guard_us)
{
	int64_t at = 0, now = (int64_t)(wall_us / S);
	uint64_t sequence, ended;

	while ((at = retention_next(policy, now, at)) >= 0) {
		sequence = sequence_at(history, (uint64_t)at * S);
		ended = sequence == EVENTS ? guard_us
					   : history->guard_us[sequence + 1];
		if (retention_lists(policy, at, guard_us - ended) &&
		    row->born <= sequence && sequence < row->died)
			return true;
	}
	return false;
}

static void
look(const struct history *history, const struct retention *policy,
    const struct retention_row *row, uint64_t wall_us, uint64_t guard_us)
{
	struct retention_promises promises = {
		.now_us = guard_us, .policy_count = 1, .policies = { *policy }
	};
	struct retention_answer answer = retention_ask(&promises, row);
	uint64_t age_us = guard_us - row->died_guard_us;

	if (answer.reason == RETENTION_FREE) {
		assert_true(age_us >= policy->minimum_s * S);
		assert_false(
		    is_listed(history, policy, row, wall_us, guard_us));
	} else {
		/* Nothing is kept for longer than anybody promised. */
		assert_true(age_us < retention_longest_s(policy) * S);
	}
}

static void
what_is_forgotten_no_listed_snapshot_sees(void **state)
{
	static const struct retention policy = { .every_s = 60,
		.minimum_s = 1800,
		.count = 3,
		.tiers = {
		    { 60, 3600 }, { 3600, 86400 }, { 86400, 4 * 86400 } } };
	struct history history;
	unsigned int n, i;

	(void)state;
	for (n = 0; n < HISTORIES; n++) {
		make_history(&history);
		for (i = 0; i < 20; i++) {
			struct retention_row row = { .account = 1 };
			uint64_t later = random_below(6 * D);

			row.born = 1 + random_below(EVENTS - 1);
			row.died =
			    row.born + 1 + random_below(EVENTS - row.born);
			row.born_wall_us = history.wall_us[row.born];
			row.died_wall_us = history.wall_us[row.died];
			row.born_guard_us = history.guard_us[row.born];
			row.died_guard_us = history.guard_us[row.died];
			look(&history, &policy, &row,
			    history.wall_us[EVENTS] + later,
			    history.guard_us[EVENTS] + later);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_tier_that_saw_a_row_keeps_it_for_its_span),
		cmocka_unit_test(a_live_row_is_never_forgotten),
		cmocka_unit_test(a_row_found_missing_never_expires_by_itself),
		cmocka_unit_test(a_lock_lasts_as_long_as_it_says),
		cmocka_unit_test(without_a_policy_nothing_is_free),
		cmocka_unit_test(policies_hold_all_at_once),
		cmocka_unit_test(
		    wall_clock_shortens_nothing_wherever_it_is_moved),
		cmocka_unit_test(a_clock_that_went_back_counts_as_seen),
		cmocka_unit_test(a_pin_keeps_what_its_state_sees_in_its_scope),
		cmocka_unit_test(
		    a_pin_of_several_states_keeps_what_any_of_them_sees),
		cmocka_unit_test(erasure_waits_for_the_minimum_and_for_holds),
		cmocka_unit_test(a_flood_of_marks_frees_nothing),
		cmocka_unit_test(what_is_forgotten_no_listed_snapshot_sees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
