/*
 * Sessions of clients that use extensions: a table for each RFC.
 */
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CONDSTORE    "* OK [HIGHESTMODSEQ 3] Highest\r\n"
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* RFC 5032 */
static const struct transcript within[] = {
	{ "messages_of_last_year_are_older_and_not_younger",
	    "a SEARCH OLDER 3600\r\nb SEARCH YOUNGER 3600\r\n"
	    "c UID SEARCH 2 YOUNGER 4294967295\r\nd SEARCH NOT OLDER 1\r\n",
	    "* SEARCH 1 2\r\na OK Search completed\r\n"
	    "* SEARCH\r\nb OK Search completed\r\n"
	    "* SEARCH 2\r\nc OK Search completed\r\n"
	    "* SEARCH\r\nd OK Search completed\r\n",
	    STATUS_OK },
	{ "an_interval_is_a_second_or_more",
	    "a SEARCH OLDER 0\r\nb SEARCH YOUNGER x\r\nc SEARCH OLDER\r\n"
	    "d SEARCH YOUNGER 4294967296\r\n",
	    "a BAD Interval is a second or more\r\nb BAD Invalid number\r\n"
	    "c BAD Missing argument\r\nd BAD Invalid number\r\n",
	    STATUS_OK },
};

/* RFC 5267 3 */
static const struct transcript esort[] = {
	{ "the_first_and_last_are_those_in_the_order",
	    "a SORT RETURN (MIN MAX COUNT) (REVERSE ARRIVAL SUBJECT) UTF-8 "
	    "ALL\r\nb UID SORT RETURN (ALL) (SUBJECT) UTF-8 ALL\r\n"
	    "c SORT RETURN () (SIZE) UTF-8 ALL\r\n"
	    "d SORT RETURN (COUNT ALL) (SIZE) UTF-8 SEEN\r\n",
	    "* ESEARCH (TAG \"a\") MIN 2 MAX 1 COUNT 2\r\n"
	    "a OK Sort completed\r\n"
	    "* ESEARCH (TAG \"b\") UID ALL 2,1\r\nb OK Sort completed\r\n"
	    "* ESEARCH (TAG \"c\") ALL 2,1\r\nc OK Sort completed\r\n"
	    "* ESEARCH (TAG \"d\") COUNT 0\r\nd OK Sort completed\r\n",
	    STATUS_OK },
	{ "a_page_of_the_order",
	    "a SORT RETURN (PARTIAL 1:1) (SUBJECT) UTF-8 ALL\r\n"
	    "b SORT RETURN (PARTIAL -1:-1) (SUBJECT) UTF-8 ALL\r\n",
	    "* ESEARCH (TAG \"a\") PARTIAL (1:1 2)\r\na OK Sort completed\r\n"
	    "* ESEARCH (TAG \"b\") PARTIAL (-1:-1 1)\r\n"
	    "b OK Sort completed\r\n",
	    STATUS_OK },
	{ "what_a_sort_saves_is_a_set_all_the_same",
	    "a SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL\r\nb FETCH $ UID\r\n"
	    "c SORT RETURN (SAVE MIN) (SUBJECT) UTF-8 ALL\r\n"
	    "d FETCH $ UID\r\ne SORT RETURN (SAVE) (SUBJECT) KLINGON ALL\r\n"
	    "f FETCH $ UID\r\n",
	    "a OK Sort completed\r\n* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
	    "b OK Fetch completed\r\n* ESEARCH (TAG \"c\") MIN 2\r\n"
	    "c OK Sort completed\r\n* 2 FETCH (UID 2)\r\n"
	    "d OK Fetch completed\r\n"
	    "e" BADCHARSET "f OK Fetch completed\r\n",
	    STATUS_OK },
	{ "modseq_is_that_of_what_is_told",
	    "a SORT RETURN (MIN) (SUBJECT) UTF-8 MODSEQ 1\r\n"
	    "b SORT RETURN (MAX) (SUBJECT) UTF-8 MODSEQ 1\r\n"
	    "c SORT RETURN (MAX COUNT) (SUBJECT) UTF-8 MODSEQ 1\r\n",
	    CONDSTORE "* ESEARCH (TAG \"a\") MIN 2 MODSEQ 3\r\n"
		      "a OK Sort completed\r\n"
		      "* ESEARCH (TAG \"b\") MAX 1 MODSEQ 2\r\n"
		      "b OK Sort completed\r\n"
		      "* ESEARCH (TAG \"c\") MAX 1 COUNT 2 MODSEQ 3\r\n"
		      "c OK Sort completed\r\n",
	    STATUS_OK },
	{ "an_option_that_is_unknown_is_bad",
	    "a SORT RETURN (FOO) (SIZE) UTF-8 ALL\r\n"
	    "b SORT RETURN (ALL) UTF-8 ALL\r\nc SORT RETURN\r\n",
	    "a BAD Unknown return option\r\n"
	    "b BAD List of criteria expected\r\nc BAD Missing argument\r\n",
	    STATUS_OK },
};

