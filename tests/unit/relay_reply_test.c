/*
 * Replies of servers: each one whole, byte by byte and cut in two at every
 * place, and what is no reply.
 */
#include "smtpd/relay_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct relay_reply reply;

/* Fed in pieces of so many bytes; the step that ended it. */
static enum relay_reply_step
feed(const char *bytes, size_t size, size_t piece)
{
	memset(&reply, 0, sizeof(reply));
	for (size_t i = 0; i < size; i += piece) {
		struct text rest =
		    text_make(bytes + i, size - i < piece ? size - i : piece);

		while (rest.size > 0) {
			enum relay_reply_step step =
			    relay_reply_feed(&reply, &rest);

			if (step == RELAY_REPLY_DONE ||
			    step == RELAY_REPLY_BROKEN)
				return step;
		}
	}
	return RELAY_REPLY_MORE;
}

static const struct {
	const char *bytes;
	enum relay_reply_step step;
	unsigned int code;
	const char *enhanced;
	const char *text;
} table[] = {
	{ "250 ok\r\n", RELAY_REPLY_DONE, 250, "", "ok" },
	{ "250\r\n", RELAY_REPLY_DONE, 250, "", "" },
	{ "250 2.1.5 Ok\n", RELAY_REPLY_DONE, 250, "2.1.5", "Ok" },
	{ "550-5.1.1 No such\r\n550 5.1.1 user here\r\n", RELAY_REPLY_DONE, 550,
	    "5.1.1", "No such user here" },
	{ "250-a\r\n250-\r\n250 b\r\n", RELAY_REPLY_DONE, 250, "", "a b" },
	{ "450 5.1.1 of another class\r\n", RELAY_REPLY_DONE, 450, "",
	    "5.1.1 of another class" },
	{ "550 5.1.1111 no\r\n", RELAY_REPLY_DONE, 550, "", "5.1.1111 no" },
	{ "550 5.1 no\r\n", RELAY_REPLY_DONE, 550, "", "5.1 no" },
	{ "550 5.1.\r\n", RELAY_REPLY_DONE, 550, "", "5.1." },
	{ "220 \x1b[31m\xc3\xa9\tx\x07\r\n", RELAY_REPLY_DONE, 220, "",
	    "?[31m?? x?" },
	{ "220 a\rb\r\n", RELAY_REPLY_DONE, 220, "", "a?b" },
	{ "250-one\r\n", RELAY_REPLY_MORE, 250, "", "one" },
	{ "250 no end", RELAY_REPLY_MORE, 0, "", "" },
	{ "250-a\r\n251 b\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply whose code changes" },
	{ "250-a\r\nEHLO\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply without a code" },
	{ "\r\n", RELAY_REPLY_BROKEN, 0, "", "a reply without a code" },
	{ "25\r\n", RELAY_REPLY_BROKEN, 0, "", "a reply without a code" },
	{ "250x ok\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply with a malformed code" },
	{ "2500 ok\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply with a malformed code" },
	{ "199 ok\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply with a malformed code" },
	{ "600 ok\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply with a malformed code" },
	{ "GET / HTTP/1.0\r\n", RELAY_REPLY_BROKEN, 0, "",
	    "a reply without a code" },
};

static void
replies_are_read_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t size = strlen(table[i].bytes);

		for (size_t piece = 1; piece <= size; piece++) {
			assert_int_equal(
			    feed(table[i].bytes, size, piece), table[i].step);
			assert_int_equal(reply.code, table[i].code);
			assert_string_equal(reply.enhanced, table[i].enhanced);
			assert_string_equal(reply.text, table[i].text);
		}
	}
}

static void
a_nul_is_only_a_byte(void **state)
{
	assert_int_equal(feed("250 a\0b\r\n", 9, 9), RELAY_REPLY_DONE);
	assert_string_equal(reply.text, "a?b");
}

static void
replies_follow_each_other(void **state)
{
	struct text rest = TEXT("250-a\r\n250 b\r\n354 c\r\n");

	memset(&reply, 0, sizeof(reply));
	assert_int_equal(relay_reply_feed(&reply, &rest), RELAY_REPLY_LINE);
	assert_true(text_is(reply.line, "a"));
	assert_int_equal(relay_reply_feed(&reply, &rest), RELAY_REPLY_DONE);
	assert_true(text_is(reply.line, "b"));
	assert_int_equal(relay_reply_feed(&reply, &rest), RELAY_REPLY_DONE);
	assert_int_equal(reply.code, 354);
	assert_string_equal(reply.text, "c");
	assert_int_equal(rest.size, 0);
}

static void
a_long_line_is_cut_and_an_endless_one_is_broken(void **state)
{
	static char bytes[RELAY_REPLY_MAX_BYTES + 10];

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "250 ", 4);
	memcpy(bytes + 9000, "\r\n", 2);
	assert_int_equal(feed(bytes, 9002, 700), RELAY_REPLY_DONE);
	assert_int_equal(strlen(reply.text), RELAY_REPLY_MAX_TEXT);
	memset(bytes + 9000, 'x', 2);
	assert_int_equal(feed(bytes, sizeof(bytes), 4096), RELAY_REPLY_BROKEN);
	assert_string_equal(reply.text, "a reply without an end");
}

static void
a_reply_of_endless_lines_is_broken(void **state)
{
	static char bytes[6 * (RELAY_REPLY_MAX_LINES + 1)];

	for (size_t i = 0; i < sizeof(bytes); i += 6)
		memcpy(bytes + i, "250-\r\n", 6);
	assert_int_equal(
	    feed(bytes, sizeof(bytes) - 6, 4096), RELAY_REPLY_MORE);
	assert_int_equal(feed(bytes, sizeof(bytes), 4096), RELAY_REPLY_BROKEN);
	assert_string_equal(reply.text, "a reply with too many lines");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_cut),
		cmocka_unit_test(a_nul_is_only_a_byte),
		cmocka_unit_test(replies_follow_each_other),
		cmocka_unit_test(
		    a_long_line_is_cut_and_an_endless_one_is_broken),
		cmocka_unit_test(a_reply_of_endless_lines_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
