/*
 * Messages that come in over a session: several at once (RFC 3502), put
 * together from others (RFC 4469), in the place of another (RFC 8508).  A table
 * for each.
 */
#include "tests/unit/conversation.h"

#include "imapd/append_command.h"
#include "imapd/imap_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table)    (sizeof(table) / sizeof(*(table)))
#define DONE(tag, uids) tag " OK [APPENDUID 1001 " uids "] Append completed\r\n"
#define FETCHED         " OK Fetch completed\r\n"

/* RFC 3502 */
static const struct transcript multiappend[] = {
	{ "several_messages_are_one_command",
	    "a APPEND INBOX {3+}\r\none (\\Seen) \" 5-Jan-2026 10:00:00 "
	    "+0000\" {3+}\r\ntwo {5+}\r\nthree\r\n"
	    "b FETCH 3:5 (FLAGS BODY.PEEK[])\r\n",
	    "* 5 EXISTS\r\n" DONE("a",
		"3:5") "* 3 FETCH (FLAGS () BODY[] {3}\r\none)\r\n"
		       "* 4 FETCH (FLAGS (\\Seen) BODY[] {3}\r\ntwo)\r\n"
		       "* 5 FETCH (FLAGS () BODY[] {5}\r\nthree)\r\nb" FETCHED,
	    STATUS_OK },
	{ "each_literal_that_waits_is_asked_for",
	    "a APPEND INBOX {3}\r\none {3}\r\ntwo\r\n",
	    "+ OK\r\n+ OK\r\n* 4 EXISTS\r\n" DONE("a", "3:4"), STATUS_OK },
	{ "each_may_have_another_form",
	    "a APPEND INBOX (\\Draft) ~{3+}\r\na\x01"
	    "b UTF8 (~{2+}\r\nhi) CATENATE (TEXT {1+}\r\nx) {1+}\r\ny\r\n"
	    "b UID FETCH 3:* BODY.PEEK[]\r\n",
	    "* 6 EXISTS\r\n" DONE(
		"a", "3:6") "* 3 FETCH (UID 3 BODY[] {3}\r\na\x01"
			    "b)\r\n"
			    "* 4 FETCH (UID 4 BODY[] {2}\r\nhi)\r\n"
			    "* 5 FETCH (UID 5 BODY[] {1}\r\nx)\r\n"
			    "* 6 FETCH (UID 6 BODY[] {1}\r\ny)\r\nb" FETCHED,
	    STATUS_OK },
	{ "an_empty_one_gives_all_of_them_up",
	    "a APPEND INBOX {3+}\r\none {0}\r\nb NOOP\r\n",
	    "a NO [CANNOT] Message is empty\r\nb OK NOOP completed\r\n",
	    STATUS_OK },
	{ "what_comes_behind_a_refusal_goes_by_unread",
	    "a APPEND INBOX {3+}\r\none {0+}\r\n {4+}\r\nfour\r\nb NOOP\r\n",
	    "a NO [CANNOT] Message is empty\r\nb OK NOOP completed\r\n",
	    STATUS_OK },
	{ "together_they_are_no_larger_than_one_may_be",
	    "a APPEND INBOX {3+}\r\none {262143998}\r\nb NOOP\r\n",
	    "a NO [TOOBIG] Messages are too large for one command\r\n"
	    "b OK NOOP completed\r\n",
	    STATUS_OK },
	{ "none_is_there_if_the_store_refuses",
	    "a APPEND INBOX {3+}\r\none {3+}\r\ntwo\r\nb NOOP\r\n",
	    "a NO [OVERQUOTA] No space left\r\nb OK NOOP completed\r\n",
	    STATUS_FULL },
	{ "what_is_malformed_is_bad_wherever_it_is",
	    "a APPEND INBOX {3+}\r\none{3+}\r\ntwo\r\n"
	    "b APPEND INBOX {3+}\r\none (\\Foo) {3+}\r\ntwo\r\n"
	    "c APPEND INBOX {3+}\r\none \"now\" {3+}\r\ntwo\r\n"
	    "d APPEND INBOX {3+}\r\none two\r\n"
	    "e APPEND INBOX {3+}\r\none (\\Seen)\r\nf APPEND INBOX\r\n"
	    "g APPEND INBOX {3+}\r\none \r\n",
	    "a BAD Space expected\r\nb BAD Unknown system flag\r\n"
	    "c BAD Invalid date-time\r\nd BAD Message literal expected\r\n"
	    "e BAD Missing argument\r\nf BAD Missing argument\r\n"
	    "* 3 EXISTS\r\n" DONE("g", "3"),
	    STATUS_OK },
};