/* RFC 9394 */
static const struct transcript partial[] = {
	{ "a_page_of_what_is_found",
	    "a SEARCH RETURN (PARTIAL 1:1) ALL\r\n"
	    "b UID SEARCH RETURN (PARTIAL 2:1 COUNT) ALL\r\n"
	    "c SEARCH RETURN (PARTIAL -1:-1) ALL\r\n"
	    "d SEARCH RETURN (PARTIAL -2:-9) ALL\r\n"
	    "e SEARCH RETURN (PARTIAL 3:9) ALL\r\n"
	    "f SEARCH RETURN (PARTIAL -3:-9) ALL\r\n",
	    "* ESEARCH (TAG \"a\") PARTIAL (1:1 1)\r\na OK Search completed\r\n"
	    "* ESEARCH (TAG \"b\") UID COUNT 2 PARTIAL (2:1 1:2)\r\n"
	    "b OK Search completed\r\n"
	    "* ESEARCH (TAG \"c\") PARTIAL (-1:-1 2)\r\n"
	    "c OK Search completed\r\n"
	    "* ESEARCH (TAG \"d\") PARTIAL (-2:-9 1)\r\n"
	    "d OK Search completed\r\n"
	    "* ESEARCH (TAG \"e\") PARTIAL (3:9 NIL)\r\n"
	    "e OK Search completed\r\n"
	    "* ESEARCH (TAG \"f\") PARTIAL (-3:-9 NIL)\r\n"
	    "f OK Search completed\r\n",
	    STATUS_OK },
	{ "a_range_is_two_numbers_of_one_sign",
	    "a SEARCH RETURN (PARTIAL) ALL\r\nb SEARCH RETURN (PARTIAL 1) ALL"
	    "\r\nc SEARCH RETURN (PARTIAL 0:1) ALL\r\n"
	    "d SEARCH RETURN (PARTIAL -1:1) ALL\r\n"
	    "e SEARCH RETURN (PARTIAL 1:-1) ALL\r\n"
	    "f SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL\r\n"
	    "g SEARCH RETURN (PARTIAL 1:2 ALL) ALL\r\n",
	    "a BAD Space expected\r\nb BAD Invalid partial range\r\n"
	    "c BAD Invalid partial range\r\nd BAD Invalid partial range\r\n"
	    "e BAD Invalid partial range\r\nf BAD PARTIAL may be given once\r\n"
	    "g BAD ALL and PARTIAL exclude each other\r\n",
	    STATUS_OK },
	{ "what_is_saved_is_the_page_unless_all_was_counted",
	    "a SEARCH RETURN (SAVE PARTIAL -1:-1) ALL\r\nb FETCH $ UID\r\n"
	    "c SEARCH RETURN (SAVE PARTIAL 1:1 COUNT) ALL\r\nd FETCH $ UID\r\n"
	    "e SEARCH RETURN (SAVE PARTIAL 1:1 MAX) ALL\r\nf FETCH $ UID\r\n",
	    "* ESEARCH (TAG \"a\") PARTIAL (-1:-1 2)\r\n"
	    "a OK Search completed\r\n* 2 FETCH (UID 2)\r\n"
	    "b OK Fetch completed\r\n"
	    "* ESEARCH (TAG \"c\") COUNT 2 PARTIAL (1:1 1)\r\n"
	    "c OK Search completed\r\n* 1 FETCH (UID 1)\r\n* 2 FETCH (UID "
	    "2)\r\n"
	    "d OK Fetch completed\r\n"
	    "* ESEARCH (TAG \"e\") MAX 2 PARTIAL (1:1 1)\r\n"
	    "e OK Search completed\r\n* 1 FETCH (UID 1)\r\n* 2 FETCH (UID "
	    "2)\r\n"
	    "f OK Fetch completed\r\n",
	    STATUS_OK },
	{ "a_page_of_what_is_fetched",
	    "a UID FETCH 1:* UID (PARTIAL -1:-1)\r\n"
	    "b UID FETCH 1:* UID (PARTIAL 1:1 CHANGEDSINCE 2)\r\n"
	    "c UID FETCH 1:* UID (PARTIAL 3:5)\r\n"
	    "d FETCH 1:* UID (PARTIAL 1:1)\r\n"
	    "e UID FETCH 1:* BODY[TEXT] (PARTIAL 1:1)\r\n"
	    "f FETCH 2 FLAGS\r\n",
	    "* 2 FETCH (UID 2)\r\na OK Fetch completed\r\n" CONDSTORE
	    "* 2 FETCH (UID 2 MODSEQ (3))\r\nb OK Fetch completed\r\n"
	    "c OK Fetch completed\r\nd BAD Unknown FETCH modifier\r\n"
	    "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (4) BODY[TEXT] {12}\r\n"
	    "First body\r\n)\r\ne OK Fetch completed\r\n"
	    "* 2 FETCH (FLAGS ())\r\nf OK Fetch completed\r\n",
	    STATUS_OK },
};

/* RFC 5256 */
static const struct transcript thread[] = {
	{ "threads_of_numbers_and_uids",
	    "a THREAD REFERENCES UTF-8 ALL\r\n"
	    "b UID THREAD ORDEREDSUBJECT US-ASCII 2\r\n"
	    "c THREAD references utf-8 SEEN\r\n",
	    "* THREAD (1)(2)\r\na OK Thread completed\r\n"
	    "* THREAD (2)\r\nb OK Thread completed\r\n"
	    "* THREAD\r\nc OK Thread completed\r\n",
	    STATUS_OK },
	{ "a_thread_that_is_malformed_is_bad",
	    "a THREAD FOO UTF-8 ALL\r\nb THREAD REFERENCES ALL\r\n"
	    "c THREAD\r\nd THREAD REFERENCES KLINGON ALL\r\n"
	    "e THREAD REFERENCES UTF-8 BOGUS\r\n",
	    "a BAD Unknown threading algorithm\r\nb BAD Missing argument\r\n"
	    "c BAD Missing argument\r\n"
	    "d" BADCHARSET "e BAD Unknown search key\r\n",
	    STATUS_OK },
	{ "the_past_has_threads_too",
	    "a UNSELECT\r\nb EXAMINE \"Snapshots/Deleted mail\"\r\n"
	    "c UID THREAD REFERENCES UTF-8 ALL\r\n",
	    "a OK Unselect completed\r\n"
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n"
	    "* 1 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 1] First unseen\r\n"
	    "* OK [UIDVALIDITY 1002] UIDs valid\r\n"
	    "* OK [UIDNEXT 2] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ 2] Highest\r\n" PAST_ID
	    "b OK [READ-ONLY] Examine completed\r\n"
	    "* THREAD (1)\r\nc OK Thread completed\r\n",
	    STATUS_OK },
};

