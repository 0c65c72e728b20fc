/* What administrators type to name a point in time and a part of the store. */
#include "snapctl/selector.h"

#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const int64_t now = 1700000000;

static void
points_in_time(void **state)
{
	static const struct {
		const char *text;
		int result;
		enum control_point_kind kind;
		int64_t time;
		const char *name;
	} rows[] = {
		{ "latest", 0, POINT_LATEST, 0, "" },
		{ "live", 0, POINT_NOW, 0, "" },
		{ "0123abcd", 0, POINT_NAMED, 0, "0123abcd" },
		{ "before-upgrade", 0, POINT_NAMED, 0, "before-upgrade" },
		{ "-3d", 0, POINT_TIME, 1700000000 - 3 * 86400, "" },
		{ "-90s", 0, POINT_TIME, 1700000000 - 90, "" },
		{ "-1w", 0, POINT_TIME, 1700000000 - 7 * 86400, "" },
		{ "2023-11-14", 0, POINT_TIME, 1699920000, "" },
		{ "2023-11-14T22:13", 0, POINT_TIME, 1699999980, "" },
		{ "2023-11-14T22:13:20", 0, POINT_TIME, 1700000000, "" },
		{ "@17", 0, POINT_EVENT, 17, "" },
		{ "@", -1, POINT_EVENT, 0, "" },
		{ "@-1", -1, POINT_EVENT, 0, "" },
		{ "@1x", -1, POINT_EVENT, 0, "" },
		{ "@9223372036854775808", -1, POINT_EVENT, 0, "" },
		{ "2023-02-30", -1, POINT_TIME, 0, "" },
		{ "2023-11-14T25:00", -1, POINT_TIME, 0, "" },
		{ "2023-11-14x", -1, POINT_TIME, 0, "" },
		{ "-3x", -1, POINT_TIME, 0, "" },
		{ "-d", 0, POINT_NAMED, 0, "-d" },
		{ "-99999999999y", -1, POINT_TIME, 0, "" },
		{ "", -1, POINT_TIME, 0, "" },
	};
	struct point point;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    point_parse(text_of(rows[i].text), now, &point, &error),
		    rows[i].result);
		if (rows[i].result == -1)
			continue;
		assert_int_equal(point.kind, rows[i].kind);
		assert_int_equal(point.time, rows[i].time);
		assert_true(text_is(point.name, rows[i].name));
	}
}

static void
selections(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint32_t account;
		const char *mailbox;
		uint32_t uid;
		const char *message_id;
	} rows[] = {
		{ "latest", 0, 0, "", 0, "" },
		{ "latest:7", 0, 7, "", 0, "" },
		{ "latest:7/INBOX", 0, 7, "INBOX", 0, "" },
		{ "-3d:7/Work/Old stuff", 0, 7, "Work/Old stuff", 0, "" },
		{ "2023-11-14T22:13:7/INBOX;UID=12", 0, 7, "INBOX", 12, "" },
		{ "2023-11-14:7/INBOX;UID=12", 0, 7, "INBOX", 12, "" },
		{ "latest:7/;id=<a@b>", 0, 7, "", 0, "<a@b>" },
		{ "latest:7/INBOX;UID=0", -1, 0, "", 0, "" },
		{ "latest:7/INBOX;uid", -1, 0, "", 0, "" },
		{ "latest:nobody@example.org", -1, 0, "", 0, "" },
		{ "latest:0", 0, ACCOUNT_SERVICE, "", 0, "" },
		{ "@12:0/tls/key.pem", 0, ACCOUNT_SERVICE, "tls/key.pem", 0,
		    "" },
		{ "latest:config/users;UID=3", 0, ACCOUNT_SERVICE, "users", 3,
		    "" },
		{ "latest:00", -1, 0, "", 0, "" },
		{ "latest:Config", -1, 0, "", 0, "" },
		{ ":7", -1, 0, "", 0, "" },
	};
	struct selector selector;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(selector_parse(text_of(rows[i].text), NULL,
				     now, &selector, &error),
		    rows[i].result);
		if (rows[i].result == -1)
			continue;
		assert_int_equal(selector.account, rows[i].account);
		assert_true(text_is(selector.mailbox, rows[i].mailbox));
		assert_int_equal(selector.uid, rows[i].uid);
		assert_true(text_is(selector.message_id, rows[i].message_id));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_in_time),
		cmocka_unit_test(selections),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
