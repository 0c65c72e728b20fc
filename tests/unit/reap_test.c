/*
 * Live rows that nobody can reach any more: of a deleted mailbox, of an account
 * that is erased.
 */
#include "tests/unit/aging.h"

#include "snapd/erasure.h"

#include <stdio.h>
#include <string.h>

static void
retire(struct aging *f, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_retire };

	m.change_retire.mailbox = mailbox;
	aging_apply(f, &m);
}

static void
a_deleted_mailbox_is_kept_like_what_was_expunged_in_it(void **state)
{
	struct message m = { .type = MESSAGE_change_create };
	struct message a = { .type = MESSAGE_change_append };
	struct aging *f = *state;
	uint64_t mailbox = f->journal->state.next_mailbox;
	unsigned int i;
	char body[20];

	aging_append(f, "stays\n");
	m.change_create.name = TEXT("Old");
	aging_apply(f, &m);
	for (i = 0; i < 300; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		a.change_append.delivery = aging_delivery(f);
		a.change_append.mailbox = mailbox;
		a.change_append.data = text_of(body);
		a.change_append.size = strlen(body);
		aging_apply(f, &a);
	}
	aging_pass(f, 8 * DAY);
	retire(f, mailbox);
	/* Weekly snapshots saw it: it comes back under its UIDs until they are
	 * gone, and only then do its rows die. */
	aging_pass(f, 729 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_LIVE), 301);
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_LIVE), 1);
	assert_int_equal(aging_count(f, DB_DEAD), 300);
	aging_verify(f);
	/* They crossed no instant as dead rows, but many as live ones. */
	aging_pass(f, 731 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

static void
erase(struct aging *f, enum erasure_step step, enum status expected)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t left_us;

	assert_int_equal(
	    erasure_step(f->journal, 1, step, &left_us, &error), expected);
	aging_commit(f);
}

static void
an_account_is_erased_after_two_words_and_two_minimums(void **state)
{
	struct aging *f = *state;
	struct retention_pin scope;
	uint64_t sequence;

	aging_append(f, "one\n");
	aging_append(f, "two\n");
	aging_append(f, "held\n");
	assert_int_equal(aging_accept(f, 9, 2, 0), STATUS_OK);
	sequence = f->journal->state.sequence;
	scope = aging_scope(sequence, 1, 1, 3);
	aging_hold(f, "court", &scope, STATUS_OK);
	aging_pass(f, 8 * DAY);
	aging_expunge(f, 1);
	erase(f, ERASURE_CONFIRM, STATUS_MISSING);
	erase(f, ERASURE_REQUEST, STATUS_OK);
	erase(f, ERASURE_REQUEST, STATUS_EXISTS);
	erase(f, ERASURE_WITHDRAW, STATUS_OK);
	erase(f, ERASURE_WITHDRAW, STATUS_MISSING);
	erase(f, ERASURE_REQUEST, STATUS_OK);
	aging_pass(f, 30 * DAY - SECOND);
	aging_move_wall_clock(f, 400 * DAY);
	erase(f, ERASURE_CONFIRM, STATUS_REFUSED);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, SECOND);
	erase(f, ERASURE_CONFIRM, STATUS_OK);
	erase(f, ERASURE_WITHDRAW, STATUS_EXISTS);
	/* What was dead goes now, what was live dies and waits. */
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_LIVE), 0);
	assert_int_equal(aging_count(f, DB_DEAD), 2);
	aging_pass(f, 30 * DAY - SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 2);
	aging_pass(f, SECOND);
	aging_expire(f);
	/* A hold goes before it, and another account is not concerned. */
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_listed_at(f, sequence), 1);
	assert_int_equal(aging_count(f, DB_UNFILED), 1);
	aging_release(f, "court", &scope, STATUS_OK);
	aging_pass(f, 30 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(
		    a_deleted_mailbox_is_kept_like_what_was_expunged_in_it),
		AGING_TEST(
		    an_account_is_erased_after_two_words_and_two_minimums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
