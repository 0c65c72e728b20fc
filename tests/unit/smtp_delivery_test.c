/*
 * What becomes of mail between a front and the queue: the store that is full or
 * away, the spool, aliases, reports, and workers that cannot file it.
 */
#include "smtpd/filing.h"
#include "tests/unit/smtp_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool
store_is_down(void)
{
	return stand.front->store != STATUS_OK;
}

static void
a_store_that_is_full_or_away_never_gets_a_250(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand.accept_status = STATUS_FULL;
	stand_say(ENVELOPE, "354 ");
	stand_say("a\r\n.\r\n", "452 4.3.1");
	stand.accept_status = STATUS_UNAVAILABLE;
	stand_say(ENVELOPE, "354 ");
	stand_say("a\r\n.\r\n", "451 4.3.0");
	channel_free(&stand.snapd);
	stand_wait(store_is_down);
	stand_say("MAIL FROM:<a@b>\r\n", "451 4.3.0");
	assert_int_equal(stand.files, 0);
	stand_call(SERVICE_SMTP);
	stand_say("", "421 4.3.0");
}

static void
mail_for_others_is_taken_of_users_only_and_if_it_is_wanted(void **state)
{
	stand_connect_spool();
	stand_log_in();
	stand_say("RCPT TO:<x@other.test>\r\n", "550 5.7.1 Relaying");
	stand.settings->is_relaying = true;
	stand_say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	false_connection_hang_up(false_connection());
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say("MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0");
	stand_say("RCPT TO:<x@other.test>\r\n", "550 5.7.1 Relaying");
	stand_say("RCPT TO:<x%other.test@demo.test>\r\n", "550 5.1.1");
	channel_free(&stand.spool);
	false_connection_hang_up(false_connection());
}

static bool
put_is_there(void)
{
	return stand.put_count == 1;
}

static bool
spool_is_closed(void)
{
	return !stand.queue->is_spool_open;
}