/* RFC 3516 */
static const struct transcript binary[] = {
	{ "a_part_comes_without_its_encoding",
	    "a APPEND INBOX ~{51+}\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    "aGVsbG8AIQ==\r\n"
	    "\r\n"
	    "b APPEND INBOX {58+}\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "a=3Db=\r\n"
	    "c\r\n"
	    "\r\n"
	    "c FETCH 3 (BINARY.SIZE[1] BINARY.PEEK[1]<0.5> FLAGS)\r\n"
	    "d FETCH 4 (BINARY[1])\r\n"
	    "e FETCH 4 (BINARY.PEEK[1]<2.3> BINARY.PEEK[1]<9.3> BINARY.PE"
	    "EK[2] BINARY.SIZE[2])\r\n"
	    "f UID FETCH 4 BINARY.PEEK[]<0.7>\r\n",
	    "* 3 EXISTS\r\n"
	    "a OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 4 EXISTS\r\n"
	    "b OK [APPENDUID 1001 4] Append completed\r\n"
	    "* 3 FETCH (FLAGS () BINARY.SIZE[1] 7 BINARY[1]<0> ~{5}\r\n"
	    "hello)\r\n"
	    "c OK Fetch completed\r\n"
	    "* 4 FETCH (FLAGS (\\Seen) BINARY[1] {6}\r\n"
	    "a=bc\r\n"
	    ")\r\n"
	    "d OK Fetch completed\r\n"
	    "* 4 FETCH (BINARY[1]<2> {3}\r\n"
	    "bc\r BINARY[1]<9> {0}\r\n"
	    " BINARY[2] NIL BINARY.SIZE[2] 0)\r\n"
	    "e OK Fetch completed\r\n"
	    "* 4 FETCH (UID 4 BINARY[]<0> {7}\r\n"
	    "Content)\r\n"
	    "f OK Fetch completed\r\n",
	    STATUS_OK },
	{ "what_holds_parts_comes_as_it_was_sent",
	    "a APPEND INBOX {213+}\r\n"
	    "Content-Type: multipart/mixed; boundary=x\r\n"
	    "\r\n"
	    "--x\r\n"
	    "Content-Transfer-Encoding: BASE64\r\n"
	    "\r\n"
	    "b25lIHR3byB0aHJlZQ==\r\n"
	    "--x\r\n"
	    "Content-Type: message/rfc822\r\n"
	    "\r\n"
	    "Subject: in\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    "aW5uZXI=\r\n"
	    "--x--\r\n"
	    "\r\n"
	    "b FETCH 3 (BINARY.PEEK[1] BINARY.SIZE[1] BODY.PEEK[1])\r\n"
	    "c FETCH 3 (BINARY.SIZE[2] BINARY.PEEK[2] BINARY.PEEK[2.1])\r"
	    "\n",
	    "* 3 EXISTS\r\n"
	    "a OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (BINARY[1] {13}\r\n"
	    "one two three BINARY.SIZE[1] 13 BODY[1] {20}\r\n"
	    "b25lIHR3byB0aHJlZQ==)\r\n"
	    "b OK Fetch completed\r\n"
	    "* 3 FETCH (BINARY.SIZE[2] 58 BINARY[2] {58}\r\n"
	    "Subject: in\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    "aW5uZXI= BINARY[2.1] {5}\r\n"
	    "inner)\r\n"
	    "c OK Fetch completed\r\n",
	    STATUS_OK },
	{ "an_encoding_that_is_unknown_is_said",
	    "a APPEND INBOX {43+}\r\n"
	    "Content-Transfer-Encoding: x-uue\r\n"
	    "\r\n"
	    "#0V%T\r\n"
	    "\r\n"
	    "b FETCH 3 (BINARY.PEEK[1] BINARY.SIZE[1])\r\n"
	    "c NOOP\r\n",
	    "* 3 EXISTS\r\n"
	    "a OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (BINARY[1] {7}\r\n"
	    "#0V%T\r\n"
	    " BINARY.SIZE[1] 7)\r\n"
	    "b NO [UNKNOWN-CTE] Some parts are told as they are encoded\r"
	    "\n"
	    "c OK NOOP completed\r\n",
	    STATUS_OK },
	{ "binary_is_of_parts_by_number",
	    "a FETCH 1 BINARY[TEXT]\r\n"
	    "b FETCH 1 BINARY.SIZE[1]<0.1>\r\n"
	    "c FETCH 1 BINARY[1.MIME]\r\n"
	    "d FETCH 1 BINARY\r\n"
	    "e FETCH 1 BINARY.SIZE[\r\n"
	    "f FETCH 1 BINARY[HEADER.FIELDS (X)]\r\n",
	    "a BAD Part number expected\r\n"
	    "b BAD BINARY.SIZE has no range\r\n"
	    "c BAD Part number expected\r\n"
	    "d BAD Unknown item\r\n"
	    "e BAD Unknown section\r\n"
	    "f BAD Part number expected\r\n",
	    STATUS_OK },
};

