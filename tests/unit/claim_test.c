/*
 * Workers' witnesses: what is believed of them, and what a taken-over worker
 * can bring about with one at most (P2).
 */
#include "common/file.h"
#include "snapd/claim.h"
#include "snapd/leap.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE_US ((uint64_t)60 * 1000000)
#define DAY_US    (24 * 60 * MINUTE_US)

/* -- Judging -- */

static void
claims_are_judged_by_state_time_and_a_second_word(void **state)
{
	const uint64_t now = 30 * DAY_US;
	const struct {
		struct claim claimed, is;
		uint64_t account_us, other_us, store_us;
		enum claim_verdict verdict;
	} cases[] = {
		/* The same, or older in each of three ways. */
		{ { 5, 100, 7 }, { 5, 100, 7 }, 0, 0, 0, CLAIM_NOT_NEWER },
		{ { 5, 99, 6 }, { 5, 100, 7 }, 0, 0, 0, CLAIM_NOT_NEWER },
		{ { 4, 999, 9 }, { 5, 100, 7 }, 0, 0, 0, CLAIM_NOT_NEWER },
		{ { 0, UINT64_MAX, UINT64_MAX }, { 5, 1, 1 }, 0, 0, 0,
		    CLAIM_NOT_NEWER },
		/* Newer in each; a store that has gone on since as well. */
		{ { 6, 1, 1 }, { 5, 100, 7 }, 0, 0, 0, CLAIM_LEAP_ACCOUNT },
		{ { 5, 101, 7 }, { 5, 100, 7 }, 0, 0, 0, CLAIM_LEAP_ACCOUNT },
		{ { 5, 101, 8 }, { 5, 500, 7 }, 0, 0, 0, CLAIM_LEAP_ACCOUNT },
		/* Once a day. */
		{ { 6, 1, 1 }, { 5, 1, 1 }, now - DAY_US + 1, 0, 0,
		    CLAIM_TOO_SOON },
		{ { 6, 1, 1 }, { 5, 1, 1 }, now - DAY_US, 0, 0,
		    CLAIM_LEAP_ACCOUNT },
		{ { 6, 1, 1 }, { 5, 1, 1 }, now - MINUTE_US, now - MINUTE_US, 0,
		    CLAIM_TOO_SOON },
		/* A second word: not of last month, and not used already. */
		{ { 6, 1, 1 }, { 5, 1, 1 }, 0, now - MINUTE_US, 0,
		    CLAIM_LEAP_STORE },
		{ { 6, 1, 1 }, { 5, 1, 1 }, 0, now - 7 * DAY_US, 0,
		    CLAIM_LEAP_ACCOUNT },
		{ { 6, 1, 1 }, { 5, 1, 1 }, 0, now - 3 * DAY_US,
		    now - 3 * DAY_US, CLAIM_LEAP_ACCOUNT },
		{ { 6, 1, 1 }, { 5, 1, 1 }, 0, now - 2 * DAY_US,
		    now - 3 * DAY_US, CLAIM_LEAP_STORE },
		/* The store, too, once a day. */
		{ { 6, 1, 1 }, { 5, 1, 1 }, 0, now - MINUTE_US,
		    now - 2 * MINUTE_US, CLAIM_LEAP_ACCOUNT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct claim_case c = { cases[i].claimed, cases[i].is, now,
			cases[i].account_us, cases[i].other_us,
			cases[i].store_us };

		if (claim_judge(&c) != cases[i].verdict)
			fail_msg("case %zu: %d", i, (int)claim_judge(&c));
	}
}

/* -- In a store with three accounts -- */

enum {
	ACCOUNTS = 3,
	MAP_BYTES = 256 << 20
};

struct fixture {
	char path[64];
	struct store *store;
	struct journal *journal;
	int64_t raw_us;
};

/* The guard clock goes on by so much: snapd looks at it each minute. */
static void
pass_time(struct fixture *f, uint64_t us)
{
	int64_t step_us, left_us = (int64_t)us;

	for (; left_us > 0; left_us -= step_us) {
		step_us = left_us < 60000000 ? left_us : 60000000;
		f->raw_us += step_us;
		journal_set_clock(
		    f->journal, 1700000000000000 + f->raw_us, f->raw_us);
	}
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct store_id id;
	struct error error;

	scratch_store_make(f->path, "claim_test", &id);
	f->store = store_open(f->path, MAP_BYTES, &error);
	f->journal = journal_new(f->store, &error);
	assert_non_null(f->journal);
	f->raw_us = 1;
	pass_time(f, MINUTE_US);
	for (uint32_t a = 1; a <= ACCOUNTS; a++)
		assert_int_equal(journal_create_account(f->journal, a,
				     TEXT("a@demo.test"), &error),
		    STATUS_OK);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	journal_free(&f->journal);
	store_close(&f->store);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* INBOX of account n is mailbox n. */
static struct mailbox_record
inbox(struct fixture *f, uint32_t account)
{
	struct error error;
	struct mailbox_row row;

	assert_int_equal(journal_begin(f->journal, 0, &error), STATUS_OK);
	assert_int_equal(
	    row_find_mailbox(f->journal->batch, account, account, &row, &error),
	    1);
	journal_drop(f->journal);
	return row.record;
}

static struct claim
state_of(struct fixture *f, uint32_t account)
{
	struct error error;
	struct claim is;

	assert_int_equal(
	    claim_state(f->journal, account, &is, &error), STATUS_OK);
	return is;
}

static enum status
claim(struct fixture *f, uint32_t account)
{
	const struct claim anything = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct error error;
	struct claim is;

	return claim_heard(f->journal, account, &anything, &is, &error);
}

static void
a_claim_moves_the_mailboxes_of_its_own_account_only(void **state)
{
	struct fixture *f = *state;
	struct claim before = state_of(f, 1), other = state_of(f, 2);
	struct mailbox_record mine = inbox(f, 1), others = inbox(f, 2);

	assert_int_equal(claim(f, 1), STATUS_OK);
	assert_int_equal(inbox(f, 1).uidnext, mine.uidnext + LEAP_UIDNEXT);
	assert_true(
	    inbox(f, 1).highest_modseq == mine.highest_modseq + LEAP_MODSEQ);
	assert_int_equal(inbox(f, 1).uidvalidity, mine.uidvalidity);
	assert_true(state_of(f, 1).incarnation > before.incarnation);
	assert_int_equal(inbox(f, 2).uidnext, others.uidnext);
	assert_true(inbox(f, 2).highest_modseq == others.highest_modseq);
	assert_true(state_of(f, 2).incarnation == other.incarnation);
}

static void
an_account_claims_once_a_day_whatever_it_says(void **state)
{
	struct fixture *f = *state;
	uint32_t uidnext;

	assert_int_equal(claim(f, 1), STATUS_OK);
	uidnext = inbox(f, 1).uidnext;
	for (int i = 0; i < 23; i++) {
		pass_time(f, 60 * MINUTE_US);
		assert_int_equal(claim(f, 1), STATUS_LIMIT);
	}
	assert_int_equal(inbox(f, 1).uidnext, uidnext);
	pass_time(f, 60 * MINUTE_US + 1);
	assert_int_equal(claim(f, 1), STATUS_OK);
	assert_int_equal(inbox(f, 1).uidnext, uidnext + LEAP_UIDNEXT);
}

static void
two_accounts_make_the_store_leap_and_one_never_does(void **state)
{
	struct fixture *f = *state;
	struct mailbox_record third = inbox(f, 3);
	uint64_t incarnation = f->journal->state.incarnation;

	for (int day = 0; day < 10; day++) {
		assert_int_equal(claim(f, 1), STATUS_OK);
		pass_time(f, DAY_US + 1);
	}
	assert_int_equal(inbox(f, 3).uidnext, third.uidnext);
	assert_true(f->journal->state.incarnation == incarnation);
	assert_int_equal(claim(f, 2), STATUS_OK);
	assert_int_equal(inbox(f, 3).uidnext, third.uidnext + LEAP_UIDNEXT);
	assert_true(f->journal->state.incarnation > incarnation);
	assert_true(state_of(f, 3).incarnation == state_of(f, 2).incarnation);
	/* Both words are used. */
	pass_time(f, 2 * DAY_US);
	assert_int_equal(claim(f, 1), STATUS_OK);
	assert_int_equal(inbox(f, 3).uidnext, third.uidnext + LEAP_UIDNEXT);
}

static void
leaps_without_end_use_up_uids_and_wrap_nothing(void **state)
{
	struct fixture *f = *state;

	for (int day = 0; day < 4100; day++) {
		assert_int_equal(claim(f, 1), STATUS_OK);
		pass_time(f, DAY_US + 1);
	}
	assert_int_equal(inbox(f, 1).uidnext, UINT32_MAX);
	assert_int_equal(inbox(f, 2).uidnext, 1);
}

static void
what_is_not_newer_or_nobody_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct claim same = state_of(f, 1), is;
	uint64_t sequence = f->journal->state.sequence;
	struct error error;

	assert_int_equal(
	    claim_heard(f->journal, 1, &same, &is, &error), STATUS_REFUSED);
	assert_int_equal(claim(f, 77), STATUS_MISSING);
	assert_true(f->journal->state.sequence == sequence);
}

int
main(void)
{
#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    claims_are_judged_by_state_time_and_a_second_word),
		TEST_CASE(a_claim_moves_the_mailboxes_of_its_own_account_only),
		TEST_CASE(an_account_claims_once_a_day_whatever_it_says),
		TEST_CASE(two_accounts_make_the_store_leap_and_one_never_does),
		TEST_CASE(leaps_without_end_use_up_uids_and_wrap_nothing),
		TEST_CASE(what_is_not_newer_or_nobody_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
