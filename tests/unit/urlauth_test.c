/*
 * Tokens of URLs, what they open, and the commands that make, use and void them
 * (RFC 4467).  The tokens were computed by other means than those under test.
 */
#include "tests/unit/conversation.h"

#include "imapd/url_access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))
#define OWN          "imap://ann%40example.org@mail.example.net"
#define WHOLE                                                             \
	"{116}\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.org\r\n" \
	"Subject: One\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n"        \
	"\r\nFirst body\r\n"

/* With INBOX's first key, the last but once. */
#define AUTHUSER                             \
	OWN "/INBOX/;UID=1;URLAUTH=authuser" \
	    ":internal:"                     \
	    "017ec81cfc8e85860f1b864d7b24abd2e1"
#define AGAIN                                \
	OWN "/INBOX/;UID=1;URLAUTH=authuser" \
	    ":internal:"                     \
	    "01916bed4953f0e22a4094e005fef69a9e"
#define ANONYMOUS                             \
	OWN "/INBOX/;UID=1;URLAUTH=anonymous" \
	    ":internal:"                      \
	    "01f999d1355c2d55bd870d024931456862"
#define MINE                                               \
	OWN "/INBOX/;UID=1;URLAUTH=user+ann%40example.org" \
	    ":internal:"                                   \
	    "013404e6b8c0d73203e98241c7e5f50eca"
#define OTHERS                               \
	OWN "/INBOX/;UID=1;URLAUTH=user+eve" \
	    ":internal:"                     \
	    "01d7df80b551c42264e0cdb99c6fe671bc"
#define SUBMIT                                               \
	OWN "/INBOX/;UID=1;URLAUTH=submit+ann%40example.org" \
	    ":internal:"                                     \
	    "0141f09c86d7c3d2c161aa4950b471619a"
#define PART                                                            \
	OWN "/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=0.5;URLAUTH=authuser" \
	    ":internal:"                                                \
	    "015fb9cdf2afcd4c9223c8adaf9d4787d6"
#define FIELDS                                                    \
	OWN "/INBOX;UIDVALIDITY=1001/;UID=1/"                     \
	    ";SECTION=HEADER.FIELDS%20(SUBJECT);URLAUTH=authuser" \
	    ":internal:"                                          \
	    "01051fdfd83705139dccf5453e4afae8f0"
#define NONE                                 \
	OWN "/INBOX/;UID=9;URLAUTH=authuser" \
	    ":internal:"                     \
	    "01cf2231b5f5a44296ac904f9bd7954b4c"
#define NO_PART                                         \
	OWN "/INBOX/;UID=1/;SECTION=2;URLAUTH=authuser" \
	    ":internal:"                                \
	    "012cb1f2b3097d4a42b3a83170869c45fc"
#define PAST                                                             \
	OWN "/INBOX/;UID=1;EXPIRE=1999-01-01T00:00:00Z;URLAUTH=authuser" \
	    ":internal:"                                                 \
	    "01a5aef80e8ad708313ffb2e153ecb854c"
#define LATER                                                            \
	OWN "/INBOX/;UID=1;EXPIRE=9999-01-01T00:00:00Z;URLAUTH=authuser" \
	    ":internal:"                                                 \
	    "0197becff0975b30f138659bc641a5adce"

/* So INBOX has its first key. */
#define KEYED \
	"k GENURLAUTH \"" OWN "/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL\r\n"
#define IS_KEYED \
	"* GENURLAUTH \"" AUTHUSER "\"\r\nk OK Genurlauth completed\r\n"
#define FETCHED  " OK Urlfetch completed\r\n"
#define NIL(url) "* URLFETCH \"" url "\" NIL\r\n"
#define RIGHT    "017ec81cfc8e85860f1b864d7b24abd2e1"
#define ZEROS    "0100000000000000000000000000000000"
#define EVE      "01fccb552627efaf16b11fff53998297e2"