/* Here and elsewhere: one 250, when both have it. */
static void
mail_for_both_is_acknowledged_when_both_have_it(void **state)
{
	stand.settings->is_relaying = true;
	stand_log_in();
	stand_say("RCPT TO:<x@other.test>\r\n", "451 4.3.0");
	stand_connect_spool();
	stand.is_spool_silent = true;
	stand_say("RCPT TO:<x@other.test> NOTIFY=NEVER\r\n", "250 2.1.5");
	stand_say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	stand_say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	stand_say("DATA\r\n", "354 ");
	stand_say("Bcc: y\r\nA: b\r\n\r\n..x\r\n.\r\n", "");
	stand_wait(put_is_there);
	assert_null(strstr(stand.conversation, "250"));
	assert_int_equal(stand.accepts, 0);
	/* The spool dies, and its successor is asked again. */
	channel_free(&stand.spool);
	stand_wait(spool_is_closed);
	stand.is_spool_silent = false;
	stand_connect_spool();
	stand_say("", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(stand.accepts, 1);
	assert_int_equal(stand.put_count, 2);
	assert_memory_equal(&stand.put_delivery, &stand.last_delivery, 16);
	assert_int_equal(stand.put_account, 2);
	assert_string_equal(stand.put_recipients, "|||||||||x@other.test|");
	assert_non_null(strstr(stand.stored, "Return-Path: <bob@demo.test>\n"));
	assert_null(strstr(stand.put_body, "Return-Path"));
	assert_null(strstr(stand.put_body, "Bcc"));
	assert_ptr_equal(
	    strstr(stand.put_body, "Received: from c "), stand.put_body);
	assert_non_null(strstr(stand.put_body, "\r\nA: b\r\n\r\n.x\r\n"));
	assert_null(strstr(stand.put_body, "\n\n"));
	false_connection_hang_up(false_connection());
}

/* From whomever: the administrator's alias says so, not the sender. */
static void
mail_is_passed_on_where_an_alias_leads(void **state)
{
	stand_connect_spool();
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say("MAIL FROM:<y@third.test>\r\n", "250 2.1.0");
	stand_say("RCPT TO:<away@demo.test>\r\n", "250 2.1.5");
	stand_say("DATA\r\n", "354 ");
	stand_say("A: b\r\n\r\nx\r\n.\r\n", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(stand.put_count, 1);
	assert_int_equal(stand.put_account, 0);
	assert_int_equal(stand.accepts, 0);
	assert_string_equal(stand.put_recipients,
	    "|||||rfc822;away@demo.test||||x@other.test|");
}

static void
a_spool_that_is_full_gives_no_250(void **state)
{
	stand.settings->is_relaying = true;
	stand.put_status = STATUS_FULL;
	stand_connect_spool();
	stand_log_in();
	stand_say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	stand_say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	stand_say("DATA\r\n", "354 ");
	stand_say("A: b\r\n\r\nx\r\n.\r\n", "452 4.3.1");
	assert_int_equal(stand.accepts, 0);
	false_connection_hang_up(false_connection());
}

static bool
one_is_sent(void)
{
	return !queue_may_send(stand.queue, 2, 2);
}

static void
who_has_sent_enough_is_told_so(void **state)
{
	static const uint8_t two[] = { 2, 0, 0, 0, 1, 0, 0, 0 };
	struct message sent = { .type = MESSAGE_spool_sent };

	stand.settings->is_relaying = true;
	stand_connect_spool();
	stand_log_in();
	stand_say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	stand_say("RCPT TO:<y@other.test>\r\n", "250 2.1.5");
	stand_say("RCPT TO:<z@other.test>\r\n", "452 4.7.1 You have sent");
	stand_say("RSET\r\nMAIL FROM:<bob@demo.test>\r\n", "250 2.1.0");
	/* One of the two is gone. */
	sent.spool_sent.is_first = 1;
	sent.spool_sent.accounts = text_make(two, sizeof(two));
	stand.put_status = STATUS_LIMIT;
	channel_send(stand.spool, &sent, NULL, 0);
	stand_wait(one_is_sent);
	stand_say("RCPT TO:<x@other.test>\r\n", "250 2.1.5");
	stand_say("RCPT TO:<y@other.test>\r\n", "452 4.7.1 You have sent");
	stand_say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	/* The spool has the last word. */
	stand_say("DATA\r\n", "354 ");
	stand_say("A: b\r\n\r\nx\r\n.\r\n", "452 4.7.1 You have sent");
	false_connection_hang_up(false_connection());
}

static void
report_to(const char *recipient)
{
	struct message report = { .type = MESSAGE_spool_report };

	report.spool_report.tag = 7;
	report.spool_report.delivery.bytes[0] = 9;
	report.spool_report.recipient = text_of(recipient);
	report.spool_report.data = TEXT("Subject: late\r\n\r\nx\r\n");
	report.spool_report.size = report.spool_report.data.size;
	channel_send(stand.spool, &report, NULL, 0);
}

static bool
report_is_answered(void)
{
	return stand.routed == 1;
}

static void
reports_of_the_spool_are_routed_like_mail(void **state)
{
	stand_connect_spool();
	report_to("bob@demo.test");
	stand_wait(report_is_answered);
	assert_int_equal(stand.routed_status, STATUS_OK);
	assert_int_equal(stand.accepts, 1);
	assert_int_equal(stand.last_delivery.bytes[0], 9);
	assert_string_equal(
	    stand.stored, "Return-Path: <>\nSubject: late\n\nx\n");
	stand.routed = 0;
	report_to("x@other.test");
	stand_wait(report_is_answered);
	assert_int_equal(stand.routed_status, STATUS_OK);
	assert_int_equal(stand.put_count, 1);
	assert_int_equal(stand.put_delivery.bytes[0], 9);
	assert_string_equal(stand.put_body, "Subject: late\r\n\r\nx\r\n");
	stand.routed = 0;
	report_to("nobody@demo.test");
	stand_wait(report_is_answered);
	assert_int_equal(stand.routed_status, STATUS_MISSING);
	stand.routed = 0;
	stand.accept_status = STATUS_FULL;
	report_to("bob@demo.test");
	stand_wait(report_is_answered);
	assert_int_equal(stand.routed_status, STATUS_FULL);
}

static void
mail_that_has_gone_round_is_refused(void **state)
{
	char mail[51 * 14 + 10] = "";
	unsigned int hops, i;

	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	for (hops = 50; hops <= 51; hops++) {
		mail[0] = '\0';
		for (i = 0; i < hops; i++)
			strcat(mail, "Received: x\r\n");
		strcat(mail, "\r\n.\r\n");
		stand_say(ENVELOPE, "354 ");
		stand_say(mail, hops == 50 ? "250 2.0.0" : "554 5.4.6");
	}
	assert_int_equal(stand.accepts, 1);
}

static bool
all_are_filed(void)
{
	return filing_count(stand.queue->filings) == 0;
}

static bool
two_were_tried(void)
{
	return stand.files == 2;
}

static bool
window_is_full(void)
{
	return stand.unanswered == 32;
}

static void
deliver(uint32_t account, unsigned int count)
{
	struct delivery_id delivery = { { 0 } };

	for (unsigned int i = 0; i < count; i++) {
		delivery.bytes[0] = (uint8_t)(i + 1);
		delivery.bytes[1] = (uint8_t)(i >> 8);
		filing_add(stand.queue->filings, account, &delivery);
	}
}

static void
what_a_worker_cannot_file_waits_and_is_tried_again(void **state)
{
	stand.file_status = STATUS_UNAVAILABLE;
	deliver(1, 2);
	stand_wait(two_were_tried);
	assert_int_equal(filing_count(stand.queue->filings), 1);
	stand.file_status = STATUS_OK;
	filing_retry(stand.queue->filings);
	stand_wait(all_are_filed);
	assert_int_equal(stand.wanted, 1);
}

/* A worker that dies with 32 of 100 unanswered: its successor gets all. */
static void
a_new_worker_gets_what_the_dead_one_had(void **state)
{
	stand.is_keeping = true;
	deliver(2, 100);
	stand_wait(window_is_full);
	assert_int_equal(stand.files, 32);
	stand.is_keeping = false;
	channel_free(&stand.workers[2]);
	stand_wait(all_are_filed); /* by the queue's own timer */
	assert_int_equal(stand.wanted, 2);
	assert_int_equal(stand.files, 32 + 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STAND(a_store_that_is_full_or_away_never_gets_a_250),
		IN_STAND(
		    mail_for_others_is_taken_of_users_only_and_if_it_is_wanted),
		IN_STAND(mail_for_both_is_acknowledged_when_both_have_it),
		IN_STAND(mail_is_passed_on_where_an_alias_leads),
		IN_STAND(a_spool_that_is_full_gives_no_250),
		IN_STAND(who_has_sent_enough_is_told_so),
		IN_STAND(reports_of_the_spool_are_routed_like_mail),
		IN_STAND(mail_that_has_gone_round_is_refused),
		IN_STAND(what_a_worker_cannot_file_waits_and_is_tried_again),
		IN_STAND(a_new_worker_gets_what_the_dead_one_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
