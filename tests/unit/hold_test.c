/*
 * What is pinned stays: by a mark, by an alarm, by a hold until its release is
 * over.
 */
#include "tests/unit/aging.h"

#include <string.h>

static void
what_a_mark_saw_stays_as_long_as_the_mark(void **state)
{
	struct aging *f = *state;
	struct error error;
	uint64_t sequence;

	aging_append(f, "x\n");
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 0,
			     TEXT("keep"), TEXT(""), &sequence, &error),
	    STATUS_OK);
	aging_commit(f);
	aging_expunge(f, 1);
	aging_pass(f, 729 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_listed_at(f, sequence), 1);
	assert_true(aging_is_listed(f, sequence));
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_false(aging_is_listed(f, sequence));
}

/* A pass that has read the pins already reads them again. */
static void
a_longer_policy_is_in_force_for_marks_that_are_there(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct retention longer = aging_usual;
	struct aging *f = *state;
	uint64_t sequence;
	bool has_more;

	longer.tiers[longer.count - 1].span_s *= 2;
	aging_append(f, "x\n");
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 0,
			     TEXT("keep"), TEXT(""), &sequence, &error),
	    STATUS_OK);
	aging_commit(f);
	aging_expunge(f, 1);
	assert_int_equal(
	    expire_step(f->expire, f->journal, &has_more, &error), STATUS_OK);
	aging_promise(f, &longer);
	aging_pass(f, 1459 * DAY);
	while (has_more) {
		assert_int_equal(
		    expire_step(f->expire, f->journal, &has_more, &error),
		    STATUS_OK);
		aging_commit(f);
	}
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
}

