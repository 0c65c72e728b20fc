/*
 * Policies that are raised and lowered: a table, and random histories in which
 * a naive model remembers every policy there ever was.
 */
#include "common/retention_policy.h"
#include "snapd/ratchet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)

static struct retention
policy_of(const char *text)
{
	struct retention policy;
	struct error error;

	if (retention_policy_parse(text_of(text), &policy, &error) != 0)
		fail_msg("%s: %s", text, error.text);
	policy.every_s = 900;
	return policy;
}

/* -- The text -- */

static void
a_policy_reads_as_it_is_written(void **state)
{
	static const char *const texts[] = {
		"15m for 1d, 1h for 1w, 1d for 90d, 1w for 2y minimum 30d",
		"1s for 1s minimum 1s",
		"90s for 3m minimum 100y",
	};
	char again[RETENTION_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct retention policy = policy_of(texts[i]);

		retention_policy_format(&policy, again);
		assert_string_equal(again, texts[i]);
	}
}

static void
what_is_no_policy_is_refused(void **state)
{
	static const char *const texts[] = { "", "minimum 30d", "15m",
		"15m for", "15m for 24h", "15m for 24h,", ", 15m for 24h",
		"15m for 24h minimum", "15m for 24h minimum 0s",
		"15m for 24h minimum 30", "15m for 24h minimum 101y",
		"15m for 24h minimum 30d 1", "0s for 1d minimum 1d",
		"1h for 1m minimum 1d", "1h for 2h, 1h for 3h minimum 1d",
		"1h for 2h, 2h for 2h minimum 1d", "1h to 2h minimum 1d",
		"1x for 2h minimum 1d", "1h for, 2h minimum 1d",
		"1s for 1s, 2s for 2s, 3s for 3s, 4s for 4s, 5s for 5s, "
		"6s for 6s, 7s for 7s, 8s for 8s, 9s for 9s minimum 1d" };
	struct retention policy;
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (retention_policy_parse(
			text_of(texts[i]), &policy, &error) == 0)
			fail_msg("\"%s\" was taken", texts[i]);
}

/* -- More or less -- */

