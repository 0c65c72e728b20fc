/*
 * Tables for the grammar of IMAP commands: what is cut out of a stream, sets,
 * names, dates, items of FETCH, keys of SEARCH, patterns of LIST.
 */
#include "common/record.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_input.h"
#include "imapd/imap_parser.h"
#include "imapd/imap_writer.h"
#include "imapd/list_pattern.h"
#include "imapd/search_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct imap_input_limits small_limits = {
	.line = 40,
	.command = 60,
	.skipped = 1000,
};

/* Events as text: commands in brackets, L literal taken, T too long. */
static void
cut(const char *stream, size_t step, char *events, size_t size)
{
	struct imap_input input;
	struct text bytes, data, rest = text_of(stream);
	enum imap_input_event event;
	size_t at = 0;

	imap_input_init(&input, &small_limits);
	events[0] = '\0';
	while (rest.size > 0) {
		bytes =
		    text_make(rest.data, rest.size < step ? rest.size : step);
		rest = text_skip(rest, bytes.size);
		do {
			event = imap_input_next(&input, &bytes, &data);
			if (event == IMAP_INPUT_COMMAND)
				at += (size_t)snprintf(events + at, size - at,
				    "[%.*s]", (int)input.command.size,
				    input.command.data);
			else if (event == IMAP_INPUT_TOO_LONG)
				at += (size_t)snprintf(
				    events + at, size - at, "T");
			else if (event == IMAP_INPUT_HOPELESS) {
				snprintf(events + at, size - at, "H");
				imap_input_clear(&input);
				return;
			} else if (event == IMAP_INPUT_LITERAL) {
				bool fits = imap_input_fits(&input);

				at += (size_t)snprintf(
				    events + at, size - at, fits ? "L" : "R");
				if (fits)
					imap_input_take(&input);
				else if (imap_input_refuse(&input) == -1) {
					snprintf(events + at, size - at, "H");
					imap_input_clear(&input);
					return;
				}
			}
		} while (bytes.size > 0 || event == IMAP_INPUT_LITERAL);
	}
	imap_input_clear(&input);
}

static void
streams_are_cut_into_commands(void **state)
{
	static const struct {
		const char *stream, *events;
	} cases[] = {
		{ "a NOOP\r\nb NOOP\n", "[a NOOP][b NOOP]" },
		{ "a X {3}\r\nabc y\r\n", "L[a X {3}\r\nabc y]" },
		{ "a X {3+}\r\na\r\n\r\nb\r\n", "L[a X {3+}\r\na\r\n][b]" },
		{ "a {0+}\r\n\r\n", "L[a {0+}\r\n]" },
		{ "a {99}\r\nb\r\n", "R[b]" },
		{ "a {61+}\r\n012345678901234567890123456789012345678901234567"
		  "8901234567890 {2+}\r\nxx\r\nb\r\n",
		    "R[b]" },
		{ "a {5000+}\r\n", "RH" },
		{ "0123456789012345678901234567890123456789x\r\nb\r\n",
		    "T[b]" },
		{ "01234567890123456789012345678901234567890 {4+}\r\nb\r\n"
		  "x\r\nc\r\n",
		    "T[c]" },
		{ "a {99999999999999999999}\r\n", "H" },
		{ "a \"{3}\"\r\n", "[a \"{3}\"]" },
	};
	char events[1000];
	size_t i, step;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (step = 1; step < 200; step += 7) {
			cut(cases[i].stream, step, events, sizeof(events));
			assert_string_equal(events, cases[i].events);
		}
	}
}

static void
sets_are_resolved_sorted_and_merged(void **state)
{
	static const struct {
		const char *set, *resolved;
	} cases[] = {
		{ "1", "1" },
		{ "5:2", "2:5" },
		{ "*", "10" },
		{ "8:*", "8:10" },
		{ "900:*", "10:900" },
		{ "3,1,2", "1:3" },
		{ "1:4,3:6,9", "1:6,9" },
		{ "4294967295", "4294967295" },
		{ "0", NULL },
		{ "", NULL },
		{ "1,", NULL },
		{ "1:", NULL },
		{ "4294967296", NULL },
		{ "-1", NULL },
	};
	struct pool *pool = pool_new();
	struct imap_set set;
	char text[200];
	size_t i, k, at, size;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (imap_set_parse(
			text_of(cases[i].set), 100, pool, &set, &size) == -1) {
			assert_null(cases[i].resolved);
			continue;
		}
		assert_non_null(cases[i].resolved);
		imap_set_resolve(&set, 10);
		for (k = 0, at = 0; k < set.count; k++) {
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    k > 0 ? ",%u" : "%u", set.ranges[k].first);
			if (set.ranges[k].last != set.ranges[k].first)
				at += (size_t)snprintf(text + at,
				    sizeof(text) - at, ":%u",
				    set.ranges[k].last);
		}
		assert_string_equal(text, cases[i].resolved);
	}
	pool_free(&pool);
}

