/* HOLDFOR and HOLDUNTIL of RFC 4865. */
#include "smtpd/future_release.h"

#include "common/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	int64_t time; /* -1: it is none */
} times[] = {
	{ "2026-11-26T07:28:00Z", 1795678080 },
	{ "2026-11-26t07:28:00z", 1795678080 },
	{ "2026-11-26T07:28:00.250Z", 1795678080 },
	{ "2026-11-26T09:28:00+02:00", 1795678080 },
	{ "2026-11-26T02:28:00-05:00", 1795678080 },
	{ "2024-02-29T00:00:00Z", 1709164800 },
	{ "2026-12-31T23:59:60Z", 1798761600 },
	{ "2026-02-29T00:00:00Z", -1 },
	{ "2026-04-31T00:00:00Z", -1 },
	{ "2026-00-10T00:00:00Z", -1 },
	{ "2026-13-10T00:00:00Z", -1 },
	{ "2026-11-00T00:00:00Z", -1 },
	{ "2026-11-26T24:00:00Z", -1 },
	{ "2026-11-26T07:28:00", -1 },
	{ "2026-11-26T07:28:00.Z", -1 },
	{ "2026-11-26T07:28Z", -1 },
	{ "2026-11-26 07:28:00Z", -1 },
	{ "2026-11-26T07:28:00Zx", -1 },
	{ "2026-11-26T07:28:00+2:00", -1 },
	{ "+026-11-26T07:28:00Z", -1 },
	{ "1969-12-31T23:59:59Z", -1 },
	{ "20261126T072800Z", -1 },
	{ "", -1 },
};

static void
a_time_is_one_of_rfc_3339_or_none(void **state)
{
	char again[FUTURE_RELEASE_SIZE];
	int64_t time;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int result = timestamp_parse(text_of(times[i].text), &time);

		if ((result == 0) != (times[i].time != -1) ||
		    (result == 0 && time != times[i].time))
			fail_msg("%s: %d %lld", times[i].text, result,
			    (long long)time);
	}
	future_release_format(1795678080, again);
	assert_string_equal(again, times[0].text);
}

static void
an_interval_has_nine_digits_at_most(void **state)
{
	static const char *const bad[] = { "", "0", "-1", "+1", "1000000000",
		"1s", " 1" };
	uint32_t seconds;

	assert_int_equal(
	    future_release_parse_interval(TEXT("999999999"), &seconds), 0);
	assert_int_equal(seconds, 999999999);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    future_release_parse_interval(text_of(bad[i]), &seconds),
		    -1);
}

static void
it_is_within_what_was_announced(void **state)
{
	static const struct {
		uint32_t interval;
		int64_t until;
		int64_t not_before; /* -1: refused */
	} cases[] = {
		{ 0, 0, 0 },
		{ 60, 0, 1060 },
		{ 0, 2000, 2000 },
		{ 60, 2000, -1 },
		{ 0, 1000, -1 },
		{ 0, 999, -1 },
		{ FUTURE_RELEASE_MAX_S, 0, 1000 + FUTURE_RELEASE_MAX_S },
		{ FUTURE_RELEASE_MAX_S + 1, 0, -1 },
		{ 0, 1001 + FUTURE_RELEASE_MAX_S, -1 },
	};
	int64_t not_before;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int result = future_release_decide(
		    cases[i].interval, cases[i].until, 1000, &not_before);

		assert_int_equal(result == 0, cases[i].not_before != -1);
		if (result == 0)
			assert_int_equal(not_before, cases[i].not_before);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_one_of_rfc_3339_or_none),
		cmocka_unit_test(an_interval_has_nine_digits_at_most),
		cmocka_unit_test(it_is_within_what_was_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