/* RFC 4469; the first message is 116 bytes long, its header 104. */
static const struct transcript catenate[] = {
	{ "texts_and_messages_become_one",
	    "a APPEND INBOX CATENATE (TEXT {4+}\r\nA: 1"
	    " URL \"/INBOX/;UID=1/;SECTION=TEXT\" TEXT {2+}\r\n\r\n)\r\n"
	    "b FETCH 3 BODY.PEEK[]\r\n",
	    "* 3 EXISTS\r\n" DONE("a", "3") "* 3 FETCH (BODY[] {18}\r\nA: "
					    "1First body\r\n\r\n)\r\nb" FETCHED,
	    STATUS_OK },
	{ "of_urls_alone_with_all_that_an_url_has",
	    "a APPEND INBOX (\\Seen) CATENATE (URL "
	    "\"/INBOX;UIDVALIDITY=1001/;UID=1/;SECTION=HEADER.FIELDS%20"
	    "(SUBJECT)\" URL /INBOX/;UID=1/;PARTIAL=0.6 URL "
	    ";UID=2/;SECTION=TEXT/;PARTIAL=7 URL INBOX/;UID=1/;PARTIAL=200)\r\n"
	    "b FETCH 3 (FLAGS BODY.PEEK[])\r\n",
	    "* 3 EXISTS\r\n" DONE("a", "3") "* 3 FETCH (FLAGS (\\Seen) BODY[] "
					    "{28}\r\nSubject: One\r\n\r\n"
					    "From: body\r\n)\r\nb" FETCHED,
	    STATUS_OK },
	{ "an_url_may_be_a_literal_and_so_may_the_mailbox",
	    "a APPEND {5+}\r\nINBOX CATENATE (URL {13+}\r\n/INBOX/;UID=2 "
	    "TEXT ~{1+}\r\n!)\r\nb FETCH 3 RFC822.SIZE\r\n",
	    "* 3 EXISTS\r\n" DONE(
		"a", "3") "* 3 FETCH (RFC822.SIZE 77)\r\nb" FETCHED,
	    STATUS_OK },
	{ "what_waits_is_asked_for",
	    "a APPEND INBOX CATENATE (URL {13}\r\n/INBOX/;UID=2 TEXT {2}\r\n"
	    "hi UTF8 (~{1}\r\n!))\r\n",
	    "+ OK\r\n+ OK\r\n+ OK\r\n* 3 EXISTS\r\n" DONE("a", "3"),
	    STATUS_OK },
	{ "several_messages_each_put_together",
	    "a APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=TEXT) "
	    "(\\Seen) CATENATE (TEXT {2+}\r\nhi) {3+}\r\nend\r\n"
	    "b FETCH 3:* RFC822.SIZE\r\n",
	    "* 5 EXISTS\r\n" DONE(
		"a", "3:5") "* 3 FETCH (RFC822.SIZE 12)\r\n* 4 FETCH "
			    "(RFC822.SIZE 2)\r\n"
			    "* 5 FETCH (RFC822.SIZE 3)\r\nb" FETCHED,
	    STATUS_OK },
	{ "an_url_that_leads_nowhere_is_told",
	    "a APPEND INBOX CATENATE (URL /INBOX/;UID=9)\r\n"
	    "b APPEND INBOX CATENATE (URL /Nowhere/;UID=1)\r\n"
	    "c APPEND INBOX CATENATE (URL /INBOX;UIDVALIDITY=7/;UID=1)\r\n"
	    "d APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=2)\r\n"
	    "e APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=FOO)\r\n"
	    "f APPEND INBOX CATENATE (URL \"no URL]\")\r\n"
	    "g APPEND INBOX CATENATE (URL \"\")\r\n",
	    "a NO [BADURL /INBOX/;UID=9] No such message\r\n"
	    "b NO [BADURL /Nowhere/;UID=1] No such mailbox\r\n"
	    "c NO [BADURL /INBOX;UIDVALIDITY=7/;UID=1] UIDVALIDITY is another "
	    "one\r\n"
	    "d NO [BADURL /INBOX/;UID=1/;SECTION=2] Message has no such "
	    "section\r\n"
	    "e NO [BADURL /INBOX/;UID=1/;SECTION=FOO] Not an URL of a "
	    "message\r\n"
	    "f NO [BADURL no%20URL%5D] Not an URL of a message\r\n"
	    "g NO [BADURL %] Not an URL of a message\r\n",
	    STATUS_OK },
	{ "no_url_leads_out_of_the_account",
	    "a APPEND INBOX CATENATE (URL imap://eve@host/INBOX/;UID=1)\r\n"
	    "b APPEND INBOX CATENATE (URL /../eve/INBOX/;UID=1)\r\n"
	    "c APPEND INBOX CATENATE (URL //host/INBOX/;UID=1)\r\n",
	    "a NO [BADURL imap://eve@host/INBOX/;UID=1] Only URLs without a "
	    "server are taken\r\n"
	    "b NO [BADURL /../eve/INBOX/;UID=1] No such mailbox\r\n"
	    "c NO [BADURL //host/INBOX/;UID=1] Only URLs without a server are "
	    "taken\r\n",
	    STATUS_OK },
	{ "a_bad_url_is_told_before_the_text_is_asked_for",
	    "a APPEND INBOX CATENATE (URL /INBOX/;UID=9 TEXT {1000}\r\n"
	    "b APPEND INBOX CATENATE (URL /INBOX/;UID=9 TEXT {2+}\r\nhi)\r\n"
	    "c NOOP\r\n",
	    "a NO [BADURL /INBOX/;UID=9] No such message\r\n"
	    "b NO [BADURL /INBOX/;UID=9] No such message\r\n"
	    "c OK NOOP completed\r\n",
	    STATUS_OK },
	{ "a_selected_mailbox_is_needed_for_what_is_relative_to_it",
	    "a UNSELECT\r\nb APPEND INBOX CATENATE (URL ;UID=1)\r\n",
	    "a OK Unselect completed\r\n"
	    "b NO [BADURL ;UID=1] No mailbox is selected\r\n",
	    STATUS_OK },
	{ "an_empty_message_is_none",
	    "a APPEND INBOX CATENATE (TEXT {0+}\r\n)\r\n",
	    "a NO [CANNOT] Message is empty\r\n", STATUS_OK },
	{ "together_they_are_no_larger_than_a_message_may_be",
	    "a APPEND INBOX CATENATE (URL /INBOX/;UID=1 TEXT {262143990}\r\n",
	    "a NO [TOOBIG] Message is too large\r\n", STATUS_OK },
	{ "what_is_malformed_is_bad",
	    "a APPEND INBOX CATENATE ()\r\nb APPEND INBOX CATENATE\r\n"
	    "c APPEND INBOX CATENATE (TEXT \"x\")\r\n"
	    "d APPEND INBOX CATENATE (URL)\r\n"
	    "e APPEND INBOX CATENATE (FOO /INBOX/;UID=1)\r\n"
	    "f APPEND INBOX CATENATE (URL /INBOX/;UID=1\r\n"
	    "g APPEND INBOX CATENATE (URL /INBOX/;UID=1))\r\n"
	    "h APPEND INBOX CATENATE (TEXT {2+}\r\nhiTEXT {2+}\r\nho)\r\n"
	    "i APPEND INBOX CATENATE (UTF8 (~{2+}\r\nhi)\r\n"
	    "j APPEND INBOX CATENATE (URL {5000}\r\n",
	    "a BAD TEXT or URL expected\r\nb BAD Missing argument\r\n"
	    "c BAD Literal expected\r\nd BAD Space expected\r\n"
	    "e BAD TEXT or URL expected\r\nf BAD List of parts has no end\r\n"
	    "g BAD Space expected\r\nh BAD List of parts has no end\r\n"
	    "i BAD List of parts has no end\r\nj BAD URL is too long\r\n",
	    STATUS_OK },
};