/* One of before marks had a guard clock: when it was made, nobody knows. */
static void
a_mark_without_a_guard_clock_is_as_young_as_can_be(void **state)
{
	struct mark mark = { .kind = SNAPSHOT_NAMED, .name = TEXT("old") };
	struct aging *f = *state;
	uint8_t data[MARK_MAX_SIZE];
	struct key key = { .size = 0 };
	struct transaction *t;
	struct error error;

	aging_append(f, "x\n");
	key_put_u64(&key, f->journal->state.sequence);
	key_put_u32(&key, 0);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(store_put(t, DB_MARK, &key,
			     text_make(data, mark_encode(&mark, data)), &error),
	    0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	aging_expunge(f, 1);
	aging_pass(f, 3000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
}

static void
an_alarm_keeps_what_was_lost_until_it_is_released(void **state)
{
	struct aging *f = *state;
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t uids[120] = { 0 };
	unsigned int i;
	char body[20];

	for (i = 0; i < 30; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		aging_append(f, body);
		uids[4 * i] = (uint8_t)(i + 1);
	}
	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(uids, sizeof(uids));
	aging_apply(f, &m);
	assert_int_equal(aging_count(f, DB_HOLD), 1);
	aging_pass(f, 3000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 30);
	aging_verify(f);
}

static void
a_hold_keeps_its_scope_and_ends_after_the_minimum(void **state)
{
	struct aging *f = *state;
	struct retention_pin scope;

	aging_append(f, "held\n");
	aging_append(f, "other\n");
	scope = aging_scope(f->journal->state.sequence, 1, 1, 1);
	aging_hold(f, "case-7", &scope, STATUS_OK);
	aging_hold(f, "case-7", &scope, STATUS_EXISTS);
	aging_expunge(f, 1);
	aging_expunge(f, 2);
	aging_pass(f, 2000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_true(aging_is_listed(f, scope.sequence));
	aging_release(f, "case-8", &scope, STATUS_MISSING);
	aging_release(f, "case-7", &scope, STATUS_OK);
	aging_release(f, "case-7", &scope, STATUS_MISSING);
	aging_pass(f, 30 * DAY - SECOND);
	aging_restart(f, 365 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_false(aging_is_listed(f, scope.sequence));
	aging_verify(f);
}

static void
a_hold_that_is_placed_during_a_pass_counts_in_it(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct aging *f = *state;
	struct retention_pin scope;
	bool has_more;

	aging_append(f, "x\n");
	scope = aging_scope(f->journal->state.sequence, 0, 0, 0);
	aging_expunge(f, 1);
	aging_pass(f, 20 * DAY);
	/* A pass reads the promises, and is not over for a while. */
	assert_int_equal(
	    expire_step(f->expire, f->journal, &has_more, &error), STATUS_OK);
	aging_pass(f, 20 * DAY);
	aging_hold(f, "late", &scope, STATUS_OK);
	assert_int_equal(
	    expire_step(f->expire, f->journal, &has_more, &error), STATUS_OK);
	aging_commit(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
}

static void
a_release_waits_for_the_longest_minimum_in_force(void **state)
{
	static const struct retention brief = { .minimum_s = 1 };
	struct aging *f = *state;
	struct retention_pin scope;

	aging_append(f, "x\n");
	scope = aging_scope(f->journal->state.sequence, 0, 0, 0);
	aging_hold(f, "tag", &scope, STATUS_OK);
	aging_expunge(f, 1);
	aging_pass(f, 1000 * DAY);
	/* Whoever shortens the policy first gains nothing. */
	aging_promise(f, &brief);
	aging_release(f, "tag", &scope, STATUS_OK);
	aging_pass(f, 30 * DAY - SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
}

static void
an_alarm_that_was_released_ends_like_a_hold(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct aging *f = *state;
	struct retention_pin scope;
	uint64_t sequence;

	aging_append(f, "x\n");
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_ALARM, 1,
			     TEXT("alarm"), TEXT("why"), &sequence, &error),
	    STATUS_OK);
	aging_commit(f);
	aging_expunge(f, 1);
	aging_pass(f, 3000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_true(aging_is_listed(f, sequence));
	/* Without an account a release is for every scope. */
	scope = aging_scope(sequence, 0, 0, 0);
	aging_release(f, "alarm", &scope, STATUS_OK);
	aging_pass(f, 30 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	aging_verify(f);
}

static void
an_attack_holds_the_day_before_it(void **state)
{
	struct aging *f = *state;

	aging_append(f, "two days before\n");
	aging_append(f, "an hour before\n");
	aging_expunge(f, 1);
	aging_pass(f, 2 * DAY);
	aging_expunge(f, 2);
	aging_pass(f, 3600 * SECOND);
	journal_mark_attack(f->journal, 1, "worker of account 1");
	aging_commit(f);
	aging_pass(f, 3000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

static void
attacks_without_end_make_one_mark_in_ten_minutes(void **state)
{
	struct aging *f = *state;
	uint64_t before = f->journal->state.sequence;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		journal_mark_attack(f->journal, 1, "worker of account 1");
	aging_commit(f);
	assert_int_equal(f->journal->state.sequence, before + 1);
	journal_mark_attack(f->journal, 2, "worker of account 2");
	aging_pass(f, 660 * SECOND);
	journal_mark_attack(f->journal, 1, "worker of account 1");
	aging_commit(f);
	assert_int_equal(f->journal->state.sequence, before + 3);
}

static void
junk_marks_free_nothing_and_do_not_stop_expiry(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct aging *f = *state;
	uint64_t sequence, first = 0;
	unsigned int i;

	aging_append(f, "seen by the first mark\n");
	aging_append(f, "seen by none\n");
	aging_expunge(f, 2);
	for (i = 0; i < 100000; i++) {
		assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, i % 3,
				     TEXT("junk"), TEXT(""), &sequence, &error),
		    STATUS_OK);
		if (i == 0) {
			first = sequence;
			aging_expunge(f, 1);
		}
	}
	aging_commit(f);
	aging_pass(f, 40 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_listed_at(f, first), 1);
	aging_verify(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(what_a_mark_saw_stays_as_long_as_the_mark),
		AGING_TEST(
		    a_longer_policy_is_in_force_for_marks_that_are_there),
		AGING_TEST(a_mark_without_a_guard_clock_is_as_young_as_can_be),
		AGING_TEST(an_alarm_keeps_what_was_lost_until_it_is_released),
		AGING_TEST(a_hold_keeps_its_scope_and_ends_after_the_minimum),
		AGING_TEST(a_hold_that_is_placed_during_a_pass_counts_in_it),
		AGING_TEST(a_release_waits_for_the_longest_minimum_in_force),
		AGING_TEST(an_alarm_that_was_released_ends_like_a_hold),
		AGING_TEST(an_attack_holds_the_day_before_it),
		AGING_TEST(attacks_without_end_make_one_mark_in_ten_minutes),
		AGING_TEST(junk_marks_free_nothing_and_do_not_stop_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
