/*
 * Transactions of the queue: who is in the envelope, and what is said when.
 */
#include "common/clock.h"
#include "common/dsn.h"
#include "common/smtp_verdict.h"
#include "smtpd/filing.h"
#include "smtpd/transaction.h"
#include "tests/unit/transaction_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY "Subject: Hello\r\n\r\nThe body\r\n"

enum {
	MANY = 1000 /* addresses, for whose records there is no room */
};

static void
add_aliases(const char *name, unsigned int count)
{
	char target[100];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(target, sizeof(target),
		    "somebody-with-a-long-name-%04u@other-hosts.test", i);
		account_table_add_alias(
		    stand.accounts, text_of(name), text_of(target));
	}
}

static void
nothing_stays_of_an_alias_that_was_refused(void **state)
{
	add_aliases("crowd@demo.test", MANY);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(
	    stand_recipient("crowd@demo.test"), VERDICT_TOO_MANY_RECIPIENTS);
	assert_int_equal(stand_recipient("y@other.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(stand.put_addresses, "x@other.test y@other.test ");
	assert_int_equal(stand.accepts, 0);
}

/* Its targets elsewhere come first, and find room. */
static void
nor_of_one_whose_accounts_were_too_many(void **state)
{
	char domain[256], name[300], target[100];

	/* The record of each account has the address as it was given. */
	snprintf(
	    domain, sizeof(domain), "%060d.%060d.%060d.demo.test", 1, 1, 1);
	strcpy(stand.settings->domains[stand.settings->domain_count++], domain);
	snprintf(name, sizeof(name), "crowd@%s", domain);
	account_table_add_alias(
	    stand.accounts, text_of(name), TEXT("z@other.test"));
	for (uint32_t i = 0; i < MANY / 2; i++) {
		snprintf(target, sizeof(target), "user%u@demo.test", i);
		account_table_add(stand.accounts,
		    &(struct account){
			.number = 100 + i, .address = target, .hash = "" });
		account_table_add_alias(
		    stand.accounts, text_of(name), text_of(target));
	}
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient(name), VERDICT_TOO_MANY_RECIPIENTS);
	assert_int_equal(stand_recipient("bob@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(
	    stand.accept_addresses, "alice@demo.test bob@demo.test ");
	assert_int_equal(stand.puts, 0);
}

/* -- Mail for accounts of ours and for others -- */

static bool
has_put(void)
{
	return stand.puts > 0;
}

static bool
has_accept(void)
{
	return stand.accepts > 0;
}

static bool
has_second_accept(void)
{
	return stand.accepts > 1;
}

static bool
has_decision(void)
{
	return stand.decisions > 0;
}

static bool
has_find(void)
{
	return stand.finds > 0;
}

static bool
has_end_verdict(void)
{
	return stand.verdicts == 4;
}

static bool
has_second_verdict(void)
{
	return stand.verdicts == 8;
}

static bool
is_spool_gone(void)
{
	return stand.queue->spool == NULL;
}

static bool
is_store_gone(void)
{
	return stand.queue->store != STATUS_OK;
}

/* Its body was sent, and the spool has been asked. */
static void
hand_in_for_both(void)
{
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	stand_say_end(BODY);
	stand_wait(has_put);
}

static void
assert_decided(bool is_kept)
{
	stand_wait(has_decision);
	assert_int_equal(stand.decisions, 1);
	assert_int_equal(stand.decision.is_kept, is_kept);
	assert_memory_equal(&stand.decision.delivery, &stand.put.delivery,
	    sizeof(stand.put.delivery));
}

static void
the_store_is_asked_when_the_spool_has_its_part(void **state)
{
	stand.is_spool_silent = stand.is_snapd_silent = true;
	hand_in_for_both();
	assert_int_equal(stand.put.decider, STAND_ALICE);
	assert_int_equal(stand.accepts, 0);
	stand_answer_put(STATUS_OK);
	stand_wait(has_accept);
	assert_memory_equal(&stand.accept.delivery, &stand.put.delivery,
	    sizeof(stand.put.delivery));
	assert_int_equal(stand.decisions, 0);
	assert_int_equal(stand.verdicts, 3);
	stand_answer_accept(STATUS_OK);
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_ACCEPTED);
	assert_decided(true);
}

static void
mail_for_one_kind_of_recipient_is_decided_by_whoever_has_it(void **state)
{
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_int_equal(stand.puts, 1);
	assert_int_equal(stand.put.decider, 0);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_int_equal(stand.puts, 1);
	assert_int_equal(stand.accepts, 1);
	assert_int_equal(stand.decisions, 0);
}

static void
what_the_spool_cannot_keep_the_store_never_sees(void **state)
{
	stand.put_status = STATUS_FULL;
	hand_in_for_both();
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_NO_SPACE);
	assert_int_equal(stand.accepts, 0);
}