static void
one_policy_covers_another_if_it_keeps_every_row_as_long(void **state)
{
	static const struct {
		const char *policy, *other;
		bool covers;
	} cases[] = {
		{ "1h for 1d minimum 1d", "1h for 1d minimum 1d", true },
		{ "1h for 2d minimum 1d", "1h for 1d minimum 1d", true },
		{ "1h for 1d minimum 2d", "1h for 1d minimum 1d", true },
		{ "1h for 1d minimum 1h", "1h for 1d minimum 1d", false },
		{ "1h for 1h minimum 1d", "1h for 1d minimum 1d", false },
		/* Instants of every two hours are those of every hour. */
		{ "1h for 1d minimum 1d", "2h for 1d minimum 1d", true },
		{ "2h for 1d minimum 1d", "3h for 1d minimum 1d", false },
		{ "2h for 1d minimum 1d", "1h for 1d minimum 1d", false },
		{ "1h for 1d, 1d for 9d minimum 1d", "1h for 1d minimum 1d",
		    true },
		{ "1h for 1d minimum 1d", "1h for 1d, 1d for 9d minimum 1d",
		    false },
		{ "1h for 9d minimum 1d", "1h for 1d, 1d for 9d minimum 1d",
		    true },
		/* Snapshots are taken each 15 minutes. */
		{ "15m for 1d minimum 1d", "1m for 1d minimum 1d", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct retention policy = policy_of(cases[i].policy);
		struct retention other = policy_of(cases[i].other);

		if (ratchet_covers(&policy, &other) != cases[i].covers)
			fail_msg(
			    "\"%s\", \"%s\"", cases[i].policy, cases[i].other);
	}
}

/* -- Changes -- */

static void
raising_is_at_once_and_lowering_waits(void **state)
{
	struct retention usual = policy_of("1h for 1d minimum 10d");
	struct retention more = policy_of("1h for 2d minimum 20d");
	struct ratchet ratchet = { 0 };

	(void)state;
	assert_int_equal(ratchet_set(&ratchet, &usual, 0), RATCHET_RAISED);
	assert_int_equal(ratchet_set(&ratchet, &usual, 5), RATCHET_SAME);
	assert_int_equal(ratchet_set(&ratchet, &more, 6), RATCHET_RAISED);
	assert_int_equal(ratchet.count, 1);
	assert_int_equal(ratchet_set(&ratchet, &usual, 7), RATCHET_WAITS);
	assert_int_equal(ratchet.count, 2);
	assert_int_equal(ratchet_minimum_s(&ratchet), 20 * 86400);
	assert_int_equal(ratchet.entries[0].until_us, 7 + 20 * 86400 * SECOND);
	assert_false(ratchet_settle(&ratchet, 6 + 20 * 86400 * SECOND));
	assert_true(ratchet_settle(&ratchet, 7 + 20 * 86400 * SECOND));
	assert_int_equal(ratchet.count, 1);
	assert_int_equal(ratchet_minimum_s(&ratchet), 10 * 86400);
	assert_int_equal(ratchet.changes, 3);
}

static void
raising_again_ends_the_wait(void **state)
{
	struct retention usual = policy_of("1h for 1d minimum 10d");
	struct retention less = policy_of("1h for 1d minimum 1d");
	struct ratchet ratchet = { 0 };

	(void)state;
	ratchet_set(&ratchet, &usual, 0);
	assert_int_equal(ratchet_set(&ratchet, &less, 1), RATCHET_WAITS);
	assert_int_equal(ratchet_set(&ratchet, &usual, 2), RATCHET_RAISED);
	assert_int_equal(ratchet.count, 1);
	assert_true(ratchet.entries[0].until_us == RETENTION_NEVER);
}

static void
the_ninth_policy_that_waits_is_refused(void **state)
{
	struct ratchet ratchet = { 0 }, before = { 0 };
	char text[60];
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		struct retention policy;

		before = ratchet;

		snprintf(text, sizeof(text), "1h for 1d minimum %ud", 20 - i);
		policy = policy_of(text);
		assert_int_equal(
		    ratchet_set(&ratchet, &policy, i), i == 0  ? RATCHET_RAISED
						       : i < 8 ? RATCHET_WAITS
							       : RATCHET_FULL);
	}
	/* And takes the place of none that waits. */
	assert_int_equal(ratchet.count, 8);
	assert_memory_equal(&ratchet, &before, sizeof(ratchet));
}

static void
a_ratchet_is_the_same_after_it_was_on_disk(void **state)
{
	struct retention usual = policy_of("1h for 1d, 1w for 2y minimum 10d");
	struct retention less = policy_of("1h for 1d minimum 1d");
	struct ratchet ratchet = { 0 }, again;
	uint8_t data[RATCHET_MAX_SIZE];
	size_t size, cut;

	(void)state;
	ratchet_set(&ratchet, &usual, 0);
	ratchet_set(&ratchet, &less, 1);
	ratchet.has_configured = true;
	ratchet.configured = less;
	size = ratchet_encode(&ratchet, data);
	assert_int_equal(ratchet_decode(text_make(data, size), &again), 0);
	assert_memory_equal(&again, &ratchet, sizeof(ratchet));
	for (cut = 0; cut < size; cut++)
		assert_int_equal(
		    ratchet_decode(text_make(data, cut), &again), -1);
}

/* -- Random histories -- */

static uint64_t random_state = 1;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 20) % limit;
}

