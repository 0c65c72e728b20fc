/*
 * PREVIEW (RFC 8970): what is seen of texts and of HTML, and sessions that ask
 * for it.
 */
#include "imapd/preview.h"
#include "tests/unit/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	bool is_html;
	const char *preview;
} cases[] = {
	{ "", false, "" },
	{ "one\r\ntwo\r\n\r\n  three\tfour \r\n", false, "one two three four" },
	{ "\302\240gr\303\274n \302\240 blau", false, "gr\303\274n blau" },
	{ "a\001b\177c", false, "a b c" },
	{ "> asked\r\nanswered\r\n> more\r\n", false, "answered" },
	{ "> asked\r\n>> before\r\n", false, "> asked >> before" },
	{ "a > b", false, "a > b" },
	{ "<b>one</b><br>two", true, "one two" },
	{ "<HTML><head><title>no</title><style>x{}</style></HEAD>"
	  "<body>yes</body>",
	    true, "yes" },
	{ "<header>yes</header><style type=x>no</style>!", true, "yes !" },
	{ "a<!-- > <b> -->b<script>if (1 < 2)</script >c", true, "a b c" },
	{ "&lt;&amp;&gt;&nbsp;&quot;&apos;&#228;&#x41;&foo; &", true,
	    "<&> \"'\303\244&#x41;&foo; &" },
	{ "&#1114112;&#;&#12345678901;", true, "&#1114112;&#;&#12345678901;" },
	{ "a<b", true, "a" },
	{ "a<!-- b", true, "a" },
	{ "<style>never closed", true, "" },
};

static void
what_is_seen_is_what_people_would_read(void **state)
{
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text text = text_of(cases[i].text);
		struct buf seen, preview;

		buf_init(&seen, 1000);
		buf_init(&preview, PREVIEW_MAX_BYTES);
		if (cases[i].is_html) {
			assert_int_equal(preview_strip_html(text, &seen), 0);
			text = text_make(seen.data, seen.size);
		}
		preview_make(text, &preview);
		if (!text_is(text_make(preview.data, preview.size),
			cases[i].preview)) {
			print_error("%s: %.*s\n", cases[i].text,
			    (int)preview.size, (const char *)preview.data);
			failures++;
		}
		buf_clear(&seen);
		buf_clear(&preview);
	}
	assert_int_equal(failures, 0);
}

static void
no_more_than_two_hundred_characters_and_no_part_of_one(void **state)
{
	static const char *const letters[] = { "a", "\303\274", "\342\202\254",
		"\360\237\230\200" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		size_t size = strlen(letters[i]);
		struct buf text, preview;

		buf_init(&text, 10000);
		buf_init(&preview, PREVIEW_MAX_BYTES);
		for (size_t n = 0; n < 1000; n++)
			assert_int_equal(buf_put_text(&text, letters[i]), 0);
		preview_make(text_make(text.data, text.size), &preview);
		assert_int_equal(preview.size, 200 * size);
		assert_true(
		    text_is_utf8(text_make(preview.data, preview.size)));
		buf_clear(&text);
		buf_clear(&preview);
	}
}

#define HTML                                                     \
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n"      \
	"--x\r\nContent-Type: text/plain\r\n"                    \
	"Content-Disposition: attachment\r\n\r\nnot this\r\n"    \
	"--x\r\nContent-Type: text/html; charset=iso-8859-1\r\n" \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"    \
	"<p>Gr=FC=\r\n=DFe</p>\r\n--x--\r\n"
#define IMAGE                                                          \
	"Content-Type: image/png\r\nContent-Transfer-Encoding: base64" \
	"\r\n\r\nAAAA\r\n"

static const struct transcript transcripts[] = {
	{ "the_first_text_is_what_is_seen",
	    "a FETCH 1:2 (PREVIEW UID)\r\nb FETCH 1 PREVIEW (LAZY)\r\n"
	    "c UID FETCH 1 (PREVIEW (LAZY) FLAGS BODY.PEEK[1]<0.3>) "
	    "(CHANGEDSINCE 1)\r\n",
	    "* 1 FETCH (UID 1 PREVIEW \"First body\")\r\n"
	    "* 2 FETCH (UID 2 PREVIEW \"Second body\")\r\n"
	    "a OK Fetch completed\r\n"
	    "* 1 FETCH (PREVIEW \"First body\")\r\nb OK Fetch completed\r\n"
	    "* OK [HIGHESTMODSEQ 3] Highest\r\n"
	    "* 1 FETCH (UID 1 FLAGS () MODSEQ (2) PREVIEW \"First body\" "
	    "BODY[1]<0> {3}\r\nFir)\r\nc OK Fetch completed\r\n",
	    STATUS_OK },
	{ "html_is_read_where_there_is_no_other_text",
	    "a APPEND INBOX {246+}\r\n" HTML "\r\nb FETCH 3 PREVIEW\r\n",
	    "* 3 EXISTS\r\na OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (PREVIEW {7}\r\nGr\303\274\303\237e)\r\n"
	    "b OK Fetch completed\r\n",
	    STATUS_OK },
	{ "without_a_text_there_is_nothing_to_see",
	    "a APPEND INBOX {68+}\r\n" IMAGE "\r\nb FETCH 3 PREVIEW\r\n",
	    "* 3 EXISTS\r\na OK [APPENDUID 1001 3] Append completed\r\n"
	    "* 3 FETCH (PREVIEW \"\")\r\nb OK Fetch completed\r\n",
	    STATUS_OK },
	{ "an_unknown_modifier_is_bad",
	    "a FETCH 1 (PREVIEW (LAZY FOO))\r\nb FETCH 1 (PREVIEW (FOO))\r\n",
	    "a BAD Unknown PREVIEW modifier\r\nb BAD Unknown item\r\n",
	    STATUS_OK },
};

static void
sessions_answer_as_rfc_8970_says(void **state)
{
	(void)state;
	/* The sizes that are announced above. */
	assert_int_equal(sizeof(HTML) - 1, 246);
	assert_int_equal(sizeof(IMAGE) - 1, 68);
	assert_int_equal(check_transcripts(transcripts,
			     sizeof(transcripts) / sizeof(*transcripts)),
	    0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_seen_is_what_people_would_read),
		cmocka_unit_test(
		    no_more_than_two_hundred_characters_and_no_part_of_one),
		cmocka_unit_test(sessions_answer_as_rfc_8970_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
