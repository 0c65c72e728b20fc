/*
 * Conversations with a front: what it says at each stage, and takes of whom.
 */
#include "common/clock.h"
#include "tests/unit/smtp_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool
both_are_filed(void)
{
	return stand.files == 2;
}

static void
mail_is_acknowledged_when_durable_and_then_filed(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 mx.demo.test");
	stand_say("EHLO c.example\r\n", "250 ENHANCEDSTATUSCODES\r\n");
	assert_null(strstr(stand.conversation, "AUTH"));
	stand.is_silent = true;
	stand_say(ENVELOPE, "354 ");
	stand_say("Subject: x\r\n\r\n..dot\r\n.\r\nNOOP\r\n", "");
	stand_say("QUIT\r\n", "");
	while (stand.accepts == 0)
		stand_say("", "");
	assert_null(strstr(stand.conversation, "250"));
	/* snapd dies before it answers, and its successor knows nothing. */
	stand.is_silent = false;
	channel_free(&stand.snapd);
	struct delivery_id delivery = stand.last_delivery;
	stand_connect_snapd();
	stand_say("", "221 2.0.0");
	assert_memory_equal(&delivery, &stand.last_delivery, sizeof(delivery));
	assert_non_null(
	    strstr(stand.conversation, "250 2.0.0 Ok, safe on disk as"));
	assert_non_null(strstr(stand.stored, "Return-Path: <x@example.net>\n"));
	assert_non_null(strstr(stand.stored, "\nSubject: x\n\n.dot\n"));
	assert_int_equal(stand.recipients_size, 2 * 8 + 15 + 14);
	stand_wait(both_are_filed);
	assert_int_equal(stand.wanted, 2);
}

static void
each_refusal_has_its_reply(void **state)
{
	static const char *const rows[][2] = { { "MAIL FROM:<a@b>\r\n",
						   "503 5.5.1 Say EHLO" },
		{ "EHLO c\r\n", "250 ENHANCED" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "502 5.5.1" },
		{ "DATA\r\n", "503 5.5.1 Say MAIL" },
		{ "MAIL FROM:<a@b> SIZE=100001\r\n", "552 5.3.4" },
		{ "MAIL FROM:<a@b>\r\n", "250 2.1.0" },
		{ "DATA\r\n", "554 5.5.1 No valid" },
		{ "RCPT TO:<a@elsewhere.example>\r\n", "550 5.7.1" },
		{ "RCPT TO:<nobody@demo.test>\r\n", "550 5.1.1" },
		{ "RCPT TO:<BOB+tag@DEMO.test>\r\n", "250 2.1.5" },
		{ "RCPT TO:<postmaster>\r\n", "250 2.1.5" },
		{ "RCPT TO:<sales@demo.test>\r\n", "250 2.1.5" },
		{ "RCPT TO:<bob@demo.test>\r\n", "452 4.5.3" },
		{ "NOOP\n", "500 5.5.2 Lines must" },
		{ "RSET\r\n", "250 2.0.0" },
		{ "STARTTLS\r\nEHLO injected\r\n", "554 5.7.0" } };
	size_t i;

	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		stand_say(rows[i][0], rows[i][1]);
	assert_true(false_connection_is_finished(false_connection()));
	assert_int_equal(stand.accepts, 0);
}

static void
defects_are_refused_after_the_end_of_data(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say(ENVELOPE, "354 ");
	stand_say("a\n.\nb\r\n.\r\n", "550 5.6.0 Bare LF");
	stand_say(ENVELOPE, "354 ");
	stand_say("a\rb\r\n.\r\n", "550 5.6.0 Bare CR");
	stand_say(ENVELOPE, "354 ");
	false_connection_say(false_connection(), "a\0b\r\n.\r\n", 8);
	stand_say("", "550 5.6.0 NUL");
	assert_int_equal(stand.accepts, 0);
}