static const struct transcript making[] = {
	{ "a_token_goes_behind_the_url_as_it_was_written",
	    KEYED "a GENURLAUTH \"" OWN "/INBOX/;UID=1;URLAUTH=user+eve\" "
		  "internal \"" OWN "/INBOX/;UID=1/;SECTION=2;URLAUTH="
		  "authuser\" INTERNAL\r\n",
	    IS_KEYED "* GENURLAUTH \"" OTHERS "\" \"" NO_PART
		     "\"\r\na OK Genurlauth completed\r\n",
	    STATUS_OK },
	{ "the_server_may_be_called_by_its_users_domain",
	    "a GENURLAUTH imap://Ann@Example.org@imap.example.org:143/INBOX/"
	    ";UID=1;URLAUTH=anonymous INTERNAL\r\n"
	    "b GENURLAUTH \"imap://ann%40example.org@wexample.org/INBOX/;UID=1"
	    ";URLAUTH=anonymous\" INTERNAL\r\n",
	    "a BAD Owner is somebody else\r\nb BAD Server is another one\r\n",
	    STATUS_OK },
	{ "what_rfc_4467_wants_to_be_bad_is_bad",
	    "a GENURLAUTH \"" OWN "/INBOX/;UID=1\" INTERNAL\r\n"
	    "b GENURLAUTH imap://mail.example.net/INBOX/;UID=1;URLAUTH="
	    "authuser INTERNAL\r\n"
	    "c GENURLAUTH imap://eve@mail.example.net/INBOX/;UID=1;URLAUTH="
	    "authuser INTERNAL\r\n"
	    "d GENURLAUTH \"" OWN "/Nowhere/;UID=1;URLAUTH=authuser\" "
	    "INTERNAL\r\n"
	    "e GENURLAUTH \"" AUTHUSER "\" INTERNAL\r\n"
	    "f GENURLAUTH \"" OWN "/INBOX;URLAUTH=authuser\" INTERNAL\r\n"
	    "g GENURLAUTH \"/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL\r\n"
	    "h GENURLAUTH \"imap://ann%40example.org@other.example/INBOX/"
	    ";UID=1;URLAUTH=authuser\" INTERNAL\r\n"
	    "i GENURLAUTH\r\nj GENURLAUTH x\r\n"
	    "k GENURLAUTH \"" OWN "/INBOX/;UID=1;URLAUTH=authuser\" XSAMPLE\r\n"
	    "l GENURLAUTH \"" OWN "/Snapshots/Deleted%20mail/;UID=1;URLAUTH="
	    "authuser\" INTERNAL\r\n",
	    "a BAD Access identifier is missing\r\nb BAD Owner is missing\r\n"
	    "c BAD Owner is somebody else\r\nd BAD No such mailbox\r\n"
	    "e BAD URL has a token already\r\n"
	    "f BAD Not a whole URL of a message\r\n"
	    "g BAD Not a whole URL of a message\r\n"
	    "h BAD Server is another one\r\n"
	    "i BAD Missing argument\r\nj BAD Missing argument\r\n"
	    "k NO [CANNOT] Only the mechanism INTERNAL is known\r\n"
	    "l BAD No such mailbox\r\n",
	    STATUS_OK },
	{ "none_is_made_if_the_key_cannot_be_kept", KEYED,
	    "k NO [OVERQUOTA] No space left\r\n", STATUS_FULL },
	{ "no_mailbox_needs_to_be_selected", "u UNSELECT\r\n" KEYED,
	    "u OK Unselect completed\r\n" IS_KEYED, STATUS_OK },
};

