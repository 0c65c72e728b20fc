/*
 * Command lines and what they are read as.
 */
#include "common/dsn.h"
#include "smtpd/smtp_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
	const char *line;
	enum smtp_command_result result;
	enum smtp_verb verb;
	const char *address; /* or argument; NULL: not looked at */
} rows[] = { { "", SMTP_COMMAND_UNKNOWN, SMTP_UNKNOWN, NULL },
	{ "XYZZY", SMTP_COMMAND_UNKNOWN, SMTP_UNKNOWN, NULL },
	{ "MAILFROM:<a@b>", SMTP_COMMAND_UNKNOWN, SMTP_UNKNOWN, NULL },
	{ "ehlo client.example", SMTP_COMMAND_OK, SMTP_EHLO, "client.example" },
	{ "EHLO [IPv6:::1]", SMTP_COMMAND_OK, SMTP_EHLO, "[IPv6:::1]" },
	{ "EHLO my_pc", SMTP_COMMAND_OK, SMTP_EHLO, "my_pc" },
	{ "EHLO", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_EHLO, NULL },
	{ "EHLO a b", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_EHLO, NULL },
	{ "EHLO a)(b", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_EHLO, NULL },
	{ "DATA", SMTP_COMMAND_OK, SMTP_DATA, NULL },
	{ "DATA now", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_DATA, NULL },
	{ "NOOP whatever", SMTP_COMMAND_OK, SMTP_NOOP, "whatever" },
	{ "MAIL FROM:<a@b.example>", SMTP_COMMAND_OK, SMTP_MAIL,
	    "a@b.example" },
	{ "mail from: <a@b.example> size=10 BODY=8BITMIME", SMTP_COMMAND_OK,
	    SMTP_MAIL, "a@b.example" },
	{ "MAIL FROM:<>", SMTP_COMMAND_OK, SMTP_MAIL, "" },
	{ "MAIL FROM:<@x.example,@y.example:a@b.example>", SMTP_COMMAND_OK,
	    SMTP_MAIL, "a@b.example" },
	{ "MAIL FROM:<\"a b\"@b.example>", SMTP_COMMAND_OK, SMTP_MAIL,
	    "\"a b\"@b.example" },
	{ "MAIL FROM:<\"a>b\"@[192.0.2.1]>", SMTP_COMMAND_OK, SMTP_MAIL,
	    "\"a>b\"@[192.0.2.1]" },
	{ "MAIL FROM:a@b.example", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b.example", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a..b@c>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<.a@c>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@-c>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@c.>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<@b>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a b@c>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<postmaster>", SMTP_COMMAND_BAD_PATH, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b>x", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b>\t", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL, NULL },
	{ "MAIL TO:<a@b>", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> SIZE=x", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> SIZE=1 SIZE=2", SMTP_COMMAND_TWICE, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> RET=FULL ENVID=a+2Bb+3D", SMTP_COMMAND_OK, SMTP_MAIL,
	    "a@b" },
	{ "MAIL FROM:<a@b> RET=", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> RET=HDRS RET=HDRS", SMTP_COMMAND_TWICE, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> ENVID=", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> ENVID=a+2b", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> ENVID=a+4", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> ENVID=a=b", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> REQUIRETLS BODY=BINARYMIME MT-PRIORITY=-9",
	    SMTP_COMMAND_OK, SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> REQUIRETLS=1", SMTP_COMMAND_BAD_PARAMETER, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> REQUIRETLS REQUIRETLS", SMTP_COMMAND_TWICE,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> BODY=BINARY", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> MT-PRIORITY=9", SMTP_COMMAND_OK, SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> HOLDFOR=60", SMTP_COMMAND_OK, SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> HOLDUNTIL=2026-11-26T07:28:00Z", SMTP_COMMAND_OK,
	    SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> HOLDFOR=soon", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    "a@b" },
	{ "MAIL FROM:<a@b> HOLDUNTIL=tomorrow", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> BY=120;R", SMTP_COMMAND_OK, SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> by=+999999999;nt", SMTP_COMMAND_OK, SMTP_MAIL,
	    "a@b" },
	{ "MAIL FROM:<a@b> BY=-5;N", SMTP_COMMAND_OK, SMTP_MAIL, "a@b" },
	{ "MAIL FROM:<a@b> BY=0;R", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=-5;R", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=1000000000;R", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> BY=0000000001;R", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> BY=5", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> BY=5;", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=;R", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=5;RX", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=5;RTT", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=5;T", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> BY=--5;N", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> MT-PRIORITY=10", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> MT-PRIORITY=+1", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> MT-PRIORITY=-", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_MAIL, NULL },
	{ "MAIL FROM:<a@b> MT-PRIORITY", SMTP_COMMAND_BAD_PARAMETER, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<a@b> NOTIFY=NEVER", SMTP_COMMAND_BAD_PARAMETER, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<\303\244@b>", SMTP_COMMAND_NEEDS_SMTPUTF8, SMTP_MAIL,
	    NULL },
	{ "MAIL FROM:<\303\244@b> SMTPUTF8", SMTP_COMMAND_OK, SMTP_MAIL,
	    "\303\244@b" },
	{ "MAIL FROM:<\303@b> SMTPUTF8", SMTP_COMMAND_BAD_PATH, SMTP_MAIL,
	    NULL },
	{ "RCPT TO:<Postmaster>", SMTP_COMMAND_OK, SMTP_RCPT, "Postmaster" },
	{ "RCPT TO:<bob@b.example>", SMTP_COMMAND_OK, SMTP_RCPT,
	    "bob@b.example" },
	{ "RCPT TO:<bob>", SMTP_COMMAND_BAD_PATH, SMTP_RCPT, NULL },
	{ "RCPT TO:<>", SMTP_COMMAND_BAD_PATH, SMTP_RCPT, NULL },
	{ "RCPT TO:<a@b> NOTIFY=NEVER", SMTP_COMMAND_OK, SMTP_RCPT, "a@b" },
	{ "RCPT TO:<a@b> NOTIFY=success,Failure,DELAY "
	  "ORCPT=rfc822;c+2B@d",
	    SMTP_COMMAND_OK, SMTP_RCPT, "a@b" },
	{ "RCPT TO:<a@b> NOTIFY=NEVER,DELAY", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_RCPT, NULL },
	{ "RCPT TO:<a@b> NOTIFY=", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_RCPT,
	    NULL },
	{ "RCPT TO:<a@b> NOTIFY=SUCCESS,,DELAY", SMTP_COMMAND_BAD_ARGUMENTS,
	    SMTP_RCPT, NULL },
	{ "RCPT TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", SMTP_COMMAND_TWICE,
	    SMTP_RCPT, NULL },
	{ "RCPT TO:<a@b> ORCPT=c@d", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_RCPT,
	    NULL },
	{ "RCPT TO:<a@b> ORCPT=;c@d", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_RCPT,
	    NULL },
	{ "RCPT TO:<a@b> ORCPT=rfc822;", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_RCPT,
	    NULL },
	{ "RCPT TO:<a@b> RET=FULL", SMTP_COMMAND_BAD_PARAMETER, SMTP_RCPT,
	    NULL },
	{ "BDAT 0", SMTP_COMMAND_OK, SMTP_BDAT, NULL },
	{ "bdat 86 last", SMTP_COMMAND_OK, SMTP_BDAT, NULL },
	{ "BDAT", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT, NULL },
	{ "BDAT LAST", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT, NULL },
	{ "BDAT -1", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT, NULL },
	{ "BDAT 9223372036854775808", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT,
	    NULL },
	{ "BURL imap://a@b/c/;UID=1", SMTP_COMMAND_OK, SMTP_BURL, NULL },
	{ "burl imap://a@b/c/;UID=1 last", SMTP_COMMAND_OK, SMTP_BURL, NULL },
	{ "BURL", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BURL, NULL },
	{ "BURL x FIRST", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BURL, NULL },
	{ "BURL x LAST y", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BURL, NULL },
	{ "BDAT 1 FIRST", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT, NULL },
	{ "BDAT 1 LAST 2", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_BDAT, NULL },
	{ "AUTH PLAIN", SMTP_COMMAND_OK, SMTP_AUTH, NULL },
	{ "AUTH PLAIN AGEAYg==", SMTP_COMMAND_OK, SMTP_AUTH, NULL },
	{ "AUTH", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_AUTH, NULL },
	{ "AUTH PLAIN a b", SMTP_COMMAND_BAD_ARGUMENTS, SMTP_AUTH, NULL } };

static void
each_line_is_read_as_the_table_says(void **state)
{
	struct smtp_command command;
	const struct row *row;
	struct text got;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = &rows[i];
		if (smtp_command_parse(text_of(row->line), &command) !=
			row->result ||
		    command.verb != row->verb)
			fail_msg("row %zu: %s", i, row->line);
		got = command.verb == SMTP_MAIL || command.verb == SMTP_RCPT
			  ? command.path.address
			  : command.argument;
		if (row->address != NULL && !text_is(got, row->address))
			fail_msg("row %zu: address of %s", i, row->line);
	}
}

static void
limits_of_local_part_and_domain_hold(void **state)
{
	char line[512];
	struct smtp_command command;

	snprintf(line, sizeof(line), "MAIL FROM:<%064d@b>", 1);
	assert_int_equal(
	    smtp_command_parse(text_of(line), &command), SMTP_COMMAND_OK);
	snprintf(line, sizeof(line), "MAIL FROM:<%065d@b>", 1);
	assert_int_equal(
	    smtp_command_parse(text_of(line), &command), SMTP_COMMAND_BAD_PATH);
	snprintf(line, sizeof(line), "MAIL FROM:<a@%064d>", 1);
	assert_int_equal(
	    smtp_command_parse(text_of(line), &command), SMTP_COMMAND_BAD_PATH);
}

static void
what_a_sender_asks_to_be_told_is_read(void **state)
{
	struct smtp_command command;

	smtp_command_parse(
	    TEXT("MAIL FROM:<a@b> RET=HDRS ENVID=QQ314159"), &command);
	assert_int_equal(command.return_part, SMTP_RETURN_HEADERS);
	assert_true(text_is(command.envelope_id, "QQ314159"));
	assert_true(command.has_dsn);
	smtp_command_parse(
	    TEXT("RCPT TO:<a@b> NOTIFY=FAILURE,SUCCESS ORCPT=rfc822;x@y"),
	    &command);
	assert_int_equal(
	    command.notify, DSN_NOTIFY_FAILURE | DSN_NOTIFY_SUCCESS);
	assert_true(text_is(command.original, "rfc822;x@y"));
	smtp_command_parse(TEXT("RCPT TO:<a@b>"), &command);
	assert_false(command.has_dsn);
	assert_int_equal(command.notify, 0);
	smtp_command_parse(TEXT("BDAT 86 LAST"), &command);
	assert_int_equal(command.chunk_size, 86);
	assert_true(command.is_last);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_read_as_the_table_says),
		cmocka_unit_test(limits_of_local_part_and_domain_hold),
		cmocka_unit_test(what_a_sender_asks_to_be_told_is_read)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