/* RFC 9755, RFC 6855 */
static const struct transcript utf8[] = {
	{ "names_are_as_they_are_once_it_is_enabled",
	    "a CREATE \"Entw&APw-rfe\"\r\nb ENABLE UTF8=ACCEPT\r\n"
	    "c LIST \"\" Entw*\r\nd STATUS \"Entw\303\274rfe\" (MESSAGES)\r\n"
	    "e CREATE \"a&b\"\r\nf LIST \"\" a*\r\n"
	    "g SUBSCRIBE \"Entw\303\274rfe\"\r\nh LSUB \"\" *\r\n",
	    "a" CREATED "* ENABLED UTF8=ACCEPT\r\nb OK Enabled\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"Entw\303\274rfe\"\r\n"
	    "c OK List completed\r\n"
	    "* STATUS \"Entw\303\274rfe\" (MESSAGES 0)\r\n"
	    "d OK Status completed\r\n"
	    "e OK [MAILBOXID (F0000000000000003)] Create completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" \"a&b\"\r\n"
	    "f OK List completed\r\ng OK Subscription changed\r\n"
	    "* LSUB () \"/\" \"Entw\303\274rfe\"\r\nh OK Lsub completed\r\n",
	    STATUS_OK },
	{ "a_name_that_is_not_utf_8_is_bad",
	    "a ENABLE UTF8=ACCEPT\r\nb CREATE \"x\377\"\r\n"
	    "c CREATE \"x&AG\"\r\nd LIST \"\" x*\r\n",
	    "* ENABLED UTF8=ACCEPT\r\na OK Enabled\r\n"
	    "b BAD Malformed or too long mailbox name\r\n"
	    "c" CREATED "* LIST (\\HasNoChildren) \"/\" \"x&AG\"\r\n"
	    "d OK List completed\r\n",
	    STATUS_OK },
	{ "strings_are_utf_8_and_charset_is_bad",
	    "a SEARCH CHARSET UTF-8 SUBJECT x\r\nb ENABLE UTF8=ACCEPT\r\n"
	    "c SEARCH SUBJECT \"GRu\314\210\303\237E\"\r\n"
	    "d SEARCH CHARSET UTF-8 SUBJECT x\r\n"
	    "e SORT (SUBJECT) UTF-8 SUBJECT \"GRu\314\210\303\237E\"\r\n",
	    "* SEARCH\r\na OK Search completed\r\n"
	    "* ENABLED UTF8=ACCEPT\r\nb OK Enabled\r\n"
	    "* SEARCH 2\r\nc OK Search completed\r\n"
	    "d BAD CHARSET is of no use with UTF8=ACCEPT\r\n"
	    "* SORT 2\r\ne OK Sort completed\r\n",
	    STATUS_OK },
	{ "a_message_may_be_given_as_utf_8",
	    "a ENABLE UTF8=ACCEPT\r\n"
	    "b APPEND INBOX (\\Seen) UTF8 (~{5+}\r\nhello)\r\n"
	    "c APPEND INBOX UTF8 ({5+}\r\nhello)\r\n"
	    "d APPEND INBOX UTF8 (~{5+}\r\nhello\r\n"
	    "e APPEND INBOX UTF8 (~{5+}\r\nhello) x\r\n"
	    "f APPEND INBOX {5+}\r\nhello)\r\n",
	    "* ENABLED UTF8=ACCEPT\r\na OK Enabled\r\n"
	    "* 3 EXISTS\r\nb OK [APPENDUID 1001 3] Append completed\r\n"
	    "c BAD UTF8 (~{...}) expected\r\nd BAD UTF8 data has no end\r\n"
	    "e BAD Message literal expected\r\nf BAD Space expected\r\n",
	    STATUS_OK },
};

/* RFC 9051; A is "A" and a ring, or the one letter that they are */
#define REV2_SELECTED(list)                                            \
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"  \
	"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted "        \
	"\\Seen \\Draft \\*)] Flags permitted\r\n"                     \
	"* 0 EXISTS\r\n" list "* OK [UIDVALIDITY 1002] UIDs valid\r\n" \
	"* OK [UIDNEXT 1] Predicted next UID\r\n"                      \
	"* OK [HIGHESTMODSEQ 1] Highest\r\n"                           \
	"* OK [MAILBOXID (F0000000000000002)] Its name\r\n" HAS_KEY
#define REV2    "r ENABLE IMAP4rev2\r\n"
#define IS_REV2 "* ENABLED IMAP4rev2\r\nr OK Enabled\r\n"
#define NFD     "A\314\212"
#define NFC     "\303\205"
static const struct transcript rev2[] = {
	{ "what_is_found_is_told_by_esearch",
	    REV2 "a SEARCH ALL\r\nb UID SEARCH FROM ann\r\nc SEARCH SEEN\r\n"
		 "d SEARCH RETURN (COUNT) ALL\r\n"
		 "e SEARCH CHARSET UTF-8 ALL\r\nf SEARCH MODSEQ 3\r\n"
		 "g SORT (SIZE) UTF-8 ALL\r\n",
	    IS_REV2 "* ESEARCH (TAG \"a\") ALL 1:2\r\na OK Search completed\r\n"
		    "* ESEARCH (TAG \"b\") UID ALL 1\r\n"
		    "b OK Search completed\r\n* ESEARCH (TAG \"c\")\r\n"
		    "c OK Search completed\r\n"
		    "* ESEARCH (TAG \"d\") COUNT 2\r\n"
		    "d OK Search completed\r\n"
		    "* ESEARCH (TAG \"e\") ALL 1:2\r\n"
		    "e OK Search completed\r\n" CONDSTORE
		    "* ESEARCH (TAG \"f\") ALL 2 MODSEQ 3\r\n"
		    "f OK Search completed\r\n* SORT 2 1\r\n"
		    "g OK Sort completed\r\n",
	    STATUS_OK },
	{ "select_lists_the_mailbox_and_says_nothing_of_recent",
	    REV2 "a CREATE x\r\nb SELECT x\r\n",
	    IS_REV2 "a" CREATED
		    "* OK [CLOSED] Previous mailbox closed\r\n" REV2_SELECTED(
			"* LIST () \"/\" x\r\n") "b OK [READ-WRITE] Select "
						 "completed\r\n",
	    STATUS_OK },
	{ "a_name_that_is_written_otherwise_is_told_with_the_other",
	    REV2 "a CREATE \"" NFD "\"\r\nb SELECT \"" NFD "\"\r\n"
		 "c SELECT \"" NFC "\"\r\nd LIST \"\" \"" NFD "*\"\r\n",
	    IS_REV2 "* LIST () \"/\" \"" NFC "\" (\"OLDNAME\" (\"" NFD
		    "\"))\r\na" CREATED
		    "* OK [CLOSED] Previous mailbox closed\r\n" REV2_SELECTED(
			"* LIST () \"/\" \"" NFC "\" (\"OLDNAME\" (\"" NFD
			"\"))\r\n") "b OK [READ-WRITE] Select completed\r\n"
				    "* OK [CLOSED] Previous mailbox "
				    "closed\r\n" REV2_SELECTED(
					"* LIST () \"/\" \"" NFC
					"\"\r\n") "c OK [READ-WRITE] Select "
						  "completed\r\n"
						  "* LIST (\\HasNoChildren) "
						  "\"/\" \"" NFC "\"\r\n"
						  "d OK List completed\r\n",
	    STATUS_OK },
	{ "without_it_nothing_changes_but_one_letter_is_one_letter",
	    "a CREATE \"A&Awo-\"\r\nb LIST \"\" &AMU-\r\nc SEARCH ALL\r\n"
	    "d CREATE inbox/x\r\ne STATUS inBox/x (MESSAGES)\r\n",
	    "a" CREATED "* LIST (\\HasNoChildren) \"/\" \"&AMU-\"\r\n"
	    "b OK List completed\r\n* SEARCH 1 2\r\nc OK Search completed\r\n"
	    "d OK [MAILBOXID (F0000000000000003)] Create completed\r\n"
	    "* STATUS INBOX/x (MESSAGES 0)\r\ne OK Status completed\r\n",
	    STATUS_OK },
};