static const struct transcript fetching[] = {
	{ "what_the_url_names_comes_as_it_is",
	    KEYED "a URLFETCH \"" AUTHUSER "\"\r\nb URLFETCH \"" PART
		  "\" \"" FIELDS "\"\r\nc URLFETCH \"" MINE "\" \"" ANONYMOUS
		  "\" \"" LATER "\"\r\n",
	    IS_KEYED "* URLFETCH \"" AUTHUSER "\" " WHOLE "\r\na" FETCHED
		     "* URLFETCH \"" PART "\" {5}\r\nFirst\r\n"
		     "* URLFETCH \"" FIELDS "\" {16}\r\n"
		     "Subject: One\r\n\r\n\r\nb" FETCHED "* URLFETCH \"" MINE
		     "\" " WHOLE "\r\n"
		     "* URLFETCH \"" ANONYMOUS "\" " WHOLE "\r\n"
		     "* URLFETCH \"" LATER "\" " WHOLE "\r\nc" FETCHED,
	    STATUS_OK },
	{ "who_it_is_not_for_gets_nothing",
	    KEYED "a URLFETCH \"" OTHERS "\" \"" SUBMIT "\" \"" PAST "\"\r\n",
	    IS_KEYED NIL(OTHERS) NIL(SUBMIT) NIL(PAST) "a" FETCHED, STATUS_OK },
	{ "what_is_not_there_is_nothing",
	    KEYED "a URLFETCH \"" NONE "\" \"" NO_PART "\"\r\n",
	    IS_KEYED NIL(NONE) NIL(NO_PART) "a" FETCHED, STATUS_OK },
	{ "a_changed_url_has_the_wrong_token",
	    KEYED "a URLFETCH \"" OWN
		  "/INBOX/;UID=2;URLAUTH=authuser:internal:" RIGHT "\" \"" OWN
		  "/inbox/;UID=1;URLAUTH=authuser:internal:" RIGHT "\" \"" OWN
		  "/INBOX/;UID=1;URLAUTH=authuser:internal:"
		  "00" RIGHT "\" \"" OWN
		  "/INBOX/;UID=1;URLAUTH=authuser:internal:" ZEROS "\"\r\n",
	    IS_KEYED NIL(
		OWN "/INBOX/;UID=2;URLAUTH=authuser:internal:" RIGHT) NIL(OWN
		"/inbox/;UID=1;URLAUTH=authuser:internal:" RIGHT) NIL(OWN
		"/INBOX/;UID=1;URLAUTH=authuser:internal:00" RIGHT) NIL(OWN
		"/INBOX/;UID=1;URLAUTH=authuser:internal:" ZEROS) "a" FETCHED,
	    STATUS_OK },
	{ "only_one_mechanism_has_a_right_token",
	    KEYED "a URLFETCH \"" OWN
		  "/INBOX/;UID=1;URLAUTH=authuser:other:" RIGHT
		  "\"\r\nb URLFETCH \"" OWN "/INBOX/;UID=1;URLAUTH="
		  "authuser:INTERNAL:" RIGHT "\"\r\n",
	    IS_KEYED NIL(OWN
		"/INBOX/;UID=1;URLAUTH=authuser:other:" RIGHT) "a" FETCHED
							       "* URLFETCH "
							       "\"" OWN
							       "/INBOX/"
							       ";UID=1;URLAUTH="
							       "authuser:"
							       "INTERNAL:" RIGHT
							       "\" " WHOLE
							       "\r\nb" FETCHED,
	    STATUS_OK },
	{ "an_url_of_somebody_else_is_nothing",
	    KEYED "a URLFETCH imap://eve@mail.example.net/INBOX/;UID=1"
		  ";URLAUTH=authuser:internal:" EVE "\r\n",
	    IS_KEYED NIL("imap://eve@mail.example.net/INBOX/;UID=1"
			 ";URLAUTH=authuser:internal:" EVE) "a" FETCHED,
	    STATUS_OK },
	{ "what_is_no_url_of_a_message_is_nothing",
	    "a URLFETCH \"\" imap://mail.example.net/ {3+}\r\na\r\n {1+}\r\nx"
	    "\r\nb URLFETCH\r\nc URLFETCH \r\nd URLFETCH (x)\r\n",
	    "* URLFETCH \"\" NIL\r\n" NIL(
		"imap://mail.example.net/") "* URLFETCH {3}\r\na\r\n "
					    "NIL\r\n" NIL("x") "a" FETCHED
							       "b BAD Missing "
							       "argument\r\nc "
							       "BAD Missing "
							       "argument\r\n"
							       "d BAD String "
							       "expected\r\n",
	    STATUS_OK },
	{ "without_a_key_no_token_is_right", "a URLFETCH \"" AUTHUSER "\"\r\n",
	    NIL(AUTHUSER) "a" FETCHED, STATUS_OK },
};

