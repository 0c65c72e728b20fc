/*
 * Clients that know messages by UID alone (RFC 9586), and go through a mailbox
 * in batches of them (RFC 10022).
 */
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ENABLE "e ENABLE UIDONLY\r\n"
#define ENABLED                 \
	"* ENABLED UIDONLY\r\n" \
	"e OK Enabled\r\n"
#define REQUIRED " BAD [UIDREQUIRED] Messages go by UID now\r\n"
#define RESELECTED                                                     \
	"* OK [CLOSED] Previous mailbox closed\r\n"                    \
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"  \
	"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen " \
	"\\Draft \\*)] Flags permitted\r\n"                            \
	"* 2 EXISTS\r\n* 0 RECENT\r\n"                                 \
	"* OK [UIDVALIDITY 1001] UIDs valid\r\n"                       \
	"* OK [UIDNEXT 3] Predicted next UID\r\n"                      \
	"* OK [HIGHESTMODSEQ 3] Highest\r\n" INBOX_ID

static const struct transcript transcripts[] = {
	/* RFC 9586 3, 3.2, 3.8 */
	{ "no_command_takes_a_message_number",
	    ENABLE "a FETCH 1 FLAGS\r\nb STORE 1 FLAGS (\\Seen)\r\n"
		   "c SEARCH ALL\r\nd COPY 1 x\r\nf MOVE 1 x\r\n"
		   "g SORT (DATE) UTF-8 ALL\r\n"
		   "h THREAD REFERENCES UTF-8 ALL\r\n"
		   "i REPLACE 1 INBOX {2+}\r\nhi\r\n",
	    ENABLED "a" REQUIRED "b" REQUIRED "c" REQUIRED "d" REQUIRED
		    "f" REQUIRED "g" REQUIRED "h" REQUIRED "i" REQUIRED,
	    STATUS_OK },
	{ "numbers_are_taken_until_then",
	    "a FETCH 1 FLAGS\r\nb SEARCH ALL\r\n" ENABLE,
	    "* 1 FETCH (FLAGS ())\r\na OK Fetch completed\r\n"
	    "* SEARCH 1 2\r\nb OK Search completed\r\n" ENABLED,
	    STATUS_OK },
	/* 3.3 */
	{ "messages_are_told_by_uid",
	    ENABLE "a UID FETCH 2 FLAGS\r\nb UID FETCH 1 (UID FLAGS)\r\n"
		   "c UID FETCH 1 BODY[TEXT]<6.4>\r\n",
	    ENABLED "* 2 UIDFETCH (FLAGS ())\r\na OK Fetch completed\r\n"
		    "* 1 UIDFETCH (UID 1 FLAGS ())\r\nb OK Fetch completed\r\n"
		    "* 1 UIDFETCH (FLAGS (\\Seen) BODY[TEXT]<6> {4}\r\nbody)"
		    "\r\nc OK Fetch completed\r\n",
	    STATUS_OK },
	{ "changes_are_told_by_uid",
	    ENABLE "a UID STORE 2 +FLAGS (\\Seen)\r\n"
		   "b UID STORE 2 +FLAGS.SILENT (\\Flagged)\r\n"
		   "c ENABLE CONDSTORE\r\nd UID STORE 2 FLAGS ()\r\n"
		   "f UID STORE 2 +FLAGS.SILENT (\\Draft)\r\n",
	    ENABLED "* 2 UIDFETCH (FLAGS (\\Seen))\r\na OK Store completed\r\n"
		    "b OK Store completed\r\n"
		    "* ENABLED CONDSTORE\r\n"
		    "* OK [HIGHESTMODSEQ 5] Highest\r\nc OK Enabled\r\n"
		    "* 2 UIDFETCH (MODSEQ (6) FLAGS ())\r\n"
		    "d OK Store completed\r\n"
		    "* 2 UIDFETCH (MODSEQ (7))\r\nf OK Store completed\r\n",
	    STATUS_OK },
	/* 3.4 */
	{ "what_is_expunged_has_vanished",
	    ENABLE "a UID STORE 1:2 +FLAGS.SILENT \\Deleted\r\n"
		   "b UID EXPUNGE 2\r\nc EXPUNGE\r\n",
	    ENABLED "a OK Store completed\r\n* VANISHED 2\r\n"
		    "b OK Expunge completed\r\n* VANISHED 1\r\n"
		    "c OK Expunge completed\r\n",
	    STATUS_OK },
	{ "what_is_moved_has_vanished",
	    ENABLE "a CREATE x\r\nb UID MOVE 1 x\r\n",
	    ENABLED "a" CREATED "* OK [COPYUID 1002 1 1] Moved\r\n"
		    "* VANISHED 1\r\nb OK Move completed\r\n",
	    STATUS_OK },
	{ "what_is_replaced_has_vanished",
	    ENABLE "a UID REPLACE 1 INBOX {2+}\r\nhi\r\n",
	    ENABLED "* OK [APPENDUID 1001 3] Replacement is there\r\n"
		    "* VANISHED 1\r\n* 2 EXISTS\r\n"
		    "a OK Replace completed\r\n",
	    STATUS_OK },
	/* 3.5, 3.8; RFC 5182: "$" is no number */
	{ "searches_name_no_numbers",
	    ENABLE "a UID SEARCH 1\r\nb UID SEARCH OR UID 1 (NOT 2:*)\r\n"
		   "c UID SORT (DATE) UTF-8 1:2\r\n"
		   "d UID THREAD REFERENCES UTF-8 1\r\n"
		   "f UID SEARCH RETURN (SAVE) UID 2\r\ng UID SEARCH $\r\n"
		   "h UID FETCH $ FLAGS\r\n",
	    ENABLED "a" REQUIRED "b" REQUIRED "c" REQUIRED "d" REQUIRED
		    "f OK Search completed\r\n"
		    "* SEARCH 2\r\ng OK Search completed\r\n"
		    "* 2 UIDFETCH (FLAGS ())\r\nh OK Fetch completed\r\n",
	    STATUS_OK },
	/* 3.6 */
	{ "exists_stays", ENABLE "a APPEND INBOX {2+}\r\nhi\r\n",
	    ENABLED "* 3 EXISTS\r\n"
		    "a OK [APPENDUID 1001 3] Append completed\r\n",
	    STATUS_OK },
	{ "select_names_no_unseen_number", ENABLE "a SELECT INBOX\r\n",
	    ENABLED RESELECTED "a OK [READ-WRITE] Select completed\r\n",
	    STATUS_OK },
	/* 3.7 */
	{ "resynchronising_takes_no_numbers",
	    "e ENABLE QRESYNC UIDONLY\r\n"
	    "a SELECT INBOX (QRESYNC (1001 2 1:2 (1 1)))\r\n"
	    "b SELECT INBOX (QRESYNC (1001 2 1:2))\r\n"
	    "c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 2 VANISHED)\r\n",
	    "* ENABLED QRESYNC UIDONLY\r\n"
	    "* OK [HIGHESTMODSEQ 3] Highest\r\ne OK Enabled\r\n"
	    "a" REQUIRED RESELECTED "* 2 UIDFETCH (MODSEQ (3) FLAGS ())\r\n"
	    "b OK [READ-WRITE] Select completed\r\n"
	    "* 2 UIDFETCH (FLAGS () MODSEQ (3))\r\nc OK Fetch completed\r\n",
	    STATUS_OK },
	/* RFC 10022 */
	{ "batches_reach_down_to_the_first_uid",
	    "a UIDBATCHES 500\r\nb UIDBATCHES 500 1:1\r\n"
	    "c UIDBATCHES 500 2:3\r\n",
	    "* UIDBATCHES (TAG \"a\") 2:1\r\na OK Batches listed\r\n"
	    "* UIDBATCHES (TAG \"b\") 2:1\r\nb OK Batches listed\r\n"
	    "* UIDBATCHES (TAG \"c\")\r\nc OK Batches listed\r\n",
	    STATUS_OK },
	{ "an_empty_mailbox_has_no_batches",
	    "a UID STORE 1:* +FLAGS.SILENT \\Deleted\r\nb CLOSE\r\n"
	    "c EXAMINE INBOX\r\nd UIDBATCHES 500\r\n",
	    "a OK Store completed\r\nb OK Close completed\r\n"
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
	    "* 0 EXISTS\r\n* 0 RECENT\r\n"
	    "* OK [UIDVALIDITY 1001] UIDs valid\r\n"
	    "* OK [UIDNEXT 3] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ 6] Highest\r\n" INBOX_ID
	    "c OK [READ-ONLY] Examine completed\r\n"
	    "* UIDBATCHES (TAG \"d\")\r\nd OK Batches listed\r\n",
	    STATUS_OK },
	{ "batches_are_neither_small_nor_too_many",
	    "a UIDBATCHES 99\r\nb UIDBATCHES 500 1:2001\r\n"
	    "c UIDBATCHES 4294967295 1:4294967295\r\n"
	    "d UIDBATCHES 500 201:400\r\ne UIDBATCHES 1000001\r\n"
	    "f UIDBATCHES 1000000\r\n",
	    "a NO [TOOFEW] A batch has at least 100 messages\r\n"
	    "b NO [TOOMANY] Batches of too many messages\r\n"
	    "c NO [TOOMANY] Batches of too many messages\r\n"
	    "* UIDBATCHES (TAG \"d\")\r\nd OK Batches listed\r\n"
	    "e NO [TOOMANY] Batches of too many messages\r\n"
	    "* UIDBATCHES (TAG \"f\") 2:1\r\nf OK Batches listed\r\n",
	    STATUS_OK },
	{ "batches_are_numbers",
	    "a UIDBATCHES\r\nb UIDBATCHES x\r\nc UIDBATCHES 0\r\n"
	    "d UIDBATCHES 500 6:\r\ne UIDBATCHES 500 6:5\r\n"
	    "f UIDBATCHES 500 1:2 x\r\ng UIDBATCHES 500 1\r\n"
	    "h UIDBATCHES 500 0:1\r\ni UID UIDBATCHES 500\r\n"
	    "j UNSELECT\r\nk UIDBATCHES 500\r\n",
	    "a BAD Missing argument\r\nb BAD Invalid number\r\n"
	    "c BAD Invalid number\r\nd BAD Invalid number\r\n"
	    "e BAD Invalid range of batches\r\nf BAD Unexpected argument\r\n"
	    "g BAD Range of batches expected\r\n"
	    "h BAD Invalid range of batches\r\ni BAD Unknown command\r\n"
	    "j OK Unselect completed\r\nk BAD No mailbox selected\r\n",
	    STATUS_OK },
};

static void
sessions_answer_as_written(void **state)
{
	assert_int_equal(check_transcripts(transcripts,
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
