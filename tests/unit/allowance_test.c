/*
 * What one account may add in a day.
 */
#include "tests/unit/aging.h"

#include <errno.h>
#include <string.h>

static void
who_has_used_up_his_allowance_waits_for_the_next_day(void **state)
{
	static const struct allowance_limits limits = { .changes = 5 };
	struct aging *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	unsigned int i;

	allowance_configure(f->journal->allowance, &limits);
	for (i = 0; i < 5; i++)
		aging_append(f, "x\n");
	m.change_append.delivery = aging_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("y\n");
	m.change_append.size = 2;
	assert_int_equal(aging_try(f, &m), STATUS_ALLOWANCE);
	/* Mail for him alone waits; with others it goes to all. */
	assert_int_equal(aging_accept(f, 1, 1, 0), STATUS_FULL);
	assert_int_equal(aging_accept(f, 2, 2, 0), STATUS_OK);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	for (i = 4; i < 7; i++)
		assert_int_equal(aging_accept(f, (uint8_t)i, 2, 0), STATUS_OK);
	/* What was accepted before is still answered so. */
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_FULL);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	aging_move_wall_clock(f, 400 * DAY);
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_FULL);
	aging_pass(f, DAY);
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_OK);
	aging_apply(f, &m);
	aging_verify(f);
}

static void
bytes_count_too(void **state)
{
	static const struct allowance_limits limits = { .bytes = 5000 };
	struct aging *f = *state;
	static char body[4000];
	struct message m = { .type = MESSAGE_change_append };

	allowance_configure(f->journal->allowance, &limits);
	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, sizeof(body));
	m.change_append.size = sizeof(body);
	m.change_append.delivery = aging_delivery(f);
	aging_apply(f, &m);
	m.change_append.delivery = aging_delivery(f);
	aging_apply(f, &m);
	m.change_append.delivery = aging_delivery(f);
	assert_int_equal(aging_try(f, &m), STATUS_ALLOWANCE);
}

/* How many messages are taken until no more are: 1,000 is no limit at all. */
static unsigned int
append_until_full(
    struct aging *f, bool is_restarted, const struct allowance_limits *limits)
{
	struct message m = { .type = MESSAGE_change_append };
	unsigned int n = 0;

	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("y\n");
	m.change_append.size = 2;
	for (; n < 1000; n++) {
		m.change_append.delivery = aging_delivery(f);
		if (aging_try(f, &m) != STATUS_OK)
			break;
		aging_commit(f);
		if (!is_restarted)
			continue;
		aging_restart(f, 365 * DAY);
		allowance_configure(f->journal->allowance, limits);
	}
	return n;
}

static void
a_restart_gives_nobody_a_fresh_allowance(void **state)
{
	static const struct allowance_limits limits = { .changes = 20 };
	struct aging *f = *state;

	allowance_configure(f->journal->allowance, &limits);
	assert_int_equal(append_until_full(f, true, &limits), 20);
	assert_int_equal(aging_accept(f, 1, 1, 0), STATUS_FULL);
	/* Another account's is its own; and there is a next day. */
	assert_int_equal(aging_accept(f, 2, 2, 0), STATUS_OK);
	aging_pass(f, DAY);
	aging_restart(f, 0);
	allowance_configure(f->journal->allowance, &limits);
	assert_int_equal(append_until_full(f, false, &limits), 20);
	aging_verify(f);
}

/* The disk is a 64th of the limit ahead: it is written so seldom. */
static void
a_restart_costs_a_64th_of_the_limit_at_most(void **state)
{
	static const struct allowance_limits limits = { .changes = 640 };
	struct aging *f = *state;
	unsigned int i;

	allowance_configure(f->journal->allowance, &limits);
	for (i = 0; i < 3; i++) {
		aging_append(f, "x\n");
		aging_restart(f, 0);
		allowance_configure(f->journal->allowance, &limits);
	}
	/* One that spent nothing costs nothing. */
	for (i = 0; i < 100; i++) {
		aging_restart(f, 0);
		allowance_configure(f->journal->allowance, &limits);
	}
	assert_int_equal(append_until_full(f, false, &limits), 640 - 3 * 11);
}

static void
what_could_not_be_committed_is_saved_with_the_next_commit(void **state)
{
	static const struct allowance_limits limits = { .changes = 640 };
	struct error error = { .code = ERROR_NONE };
	struct message m = { .type = MESSAGE_change_append };
	struct aging *f = *state;

	allowance_configure(f->journal->allowance, &limits);
	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("y\n");
	m.change_append.size = 2;
	m.change_append.delivery = aging_delivery(f);
	assert_int_equal(aging_try(f, &m), STATUS_OK);
	store_set_commit_fault(ENOSPC);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_FULL);
	store_set_commit_fault(0);
	/* The counter of the batch was not kept either. */
	f->counter--;
	assert_int_equal(aging_try(f, &m), STATUS_OK);
	aging_commit(f);
	aging_restart(f, 0);
	allowance_configure(f->journal->allowance, &limits);
	/* Two, and what the disk is ahead. */
	assert_int_equal(append_until_full(f, false, &limits), 640 - 2 - 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(
		    who_has_used_up_his_allowance_waits_for_the_next_day),
		AGING_TEST(bytes_count_too),
		AGING_TEST(a_restart_gives_nobody_a_fresh_allowance),
		AGING_TEST(a_restart_costs_a_64th_of_the_limit_at_most),
		AGING_TEST(
		    what_could_not_be_committed_is_saved_with_the_next_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