/* RFC 8474 */
static const struct transcript objectid[] = {
	{ "a_mailbox_keeps_its_name_over_a_rename",
	    "a CREATE x\r\nb RENAME x y\r\nc STATUS y (MAILBOXID MESSAGES)\r\n"
	    "d LIST \"\" y RETURN (STATUS (MAILBOXID))\r\n"
	    "e STATUS \"Snapshots/Deleted mail\" (MAILBOXID)\r\n",
	    "a" CREATED "b OK Rename completed\r\n"
	    "* STATUS y (MESSAGES 0 MAILBOXID (F0000000000000002))\r\n"
	    "c OK Status completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" y\r\n"
	    "* STATUS y (MAILBOXID (F0000000000000002))\r\n"
	    "d OK List completed\r\n"
	    "* STATUS \"Snapshots/Deleted mail\" (MAILBOXID "
	    "(P3827633ea07cc92b))\r\ne OK Status completed\r\n",
	    STATUS_OK },
	{ "copies_have_the_name_of_what_they_are_copies_of",
	    "a UID COPY 1 INBOX\r\nb FETCH 1:* (EMAILID THREADID)\r\n"
	    "c UID FETCH 2 THREADID\r\n"
	    "d SEARCH EMAILID M46726f6d3a20416e6e203c616e6e4065\r\n"
	    "e SEARCH NOT EMAILID M46726f6d3a20416e6e203c616e6e4065\r\n"
	    "f SEARCH EMAILID x\r\ng SEARCH THREADID x\r\n"
	    "h SEARCH EMAILID\r\n",
	    "* 3 EXISTS\r\na OK [COPYUID 1001 1 3] Copy completed\r\n"
	    "* 1 FETCH (EMAILID (M46726f6d3a20416e6e203c616e6e4065) THREADID "
	    "NIL)\r\n"
	    "* 2 FETCH (EMAILID (M46726f6d3a20657665406578616d706c) THREADID "
	    "NIL)\r\n"
	    "* 3 FETCH (EMAILID (M46726f6d3a20416e6e203c616e6e4065) THREADID "
	    "NIL)\r\nb OK Fetch completed\r\n"
	    "* 2 FETCH (UID 2 THREADID NIL)\r\nc OK Fetch completed\r\n"
	    "* SEARCH 1 3\r\nd OK Search completed\r\n"
	    "* SEARCH 2\r\ne OK Search completed\r\n"
	    "* SEARCH\r\nf OK Search completed\r\n"
	    "* SEARCH\r\ng OK Search completed\r\nh BAD Missing argument\r\n",
	    STATUS_OK },
};

/* RFC 8438, RFC 7889, RFC 9051 6.3.11 */
static const struct transcript status[] = {
	{ "status_tells_size_deleted_and_limit",
	    "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n"
	    "b STATUS INBOX (SIZE DELETED APPENDLIMIT)\r\n"
	    "c LIST \"\" INBOX RETURN (STATUS (SIZE))\r\n"
	    "d STATUS \"Snapshots/Deleted mail\" (SIZE DELETED MESSAGES)\r\n",
	    "a OK Store completed\r\n"
	    "* STATUS INBOX (SIZE 192 DELETED 1 APPENDLIMIT 262144000)\r\n"
	    "b OK Status completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* STATUS INBOX (SIZE 192)\r\nc OK List completed\r\n"
	    "* STATUS \"Snapshots/Deleted mail\" (MESSAGES 1 SIZE 23 "
	    "DELETED 0)\r\nd OK Status completed\r\n",
	    STATUS_OK },
	{ "what_is_beyond_the_limit_is_toobig",
	    "a APPEND INBOX {262144001}\r\nb NOOP\r\n",
	    "a NO [TOOBIG] Message is too large\r\nb OK NOOP completed\r\n",
	    STATUS_OK },
};

/* RFC 6154 3 */
static const struct transcript create_special_use[] = {
	{ "a_mailbox_is_created_for_a_use",
	    "a CREATE S (USE (\\Sent \\Drafts))\r\nb LIST \"\" S\r\n"
	    "c CREATE T (USE (\\All))\r\nd CREATE T (USE (\\Frob))\r\n"
	    "e CREATE T (USE (\\Sent\\Drafts))\r\nf CREATE T (FOO)\r\n"
	    "g LIST \"\" T\r\nh CREATE U (USE ())\r\n",
	    "a" CREATED "* LIST (\\HasNoChildren \\Drafts \\Sent) \"/\" S\r\n"
	    "b OK List completed\r\n"
	    "c NO [USEATTR] No such special use here\r\n"
	    "d NO [USEATTR] No such special use here\r\n"
	    "e BAD List has no end\r\nf BAD USE expected\r\n"
	    "g OK List completed\r\n"
	    "h OK [MAILBOXID (F0000000000000003)] Create completed\r\n",
	    STATUS_OK },
};

/* RFC 3501 6.4.4, RFC 5255 4: texts in the charset that the client named. */
static const struct transcript charset[] = {
	{ "a_text_is_of_the_charset_that_was_named",
	    "a SEARCH CHARSET ISO-2022-JP SUBJECT {8+}\r\n\033$B$\"\033(B\r\n"
	    "b SEARCH CHARSET shift_jis SUBJECT {2+}\r\n\x82\xa0\r\n"
	    "c SEARCH CHARSET ISO-2022-JP NOT SUBJECT {8+}\r\n"
	    "\033$B$\"\033(B\r\nd SEARCH CHARSET KOI8-R SUBJECT {1+}\r\n\xc1"
	    "\r\n",
	    "* SEARCH\r\na OK Search completed\r\n"
	    "* SEARCH\r\nb OK Search completed\r\n"
	    "* SEARCH 1 2\r\nc OK Search completed\r\n"
	    "* SEARCH\r\nd OK Search completed\r\n",
	    STATUS_OK },
	{ "what_is_no_text_of_it_is_bad",
	    "a SEARCH CHARSET EUC-JP SUBJECT {1+}\r\n\xa4\r\n"
	    "b SEARCH CHARSET GB18030 SUBJECT {2+}\r\n\xff\xff\r\n"
	    "c SEARCH CHARSET UTF-8 SUBJECT {1+}\r\n\xa4\r\n"
	    "d SEARCH CHARSET UTF-16 SUBJECT x\r\n",
	    "a BAD Text is not of that charset\r\n"
	    "b BAD Text is not of that charset\r\nc BAD Text is not UTF-8\r\n"
	    "d" BADCHARSET,
	    STATUS_OK },
};

