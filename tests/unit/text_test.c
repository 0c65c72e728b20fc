/* Text views: comparing, numbers, UTF-8 and hex, by tables. */
#include "common/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
numbers_are_whole_decimal_and_bounded(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int result;
		uint64_t value;
	} rows[] = {
		{ "0", 9, 0, 0 },
		{ "9", 9, 0, 9 },
		{ "10", 9, -1, 0 },
		{ "007", 9, 0, 7 },
		{ "", 9, -1, 0 },
		{ "+1", 9, -1, 0 },
		{ "-1", 9, -1, 0 },
		{ " 1", 9, -1, 0 },
		{ "1 ", 9, -1, 0 },
		{ "0x1", 99, -1, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "99999999999999999999999", UINT64_MAX, -1, 0 },
		{ "4294967296", UINT32_MAX, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 0;

		assert_int_equal(text_parse_number(text_of(rows[i].text),
				     rows[i].max, &value),
		    rows[i].result);
		if (rows[i].result == 0)
			assert_true(value == rows[i].value);
	}
}

static void
utf8_is_strict(void **state)
{
	static const struct {
		const char *bytes;
		bool good;
	} rows[] = {
		{ "", true },
		{ "plain", true },
		{ "\xc3\xa4", true },
		{ "\xe2\x82\xac", true },
		{ "\xf0\x9f\x92\x8c", true },
		{ "\xf4\x8f\xbf\xbf", true },  /* U+10FFFF */
		{ "\xf4\x90\x80\x80", false }, /* above it */
		{ "\xed\xa0\x80", false },     /* a surrogate */
		{ "\xed\x9f\xbf", true },
		{ "\xc0\xaf", false }, /* overlong */
		{ "\xc1\xbf", false },
		{ "\xe0\x80\xaf", false },
		{ "\xf0\x80\x80\xaf", false },
		{ "\x80", false },
		{ "\xc3", false },
		{ "\xe2\x82", false },
		{ "\xf8\x88\x80\x80\x80", false },
		{ "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_is_utf8(text_of(rows[i].bytes)) != rows[i].good)
			fail_msg("row %zu", i);
}

static void
comparing_is_ascii_and_by_bytes(void **state)
{
	(void)state;
	assert_true(text_equal_nocase(TEXT("InBoX"), TEXT("INBOX")));
	assert_false(text_equal_nocase(TEXT("\xc3\x84"), TEXT("\xc3\xa4")));
	assert_false(text_equal_nocase(TEXT("["), TEXT("{")));
	assert_false(text_equal(TEXT("a"), TEXT("ab")));
	assert_true(text_equal(text_make(NULL, 0), TEXT("")));
	assert_true(text_is_nocase(TEXT("Fetch"), "FETCH"));
	assert_true(text_starts_nocase(TEXT("body.peek[]"), "BODY."));
	assert_false(text_starts_nocase(TEXT("bod"), "BODY"));
	assert_int_equal(text_compare(TEXT("a"), TEXT("ab")), -1);
	assert_int_equal(text_compare(TEXT("b"), TEXT("ab")), 1);
	assert_int_equal(text_compare(TEXT("\xff"), TEXT("a")), 1);
	assert_int_equal(text_compare(TEXT("x"), TEXT("x")), 0);
}

static void
parts_are_taken_off_one_by_one(void **state)
{
	struct text rest = TEXT("a,,b"), part;

	(void)state;
	assert_true(text_next(&rest, ',', &part) && text_is(part, "a"));
	assert_true(text_next(&rest, ',', &part) && text_is(part, ""));
	assert_true(text_next(&rest, ',', &part) && text_is(part, "b"));
	assert_false(text_next(&rest, ',', &part));
}

static void
a_copy_that_does_not_fit_is_empty(void **state)
{
	char to[4] = "old";

	(void)state;
	assert_int_equal(text_copy(TEXT("abc"), to, sizeof(to)), 0);
	assert_string_equal(to, "abc");
	assert_int_equal(text_copy(TEXT("abcd"), to, sizeof(to)), -1);
	assert_string_equal(to, "");
	assert_int_equal(text_copy(text_make("a\0b", 3), to, sizeof(to)), -1);
	assert_string_equal(to, "");
}

static void
hex_goes_there_and_back(void **state)
{
	uint8_t bytes[3] = { 0x00, 0xab, 0xff }, again[3];
	char hex[7];

	(void)state;
	text_format_hex(bytes, 3, hex);
	assert_string_equal(hex, "00abff");
	assert_int_equal(text_parse_hex(TEXT("00ABff"), again, 3), 0);
	assert_memory_equal(bytes, again, 3);
	assert_int_equal(text_parse_hex(TEXT("00ABf"), again, 3), -1);
	assert_int_equal(text_parse_hex(TEXT("00ABff0"), again, 3), -1);
	assert_int_equal(text_parse_hex(TEXT("00ABfg"), again, 3), -1);
}

static void
trimming_and_skipping_stop_at_the_ends(void **state)
{
	(void)state;
	assert_true(text_is(text_trim(TEXT(" \t\r\n")), ""));
	assert_true(text_is(text_trim(TEXT(" a b\r\n")), "a b"));
	assert_true(text_is(text_skip(TEXT("abc"), 1), "bc"));
	assert_true(text_is(text_skip(TEXT("abc"), 9), ""));
	assert_int_equal(text_find_byte(TEXT("abc"), 'c'), 2);
	assert_int_equal(text_find_byte(TEXT("abc"), 'd'), -1);
}

/* At each place of a text that is longer than what is looked at at once. */
static void
bare_line_ends_are_counted_wherever_they_stand(void **state)
{
	char bytes[200];
	size_t size, at;

	(void)state;
	assert_int_equal(text_count_bare_lf(TEXT("\na\r\nb\n\r\n\n")), 3);
	for (size = 0; size < sizeof(bytes); size++) {
		memset(bytes, 'a', size);
		assert_int_equal(text_count_bare_lf(text_make(bytes, size)), 0);
		for (at = 0; at < size; at++) {
			bytes[at] = '\n';
			assert_int_equal(
			    text_count_bare_lf(text_make(bytes, size)), 1);
			if (at > 0)
				bytes[at - 1] = '\r';
			assert_int_equal(
			    text_count_bare_lf(text_make(bytes, size)),
			    at == 0);
			memset(bytes, 'a', size);
		}
	}
	memset(bytes, '\n', sizeof(bytes));
	assert_int_equal(
	    text_count_bare_lf(text_make(bytes, sizeof(bytes))), sizeof(bytes));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_whole_decimal_and_bounded),
		cmocka_unit_test(utf8_is_strict),
		cmocka_unit_test(comparing_is_ascii_and_by_bytes),
		cmocka_unit_test(parts_are_taken_off_one_by_one),
		cmocka_unit_test(a_copy_that_does_not_fit_is_empty),
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(trimming_and_skipping_stop_at_the_ends),
		cmocka_unit_test(
		    bare_line_ends_are_counted_wherever_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