/* RFC 2920 section 3.1: nothing comes along with EHLO or DATA, and what did is
 * no mail. Others may stand together. */
static void
who_speaks_too_early_is_sent_away(void **state)
{
	static const char *const rows[] = { "EHLO c\r\nMAIL FROM:<a@b>\r\n",
		"HELO c\r\nQUIT\r\n", ENVELOPE "Subject: x\r\n\r\n.\r\n" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		stand_call(SERVICE_SMTP);
		stand_say("", "220 ");
		if (i == 2)
			stand_say("EHLO c\r\n", "250 ENHANCED");
		stand_say(rows[i], "554 5.5.0 You spoke");
		assert_true(false_connection_is_finished(false_connection()));
		false_connection_hang_up(false_connection());
	}
	assert_int_equal(stand.accepts, 0);
}

static void
who_speaks_into_the_pause_is_sent_away(void **state)
{
	struct listen_setting listen = { .service = SERVICE_SMTP,
		.pause_s = 1 };

	stand_call_from("192.0.2.1", &listen);
	assert_string_equal(false_connection_heard(), "");
	stand_say("EHLO c\r\n", "554 5.5.0 You spoke");
	assert_null(strstr(stand.conversation, "220"));
	false_connection_hang_up(false_connection());
	stand_call_from("192.0.2.1", &listen);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	/* Nobody on this machine waits. */
	stand_call_from("127.0.0.1", &listen);
	assert_non_null(strstr(false_connection_heard(), "220 "));
}

#define RECIPIENT                       \
	"MAIL FROM:<x@example.net>\r\n" \
	"RCPT TO:<alice@demo.test>\r\n"

/* RFC 3030: chunks of any bytes, answered one by one; what ends a message of
 * DATA is text in one of BDAT. */
static void
a_message_comes_in_chunks(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(stand.conversation, "250-CHUNKING\r\n"));
	stand_say(
	    RECIPIENT "BDAT 12\r\nSubject: x\r\n", "12 bytes of this chunk");
	stand_say("BDAT 10\r\n\r\n.\r\nQUIT\r", "10 bytes of this chunk");
	assert_int_equal(stand.accepts, 0);
	stand_say("DATA\r\n", "503 5.5.1 Not in");
	stand_say("RCPT TO:<bob@demo.test>\r\n", "503 5.5.1 Not in");
	stand_say("BDAT 1 LAST\r\n\nNOOP\r\n", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(stand.accepts, 1);
	assert_non_null(strstr(stand.stored, "\nSubject: x\n\n.\nQUIT\n"));
	/* All at once, and an empty last one. */
	stand_say(RECIPIENT "BDAT 5\r\nab\r\ncBDAT 0 LAST\r\n",
	    "250 2.0.0 Ok, safe on disk");
	assert_int_equal(stand.accepts, 2);
	assert_non_null(strstr(stand.stored, "ab\nc"));
}

static void
a_chunk_that_is_refused_is_read_to_its_end(void **state)
{
	static char big[60000];

	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1 Say MAIL");
	stand_say(
	    "MAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\n", "554 5.5.1 No valid");
	stand_say(
	    "RSET\r\n" RECIPIENT "BDAT 4 LAST\r\na\rb\n", "550 5.6.0 Bare LF");
	/* Two are more than max_message_bytes; what comes after is none's. */
	stand_say(RECIPIENT, "250 2.1.5");
	memset(big, 'x', sizeof(big));
	stand_say("BDAT 60000\r\n", "");
	false_connection_say(false_connection(), big, sizeof(big));
	stand_say("BDAT 60000\r\n", "60000 bytes of this chunk");
	false_connection_say(false_connection(), big, sizeof(big));
	stand_say("", "552 5.3.4");
	stand_say("BDAT 6 LAST\r\nQUIT\r\n", "503 5.5.1 Say MAIL");
	/* Nothing of what was cut off by that is taken for the whole. */
	stand_say(RECIPIENT "BDAT 100001 LAST\r\n", "250 2.1.5");
	false_connection_say(false_connection(), big, 50000);
	false_connection_say(false_connection(), big, 50001);
	stand_say("", "552 5.3.4");
	stand_say("NOOP\r\n", "250 2.0.0");
	assert_int_equal(stand.accepts, 0);
}