/* RFC 5465: what the client does itself is told as well. */
#define NOTIFIED " OK Notify completed\r\n"
static const struct transcript notify[] = {
	{ "s3_1_news_of_other_mailboxes_are_their_status",
	    "a CREATE b\r\nb NOTIFY SET (personal (MessageNew "
	    "MessageExpunge))\r\n"
	    "c APPEND b {1+}\r\nx\r\nd ENABLE CONDSTORE\r\n"
	    "e APPEND b {1+}\r\nx\r\nf NOTIFY NONE\r\ng APPEND b {1+}\r\nx"
	    "\r\n",
	    "a" CREATED "b" NOTIFIED
	    "* STATUS b (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1002)\r\n"
	    "c OK [APPENDUID 1002 1] Append completed\r\n"
	    "* ENABLED CONDSTORE\r\n* OK [HIGHESTMODSEQ 3] Highest\r\nd OK "
	    "Enabled\r\n"
	    "* STATUS b (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1002 "
	    "HIGHESTMODSEQ 3)\r\n"
	    "e OK [APPENDUID 1002 2] Append completed\r\nf" NOTIFIED
	    "g OK [APPENDUID 1002 3] Append completed\r\n",
	    STATUS_OK },
	{ "s4_status_tells_first_how_they_are",
	    "a CREATE b\r\nb CREATE c\r\n"
	    "c NOTIFY SET STATUS (mailboxes c (MessageNew MessageExpunge)) "
	    "(mailboxes b (MailboxName))\r\n"
	    "d NOTIFY SET STATUS (subtree (x INBOX) (MessageNew "
	    "MessageExpunge FlagChange))\r\n",
	    "a" CREATED "b OK [MAILBOXID (F0000000000000003)] Create "
	    "completed\r\n"
	    "* STATUS c (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1003)\r\n"
	    "c" NOTIFIED "d" NOTIFIED,
	    STATUS_OK },
	{ "s5_4_names_that_change_are_told",
	    "a NOTIFY SET (personal (MailboxName))\r\nb CREATE x\r\n"
	    "c RENAME x y\r\nd SUBSCRIBE y\r\ne DELETE y\r\n",
	    "a" NOTIFIED "* LIST () \"/\" x\r\nb" CREATED
	    "* LIST () \"/\" y (\"OLDNAME\" (x))\r\n"
	    "c OK Rename completed\r\nd OK Subscription changed\r\n"
	    "* LIST (\\NonExistent) \"/\" y\r\ne OK Delete completed\r\n",
	    STATUS_OK },
	{ "s5_5_and_subscriptions",
	    "a NOTIFY SET (subscribed (SubscriptionChange))\r\n"
	    "b SUBSCRIBE INBOX\r\nc UNSUBSCRIBE INBOX\r\nd SUBSCRIBE z\r\n",
	    "a" NOTIFIED "* LIST (\\Subscribed) \"/\" INBOX\r\n"
	    "b OK Subscription changed\r\n* LIST () \"/\" INBOX\r\n"
	    "c OK Subscription changed\r\n"
	    "* LIST (\\NonExistent \\Subscribed) \"/\" z\r\n"
	    "d OK Subscription changed\r\n",
	    STATUS_OK },
	{ "s6_the_first_group_that_a_mailbox_is_in_counts",
	    "a CREATE b\r\nb NOTIFY SET (mailboxes b NONE) (personal "
	    "(MessageNew "
	    "MessageExpunge MailboxName))\r\nc APPEND b {1+}\r\nx\r\n"
	    "d RENAME b c\r\n",
	    "a" CREATED "b" NOTIFIED
	    "c OK [APPENDUID 1002 1] Append completed\r\n"
	    "* LIST () \"/\" c (\"OLDNAME\" (b))\r\nd OK Rename completed\r\n",
	    STATUS_OK },
	{ "s6_1_new_messages_of_the_selected_one_are_fetched",
	    "a NOTIFY SET (selected (MessageNew (UID BODY[TEXT]) "
	    "MessageExpunge))\r\nb APPEND INBOX {15+}\r\nSubject: x\r\n\r\ny"
	    "\r\nc NOOP\r\nd FETCH 3 FLAGS\r\n",
	    "a" NOTIFIED "* 3 EXISTS\r\n"
	    "b OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (UID 3 BODY[TEXT] {1}\r\ny)\r\nc OK NOOP completed\r\n"
	    "* 3 FETCH (FLAGS ())\r\nd OK Fetch completed\r\n",
	    STATUS_OK },
	{ "who_does_not_ask_for_the_selected_one_hears_what_he_polls",
	    "a NOTIFY SET (personal (MailboxName))\r\n"
	    "b APPEND INBOX {1+}\r\nx\r\nc SEARCH 1\r\nd NOOP\r\n"
	    "e STORE 3 +FLAGS.SILENT (\\Deleted)\r\nf EXPUNGE\r\n",
	    "a" NOTIFIED "b OK [APPENDUID 1001 3] Append completed\r\n"
	    "* SEARCH 1\r\nc OK Search completed\r\n"
	    "* 3 EXISTS\r\nd OK NOOP completed\r\ne OK Store completed\r\n"
	    "* 3 EXPUNGE\r\nf OK Expunge completed\r\n",
	    STATUS_OK },
	{ "s5_events_that_are_not_known_are_named",
	    "a NOTIFY SET (personal (AnnotationChange))\r\n"
	    "b NOTIFY SET (personal (ServerMetadataChange MailboxName))\r\n"
	    "c NOTIFY SET (selected (MailboxMetadataChange))\r\n",
	    "a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "
	    "SubscriptionChange)] Event is not supported\r\n"
	    "b NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "
	    "SubscriptionChange)] Event is not supported\r\n"
	    "c NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "
	    "SubscriptionChange)] Event is not supported\r\n",
	    STATUS_OK },
	{ "s8_what_is_malformed_is_bad",
	    "a NOTIFY\r\nb NOTIFY SET\r\nc NOTIFY SET ()\r\n"
	    "d NOTIFY SET (personal)\r\ne NOTIFY SET (personal ())\r\n"
	    "f NOTIFY SET (all (MessageNew MessageExpunge))\r\n"
	    "g NOTIFY SET (personal (MessageNew))\r\n"
	    "h NOTIFY SET (personal (FlagChange))\r\n"
	    "i NOTIFY SET (selected (MailboxName))\r\n"
	    "j NOTIFY SET (selected NONE) (selected-delayed NONE)\r\n"
	    "k NOTIFY SET (personal (MessageNew (UID) MessageExpunge))\r\n"
	    "l NOTIFY SET (mailboxes (MessageNew))\r\n"
	    "m NOTIFY NONE x\r\nn NOTIFY SET (selected (MessageNew (FOO) "
	    "MessageExpunge))\r\no NOTIFY SET STATUS\r\n",
	    "a BAD Missing argument\r\nb BAD Missing argument\r\n"
	    "c BAD Atom expected\r\nd BAD Space expected\r\n"
	    "e BAD Atom expected\r\nf BAD Unknown mailboxes\r\n"
	    "g BAD MessageNew and MessageExpunge go together\r\n"
	    "h BAD MessageNew and MessageExpunge go together\r\n"
	    "i BAD The selected mailbox has events of messages only\r\n"
	    "j BAD The selected mailbox is there twice\r\n"
	    "k BAD Only the selected mailbox is fetched from\r\n"
	    "l BAD Space expected\r\nm BAD Unexpected argument\r\n"
	    "n BAD Unknown item\r\no BAD Missing argument\r\n",
	    STATUS_OK },
};