/* RFC 8508 */
static const struct transcript replace[] = {
	{ "one_message_takes_the_place_of_another",
	    "a REPLACE 1 INBOX (\\Draft) {3+}\r\nnew\r\n"
	    "b FETCH 1:* (UID FLAGS RFC822.SIZE)\r\n",
	    "* OK [APPENDUID 1001 3] Replacement is there\r\n"
	    "* 1 EXPUNGE\r\n* 2 EXISTS\r\na OK Replace completed\r\n"
	    "* 1 FETCH (UID 2 FLAGS () RFC822.SIZE 76)\r\n"
	    "* 2 FETCH (UID 3 FLAGS (\\Draft) RFC822.SIZE 3)\r\nb" FETCHED,
	    STATUS_OK },
	{ "by_uid_into_another_mailbox",
	    "a CREATE Sent\r\nb UID REPLACE 2 Sent {3}\r\nnew\r\n"
	    "c STATUS Sent (MESSAGES)\r\n",
	    "a" CREATED "+ OK\r\n"
	    "* OK [APPENDUID 1002 1] Replacement is there\r\n"
	    "* 2 EXPUNGE\r\nb OK Replace completed\r\n"
	    "* STATUS Sent (MESSAGES 1)\r\nc OK Status completed\r\n",
	    STATUS_OK },
	{ "the_last_one_has_a_name",
	    "a REPLACE * {5+}\r\nINBOX {3+}\r\nnew\r\nb UID REPLACE * INBOX "
	    "{3+}\r\nxyz\r\n",
	    "* OK [APPENDUID 1001 3] Replacement is there\r\n"
	    "* 2 EXPUNGE\r\n* 2 EXISTS\r\na OK Replace completed\r\n"
	    "* OK [APPENDUID 1001 4] Replacement is there\r\n"
	    "* 2 EXPUNGE\r\n* 2 EXISTS\r\nb OK Replace completed\r\n",
	    STATUS_OK },
	{ "it_may_be_put_together_from_what_it_replaces",
	    "a REPLACE 1 INBOX CATENATE (TEXT {3+}\r\nA: "
	    " URL ;UID=1/;SECTION=TEXT)\r\nb FETCH 2 BODY.PEEK[]\r\n",
	    "* OK [APPENDUID 1001 3] Replacement is there\r\n"
	    "* 1 EXPUNGE\r\n* 2 EXISTS\r\na OK Replace completed\r\n"
	    "* 2 FETCH (BODY[] {15}\r\nA: First body\r\n)\r\nb" FETCHED,
	    STATUS_OK },
	{ "who_keeps_modseqs_is_told_the_highest",
	    "a ENABLE QRESYNC\r\nb REPLACE 1 INBOX {3+}\r\nnew\r\n",
	    "* ENABLED QRESYNC\r\n* OK [HIGHESTMODSEQ 3] Highest\r\n"
	    "a OK Enabled\r\n"
	    "* OK [APPENDUID 1001 3] Replacement is there\r\n"
	    "* VANISHED 1\r\n* 2 EXISTS\r\n"
	    "b OK [HIGHESTMODSEQ 5] Replace completed\r\n",
	    STATUS_OK },
	{ "nothing_is_gone_unless_the_new_one_is_there",
	    "a REPLACE 1 INBOX {3+}\r\nnew\r\nb FETCH 1:* UID\r\n",
	    "a NO [OVERQUOTA] No space left\r\n* 1 FETCH (UID 1)\r\n"
	    "* 2 FETCH (UID 2)\r\nb" FETCHED,
	    STATUS_FULL },
	{ "what_a_day_allows_is_no_lack_of_space",
	    "a REPLACE 1 INBOX {3+}\r\nnew\r\n",
	    "a NO [LIMIT] Account has changed as much as it may in a day, "
	    "try again tomorrow\r\n",
	    STATUS_ALLOWANCE },
	{ "what_is_not_there_cannot_be_replaced",
	    "a REPLACE 3 INBOX {3}\r\nb UID REPLACE 9 INBOX {3}\r\n"
	    "c REPLACE 0 INBOX {3}\r\nd REPLACE 1:2 INBOX {3}\r\n"
	    "e REPLACE 1 Nowhere {3+}\r\nnew\r\n"
	    "f REPLACE 1 \"Snapshots/Deleted mail\" {3+}\r\nnew\r\n"
	    "g REPLACE 1\r\nh REPLACE\r\ni REPLACE 1 INBOX {0}\r\n",
	    "a BAD Message number beyond the mailbox\r\n"
	    "b NO [NONEXISTENT] No such message\r\n"
	    "c BAD Message number beyond the mailbox\r\n"
	    "d BAD Space expected\r\ne NO [TRYCREATE] No such mailbox\r\n"
	    "f NO [NOPERM] Snapshots do not change: copy messages out of "
	    "them\r\n"
	    "g BAD Missing argument\r\nh BAD Missing argument\r\n"
	    "i NO [CANNOT] Message is empty\r\n",
	    STATUS_OK },
	{ "one_message_by_one",
	    "a REPLACE 1 INBOX {3+}\r\nnew {3+}\r\nold\r\n"
	    "b FETCH 1:* UID\r\n",
	    "a BAD A message is replaced by one other\r\n"
	    "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\nb" FETCHED,
	    STATUS_OK },
	{ "only_where_something_may_be_expunged",
	    "a EXAMINE INBOX\r\nb REPLACE 1 INBOX {3+}\r\nnew\r\n"
	    "c REPLACE 1 INBOX CATENATE (URL ;UID=1)\r\n"
	    "d UNSELECT\r\ne REPLACE 1 INBOX {3}\r\n",
	    "* OK [CLOSED] Previous mailbox closed\r\n"
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
	    "* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 1] First unseen\r\n"
	    "* OK [UIDVALIDITY 1001] UIDs valid\r\n"
	    "* OK [UIDNEXT 3] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n" INBOX_ID
	    "a OK [READ-ONLY] Examine completed\r\n"
	    "b NO [NOPERM] Mailbox is open read-only\r\n"
	    "c NO [NOPERM] Mailbox is open read-only\r\n"
	    "d OK Unselect completed\r\ne BAD No mailbox selected\r\n",
	    STATUS_OK },
};