static void
submission_needs_tls_login_and_an_own_sender(void **state)
{
	static const char *const rows[][2] = { { "EHLO c\r\n", "250-STARTTLS" },
		{ "AUTH PLAIN AGJvYgBwdw==\r\n", "530 5.7.0" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "530 5.7.0" },
		{ "STARTTLS\r\n", "220 2.0.0" },
		{ "EHLO c\r\n", "250-AUTH PLAIN LOGIN" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "530 5.7.0 Auth" },
		{ "AUTH PLAIN AGJvYgB4eA==\r\n", "535 5.7.8" },
		{ "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" },
		{ "Ym9i\r\n", "334 UGFzc3dvcmQ6" }, { "cHc=\r\n", "235 2.7.0" },
		{ "MAIL FROM:<alice@demo.test>\r\n", "553 5.7.1" },
		{ "MAIL FROM:<bob@demo.test>\r\n", "250 2.1.0" },
		{ "RCPT TO:<alice@demo.test>\r\n", "250 2.1.5" },
		{ "DATA\r\n", "354 " },
		{ "A: b\n\r\nx\r\n.\r\n", "250 2.0.0" } };
	size_t i;

	stand_call(SERVICE_SUBMIT);
	stand_say("", "220 ");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		stand_say(rows[i][0], rows[i][1]);
	assert_non_null(strstr(stand.stored, "with ESMTPSA"));
	assert_non_null(strstr(stand.stored, "\nDate: "));
	assert_non_null(strstr(stand.stored, "\nMessage-ID: <"));
	assert_non_null(strstr(stand.stored, "\tfor <alice@demo.test>"));
	false_connection_hang_up(false_connection());
}

/* Each service offers what it can do, and takes no other parameter. */
static void
each_service_takes_what_it_offers(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	assert_null(strstr(stand.conversation, "BINARYMIME"));
	assert_null(strstr(stand.conversation, "REQUIRETLS"));
	assert_null(strstr(stand.conversation, "MT-PRIORITY"));
	stand_say("MAIL FROM:<a@b> BODY=BINARYMIME\r\n", "555 5.5.4");
	stand_say("MAIL FROM:<a@b> REQUIRETLS\r\n", "555 5.5.4");
	stand_say("MAIL FROM:<a@b> MT-PRIORITY=1\r\n", "555 5.5.4");
	stand_say("STARTTLS\r\n", "220 2.0.0");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(stand.conversation, "250-REQUIRETLS\r\n"));
	stand_say("MAIL FROM:<a@b> REQUIRETLS\r\n", "250 2.1.0");
	stand_say("RCPT TO:<\303\244@demo.test>\r\n", "553 5.6.7");
	stand_say("RSET\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", "250 2.1.0");
	stand_say("RCPT TO:<\303\244@demo.test>\r\n", "550 5.1.1");
	false_connection_hang_up(false_connection());
	stand_call(SERVICE_SUBMIT);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	assert_non_null(strstr(stand.conversation, "250-MT-PRIORITY\r\n"));
	false_connection_hang_up(false_connection());
}