static void
what_the_store_refuses_the_spool_drops(void **state)
{
	stand.accept_status = STATUS_FULL;
	hand_in_for_both();
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_NO_SPACE);
	assert_decided(false);
}

static void
a_store_that_dies_is_asked_again_and_then_it_is_decided(void **state)
{
	struct delivery_id delivery;

	stand.is_snapd_silent = true;
	hand_in_for_both();
	stand_wait(has_accept);
	delivery = stand.accept.delivery;
	channel_free(&stand.snapd);
	stand_wait(is_store_gone);
	assert_int_equal(stand.decisions, 0);
	stand.is_snapd_silent = false;
	stand_connect_snapd();
	stand_wait(has_second_accept);
	assert_memory_equal(
	    &stand.accept.delivery, &delivery, sizeof(delivery));
	assert_decided(true);
	assert_int_equal(stand.puts, 1);
}

static void
a_store_that_does_not_come_back_is_a_no(void **state)
{
	stand.is_snapd_silent = true;
	hand_in_for_both();
	stand_wait(has_accept);
	transaction_expire(stand.queue, INT64_MAX);
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_UNAVAILABLE);
	assert_decided(false);
	/* Too late: nobody is filed, nobody is told. */
	stand_answer_accept(STATUS_OK);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(filing_count(stand.queue->filings), 0);
}

/* Whoever hears a no sends it again: as long as he waits he is not told one
 * that may be untrue. */
static void
a_slow_store_is_waited_for_as_long_as_a_client_waits(void **state)
{
	const int64_t minute_ms = 60000;
	int64_t now_ms = clock_monotonic_us() / 1000;

	stand.is_snapd_silent = true;
	hand_in_for_both();
	stand_wait(has_accept);
	transaction_expire(stand.queue, now_ms + 8 * minute_ms);
	stand_answer_accept(STATUS_OK);
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_ACCEPTED);
	hand_in_for_both();
	stand_wait(has_second_accept);
	now_ms = clock_monotonic_us() / 1000;
	transaction_expire(stand.queue, now_ms + 10 * minute_ms);
	stand_wait(has_second_verdict);
	assert_int_equal(stand.verdict, VERDICT_UNAVAILABLE);
}

/* The spool dies between the halves: the 250 is said, and when it is back it
 * asks what it is to do. */
static void
a_spool_that_dies_between_the_halves_hears_what_the_store_has(void **state)
{
	stand.is_snapd_silent = true;
	hand_in_for_both();
	stand_wait(has_accept);
	channel_free(&stand.spool);
	stand_wait(is_spool_gone);
	stand_connect_spool();
	/* The queue is at work on it. */
	stand_offer(&stand.put.delivery);
	channel_free(&stand.spool);
	stand_wait(is_spool_gone);
	assert_int_equal(stand.finds, 0);
	stand_answer_accept(STATUS_OK);
	stand_wait(has_end_verdict);
	assert_int_equal(stand.verdict, VERDICT_ACCEPTED);
	assert_int_equal(stand.decisions, 0);
	stand_connect_spool();
	stand_offer(&stand.put.delivery);
	stand_wait(has_find);
	assert_int_equal(stand.find.account, STAND_ALICE);
	assert_memory_equal(&stand.find.delivery, &stand.put.delivery,
	    sizeof(stand.put.delivery));
	stand_answer_find(STATUS_OK);
	assert_decided(true);
	assert_int_equal(stand.puts, 1);
}