static const struct transcript voiding[] = {
	{ "a_new_key_voids_what_was_made_with_the_old_one",
	    KEYED "a RESETKEY INBOX\r\nb URLFETCH \"" AUTHUSER "\"\r\n"
		  "c GENURLAUTH \"" OWN
		  "/INBOX/;UID=1;URLAUTH=authuser\" INTERNAL\r\n",
	    IS_KEYED "a OK [URLMECH INTERNAL] Key is a new one\r\n" NIL(
		AUTHUSER) "b" FETCHED "* GENURLAUTH \"" AGAIN
			  "\"\r\nc OK Genurlauth completed\r\n",
	    STATUS_OK },
	{ "or_all_that_there_are",
	    "a CREATE other\r\n" KEYED
	    "b RESETKEY other INTERNAL\r\nc URLFETCH \"" AUTHUSER "\"\r\n"
	    "d RESETKEY\r\ne URLFETCH \"" AUTHUSER "\"\r\n",
	    "a" CREATED IS_KEYED "b OK [URLMECH INTERNAL] Key is a new one\r\n"
	    "* URLFETCH \"" AUTHUSER "\" " WHOLE "\r\nc" FETCHED
	    "d OK All keys removed\r\n" NIL(AUTHUSER) "e" FETCHED,
	    STATUS_OK },
	{ "what_has_no_key_gets_none",
	    "a RESETKEY Nowhere\r\nb RESETKEY INBOX XSAMPLE\r\n"
	    "c RESETKEY \"Snapshots/Deleted mail\"\r\nd RESETKEY INBOX (\r\n"
	    "e RESETKEY \r\n",
	    "a NO [NONEXISTENT] No such mailbox\r\n"
	    "b NO [CANNOT] Only the mechanism INTERNAL is known\r\n"
	    "c NO [NOPERM] Snapshots do not change: copy messages out of "
	    "them\r\n"
	    "d BAD Atom expected\r\ne BAD Missing argument\r\n",
	    STATUS_OK },
	{ "it_is_said_if_the_new_one_cannot_be_kept",
	    "a RESETKEY INBOX\r\nb RESETKEY\r\n",
	    "a NO [OVERQUOTA] No space left\r\nb NO [OVERQUOTA] No space "
	    "left\r\n",
	    STATUS_FULL },
};

static void
tokens_are_made(void **state)
{
	assert_int_equal(check_transcripts(making, COUNT(making)), 0);
}

static void
urls_are_fetched(void **state)
{
	assert_int_equal(check_transcripts(fetching, COUNT(fetching)), 0);
}

/* Whose files are gone: the store has their bytes. */
static void
urls_are_fetched_from_the_store(void **state)
{
	int failures;

	false_account_read_later(true);
	failures = check_transcripts(fetching, COUNT(fetching));
	false_account_read_later(false);
	assert_int_equal(failures, 0);
}

static void
keys_are_made_anew(void **state)
{
	assert_int_equal(check_transcripts(voiding, COUNT(voiding)), 0);
}

/* Of a published key: each byte of the token counts, and no other is right. */
static void
each_byte_of_a_token_counts(void **state)
{
	const struct text rump = TEXT("imap://joe@example.com/INBOX/;uid=20/"
				      ";section=1.2;urlauth=submit+fred");
	uint8_t key[MAILBOX_KEY_SIZE];
	char token[URL_TOKEN_SIZE];

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	url_token_make(key, rump, token);
	assert_string_equal(token, "01e3ae7a73a281a0b9e3288412eed622c7");
	assert_true(url_token_is_right(key, rump, text_of(token)));
	for (size_t i = 0; i < URL_TOKEN_SIZE - 1; i++) {
		char was = token[i];

		token[i] = was == '0' ? '1' : '0';
		assert_false(url_token_is_right(key, rump, text_of(token)));
		token[i] = was;
	}
	assert_false(url_token_is_right(
	    key, rump, text_make(token, URL_TOKEN_SIZE - 3)));
	assert_false(url_token_is_right(key, rump, TEXT("")));
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] ^= 1;
		assert_false(url_token_is_right(key, rump, text_of(token)));
		key[i] ^= 1;
	}
}

static void
so_many_urls_and_no_more(void **state)
{
	static struct conversation run;
	static char script[16384];
	size_t size = 0;

	size += (size_t)snprintf(
	    script, sizeof(script), "s SELECT INBOX\r\na URLFETCH");
	for (size_t i = 0; i < 101; i++)
		size += (size_t)snprintf(
		    script + size, sizeof(script) - size, " x");
	(void)snprintf(
	    script + size, sizeof(script) - size, "\r\nz LOGOUT\r\n");
	converse(&run, script, sizeof(script), STATUS_OK);
	assert_non_null(
	    strstr(run.got, "\r\na NO [LIMIT] Too many URLs at once\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_of_a_token_counts),
		cmocka_unit_test(tokens_are_made),
		cmocka_unit_test(urls_are_fetched),
		cmocka_unit_test(urls_are_fetched_from_the_store),
		cmocka_unit_test(keys_are_made_anew),
		cmocka_unit_test(so_many_urls_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