static void
several_messages(void **state)
{
	assert_int_equal(check_transcripts(multiappend, COUNT(multiappend)), 0);
}

static void
messages_that_are_put_together(void **state)
{
	assert_int_equal(check_transcripts(catenate, COUNT(catenate)), 0);
}

/* Whose files are gone: the store has their bytes. */
static void
messages_that_are_put_together_from_the_store(void **state)
{
	int failures;

	false_account_read_later(true);
	failures = check_transcripts(catenate, COUNT(catenate)) +
		   check_transcripts(replace, COUNT(replace));
	false_account_read_later(false);
	assert_int_equal(failures, 0);
}

static void
messages_in_the_place_of_others(void **state)
{
	assert_int_equal(check_transcripts(replace, COUNT(replace)), 0);
}

/* "a APPEND INBOX" and so many times `part`, then `end`. */
static void
say_often(
    struct conversation *run, size_t count, const char *part, const char *end)
{
	static char script[65536];
	size_t size = 0;

	size += (size_t)snprintf(
	    script, sizeof(script), "s SELECT INBOX\r\na APPEND INBOX");
	for (size_t i = 0; i < count; i++)
		size += (size_t)snprintf(
		    script + size, sizeof(script) - size, "%s", part);
	(void)snprintf(script + size, sizeof(script) - size, "%s", end);
	converse(run, script, sizeof(script), STATUS_FULL);
}

static void
so_many_messages_and_no_more(void **state)
{
	static struct conversation run;

	say_often(
	    &run, APPEND_MAX_MESSAGES + 1, " {1+}\r\nx", "\r\nz LOGOUT\r\n");
	assert_non_null(strstr(run.got,
	    "\r\na NO [MESSAGELIMIT 500] Too many messages at once\r\n"));
}

static void
so_many_parts_and_no_more(void **state)
{
	static struct conversation run;

	say_often(&run, APPEND_MAX_PARTS / 3 + 1,
	    " CATENATE (TEXT {1+}\r\nx URL ;UID=1 TEXT {0+}\r\n)",
	    "\r\nz LOGOUT\r\n");
	assert_non_null(
	    strstr(run.got, "\r\na NO [LIMIT] Too many parts at once\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_messages),
		cmocka_unit_test(messages_that_are_put_together),
		cmocka_unit_test(messages_in_the_place_of_others),
		cmocka_unit_test(messages_that_are_put_together_from_the_store),
		cmocka_unit_test(so_many_messages_and_no_more),
		cmocka_unit_test(so_many_parts_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
