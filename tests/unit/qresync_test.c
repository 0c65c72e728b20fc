/*
 * CONDSTORE and QRESYNC (RFC 7162), section by section: what a client sends and
 * exactly what it gets.
 */
#include "imapd/qresync.h"
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLOSED  "* OK [CLOSED] Previous mailbox closed\r\n"
#define HIGHEST "* OK [HIGHESTMODSEQ 3] Highest\r\n"
#define ENABLE  "q ENABLE QRESYNC\r\n"
#define ENABLED "* ENABLED QRESYNC\r\n" HIGHEST "q OK Enabled\r\n"
/* INBOX again, `n` messages, UIDNEXT 3, HIGHESTMODSEQ `m`. */
#define AGAIN(n, m)                                              \
	CLOSED "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen " \
	       "\\Draft)\r\n* OK [PERMANENTFLAGS (\\Answered "   \
	       "\\Flagged \\Deleted \\Seen \\Draft \\*)] Flags " \
	       "permitted\r\n* " n " EXISTS\r\n* 0 RECENT\r\n"   \
	       "* OK [UNSEEN 1] First unseen\r\n"                \
	       "* OK [UIDVALIDITY 1001] UIDs valid\r\n"          \
	       "* OK [UIDNEXT 3] Predicted next UID\r\n"         \
	       "* OK [HIGHESTMODSEQ " m "] Highest\r\n" INBOX_ID
#define DONE               "s OK [READ-WRITE] Select completed\r\n"
#define SELECT(parameters) "s SELECT INBOX (QRESYNC (" parameters "))\r\n"
#define FETCH_1            "* 1 FETCH (UID 1 MODSEQ (2) FLAGS ())\r\n"
#define FETCH_2            "* 2 FETCH (UID 2 MODSEQ (3) FLAGS ())\r\n"
/* Message 1 is expunged, with MODSEQ 5. */
#define EXPUNGE ENABLE "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n"
#define EXPUNGED                                           \
	ENABLED "* 1 FETCH (UID 1 MODSEQ (4))\r\n"         \
		"a OK Store completed\r\n* VANISHED 1\r\n" \
		"b OK [HIGHESTMODSEQ 5] Expunge completed\r\n"

