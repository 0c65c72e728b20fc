/*
 * What a command does that is about more messages than one may be (RFC 9738):
 * here two, of five in INBOX with UIDs 1 to 5.
 */
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct imap_limits two = {
	.set_ranges = 100,
	.search_keys = 100,
	.search_nesting = 10,
	.messages = 2,
};

#define FIVE     "3 APPEND INBOX {1+}\r\nx {1+}\r\ny {1+}\r\nz\r\n"
#define APPENDED "* 5 EXISTS\r\n3 OK [APPENDUID 1001 3:5] Append completed\r\n"

static const struct transcript transcripts[] = {
	/* RFC 9738 3.1 */
	{ "fetch_is_of_the_highest_from_there_down",
	    FIVE "a FETCH 1:3 UID\r\nb UID FETCH 1:4 FLAGS\r\n"
		 "c FETCH 4:* UID\r\n",
	    APPENDED "* 3 FETCH (UID 3)\r\n* 2 FETCH (UID 2)\r\n"
		     "a OK [MESSAGELIMIT 2 2] Fetch completed\r\n"
		     "* 4 FETCH (UID 4 FLAGS ())\r\n"
		     "* 3 FETCH (UID 3 FLAGS ())\r\n"
		     "b OK [MESSAGELIMIT 2 3] Fetch completed\r\n"
		     "* 4 FETCH (UID 4)\r\n* 5 FETCH (UID 5)\r\n"
		     "c OK Fetch completed\r\n",
	    STATUS_OK },
	{ "fetch_marks_what_it_tells",
	    FIVE "a UID FETCH 1:* BODY[TEXT]<0.1>\r\nb UID SEARCH SEEN\r\n",
	    APPENDED
	    "* 5 FETCH (UID 5 FLAGS (\\Seen) BODY[TEXT]<0> {0}\r\n)\r\n"
	    "* 4 FETCH (UID 4 FLAGS (\\Seen) BODY[TEXT]<0> {0}\r\n)\r\n"
	    "a OK [MESSAGELIMIT 2 4] Fetch completed\r\n"
	    "* SEARCH 4 5\r\n"
	    "b OK [MESSAGELIMIT 2 4] Search completed\r\n",
	    STATUS_OK },
	{ "a_page_counts_by_its_size",
	    FIVE "a UID FETCH 1:* UID (PARTIAL 1:2)\r\n"
		 "b UID FETCH 1:* UID (PARTIAL 1:3)\r\n",
	    APPENDED "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
		     "a OK Fetch completed\r\n"
		     "b NO [MESSAGELIMIT 2] Too many messages at once\r\n",
	    STATUS_OK },
	{ "store_is_of_the_highest",
	    FIVE "a UID STORE 1:* +FLAGS (\\Flagged)\r\n"
		 "b UID STORE 1:3 +FLAGS.SILENT (\\Draft)\r\n"
		 "c UID STORE 1:2 +FLAGS.SILENT (\\Draft)\r\n",
	    APPENDED "* 5 FETCH (UID 5 FLAGS (\\Flagged))\r\n"
		     "* 4 FETCH (UID 4 FLAGS (\\Flagged))\r\n"
		     "a OK [MESSAGELIMIT 2 4] Store completed\r\n"
		     "b OK [MESSAGELIMIT 2 2] Store completed\r\n"
		     "c OK Store completed\r\n",
	    STATUS_OK },
	{ "a_second_code_stands_before_the_answer",
	    FIVE "a STORE 1:* (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen)\r\n",
	    APPENDED "* OK [HIGHESTMODSEQ 6] Highest\r\n"
		     "* 4 FETCH (UID 4 MODSEQ (7))\r\n"
		     "* NO [MESSAGELIMIT 2 4] Done for some of the messages\r\n"
		     "a OK [MODIFIED 5] Conditional store failed for some\r\n",
	    STATUS_OK },
	{ "copy_is_of_all_or_none",
	    FIVE "a CREATE x\r\nb UID COPY 2:4 x\r\nc UID COPY 1,3 x\r\n",
	    APPENDED "a" CREATED
		     "b NO [MESSAGELIMIT 2 3] Too many messages at once\r\n"
		     "c OK [COPYUID 1002 1,3 1:2] Copy completed\r\n",
	    STATUS_OK },
	{ "move_is_of_the_highest", FIVE "a CREATE x\r\nb UID MOVE 2:4 x\r\n",
	    APPENDED "a" CREATED "* OK [COPYUID 1002 3:4 1:2] Moved\r\n"
		     "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\n"
		     "b OK [MESSAGELIMIT 2 3] Move completed\r\n",
	    STATUS_OK },
	{ "uid_expunge_counts_what_is_deleted",
	    FIVE "a UID STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n"
		 "b UID STORE 3 +FLAGS.SILENT (\\Deleted)\r\n"
		 "c UID EXPUNGE 1:*\r\nd UID EXPUNGE 1:*\r\n",
	    APPENDED "a OK Store completed\r\nb OK Store completed\r\n"
		     "* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n"
		     "c OK [MESSAGELIMIT 2 2] Expunge completed\r\n"
		     "* 1 EXPUNGE\r\nd OK Expunge completed\r\n",
	    STATUS_OK },
	{ "expunge_and_status_are_not_limited",
	    FIVE "a UID STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n"
		 "b UID STORE 3:4 +FLAGS.SILENT (\\Deleted)\r\n"
		 "c STATUS INBOX (UNSEEN)\r\nd EXPUNGE\r\n",
	    APPENDED "a OK Store completed\r\nb OK Store completed\r\n"
		     "* STATUS INBOX (UNSEEN 5)\r\nc OK Status completed\r\n"
		     "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"
		     "* 1 EXPUNGE\r\nd OK Expunge completed\r\n",
	    STATUS_OK },
	{ "search_counts_what_it_looks_at",
	    FIVE "a UID SEARCH ALL\r\nb UID SEARCH UID 1,2,4 UNSEEN\r\n"
		 "c UID SEARCH UID 1:2\r\nd SEARCH (3:4)\r\n"
		 "e UID SEARCH SEEN\r\nf UID SEARCH OR UID 1 UID 2\r\n",
	    APPENDED "* SEARCH 4 5\r\n"
		     "a OK [MESSAGELIMIT 2 4] Search completed\r\n"
		     "* SEARCH 2 4\r\n"
		     "b OK [MESSAGELIMIT 2 2] Search completed\r\n"
		     "* SEARCH 1 2\r\nc OK Search completed\r\n"
		     "* SEARCH 3 4\r\nd OK Search completed\r\n"
		     "* SEARCH\r\n"
		     "e OK [MESSAGELIMIT 2 4] Search completed\r\n"
		     "* SEARCH\r\n"
		     "f OK [MESSAGELIMIT 2 4] Search completed\r\n",
	    STATUS_OK },
	/* 3.2 */
	{ "uids_after_and_before",
	    FIVE "a UID SEARCH UIDAFTER 3\r\nb UID SEARCH UIDBEFORE 3\r\n"
		 "c UID SEARCH UIDAFTER 5\r\nd UID SEARCH UIDBEFORE 1\r\n"
		 "e UID SEARCH UIDAFTER 1 UIDBEFORE 4\r\n"
		 "f UID SEARCH UIDAFTER 4294967295\r\n"
		 "g UID SEARCH UIDBEFORE 0\r\nh UID SEARCH UIDAFTER 1:2\r\n",
	    APPENDED "* SEARCH 4 5\r\na OK Search completed\r\n"
		     "* SEARCH 1 2\r\nb OK Search completed\r\n"
		     "* SEARCH\r\nc OK Search completed\r\n"
		     "* SEARCH\r\nd OK Search completed\r\n"
		     "* SEARCH 2 3\r\ne OK Search completed\r\n"
		     "* SEARCH\r\nf OK Search completed\r\n"
		     "g BAD Invalid number\r\nh BAD Unexpected argument\r\n",
	    STATUS_OK },
	/* 3.3 */
	{ "an_order_is_of_all_or_none",
	    FIVE "a UID SORT (ARRIVAL) UTF-8 ALL\r\n"
		 "b UID SORT (ARRIVAL) UTF-8 UIDAFTER 3\r\n"
		 "c UID THREAD REFERENCES UTF-8 ALL\r\n"
		 "d UID THREAD REFERENCES UTF-8 UIDBEFORE 3\r\n",
	    APPENDED "a NO [MESSAGELIMIT 2 4] Too many messages at once\r\n"
		     "* SORT 4 5\r\nb OK Sort completed\r\n"
		     "c NO [MESSAGELIMIT 2 4] Too many messages at once\r\n"
		     "* THREAD (1)(2)\r\nd OK Thread completed\r\n",
	    STATUS_OK },
	/* 3.4 */
	{ "what_is_saved_is_what_was_looked_at",
	    FIVE "a UID SEARCH RETURN (SAVE COUNT) ALL\r\n"
		 "b UID FETCH $ UID\r\n",
	    APPENDED "* ESEARCH (TAG \"a\") UID COUNT 2\r\n"
		     "a OK [MESSAGELIMIT 2 4] Search completed\r\n"
		     "* 4 FETCH (UID 4)\r\n* 5 FETCH (UID 5)\r\n"
		     "b OK Fetch completed\r\n",
	    STATUS_OK },
};

static void
sessions_answer_as_written(void **state)
{
	assert_int_equal(check_transcripts_within(&two, transcripts,
			     sizeof(transcripts) / sizeof(*transcripts)),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_answer_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
