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

#define TEST(table)                                                          \
	static void rfc_of_##table(void **state)                             \
	{                                                                    \
		(void)state;                                                 \
		assert_int_equal(check_transcripts(table, COUNT(table)), 0); \
	}

TEST(spaces)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_of_spaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