static void
what_the_store_never_had_is_dropped_and_what_it_cannot_say_waits(void **state)
{
	static const struct delivery_id delivery = { { 1, 2, 3 } };

	stand_offer(&delivery);
	stand_wait(has_find);
	stand_answer_find(STATUS_UNAVAILABLE);
	stand.finds = 0;
	stand_offer(&delivery);
	stand_wait(has_find);
	assert_int_equal(stand.decisions, 0);
	stand.put.delivery = delivery;
	stand_answer_find(STATUS_MISSING);
	assert_decided(false);
}

/* -- Who hears of success -- */

/* One recipient: what the spool is told. */
static void
hand_in_with(const char *address, uint8_t notify, const char *original)
{
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(
	    stand_recipient_with(address, notify, original), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
}

static void
success_of_a_recipient_here_is_told_by_the_spool(void **state)
{
	hand_in_with("alice@demo.test", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE,
	    "rfc822;a@old.test");
	assert_string_equal(
	    stand.put_details, "alice@demo.test/1/6/rfc822;a@old.test ");
	assert_int_equal(stand.put.decider, STAND_ALICE);
	assert_true(stand.put.flags & TRANSACTION_TELLS);
	/* No more than its header. */
	assert_null(strstr(stand.put_data, "The body"));
	assert_non_null(strstr(stand.put_data, "\r\nSubject: Hello\r\n\r\n"));
	assert_null(strstr(stand.put_data, "Return-Path"));
	assert_int_equal(stand.accepts, 1);
	assert_decided(true);
}

static void
who_does_not_want_to_hear_of_success_costs_no_spool(void **state)
{
	static const uint8_t wishes[] = { 0, DSN_NOTIFY_NEVER,
		DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY };

	channel_free(&stand.spool);
	stand_wait(is_spool_gone);
	for (size_t i = 0; i < sizeof(wishes); i++)
		hand_in_with("alice@demo.test", wishes[i], "");
	assert_int_equal(stand.puts, 0);
	assert_int_equal(stand_begin(), VERDICT_OK);
	assert_int_equal(
	    stand_recipient_with("alice@demo.test", DSN_NOTIFY_SUCCESS, ""),
	    VERDICT_UNAVAILABLE);
}

/* RFC 3461 section 5.2.7. */
static void
aliases_pass_on_what_was_asked_for(void **state)
{
	account_table_add_alias(
	    stand.accounts, TEXT("away@demo.test"), TEXT("x@other.test"));
	account_table_add_alias(
	    stand.accounts, TEXT("all+1=@demo.test"), TEXT("y@other.test"));
	account_table_add_alias(
	    stand.accounts, TEXT("all+1=@demo.test"), TEXT("alice@demo.test"));
	hand_in_with("away@demo.test", DSN_NOTIFY_SUCCESS, "");
	assert_string_equal(
	    stand.put_details, "x@other.test/0/2/rfc822;away@demo.test ");
	hand_in_with("away@demo.test", DSN_NOTIFY_NEVER, "rfc822;z@old.test");
	assert_string_equal(
	    stand.put_details, "x@other.test/0/1/rfc822;z@old.test ");
	assert_false(stand.put.flags & TRANSACTION_TELLS);
	hand_in_with("all+1=@demo.test", DSN_NOTIFY_SUCCESS, "");
	assert_string_equal(stand.put_details,
	    "y@other.test/0/1/rfc822;all+2B1+3D@demo.test "
	    "all+1=@demo.test/2/2/ ");
	hand_in_with(
	    "all+1=@demo.test", DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE, "");
	assert_string_equal(stand.put_details,
	    "y@other.test/0/4/rfc822;all+2B1+3D@demo.test "
	    "all+1=@demo.test/2/6/ ");
	assert_non_null(strstr(stand.put_data, "The body"));
}

/* -- What goes along -- */

static void
what_was_asked_for_goes_along(void **state)
{
	assert_int_equal(
	    stand_begin_with(TRANSACTION_ESMTP | TRANSACTION_REQUIRETLS, -3),
	    VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(
	    stand_end("TLS-Required: No\r\n" BODY), VERDICT_ACCEPTED);
	/* One who wants both wants it secure. */
	assert_int_equal(
	    stand.put.flags, TRANSACTION_ESMTP | TRANSACTION_REQUIRETLS);
	assert_int_equal((int8_t)stand.put.priority, -3);
	/* What no client can ask for. */
	assert_int_equal(stand_begin_with(TRANSACTION_TELLS, 10), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(
	    stand_end("TLS-Required: No\r\n" BODY), VERDICT_ACCEPTED);
	assert_int_equal(stand.put.flags, TRANSACTION_TLS_OPTIONAL);
	assert_int_equal(stand.put.priority, 0);
}

static void
a_binary_message_goes_as_it_came_and_is_filed_in_lines(void **state)
{
	static const char in[] = "From: b\r\nMIME-Version: 1.0\r\n"
				 "Content-Type: image/png\r\n"
				 "Content-Transfer-Encoding: binary\r\n\r\n"
				 "\0\r\r\n\n\xff.\n";
	static const char secret[] =
	    "From: b\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/signed; boundary=x\r\n\r\n"
	    "--x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n--x--\r\n";
	const size_t size = sizeof(in) - 1;

	assert_int_equal(stand_begin_with(TRANSACTION_ESMTP, 0), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end_bytes(in, size), VERDICT_BARE_LF);
	assert_int_equal(
	    stand_begin_with(TRANSACTION_ESMTP | TRANSACTION_BINARYMIME, 0),
	    VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(stand_end_bytes(in, size), VERDICT_ACCEPTED);
	assert_int_equal(stand.accept.form, FORM_LF);
	assert_true(stand.put.flags & TRANSACTION_BINARYMIME);
	assert_non_null(strstr(stand.accept_data,
	    "\nContent-Transfer-Encoding: base64\n\nAA0NCgr/Lgo=\n"));
	assert_null(strchr(stand.accept_data, '\r'));
	assert_memory_equal(stand.put_data + stand.put.size - size, in, size);
	assert_int_equal(strncmp(stand.accept_data,
			     "Return-Path: <bob@demo.test>\nReceived: ", 39),
	    0);
	assert_int_equal(strncmp(stand.put_data, "Received: ", 10), 0);
	assert_non_null(strstr(stand.put_data, "\r\nMessage-ID: <"));
	assert_int_equal(
	    stand_begin_with(TRANSACTION_ESMTP | TRANSACTION_BINARYMIME, 0),
	    VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(
	    stand_end_bytes(secret, sizeof(secret) - 1), VERDICT_BINARY);
}

/* -- What is refused before the data -- */

static void
a_store_that_is_away_is_told_at_the_recipient(void **state)
{
	assert_int_equal(stand_begin(), VERDICT_OK);
	channel_free(&stand.snapd);
	stand_wait(is_store_gone);
	assert_int_equal(
	    stand_recipient("alice@demo.test"), VERDICT_UNAVAILABLE);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_UNAVAILABLE);
}

static void
who_was_full_is_not_sent_as_much_again(void **state)
{
	account_table_add_alias(
	    stand.accounts, TEXT("two@demo.test"), TEXT("alice@demo.test"));
	account_table_add_alias(
	    stand.accounts, TEXT("two@demo.test"), TEXT("bob@demo.test"));
	stand.accept_status = stand.put_status = STATUS_FULL;
	assert_int_equal(stand_begin_sized(5000), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_NO_SPACE);
	assert_int_equal(stand_begin_sized(5000), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_NO_SPACE);
	/* For all of an alias there is room if there is for one. */
	assert_int_equal(stand_recipient("two@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_OK);
	assert_int_equal(stand_end(BODY), VERDICT_NO_SPACE);
	assert_int_equal(stand.accepts, 1);
	assert_int_equal(stand_begin_sized(5000), VERDICT_OK);
	assert_int_equal(stand_recipient("x@other.test"), VERDICT_NO_SPACE);
	/* Less may find room; of what has no size nobody knows. */
	assert_int_equal(stand_begin_sized(10), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
	stand.accept_status = STATUS_OK;
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_int_equal(stand_begin_sized(5000), VERDICT_OK);
	assert_int_equal(stand_recipient("alice@demo.test"), VERDICT_OK);
}

static void
fullness_is_forgotten_after_a_while(void **state)
{
	struct full_list *list = full_list_new();

	full_list_note(list, 7, 100, 1000);
	full_list_note(list, 7, 200, 1000);
	assert_true(full_list_has(list, 7, 100, 1000 + FULL_LIST_MS - 1));
	assert_false(full_list_has(list, 7, 99, 1001));
	assert_false(full_list_has(list, 8, 100, 1001));
	assert_false(full_list_has(list, 7, 100, 1000 + FULL_LIST_MS));
	full_list_note(list, 7, 300, 2000);
	assert_false(full_list_has(list, 7, 299, 2000));
	full_list_free(&list);
}

/* Behind an alias, too. */
static void
who_has_sent_enough_is_told_so_at_the_alias(void **state)
{
	account_table_add_alias(
	    stand.accounts, TEXT("away@demo.test"), TEXT("x@other.test"));
	account_table_add(stand.accounts, &(struct account){ .number = 3,
					      .address = "carl@demo.test",
					      .hash = "",
					      .send_per_day = 1 });
	stand_log_in(3);
	assert_int_equal(stand_begin_as("carl@demo.test"), VERDICT_OK);
	assert_int_equal(stand_recipient("y@other.test"), VERDICT_OK);
	assert_int_equal(
	    stand_recipient("away@demo.test"), VERDICT_SENT_ENOUGH);
	assert_int_equal(stand_end(BODY), VERDICT_ACCEPTED);
	assert_string_equal(stand.put_addresses, "y@other.test ");
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_stays_of_an_alias_that_was_refused),
		TEST(nor_of_one_whose_accounts_were_too_many),
		TEST(the_store_is_asked_when_the_spool_has_its_part),
		TEST(
		    mail_for_one_kind_of_recipient_is_decided_by_whoever_has_it),
		TEST(what_the_spool_cannot_keep_the_store_never_sees),
		TEST(what_the_store_refuses_the_spool_drops),
		TEST(a_store_that_dies_is_asked_again_and_then_it_is_decided),
		TEST(a_store_that_does_not_come_back_is_a_no),
		TEST(a_slow_store_is_waited_for_as_long_as_a_client_waits),
		TEST(
		    a_spool_that_dies_between_the_halves_hears_what_the_store_has),
		TEST(
		    what_the_store_never_had_is_dropped_and_what_it_cannot_say_waits),
		TEST(success_of_a_recipient_here_is_told_by_the_spool),
		TEST(who_does_not_want_to_hear_of_success_costs_no_spool),
		TEST(aliases_pass_on_what_was_asked_for),
		TEST(what_was_asked_for_goes_along),
		TEST(a_store_that_is_away_is_told_at_the_recipient),
		TEST(who_was_full_is_not_sent_as_much_again),
		TEST(fullness_is_forgotten_after_a_while),
		TEST(who_has_sent_enough_is_told_so_at_the_alias),
		TEST(a_binary_message_goes_as_it_came_and_is_filed_in_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
