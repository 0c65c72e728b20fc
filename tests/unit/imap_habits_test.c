/*
 * Sessions of clients and scripts that write commands in their own way, and of
 * those that ask for what few ask for: transcripts by the section of the RFC.
 */
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define ONE_FETCHED  "* 1 FETCH (UID 1 FLAGS ())\r\n"

/* RFC 3501 9 has one space between words, and none in a parenthesis. */
static const struct transcript spaces[] = {
	{ "words_may_stand_further_apart",
	    "a  FETCH   1   (UID  FLAGS)\r\nb UID  FETCH 1 FLAGS  \r\n"
	    "c SEARCH  ALL\r\nd SEARCH NOT  ANSWERED  UID  1 \r\n"
	    "e STATUS  INBOX  (MESSAGES  UIDNEXT)\r\nf LIST  \"\"  INBOX \r\n"
	    "g ENABLE  CONDSTORE \r\n",
	    ONE_FETCHED "a OK Fetch completed\r\n" ONE_FETCHED
			"b OK Fetch completed\r\n"
			"* SEARCH 1 2\r\nc OK Search completed\r\n"
			"* SEARCH 1\r\nd OK Search completed\r\n"
			"* STATUS INBOX (MESSAGES 2 UIDNEXT 3)\r\n"
			"e OK Status completed\r\n"
			"* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
			"f OK List completed\r\n* ENABLED CONDSTORE\r\n"
			"* OK [HIGHESTMODSEQ 3] Highest\r\ng OK Enabled\r\n",
	    STATUS_OK },
	{ "parentheses_may_have_room",
	    "a FETCH 1 ( UID FLAGS )\r\nb SEARCH ( ALL )\r\n"
	    "c SEARCH RETURN ( MIN MAX ) ALL\r\nd SEARCH RETURN ( ) ALL\r\n"
	    "e STORE 1 +FLAGS.SILENT ( )\r\nf SORT ( ARRIVAL ) UTF-8 ALL\r\n",
	    ONE_FETCHED "a OK Fetch completed\r\n"
			"* SEARCH 1 2\r\nb OK Search completed\r\n"
			"* ESEARCH (TAG \"c\") MIN 1 MAX 2\r\n"
			"c OK Search completed\r\n"
			"* ESEARCH (TAG \"d\") ALL 1:2\r\n"
			"d OK Search completed\r\n"
			"e OK Store completed\r\n"
			"* SORT 1 2\r\nf OK Sort completed\r\n",
	    STATUS_OK },
	{ "they_are_not_said_back",
	    "a FETCH 1 BODY.PEEK[HEADER.FIELDS  ( X-No  \"X  No\"  x ) ]\r\n"
	    "b FETCH 1 BODY.PEEK[HEADER.FIELDS (X-No  {4+}\r\nX  N )]\r\n",
	    "* 1 FETCH (BODY[HEADER.FIELDS (X-No \"X  No\" x)] {2}\r\n\r\n)\r\n"
	    "a OK Fetch completed\r\n"
	    "* 1 FETCH (BODY[HEADER.FIELDS (X-No {4}\r\nX  N)] {2}\r\n\r\n)\r\n"
	    "b OK Fetch completed\r\n",
	    STATUS_OK },
	{ "what_is_missing_is_missing_all_the_same",
	    "a FETCH 1 \r\nb FETCH \r\nc STORE 1 FLAGS \r\nd SEARCH OR ALL \r\n"
	    "e SEARCH (ALL NOT )\r\nf SELECT \r\ng STATUS INBOX \r\n"
	    "h FETCH 1 ( )\r\ni ENABLE \r\n",
	    "a BAD Missing argument\r\nb BAD Missing argument\r\n"
	    "c BAD Missing argument\r\nd BAD Missing argument\r\n"
	    "e BAD Space expected\r\nf BAD Missing argument\r\n"
	    "g BAD Missing argument\r\nh BAD Unknown item\r\n"
	    "i BAD Missing argument\r\n",
	    STATUS_OK },
};

/* RFC 3501 6.3.8: a name of nothing asks for the separator, whatever the
 * reference; in an extended LIST (RFC 5258 3) it does not. */
