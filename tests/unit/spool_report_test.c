/*
 * The form of reports: what is said of each recipient, what of the message
 * comes back, and that nothing a host or a sender said gets out of its place.
 */
#include "smtpd/spool_report.h"

#include "common/smtp_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE "Subject: Hello\r\nX: y\r\n\r\nThe body\r\n"

static struct report_recipient recipient;
static struct report report;
static struct buf made;
static char text[65536];

static int
set_up(void **state)
{
	recipient = (struct report_recipient){ .address = TEXT("x@other.test"),
		.words = { 550, TEXT("5.1.1"), TEXT("No such user"),
		    TEXT("mx.other.test") },
		.time = 1000000100 };
	report = (struct report){ .kind = REPORT_FAILURE,
		.host = "mx.demo.test",
		.id = "0123456789abcdef0123456789abcdef",
		.now = 1000000200,
		.arrival = 1000000000,
		.retry_until = 1000432000,
		.sender = TEXT("bob@demo.test"),
		.queue_id = TEXT("f00d"),
		.recipients = &recipient,
		.count = 1,
		.original = TEXT(MESSAGE),
		.size = sizeof(MESSAGE) - 1 };
	buf_init(&made, 1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	buf_clear(&made);
	return 0;
}

/* The report as text; every line ends in CR LF and is short enough to be
 * sent. */
static const char *
format(void)
{
	size_t length = 0;

	buf_reset(&made);
	assert_int_equal(spool_report_format(&report, &made), 0);
	assert_true(made.size < sizeof(text));
	for (size_t i = 0; i < made.size; i++) {
		assert_true(made.data[i] != '\0');
		length = made.data[i] == '\n' ? 0 : length + 1;
		assert_true(length <= 999);
		assert_int_equal(
		    made.data[i] == '\n', i > 0 && made.data[i - 1] == '\r');
	}
	memcpy(text, made.data, made.size);
	text[made.size] = '\0';
	return text;
}

static size_t
count(const char *needle)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, needle)) != NULL; at++)
		n++;
	return n;
}

#define HAS(line) assert_non_null(strstr(text, "\r\n" line "\r\n"))

static void
a_failure_has_all_its_fields(void **state)
{
	report.envelope_id = TEXT("a+3Db");
	recipient.original = TEXT("rfc822;o+40p@q.test");
	format();
	HAS("To: <bob@demo.test>");
	HAS("Auto-Submitted: auto-replied");
	HAS("Original-Envelope-Id: a=b");
	HAS("Reporting-MTA: dns;mx.demo.test");
	HAS("Original-Recipient: rfc822;o@p@q.test");
	HAS("Final-Recipient: rfc822;x@other.test");
	HAS("Action: failed");
	HAS("Status: 5.1.1");
	HAS("Remote-MTA: dns;mx.other.test");
	HAS("Diagnostic-Code: smtp;550 5.1.1 No such user");
	HAS("Arrival-Date: Sun, 09 Sep 2001 01:46:40 +0000");
	HAS("Last-Attempt-Date: Sun, 09 Sep 2001 01:48:20 +0000");
	assert_int_equal(count("Will-Retry-Until"), 0);
	assert_int_equal(count("\r\n--=_"), 4);
}

static void
what_comes_back_is_what_was_asked_for(void **state)
{
	static const struct {
		enum report_kind kind;
		unsigned int flags;
		uint64_t size;
		const char *type;
		size_t bodies;
	} rows[] = {
		{ REPORT_FAILURE, 0, 0, "message/rfc822", 1 },
		{ REPORT_FAILURE, TRANSACTION_RETURN_FULL, 0, "message/rfc822",
		    1 },
		{ REPORT_FAILURE, TRANSACTION_RETURN_HEADERS, 0,
		    "text/rfc822-headers", 0 },
		{ REPORT_FAILURE, TRANSACTION_RETURN_FULL, 60000,
		    "text/rfc822-headers", 0 },
		{ REPORT_FAILURE, TRANSACTION_BINARYMIME, 0,
		    "text/rfc822-headers", 0 },
		{ REPORT_DELAY, TRANSACTION_RETURN_FULL, 0,
		    "text/rfc822-headers", 0 },
		{ REPORT_SUCCESS, TRANSACTION_RETURN_FULL, 0,
		    "text/rfc822-headers", 0 },
	};
	uint64_t size = report.size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		report.kind = rows[i].kind;
		report.flags = rows[i].flags;
		report.size = rows[i].size > 0 ? rows[i].size : size;
		format();
		assert_non_null(strstr(text, rows[i].type));
		assert_int_equal(count("The body"), rows[i].bodies);
		HAS("Subject: Hello");
	}
}