static const struct transcript transcripts[] = {
	/* 3.1: what enables CONDSTORE. */
	{ "s3_1_status_enables", "a STATUS INBOX (HIGHESTMODSEQ)\r\n",
	    HIGHEST "* STATUS INBOX (HIGHESTMODSEQ 3)\r\n"
		    "a OK Status completed\r\n",
	    STATUS_OK },
	{ "s3_1_list_of_status_enables",
	    "a LIST \"\" INBOX RETURN (STATUS (HIGHESTMODSEQ))\r\n",
	    HIGHEST "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		    "* STATUS INBOX (HIGHESTMODSEQ 3)\r\n"
		    "a OK List completed\r\n",
	    STATUS_OK },
	{ "s3_1_fetch_of_modseq_enables_and_the_next_store_tells_it",
	    "a FETCH 1 MODSEQ\r\nb STORE 1 +FLAGS (\\Seen)\r\n",
	    HIGHEST "* 1 FETCH (MODSEQ (2))\r\na OK Fetch completed\r\n"
		    "* 1 FETCH (UID 1 MODSEQ (4) FLAGS (\\Seen))\r\n"
		    "b OK Store completed\r\n",
	    STATUS_OK },
	{ "s3_1_select_enables_without_a_word",
	    "s SELECT INBOX (CONDSTORE)\r\na STORE 1 +FLAGS (\\Seen)\r\n",
	    AGAIN("2", "3") DONE
	    "* 1 FETCH (UID 1 MODSEQ (4) FLAGS (\\Seen))\r\n"
	    "a OK Store completed\r\n",
	    STATUS_OK },
	/* 3.1.3 */
	{ "s3_1_3_unchangedsince_0_changes_nothing",
	    "a UID STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)\r\n",
	    HIGHEST "a OK [MODIFIED 1:2] Conditional store failed for some\r\n",
	    STATUS_OK },
	{ "s3_1_3_silent_tells_modseq_only_of_what_changed",
	    "a STORE 1:2 (UNCHANGEDSINCE 3) -FLAGS.SILENT (\\Seen)\r\n"
	    "b STORE 1 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen)\r\n",
	    HIGHEST "a OK Store completed\r\n* 1 FETCH (UID 1 MODSEQ (4))\r\n"
		    "b OK Store completed\r\n",
	    STATUS_OK },
	{ "s3_1_3_what_does_not_fit_63_bits_is_bad",
	    "a STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS ()\r\n"
	    "b STORE 1 (UNCHANGEDSINCE 9223372036854775807) FLAGS.SILENT ()\r\n"
	    "c FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)\r\n",
	    "a BAD Unknown STORE modifier\r\n" HIGHEST
	    "b OK Store completed\r\n"
	    "c BAD Invalid number\r\n",
	    STATUS_OK },
	/* 3.1.5, RFC 4731 3.2 */
	{ "s3_1_5_search_tells_the_highest_of_what_it_found",
	    "a SEARCH MODSEQ 2\r\nb SEARCH MODSEQ 4\r\n"
	    "c SEARCH RETURN (MIN) MODSEQ 1\r\n"
	    "d SEARCH RETURN (MIN MAX) MODSEQ 1\r\n"
	    "e SEARCH RETURN (MIN COUNT) MODSEQ 1\r\n",
	    HIGHEST "* SEARCH 1 2 (MODSEQ 3)\r\na OK Search completed\r\n"
		    "* SEARCH\r\nb OK Search completed\r\n"
		    "* ESEARCH (TAG \"c\") MIN 1 MODSEQ 2\r\n"
		    "c OK Search completed\r\n"
		    "* ESEARCH (TAG \"d\") MIN 1 MAX 2 MODSEQ 3\r\n"
		    "d OK Search completed\r\n"
		    "* ESEARCH (TAG \"e\") MIN 1 COUNT 2 MODSEQ 3\r\n"
		    "e OK Search completed\r\n",
	    STATUS_OK },
	/* 3.2.3, 3.2.5 */
	{ "s3_2_3_enable_tells_what_it_enables_and_the_highest",
	    "a ENABLE CONDSTORE QRESYNC X\r\n",
	    "* ENABLED CONDSTORE QRESYNC\r\n" HIGHEST "a OK Enabled\r\n",
	    STATUS_OK },
	{ "s3_2_5_qresync_must_be_enabled_before", SELECT("1001 1"),
	    "s BAD QRESYNC is not enabled\r\n", STATUS_OK },
	{ "s3_2_5_select_tells_what_changed", ENABLE SELECT("1001 2"),
	    ENABLED AGAIN("2", "3") FETCH_2 DONE, STATUS_OK },
	{ "s3_2_5_who_knows_all_is_told_nothing", ENABLE SELECT("1001 3 1:2"),
	    ENABLED AGAIN("2", "3") DONE, STATUS_OK },
	{ "s3_2_5_another_uidvalidity_is_ignored", ENABLE SELECT("1000 1 1:9"),
	    ENABLED AGAIN("2", "3") DONE, STATUS_OK },
	{ "s3_2_5_only_known_uids_are_told", ENABLE SELECT("1001 1 2:7"),
	    ENABLED AGAIN("2", "3") FETCH_2 DONE, STATUS_OK },
	{ "s3_2_5_what_vanished_comes_before_what_changed",
	    EXPUNGE SELECT("1001 2"),
	    EXPUNGED AGAIN("1", "5") "* VANISHED (EARLIER) 1\r\n"
				     "* 1 FETCH (UID 2 MODSEQ (3) FLAGS "
				     "())\r\n" DONE,
	    STATUS_OK },
	{ "s3_2_5_what_vanished_is_told_of_known_uids",
	    EXPUNGE SELECT("1001 2 2:5"),
	    EXPUNGED AGAIN("1", "5") "* 1 FETCH (UID 2 MODSEQ (3) FLAGS "
				     "())\r\n" DONE,
	    STATUS_OK },
	{ "s3_2_5_who_saw_it_vanish_is_not_told_again",
	    EXPUNGE SELECT("1001 5"), EXPUNGED AGAIN("1", "5") DONE,
	    STATUS_OK },
	{ "s3_2_5_a_modseq_of_the_future_means_that_nothing_is_known",
	    EXPUNGE SELECT("1001 900"),
	    EXPUNGED AGAIN("1", "5") "* VANISHED (EARLIER) 1\r\n"
				     "* 1 FETCH (UID 2 MODSEQ (3) FLAGS "
				     "())\r\n" DONE,
	    STATUS_OK },
	{ "s3_2_5_2_match_data_are_read_and_not_needed",
	    ENABLE SELECT("1001 2 1:2 (1,2 1,2)") SELECT("1001 2 (1 1)"),
	    ENABLED AGAIN("2", "3") FETCH_2 DONE AGAIN("2", "3") FETCH_2 DONE,
	    STATUS_OK },
	{ "s3_2_5_what_is_malformed_is_bad_and_selects_nothing_else",
	    ENABLE "a SELECT INBOX (QRESYNC)\r\nb SELECT INBOX (QRESYNC 1)\r\n"
		   "c SELECT INBOX (QRESYNC (1001))\r\n"
		   "d SELECT INBOX (QRESYNC (1001 2 1:*))\r\n"
		   "e SELECT INBOX (QRESYNC (1001 2 1:2 (1)))\r\n"
		   "f SELECT INBOX (QRESYNC (1001 9223372036854775808))\r\n"
		   "g SELECT INBOX (QRESYNC (1001 2 1:2)\r\n"
		   "h SELECT INBOX (QRESYNC (1001 2 (1:* 1)))\r\n"
		   "i FETCH 1 UID\r\n",
	    ENABLED "a BAD Space expected\r\nb BAD QRESYNC needs a list\r\n"
		    "c BAD Space expected\r\n"
		    "d BAD \"*\" is not a known UID\r\n"
		    "e BAD Space expected\r\n"
		    "f BAD Invalid number\r\n"
		    "g BAD List has no end\r\n"
		    "h BAD \"*\" is not a known UID\r\n"
		    "* 1 FETCH (UID 1)\r\ni OK Fetch completed\r\n",
	    STATUS_OK },
	{ "s3_2_5_without_the_store_what_vanished_long_ago_is_not_known",
	    ENABLE SELECT("1001 1") "a FETCH 1 UID\r\n",
	    ENABLED CLOSED
	    "s NO [UNAVAILABLE] Mail store is not available, try again\r\n"
	    "a BAD No mailbox selected\r\n",
	    STATUS_UNAVAILABLE },
	{ "s3_2_5_examine_as_well",
	    ENABLE "s EXAMINE INBOX (QRESYNC (1001 2))\r\n",
	    ENABLED CLOSED
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
	    "* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 1] First unseen\r\n"
	    "* OK [UIDVALIDITY 1001] UIDs valid\r\n"
	    "* OK [UIDNEXT 3] Predicted next UID\r\n" HIGHEST INBOX_ID FETCH_2
	    "s OK [READ-ONLY] Examine completed\r\n",
	    STATUS_OK },
	/* 3.2.6 */
	{ "s3_2_6_uid_fetch_tells_what_vanished",
	    EXPUNGE "c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 2 VANISHED)\r\n"
		    "d UID FETCH 2:* UID (VANISHED CHANGEDSINCE 3)\r\n",
	    EXPUNGED "* VANISHED (EARLIER) 1\r\n"
		     "* 1 FETCH (UID 2 FLAGS () MODSEQ (3))\r\n"
		     "c OK Fetch completed\r\nd OK Fetch completed\r\n",
	    STATUS_OK },
	{ "s3_2_6_what_vanished_may_lie_behind_the_last_message",
	    ENABLE "a STORE 2 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n"
		   "c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3 VANISHED)\r\n",
	    ENABLED "* 2 FETCH (UID 2 MODSEQ (4))\r\na OK Store completed\r\n"
		    "* VANISHED 2\r\n"
		    "b OK [HIGHESTMODSEQ 5] Expunge completed\r\n"
		    "* VANISHED (EARLIER) 2\r\nc OK Fetch completed\r\n",
	    STATUS_OK },
	{ "s3_2_6_vanished_needs_uid_fetch_changedsince_and_qresync",
	    "a UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n" ENABLE
	    "b FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n"
	    "c UID FETCH 1 FLAGS (VANISHED)\r\n",
	    "a BAD VANISHED needs UID FETCH, CHANGEDSINCE and "
	    "QRESYNC\r\n" ENABLED
	    "b BAD VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC\r\n"
	    "c BAD VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC\r\n",
	    STATUS_OK },
	/* 3.2.7, 3.2.8, 3.2.9, 3.2.10 */
	{ "s3_2_9_uid_expunge_and_move_tell_vanished_and_the_highest",
	    ENABLE "a STORE 2 +FLAGS.SILENT (\\Deleted)\r\nb UID EXPUNGE 2\r\n"
		   "c CREATE x\r\nd MOVE 1 x\r\n",
	    ENABLED "* 2 FETCH (UID 2 MODSEQ (4))\r\na OK Store completed\r\n"
		    "* VANISHED 2\r\n"
		    "b OK [HIGHESTMODSEQ 5] Expunge completed\r\n"
		    "c" CREATED
		    "* OK [COPYUID 1002 1 1] Moved\r\n* VANISHED 1\r\n"
		    "d OK [HIGHESTMODSEQ 6] Move completed\r\n",
	    STATUS_OK },
	{ "s3_2_8_close_tells_the_highest",
	    ENABLE "a STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\nb CLOSE\r\n",
	    ENABLED "* 1 FETCH (UID 1 MODSEQ (4))\r\n"
		    "* 2 FETCH (UID 2 MODSEQ (4))\r\na OK Store completed\r\n"
		    "b OK [HIGHESTMODSEQ 6] Close completed\r\n",
	    STATUS_OK },
	{ "s3_2_10_many_that_vanish_are_one_response",
	    ENABLE "a STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n",
	    ENABLED "* 1 FETCH (UID 1 MODSEQ (4))\r\n"
		    "* 2 FETCH (UID 2 MODSEQ (4))\r\na OK Store completed\r\n"
		    "* VANISHED 1:2\r\n"
		    "b OK [HIGHESTMODSEQ 6] Expunge completed\r\n",
	    STATUS_OK },
	{ "s3_2_4_flags_that_fetch_sets_come_with_uid_and_modseq",
	    ENABLE "a FETCH 1 BODY[TEXT]<0.1>\r\n",
	    ENABLED "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (4) "
		    "BODY[TEXT]<0> {1}\r\nF)\r\na OK Fetch completed\r\n",
	    STATUS_OK },
};

static void
sessions_answer_as_rfc_7162_says(void **state)
{
	(void)state;
	assert_int_equal(check_transcripts(transcripts,
			     sizeof(transcripts) / sizeof(*transcripts)),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_answer_as_rfc_7162_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