static const struct transcript list_root[] = {
	{ "the_separator_is_told_for_any_reference",
	    "a LIST \"\" \"\"\r\nb LIST INBOX \"\"\r\nc LIST \"a/b/\" \"\"\r\n"
	    "d LSUB \"a\" \"\"\r\ne LIST () \"a\" \"\"\r\n"
	    "f LIST INBOX \"\" RETURN (CHILDREN)\r\n",
	    "* LIST (\\Noselect) \"/\" \"\"\r\na OK List completed\r\n"
	    "* LIST (\\Noselect) \"/\" \"\"\r\nb OK List completed\r\n"
	    "* LIST (\\Noselect) \"/\" \"\"\r\nc OK List completed\r\n"
	    "* LSUB (\\Noselect) \"/\" \"\"\r\nd OK List completed\r\n"
	    "e OK List completed\r\n"
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\nf OK List completed\r\n",
	    STATUS_OK },
};

/* RFC 9051 9: number64, of 63 bits. */
static const struct transcript number64[] = {
	{ "sizes_and_places_beyond_32_bits",
	    "a SEARCH SMALLER 4294967296\r\nb SEARCH LARGER 99999999999\r\n"
	    "c FETCH 1 BODY.PEEK[]<4294967296.9223372036854775807>\r\n"
	    "d FETCH 1 BODY.PEEK[HEADER.FIELDS (X)]<0.4294967296>\r\n",
	    "* SEARCH 1 2\r\na OK Search completed\r\n"
	    "* SEARCH\r\nb OK Search completed\r\n"
	    "* 1 FETCH (BODY[]<4294967296> {0}\r\n)\r\n"
	    "c OK Fetch completed\r\n"
	    "* 1 FETCH (BODY[HEADER.FIELDS (X)]<0> {2}\r\n\r\n)\r\n"
	    "d OK Fetch completed\r\n",
	    STATUS_OK },
	{ "and_none_beyond_63",
	    "a SEARCH SMALLER 9223372036854775808\r\n"
	    "b FETCH 1 BODY.PEEK[]<9223372036854775808.1>\r\n"
	    "c FETCH 1 BODY.PEEK[]<0.9223372036854775808>\r\n",
	    "a BAD Invalid number\r\nb BAD Invalid partial range\r\n"
	    "c BAD Invalid partial range\r\n",
	    STATUS_OK },
};

#define GLOBAL   "Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nText\r\n"
#define AS_BASIC "(\"message\" \"global\" NIL NIL NIL \"7bit\" 21"

/* RFC 9051 7.5.2, RFC 9755 6 */
static const struct transcript global[] = {
	{ "a_global_message_is_told_as_the_client_speaks",
	    "a APPEND INBOX {53+}\r\n" GLOBAL "\r\nb FETCH 3 (BODY)\r\n"
	    "c FETCH 3 BODYSTRUCTURE\r\nd ENABLE IMAP4rev2\r\n"
	    "e FETCH 3 BODY\r\nf FETCH 3 BODY.PEEK[1]\r\n",
	    "* 3 EXISTS\r\n"
	    "a OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (BODY " AS_BASIC "))\r\nb OK Fetch completed\r\n"
	    "* 3 FETCH (BODYSTRUCTURE " AS_BASIC " NIL NIL NIL NIL))\r\n"
	    "c OK Fetch completed\r\n* ENABLED IMAP4rev2\r\nd OK Enabled\r\n"
	    "* 3 FETCH (BODY " AS_BASIC
	    " (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" "
	    "(\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1) 3))\r\n"
	    "e OK Fetch completed\r\n"
	    "* 3 FETCH (BODY[1] {21}\r\nSubject: in\r\n\r\nText\r\n)\r\n"
	    "f OK Fetch completed\r\n",
	    STATUS_OK },
};

#define TEST(table)                                                          \
	static void rfc_of_##table(void **state)                             \
	{                                                                    \
		(void)state;                                                 \
		assert_int_equal(check_transcripts(table, COUNT(table)), 0); \
	}

TEST(spaces)
TEST(list_root)
TEST(number64)
TEST(global)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_of_spaces),
		cmocka_unit_test(rfc_of_list_root),
		cmocka_unit_test(rfc_of_number64),
		cmocka_unit_test(rfc_of_global),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
