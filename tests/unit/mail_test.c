/*
 * Addresses, dates, charsets: tables.
 */
#include "common/buf.h"
#include "common/charset.h"
#include "common/mail_address.h"
#include "common/mail_date.h"
#include "common/mail_header.h"
#include "common/utf7.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void
path_is_exactly_rfc_5321(void **state)
{
	static const struct {
		const char *path;
		enum mail_path kind;
		bool utf8;
		int result;
		const char *local, *domain, *detail;
	} rows[] = {
		{ "<a@b.example>", MAIL_PATH_FORWARD, false, 0, "a",
		    "b.example", NULL },
		{ "<>", MAIL_PATH_REVERSE, false, 0, "", "", NULL },
		{ "<>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<Postmaster>", MAIL_PATH_FORWARD, false, 0, "Postmaster", "",
		    NULL },
		{ "<postmaster>", MAIL_PATH_REVERSE, false, -1, NULL, NULL,
		    NULL },
		{ "<@x,@y.z:a@b>", MAIL_PATH_FORWARD, false, 0, "a", "b",
		    NULL },
		{ "<\"a >\\\" b\"@c>", MAIL_PATH_FORWARD, false, 0, "a >\" b",
		    "c", NULL },
		{ "<u+tag+x@c>", MAIL_PATH_FORWARD, false, 0, "u+tag+x", "c",
		    "tag+x" },
		{ "<a@[192.0.2.1]>", MAIL_PATH_FORWARD, false, 0, "a",
		    "192.0.2.1", NULL },
		{ "<a@[IPv6:::1]>", MAIL_PATH_FORWARD, false, 0, "a",
		    "IPv6:::1", NULL },
		{ "<a@[300.0.2.1]>", MAIL_PATH_FORWARD, false, -1, NULL, NULL,
		    NULL },
		{ "<.a@b>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<a.@b>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<a..c@b>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<a@b.>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<a@-b>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<a b@c>", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "a@b", MAIL_PATH_FORWARD, false, -1, NULL, NULL, NULL },
		{ "<\xc3\xa4@b>", MAIL_PATH_FORWARD, false, -1, NULL, NULL,
		    NULL },
		{ "<\xc3\xa4@b>", MAIL_PATH_FORWARD, true, 0, "\xc3\xa4", "b",
		    NULL },
		{ "<\xc3@b>", MAIL_PATH_FORWARD, true, -1, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct text rest = text_of(rows[i].path);
		struct mailbox_address a;
		struct error error = { 0 };

		assert_int_equal(mail_address_parse_path(&rest, rows[i].kind,
				     rows[i].utf8, '+', &a, &error),
		    rows[i].result);
		if (rows[i].result < 0)
			continue;
		assert_int_equal(rest.size, 0);
		assert_true(text_is(a.local, rows[i].local));
		assert_true(text_is(a.domain, rows[i].domain));
		assert_int_equal(a.detail.data != NULL, rows[i].detail != NULL);
		if (rows[i].detail != NULL)
			assert_true(text_is(a.detail, rows[i].detail));
	}
}

static void
dates_of_all_forms_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t time;
		int zone;
	} rows[] = {
		{ "Wed, 17 Jul 1996 02:44:25 -0700", 837596665, -420 },
		{ "17 Jul 96 02:44 PDT", 837596640, -420 },
		{ "Thu (x), 1 (y) Jan 1970 (z) 00:00:00 +0000 (UTC)", 0, 0 },
		{ "29 Feb 2000 23:59:60 GMT", 951868800, 0 },
		{ "1 Jan 100 00:00:00 Z", 946684800, 0 },
		/* RFC 5256 2.2 */
		{ "17 Jul 1996 02:44:25 +0", 837571465, 0 },
		{ "17 Jul 1996 02:44:25 +0060", 837571465, 0 },
		{ "17 Jul 1996 02:44:25 \"MET\"", 837571465, 0 },
		{ "17 Jul 1996", 837561600, 0 },
		{ "17 Jul 1996 25:00:00 +0100", 837561600, 0 },
		{ "17 Jul 1996 noon", 837561600, 0 },
		/* What was meant is plain. */
		{ "Wednesday, 17 July 1996 2:44:25 -07:00", 837596665, -420 },
		{ "Wed, 17-Jul-1996 02.44.25 GMT", 837571465, 0 },
	};
	static const char *const bad[] = { "", "x", "30 Feb 2000 00:00:00 GMT",
		"17 Ju 1996", "1996-07-17 02:44:25", "99999 Jul 1996 02:44" };
	struct mail_date date;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(
		    mail_date_parse(text_of(rows[i].text), &date), 0);
		assert_int_equal(date.time, rows[i].time);
		assert_int_equal(date.zone, rows[i].zone);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(mail_date_parse(text_of(bad[i]), &date), -1);
}