static void
fetch_items_are_parsed_or_refused(void **state)
{
	static const struct {
		const char *items;
		int result;
		unsigned int simple;
		size_t sections;
	} cases[] = {
		{ "ALL", 0, 8 | 2 | 4 | 32, 0 },
		{ "(ALL)", -1, 0, 0 },
		{ "(UID FLAGS)", 0, 1 | 2, 0 },
		{ "body", 0, 64, 0 },
		{ "(BODYSTRUCTURE BODY)", 0, 128 | 64, 0 },
		{ "RFC822.SIZE", 0, 8, 0 },
		{ "(RFC822 RFC822.HEADER RFC822.TEXT)", 0, 0, 3 },
		{ "BODY[]", 0, 0, 1 },
		{ "BODY.PEEK[1.2.MIME]<0.100>", 0, 0, 1 },
		{ "BODY[HEADER.FIELDS (\"a\" b)]", 0, 0, 1 },
		{ "BODY[HEADER.FIELDS.NOT (a)]", 0, 0, 1 },
		{ "BODY[1.HEADER]", 0, 0, 1 },
		{ "BODY[MIME]", -1, 0, 0 },
		{ "BODY[0]", -1, 0, 0 },
		{ "BODY[1.]", -1, 0, 0 },
		{ "BODY[1", -1, 0, 0 },
		{ "BODY[]<0>", -1, 0, 0 },
		{ "BODY[]<0.0>", -1, 0, 0 },
		{ "BODY[HEADER.FIELDS ()]", -1, 0, 0 },
		{ "(UID", -1, 0, 0 },
		{ "()", -1, 0, 0 },
		{ "X", -1, 0, 0 },
	};
	struct pool *pool = pool_new();
	struct fetch_items items;
	struct imap_parser parser;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		imap_parser_init(&parser, text_of(cases[i].items), pool);
		assert_int_equal(
		    fetch_items_parse(&parser, &items), cases[i].result);
		if (cases[i].result == -1) {
			assert_non_null(parser.error);
			continue;
		}
		assert_int_equal(items.simple, cases[i].simple);
		assert_int_equal(items.section_count, cases[i].sections);
	}
	pool_free(&pool);
}

static void
search_keys_are_parsed_or_refused(void **state)
{
	static const struct {
		const char *keys;
		int result;
		bool needs_body;
	} cases[] = {
		{ " ALL", 0, false },
		{ " 1:5 UNSEEN", 0, false },
		{ " CHARSET UTF-8 SUBJECT x", 0, true },
		{ " CHARSET latin1 SUBJECT x", -2, false },
		{ " OR (SEEN FLAGGED) NOT DELETED", 0, false },
		{ " HEADER X-Y \"\"", 0, true },
		{ " UID 1:* MODSEQ 5", 0, false },
		{ " SINCE 1-Feb-1994 NOT FROM \"Smith\"", 0, true },
		{ " RETURN () ALL", 0, false },
		{ " RETURN (MIN MAX) ALL", 0, false },
		{ " RETURN (X) ALL", -1, false },
		{ " SINCE 31-Foo-1994", -1, false },
		{ " OR SEEN", -1, false },
		{ " (SEEN", -1, false },
		{ " FROB", -1, false },
		{ "", -1, false },
		{ " ", -1, false },
	};
	struct pool *pool = pool_new();
	struct search_request request;
	struct imap_parser parser;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		imap_parser_init(&parser, text_of(cases[i].keys), pool);
		assert_int_equal(
		    search_keys_parse(&parser, &request), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(search_keys_need_body(request.root),
			    cases[i].needs_body);
	}
	pool_free(&pool);
}

/* Each in the memory that it needs, however much of the line follows. */
static void
quoted_strings_cost_what_they_are_long(void **state)
{
	enum {
		STRINGS = 20000
	};
	struct pool *pool = pool_new();
	struct buf line;
	struct imap_parser parser;
	struct text string;

	buf_init(&line, 4 * 1024 * 1024);
	for (int i = 0; i < STRINGS; i++)
		assert_int_equal(buf_put_text(&line, "\"a\\\"b\" \"c\" "), 0);
	imap_parser_init(
	    &parser, text_make((char *)line.data, line.size), pool);
	for (int i = 0; i < STRINGS; i++) {
		assert_int_equal(imap_parse_string(&parser, &string), 0);
		assert_true(text_equal(string, TEXT("a\"b")));
		assert_int_equal(imap_parse_space(&parser), 0);
		assert_int_equal(imap_parse_string(&parser, &string), 0);
		assert_true(text_equal(string, TEXT("c")));
		assert_true(imap_parse_skip(&parser, ' ') == (i < STRINGS - 1));
	}
	assert_int_equal(imap_parse_end(&parser), 0);
	assert_true(pool_used(pool) <= 32 * STRINGS);
	buf_clear(&line);
	pool_free(&pool);
}

