/*
 * Quotas in the queue: what it knows of each account, whom it refuses, and
 * when.
 */
#include "common/smtp_verdict.h"
#include "tests/unit/transaction_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BODY "Subject: Hello\r\n\r\nThe body\r\n"

/* -- The book -- */

static const struct account limited = {
	.number = 7, .quota_bytes = 1000, .quota_messages = 10
};

static void
of_whom_nothing_is_known_there_is_room(void **state)
{
	struct quota_book *book = quota_book_new();

	assert_true(quota_book_has_room(book, &limited, UINT64_MAX));
	quota_book_accepted(book, 7, 5000);
	assert_true(quota_book_has_room(book, &limited, 1));
	quota_book_heard(book, 7, 0, 0);
	assert_false(quota_book_has_room(book, &limited, 1));
	quota_book_free(&book);
}

static const struct {
	uint64_t bytes;
	uint64_t messages;
	uint64_t coming; /* bytes of one message, if any */
	uint64_t size;
	bool has_room;
} cases[] = {
	{ 0, 0, 0, 1000, true },
	{ 0, 0, 0, 1001, false },
	{ 999, 0, 0, 0, true }, /* of an unknown size: one byte */
	{ 1000, 0, 0, 0, false },
	{ 0, 9, 0, 1, true },
	{ 0, 10, 0, 1, false },
	{ 0, 9, 1, 1, false },
	{ 500, 0, 400, 100, true },
	{ 500, 0, 400, 101, false },
	{ 0, 0, 0, UINT64_MAX, false },
	{ UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, false },
	{ 1, 1, UINT64_MAX, 1, false },
};

static void
room_is_what_the_fuller_of_both_limits_leaves(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quota_book *book = quota_book_new();

		quota_book_heard(book, 7, cases[i].bytes, cases[i].messages);
		if (cases[i].coming > 0)
			quota_book_accepted(book, 7, cases[i].coming);
		if (quota_book_has_room(book, &limited, cases[i].size) !=
		    cases[i].has_room)
			fail_msg("case %zu", i);
		quota_book_free(&book);
	}
}

static void
what_is_filed_is_not_coming_any_more(void **state)
{
	struct quota_book *book = quota_book_new();

	quota_book_heard(book, 7, 0, 0);
	quota_book_accepted(book, 7, 400);
	quota_book_accepted(book, 7, 300);
	assert_false(quota_book_has_room(book, &limited, 400));
	quota_book_heard(book, 7, 400, 1);
	quota_book_filed(book, 7, 400);
	assert_true(quota_book_has_room(book, &limited, 300));
	assert_false(quota_book_has_room(book, &limited, 301));
	quota_book_settled(book, 7);
	assert_true(quota_book_has_room(book, &limited, 600));
	/* More than came, and of one that nothing came for. */
	quota_book_filed(book, 7, 5000);
	quota_book_filed(book, 8, 5000);
	quota_book_settled(book, 8);
	assert_true(quota_book_has_room(book, &limited, 600));
	quota_book_free(&book);
}

/* -- Transactions -- */

static void
limit(uint32_t number, uint64_t bytes, uint64_t used)
{
	struct account *account =
	    (struct account *)(uintptr_t)account_find_number(
		stand.accounts, number);

	account->quota_bytes = bytes;
	quota_book_heard(stand.queue->quotas, number, used, 1);
}

static void
who_is_full_is_refused_at_rcpt(void **state)
{
	limit(STAND_ALICE, 1000, 1000);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OVERQUOTA);
	assert_int_equal(stand_recipient("bob@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(stand.accept_addresses, "bob@demo.test ");
	/* Room is made, and she is there again. */
	limit(STAND_ALICE, 1000, 10);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
}

static void
the_size_that_was_declared_counts(void **state)
{
	limit(STAND_ALICE, 1000, 500);
	assert_int_equal(stand_begin_sized(501), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OVERQUOTA);
	assert_int_equal(stand_begin_sized(500), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
}

static void
an_alias_is_full_when_all_behind_it_are(void **state)
{
	account_table_add_alias(
	    stand.accounts, TEXT("both@demo.test"), TEXT("alice@demo.test"));
	account_table_add_alias(
	    stand.accounts, TEXT("both@demo.test"), TEXT("bob@demo.test"));
	limit(STAND_ALICE, 1000, 1000);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("both@demo.test"), VERDICT_OK);
	limit(STAND_BOB, 1000, 1000);
	assert_int_equal(stand_recipient("both@demo.test"), VERDICT_OVERQUOTA);
}

static void
nothing_of_an_undeclared_size_gets_past_the_end(void **state)
{
	limit(STAND_ALICE, 1000, 995);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_OVERQUOTA);
	assert_int_equal(stand.accepts, 0);
}

/* Else its sender would send it to bob again and again. */
static void
smtp_has_one_answer_and_bob_has_room(void **state)
{
	limit(STAND_ALICE, 1000, 995);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("bob@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(
	    stand.accept_addresses, "alice@demo.test bob@demo.test ");
	assert_int_equal(stand.full_size, 0);
	/* She is over now. */
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OVERQUOTA);
}

static void
lmtp_leaves_out_who_is_full(void **state)
{
	limit(STAND_ALICE, 1000, 995);
	assert_int_equal(stand_begin_lmtp(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("bob@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(stand.accept_addresses, "bob@demo.test ");
	assert_int_equal(stand.full_size, 1);
	assert_int_equal(stand.full[0], 1 | 4);
}

/* An alias of both was taken, and whoever takes a message has it. */
static void
but_not_out_of_an_alias_that_takes_it(void **state)
{
	account_table_add_alias(
	    stand.accounts, TEXT("both@demo.test"), TEXT("alice@demo.test"));
	account_table_add_alias(
	    stand.accounts, TEXT("both@demo.test"), TEXT("bob@demo.test"));
	limit(STAND_ALICE, 1000, 995);
	assert_int_equal(stand_begin_lmtp(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("both@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(
	    stand.accept_addresses, "alice@demo.test both@demo.test ");
	assert_int_equal(stand.full[0], 1);
}

static void
what_was_accepted_counts_before_it_is_filed(void **state)
{
	limit(STAND_ALICE, 1000, 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(stand_begin(), VERDICT_OK);
		if (stand_recipient("alice@demo.test") == VERDICT_OVERQUOTA)
			return;
		if (stand_end(BODY) == VERDICT_OVERQUOTA)
			return;
	}
	fail_msg("twenty messages of more than 50 bytes fit into 1000");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_whom_nothing_is_known_there_is_room),
		cmocka_unit_test(room_is_what_the_fuller_of_both_limits_leaves),
		cmocka_unit_test(what_is_filed_is_not_coming_any_more),
		TEST(who_is_full_is_refused_at_rcpt),
		TEST(the_size_that_was_declared_counts),
		TEST(an_alias_is_full_when_all_behind_it_are),
		TEST(nothing_of_an_undeclared_size_gets_past_the_end),
		TEST(smtp_has_one_answer_and_bob_has_room),
		TEST(lmtp_leaves_out_who_is_full),
		TEST(but_not_out_of_an_alias_that_takes_it),
		TEST(what_was_accepted_counts_before_it_is_filed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