static void
internal_dates_survive_a_round_trip(void **state)
{
	static const char *const rows[] = { "17-Jul-1996 02:44:25 -0700",
		"01-Jan-0001 00:00:00 +0000", "31-Dec-9999 23:59:59 +0000",
		"29-Feb-2024 12:00:00 +1245" };
	static const char *const bad[] = { "17-Jul-1996 02:44:25", "",
		"17-Jul-1996  02:44:25 -0700", "32-Jul-1996 02:44:25 -0700",
		"17-Jul-96 02:44:25 -0700", "17-Jul-1996 02:44:25 -0700 " };
	char text[MAIL_DATE_INTERNAL_SIZE], long_text[MAIL_DATE_SIZE];
	struct mail_date date = { 837596665, -420 };

	mail_date_format(&date, long_text);
	assert_string_equal(long_text, "Wed, 17 Jul 1996 02:44:25 -0700");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(
		    mail_date_parse_internal(text_of(rows[i]), &date), 0);
		mail_date_format_internal(&date, text);
		assert_string_equal(text, rows[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(
		    mail_date_parse_internal(text_of(bad[i]), &date), -1);
}

static void
mailbox_names_have_one_spelling(void **state)
{
	static const struct {
		const char *coded, *utf8;
	} rows[] = { { "INBOX", "INBOX" }, { "a&-b", "a&b" },
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		    "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "&2D3eAA-", "\xf0\x9f\x98\x80" } };
	static const char *const bad[] = { "&", "&AOQ", "&AGE-", "&AOR-",
		"\xc3\xa4", "&2D0-", "&AOQ-&AOQ-", "&AOQ=-" };
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_reset(&out);
		assert_int_equal(utf7_decode(text_of(rows[i].coded), &out), 0);
		assert_true(
		    text_is(text_make(out.data, out.size), rows[i].utf8));
		buf_reset(&out);
		assert_int_equal(utf7_encode(text_of(rows[i].utf8), &out), 0);
		assert_true(
		    text_is(text_make(out.data, out.size), rows[i].coded));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(utf7_decode(text_of(bad[i]), &out), -1);
	buf_clear(&out);
}

static void
header_fields_are_read_as_they_come(void **state)
{
	struct text rest = TEXT("A : b\r\n c\r\nno colon\n: x\nD:\n\nbody");
	struct mail_field f;

	assert_true(mail_header_next(&rest, &f));
	assert_true(text_is(f.name, "A"));
	assert_true(text_is(f.value, "b\r\n c"));
	assert_true(mail_header_next(&rest, &f));
	assert_true(text_is(f.name, "no colon"));
	assert_int_equal(f.value.size, 0);
	assert_true(mail_header_next(&rest, &f));
	assert_int_equal(f.name.size, 0);
	assert_true(mail_header_next(&rest, &f));
	assert_true(text_is(f.name, "D"));
	assert_false(mail_header_next(&rest, &f));
	assert_true(text_is(rest, "body"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_exactly_rfc_5321),
		cmocka_unit_test(dates_of_all_forms_are_read),
		cmocka_unit_test(internal_dates_survive_a_round_trip),
		cmocka_unit_test(mailbox_names_have_one_spelling),
		cmocka_unit_test(header_fields_are_read_as_they_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