/* RFC 3030 section 3: not by DATA, whose end is made of such bytes. */
static void
binary_mail_comes_in_chunks(void **state)
{
	static const char body[] = "BDAT 7 LAST\r\n\0\n.\r\n\r\r";

	stand_log_in();
	stand_say("RSET\r\n", "250 2.0.0");
	stand_say("MAIL FROM:<bob@demo.test> BODY=BINARYMIME\r\n", "250 2.1.0");
	stand_say("RCPT TO:<alice@demo.test>\r\n", "250 2.1.5");
	stand_say("DATA\r\n", "503 5.5.1");
	stand_say("BDAT 35\r\nContent-Transfer-Encoding: binary\r\n",
	    "250 2.0.0 Ok, 35 bytes");
	stand_say("BDAT 2\r\n\r\n", "250 2.0.0 Ok, 2 bytes");
	false_connection_say(false_connection(), body, sizeof(body) - 1);
	stand_say("", "250 2.0.0 Ok, safe on disk");
	assert_int_equal(stand.accepts, 1);
	assert_non_null(
	    strstr(stand.stored, "\nContent-Transfer-Encoding: base64\n"));
	false_connection_hang_up(false_connection());
}

static unsigned int
count_replies(const char *code)
{
	unsigned int count = 0;

	for (const char *at = stand.conversation;
	     (at = strstr(at, code)) != NULL; at++)
		count++;
	return count;
}

static bool
are_hundred_answered(void)
{
	strcat(stand.conversation, false_connection_heard());
	return count_replies("\r\n") == 100 ||
	       false_connection_is_finished(false_connection());
}

/* RFC 5321 section 4.5.3.1.10: who lists too many is told so, and sends the
 * rest in the next transaction; who does not listen is sent away. */
static void
ten_thousand_recipients_are_answered_one_by_one(void **state)
{
	static const char line[] = "RCPT TO:<alice@demo.test>\r\n";
	unsigned int taken = 0, refused = 0;

	stand.settings->max_recipients = 3000;
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say("MAIL FROM:<a@b>\r\n", "250 2.1.0");
	while (taken + refused < 10000 &&
	       !false_connection_is_finished(false_connection())) {
		stand.conversation[0] = '\0';
		for (int i = 0; i < 100; i++)
			false_connection_say(
			    false_connection(), line, sizeof(line) - 1);
		stand_wait(are_hundred_answered);
		taken += count_replies("250 2.1.5");
		refused += count_replies("452 4.5.3");
	}
	assert_int_equal(taken, 3000);
	assert_true(refused > 900 && refused < SMTP_MAX_COMMANDS);
	assert_int_equal(count_replies("421 4.7.0"), 1);
}

static void
too_many_errors_end_the_connection(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n",
	    "421 4.7.0 Too many errors");
	assert_true(false_connection_is_finished(false_connection()));
}

static void
at_a_stop_answers_come_before_the_421(void **state)
{
	stand_call(SERVICE_SMTP);
	stand_say("", "220 ");
	stand_say("EHLO c\r\n", "250 ENHANCED");
	stand_say(ENVELOPE, "354 ");
	smtp_front_stop(stand.front);
	assert_false(false_connection_is_finished(false_connection()));
	stand_say("x\r\n.\r\nNOOP\r\n", "421 4.3.2");
	assert_non_null(strstr(stand.conversation, "250 2.0.0 Ok, safe"));
	assert_int_equal(stand.accepts, 1);
	assert_true(false_connection_is_finished(false_connection()));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STAND(mail_is_acknowledged_when_durable_and_then_filed),
		IN_STAND(each_refusal_has_its_reply),
		IN_STAND(defects_are_refused_after_the_end_of_data),
		IN_STAND(who_speaks_too_early_is_sent_away),
		IN_STAND(who_speaks_into_the_pause_is_sent_away),
		IN_STAND(a_message_comes_in_chunks),
		IN_STAND(a_chunk_that_is_refused_is_read_to_its_end),
		IN_STAND(submission_needs_tls_login_and_an_own_sender),
		IN_STAND(each_service_takes_what_it_offers),
		IN_STAND(binary_mail_comes_in_chunks),
		IN_STAND(ten_thousand_recipients_are_answered_one_by_one),
		IN_STAND(at_a_stop_answers_come_before_the_421),
		IN_STAND(too_many_errors_end_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