static void
deep_searches_are_refused(void **state)
{
	struct pool *pool = pool_new();
	struct search_request request;
	struct imap_parser parser;
	char keys[2000] = " ";
	int i;

	for (i = 0; i < 200; i++)
		strcat(keys, "NOT ");
	strcat(keys, "SEEN");
	imap_parser_init(&parser, text_of(keys), pool);
	assert_int_equal(search_keys_parse(&parser, &request), -1);
	assert_string_equal(parser.error, "Search is too complex");
	pool_free(&pool);
}

static void
dates_are_seconds_since_1970(void **state)
{
	static const struct {
		const char *date;
		int result;
		int64_t seconds;
	} cases[] = {
		{ "\"01-Jan-1970 00:00:00 +0000\"", 0, 0 },
		{ "\" 5-Jan-2026 11:00:00 +0100\"", 0, 1767607200 },
		{ "\"29-Feb-2024 23:59:60 -0500\"", 0, 1709269200 },
		{ "\"32-Jan-2024 00:00:00 +0000\"", -1, 0 },
		{ "\"01-Jan-1970 00:00:00\"", -1, 0 },
		{ "\"\"", -1, 0 },
	};
	struct pool *pool = pool_new();
	struct imap_parser parser;
	int64_t seconds;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		imap_parser_init(&parser, text_of(cases[i].date), pool);
		assert_int_equal(
		    imap_parse_date_time(&parser, &seconds), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(seconds, cases[i].seconds);
	}
	pool_free(&pool);
}

static void
patterns_match_names(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "*", "a/b", true },
		{ "%", "a/b", false },
		{ "%", "a", true },
		{ "a/%", "a/b", true },
		{ "a/%", "a", false },
		{ "inbox", "INBOX", true },
		{ "inbox/%", "INBOX/x", true },
		{ "A", "a", false },
		{ "%/%", "a/b", true },
		{ "%/%", "a/b/c", false },
		{ "*b*c", "abxc", true },
		{ "", "", true },
		{ "", "a", false },
		{ "**%%**", "a/b/c", true },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(list_pattern_matches(text_of(cases[i].pattern),
				     text_of(cases[i].name)),
		    cases[i].matches);
}

static void
patterns_reach_below_a_level(void **state)
{
	static const struct {
		const char *pattern, *level;
		bool reaches;
	} cases[] = {
		{ "a", "a", false },
		{ "a/", "a", false },
		{ "a/b", "a", true },
		{ "a/%", "a", true },
		{ "a/%", "a/b", false },
		{ "a/%/%", "a/b", true },
		{ "a*", "a/b/c", true },
		{ "*", "a", true },
		{ "%", "a", false },
		{ "%/x", "a", true },
		{ "b/*", "a", false },
		{ "", "a", false },
		{ "a/b*", "a/b", true },
		{ "a/bc", "a/b", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(list_pattern_reaches(text_of(cases[i].pattern),
				     text_of(cases[i].level)),
		    cases[i].reaches);
}

static void
strings_take_the_smallest_safe_form(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{ "abc", "abc" },
		{ "", "\"\"" },
		{ "nil", "\"nil\"" },
		{ "a b", "\"a b\"" },
		{ "a\"\\b", "\"a\\\"\\\\b\"" },
		{ "a\r\nb", "{4}\r\na\r\nb" },
		{ "\303\274", "{2}\r\n\303\274" },
	};
	struct buf buf;
	size_t i;

	buf_init(&buf, 100);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_reset(&buf);
		assert_int_equal(
		    imap_put_astring(&buf, text_of(cases[i].value)), 0);
		assert_int_equal(buf.size, strlen(cases[i].written));
		assert_memory_equal(buf.data, cases[i].written, buf.size);
	}
	buf_clear(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_cut_into_commands),
		cmocka_unit_test(sets_are_resolved_sorted_and_merged),
		cmocka_unit_test(fetch_items_are_parsed_or_refused),
		cmocka_unit_test(search_keys_are_parsed_or_refused),
		cmocka_unit_test(quoted_strings_cost_what_they_are_long),
		cmocka_unit_test(deep_searches_are_refused),
		cmocka_unit_test(dates_are_seconds_since_1970),
		cmocka_unit_test(patterns_match_names),
		cmocka_unit_test(patterns_reach_below_a_level),
		cmocka_unit_test(strings_take_the_smallest_safe_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