static struct retention
random_policy(void)
{
	struct retention policy = { .every_s = 1 + random_below(2),
		.minimum_s = 1 + random_below(50),
		.count = random_below(3) };
	size_t i;

	for (i = 0; i < policy.count; i++) {
		policy.tiers[i].every_s = (i + 1) * (1 + random_below(6));
		policy.tiers[i].span_s = 1 + random_below(100);
	}
	return policy;
}

static struct retention_row
random_row(uint64_t now_us)
{
	struct retention_row row = { .account = 1, .born = 1, .died = 2 };

	row.died_guard_us = random_below(now_us + 1);
	row.born_guard_us = random_below(row.died_guard_us + 1);
	row.died_wall_us = row.died_guard_us + 77 * SECOND;
	row.born_wall_us = row.born_guard_us + 77 * SECOND;
	return row;
}

static struct retention_answer
ask_one(const struct retention *policy, const struct retention_row *row)
{
	struct retention_promises promises = { .policy_count = 1,
		.policies = { *policy } };

	return retention_ask(&promises, row);
}

static void
a_policy_that_covers_another_frees_no_row_earlier(void **state)
{
	unsigned int i, covered = 0;

	(void)state;
	for (i = 0; i < 200000; i++) {
		struct retention a = random_policy(), b = random_policy();
		struct retention_row row = random_row(300 * SECOND);

		if (!ratchet_covers(&a, &b))
			continue;
		covered++;
		assert_true(
		    ask_one(&a, &row).free_us >= ask_one(&b, &row).free_us);
	}
	assert_true(covered > 1000);
}

enum {
	HISTORIES = 3000,
	CHANGES = 12
};

/* Every policy that was ever the newest binds until its own minimum has passed
 * since it was replaced by another. */
static void
no_history_of_changes_shortens_a_promise(void **state)
{
	struct {
		struct retention policy;
		uint64_t until_us;
	} ever[CHANGES];
	struct retention_promises promises = { .policy_count = 0 };
	unsigned int n, i, k, count;
	uint64_t now_us;

	(void)state;
	for (n = 0; n < HISTORIES; n++) {
		struct ratchet ratchet = { 0 };

		now_us = 0;
		count = 0;
		for (i = 0; i < CHANGES; i++) {
			struct retention policy = random_policy();
			struct retention_row row;
			enum ratchet_change change;

			ratchet_settle(&ratchet, now_us);
			change = ratchet_set(&ratchet, &policy, now_us);
			if (change == RATCHET_RAISED ||
			    change == RATCHET_WAITS) {
				if (count > 0)
					ever[count - 1].until_us =
					    now_us +
					    ever[count - 1].policy.minimum_s *
						SECOND;
				ever[count].policy = policy;
				ever[count++].until_us = RETENTION_NEVER;
			}
			now_us += random_below(30) * SECOND;
			row = random_row(now_us);
			promises.now_us = now_us;
			promises.policy_count = 0;
			for (k = 0; k < ratchet.count; k++)
				if (ratchet.entries[k].until_us > now_us)
					promises
					    .policies[promises.policy_count++] =
					    ratchet.entries[k].policy;
			if (retention_ask(&promises, &row).reason !=
			    RETENTION_FREE)
				continue;
			for (k = 0; k < count; k++)
				if (ever[k].until_us > now_us)
					assert_true(
					    ask_one(&ever[k].policy, &row)
						.free_us <= now_us);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_reads_as_it_is_written),
		cmocka_unit_test(what_is_no_policy_is_refused),
		cmocka_unit_test(
		    one_policy_covers_another_if_it_keeps_every_row_as_long),
		cmocka_unit_test(raising_is_at_once_and_lowering_waits),
		cmocka_unit_test(raising_again_ends_the_wait),
		cmocka_unit_test(the_ninth_policy_that_waits_is_refused),
		cmocka_unit_test(a_ratchet_is_the_same_after_it_was_on_disk),
		cmocka_unit_test(
		    a_policy_that_covers_another_frees_no_row_earlier),
		cmocka_unit_test(no_history_of_changes_shortens_a_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