/* RFC 8514 */
static const struct transcript savedate[] = {
	{ "a_message_has_the_time_at_which_it_came_here",
	    "a FETCH 1:* SAVEDATE\r\nb UID FETCH 2 (SAVEDATE)\r\n",
	    "* 1 FETCH (SAVEDATE \"01-Feb-2024 12:00:00 +0000\")\r\n"
	    "* 2 FETCH (SAVEDATE \"02-Feb-2024 12:00:00 +0000\")\r\n"
	    "a OK Fetch completed\r\n"
	    "* 2 FETCH (UID 2 SAVEDATE \"02-Feb-2024 12:00:00 +0000\")\r\n"
	    "b OK Fetch completed\r\n",
	    STATUS_OK },
	{ "and_is_found_by_its_day",
	    "a SEARCH SAVEDBEFORE 2-Feb-2024\r\nb SEARCH SAVEDON 2-Feb-2024\r\n"
	    "c SEARCH SAVEDSINCE 1-Feb-2024\r\nd SEARCH NOT SAVEDSINCE "
	    "2-Feb-2024\r\ne SEARCH SAVEDATESUPPORTED\r\n"
	    "f SORT (SUBJECT) UTF-8 SAVEDON 1-Feb-2024\r\n"
	    "g THREAD REFERENCES UTF-8 SAVEDON 2-Feb-2024\r\n",
	    "* SEARCH 1\r\na OK Search completed\r\n"
	    "* SEARCH 2\r\nb OK Search completed\r\n"
	    "* SEARCH 1 2\r\nc OK Search completed\r\n"
	    "* SEARCH 1\r\nd OK Search completed\r\n"
	    "* SEARCH 1 2\r\ne OK Search completed\r\n"
	    "* SORT 1\r\nf OK Sort completed\r\n"
	    "* THREAD (2)\r\ng OK Thread completed\r\n",
	    STATUS_OK },
	{ "in_a_mailbox_of_the_past_it_is_internaldate",
	    "a EXAMINE \"Snapshots/Deleted mail\"\r\nb FETCH 1 SAVEDATE\r\n"
	    "c SEARCH SAVEDATESUPPORTED\r\nd SEARCH NOT SAVEDATESUPPORTED "
	    "SAVEDSINCE 1-Jan-2000\r\n",
	    "* OK [CLOSED] Previous mailbox closed\r\n"
	    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	    "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n* 1 EXISTS\r\n"
	    "* 0 RECENT\r\n* OK [UNSEEN 1] First unseen\r\n"
	    "* OK [UIDVALIDITY 1002] UIDs valid\r\n"
	    "* OK [UIDNEXT 2] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ 2] Highest\r\n" PAST_ID
	    "a OK [READ-ONLY] Examine completed\r\n"
	    "* 1 FETCH (SAVEDATE NIL)\r\nb OK Fetch completed\r\n"
	    "* SEARCH\r\nc OK Search completed\r\n"
	    "* SEARCH 1\r\nd OK Search completed\r\n",
	    STATUS_OK },
	{ "without_the_store_it_is_not_known",
	    "a FETCH 1 (UID SAVEDATE)\r\nb SEARCH SAVEDON 1-Feb-2024\r\n"
	    "c FETCH 1 (UID)\r\nd SORT (SUBJECT) UTF-8 SAVEDON 1-Feb-2024\r\n"
	    "e SEARCH RETURN (SAVE) SAVEDON 1-Feb-2024\r\nf FETCH $ UID\r\n",
	    "a NO [UNAVAILABLE] Mail store is not available, try again\r\n"
	    "b NO [UNAVAILABLE] Mail store is not available, try again\r\n"
	    "* 1 FETCH (UID 1)\r\nc OK Fetch completed\r\n"
	    "d NO [UNAVAILABLE] Mail store is not available, try again\r\n"
	    "e NO [UNAVAILABLE] Mail store is not available, try again\r\n"
	    "f OK Fetch completed\r\n",
	    STATUS_UNAVAILABLE },
	{ "what_is_malformed_is_bad",
	    "a SEARCH SAVEDON\r\nb SEARCH SAVEDON 31-Foo-2024\r\n"
	    "c SEARCH SAVEDATESUPPORTED x\r\nd FETCH 1 SAVEDATE[]\r\n",
	    "a BAD Missing argument\r\nb BAD Invalid date\r\n"
	    "c BAD Unknown search key\r\nd BAD Unexpected argument\r\n",
	    STATUS_OK },
};