/* The class of a status is that of what became of it. */
static void
the_status_fits_the_action(void **state)
{
	recipient.words.code = 450;
	recipient.words.enhanced = TEXT("4.2.0");
	report.kind = REPORT_DELAY;
	format();
	HAS("Action: delayed");
	HAS("Status: 4.2.0");
	HAS("Will-Retry-Until: Fri, 14 Sep 2001 01:46:40 +0000");
	recipient.words.enhanced = TEXT("");
	format();
	HAS("Status: 4.0.0");
	report.kind = REPORT_SUCCESS;
	recipient.words.enhanced = TEXT("5.5.5");
	format();
	HAS("Action: relayed");
	HAS("Status: 2.0.0");
	recipient.words = (struct spool_words){ .enhanced = TEXT("5.4.7"),
		.text = TEXT("too old") };
	report.kind = REPORT_FAILURE;
	format();
	HAS("Status: 5.4.7");
	assert_int_equal(count("Diagnostic-Code"), 0);
	assert_int_equal(count("Remote-MTA"), 0);
}

static void
what_a_host_says_stays_on_its_line(void **state)
{
	recipient.words.text = TEXT(
	    "bad\r\nAction: delivered\r\n\r\n--=_0123456789abcdef0123456789"
	    "abcdef--\r\n\0\033[2J\xff");
	recipient.words.host = TEXT("mx\r\nX-Evil: 1");
	recipient.words.enhanced = TEXT("5.1.1\r\nX: y");
	recipient.original = TEXT("rfc822;a+0D+0AX-Evil:+201");
	report.envelope_id = TEXT("e+0AX-Evil: 1");
	report.sender = TEXT("bob@demo.test");
	format();
	assert_int_equal(count("\r\nX-Evil"), 0);
	assert_int_equal(count("\r\nAction: "), 1);
	assert_int_equal(count("\033"), 0);
	assert_int_equal(count("\r\n--=_"), 4);
}

static void
a_long_reply_is_folded_for_people(void **state)
{
	static char words[SPOOL_MAX_WORDS];

	memset(words, 'x', sizeof(words));
	for (size_t i = 50; i < 300; i += 50)
		words[i] = ' ';
	recipient.words.text = text_make(words, sizeof(words));
	format();
	for (const char *at = text; (at = strstr(at, "\r\n    ")) != NULL; at++)
		assert_true(strcspn(at + 2, "\r") <= 4 + 70);
}

/* RFC 6533 */
static void
addresses_in_utf8_make_a_report_of_that_kind(void **state)
{
	recipient.address = TEXT("j\xc3\xb6rg@other.test");
	recipient.words.text = TEXT("unbekannt: j\xc3\xb6rg");
	format();
	assert_non_null(strstr(text, "report-type=global-delivery-status"));
	assert_non_null(strstr(text, "message/global-delivery-status"));
	assert_non_null(strstr(text, "Content-Type: message/global\r\n"));
	HAS("Final-Recipient: utf-8;j\xc3\xb6rg@other.test");
	HAS("Diagnostic-Code: smtp;550 5.1.1 unbekannt: j\xc3\xb6rg");
	/* In an ordinary one no host says more than ASCII. */
	recipient.address = TEXT("x@other.test");
	format();
	assert_null(strstr(text, "global"));
	HAS("Diagnostic-Code: smtp;550 5.1.1 unbekannt: j??rg");
}

static void
a_report_that_does_not_fit_is_none(void **state)
{
	struct buf small;

	buf_init(&small, 1000);
	assert_int_equal(spool_report_format(&report, &small), -1);
	buf_clear(&small);
}

static void
a_header_without_end_is_cut_at_a_line(void **state)
{
	static char header[60000];

	for (size_t i = 0; i < sizeof(header); i += 10)
		memcpy(header + i, "X: 12345\r\n", 10);
	report.original = text_make(header, 50000);
	report.size = 1000000;
	format();
	assert_true(made.size < 20000);
	assert_true(count("X: 12345\r\n") > 1000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_failure_has_all_its_fields),
		TEST(what_comes_back_is_what_was_asked_for),
		TEST(the_status_fits_the_action),
		TEST(what_a_host_says_stays_on_its_line),
		TEST(a_long_reply_is_folded_for_people),
		TEST(addresses_in_utf8_make_a_report_of_that_kind),
		TEST(a_report_that_does_not_fit_is_none),
		TEST(a_header_without_end_is_cut_at_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