/* RFC 9208 */
static const struct transcript quota[] = {
	{ "a_mailbox_is_under_the_root_of_its_account",
	    "a GETQUOTAROOT INBOX\r\nb GETQUOTAROOT \"not there yet\"\r\n"
	    "c GETQUOTA account\r\nd GETQUOTA \"account\"\r\n",
	    "* QUOTAROOT INBOX account\r\n"
	    "* QUOTA account (STORAGE 2 2000 MESSAGE 2 100)\r\n"
	    "a OK Getquotaroot completed\r\n"
	    "* QUOTAROOT \"not there yet\" account\r\n"
	    "* QUOTA account (STORAGE 2 2000 MESSAGE 2 100)\r\n"
	    "b OK Getquotaroot completed\r\n"
	    "* QUOTA account (STORAGE 2 2000 MESSAGE 2 100)\r\n"
	    "c OK Getquota completed\r\n"
	    "* QUOTA account (STORAGE 2 2000 MESSAGE 2 100)\r\n"
	    "d OK Getquota completed\r\n",
	    STATUS_OK },
	{ "no_other_root_is_there",
	    "a GETQUOTA \"\"\r\nb GETQUOTA ACCOUNT\r\nc GETQUOTA {3+}\r\n"
	    "a\nb\r\nd GETQUOTAROOT \"Snapshots/Deleted mail\"\r\n",
	    "a NO [NONEXISTENT] No such quota root\r\n"
	    "b NO [NONEXISTENT] No such quota root\r\n"
	    "c NO [NONEXISTENT] No such quota root\r\n"
	    "* QUOTAROOT \"Snapshots/Deleted mail\"\r\n"
	    "d OK Getquotaroot completed\r\n",
	    STATUS_OK },
	{ "users_set_none",
	    "a SETQUOTA account (STORAGE 9000000)\r\nb SETQUOTA \"\" ()\r\n"
	    "c SETQUOTA account (STORAGE 1 MESSAGE 2)\r\n",
	    "a NO [NOPERM] Only the administrator changes quotas, in his "
	    "settings\r\n"
	    "b NO [NOPERM] Only the administrator changes quotas, in his "
	    "settings\r\n"
	    "c NO [NOPERM] Only the administrator changes quotas, in his "
	    "settings\r\n",
	    STATUS_OK },
	{ "what_is_malformed_is_bad",
	    "a GETQUOTA\r\nb GETQUOTA account x\r\nc GETQUOTAROOT\r\n"
	    "d SETQUOTA account\r\ne SETQUOTA account (STORAGE)\r\n"
	    "f SETQUOTA account (STORAGE -1)\r\ng SETQUOTA account (STORAGE "
	    "18446744073709551616)\r\nh UID GETQUOTA account\r\n",
	    "a BAD Missing argument\r\nb BAD Unexpected argument\r\n"
	    "c BAD Missing argument\r\nd BAD Missing argument\r\n"
	    "e BAD Space expected\r\nf BAD Invalid number\r\n"
	    "g BAD Invalid number\r\nh BAD Unknown command\r\n",
	    STATUS_OK },
	{ "what_is_deleted_is_counted_and_measured",
	    "a STATUS INBOX (DELETED DELETED-STORAGE)\r\n"
	    "b STORE 2 +FLAGS.SILENT (\\Deleted)\r\n"
	    "c STATUS INBOX (DELETED-STORAGE SIZE DELETED)\r\n",
	    "* STATUS INBOX (DELETED 0 DELETED-STORAGE 0)\r\n"
	    "a OK Status completed\r\nb OK Store completed\r\n"
	    "* STATUS INBOX (SIZE 192 DELETED 1 DELETED-STORAGE 76)\r\n"
	    "c OK Status completed\r\n",
	    STATUS_OK },
	{ "a_message_beyond_it_is_refused_before_it_comes",
	    "a APPEND INBOX {2046501}\r\nb NOOP\r\n",
	    "a NO [OVERQUOTA] Mailboxes are full: delete something first\r\n"
	    "b OK NOOP completed\r\n",
	    STATUS_OK },
	{ "and_whatever_the_store_has_no_room_for",
	    "a COPY 1 INBOX\r\nb APPEND INBOX {1+}\r\nx\r\n",
	    "a NO [OVERQUOTA] Mailboxes are full: delete something first\r\n"
	    "b NO [OVERQUOTA] Mailboxes are full: delete something first\r\n",
	    STATUS_QUOTA },
};

#define TEST(table)                                                          \
	static void rfc_of_##table(void **state)                             \
	{                                                                    \
		(void)state;                                                 \
		assert_int_equal(check_transcripts(table, COUNT(table)), 0); \
	}

TEST(within)
TEST(esort)
TEST(partial)
TEST(thread)
TEST(binary)
TEST(utf8)
TEST(rev2)
TEST(objectid)
TEST(status)
TEST(create_special_use)
TEST(charset)
TEST(notify)
TEST(savedate)
TEST(quota)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_of_within),
		cmocka_unit_test(rfc_of_esort),
		cmocka_unit_test(rfc_of_partial),
		cmocka_unit_test(rfc_of_thread),
		cmocka_unit_test(rfc_of_binary),
		cmocka_unit_test(rfc_of_utf8),
		cmocka_unit_test(rfc_of_rev2),
		cmocka_unit_test(rfc_of_objectid),
		cmocka_unit_test(rfc_of_status),
		cmocka_unit_test(rfc_of_create_special_use),
		cmocka_unit_test(rfc_of_charset),
		cmocka_unit_test(rfc_of_notify),
		cmocka_unit_test(rfc_of_savedate),
		cmocka_unit_test(rfc_of_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
