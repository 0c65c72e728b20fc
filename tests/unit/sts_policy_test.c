/* Policies of MTA-STS and the TXT records of it and of reports of TLS. */
#include "smtpd/sts_policy.h"
#include "smtpd/tlsrpt_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct sts_policy policy;
static struct error error;

static int
parse(const char *text)
{
	return sts_policy_parse(text_of(text), &policy, &error);
}

static void
the_example_is_understood(void **state)
{
	assert_int_equal(parse("version: STSv1\r\nmode: enforce\r\n"
			       "mx: mail.example.com\r\nmx: *.Example.net\r\n"
			       "mx: backupmx.example.com\r\n"
			       "max_age: 604800\r\n"),
	    0);
	assert_int_equal(policy.mode, STS_ENFORCE);
	assert_int_equal(policy.max_age_s, 604800);
	assert_int_equal(policy.mx_count, 3);
	assert_string_equal(policy.mx[1], "*.example.net");
}

/* NULL: it is good. */
static const struct {
	const char *text;
	const char *why;
} policies[] = {
	{ "version:STSv1\nmode:testing\nmax_age:0\nmx:a.b", NULL },
	{ "version: STSv1\nmode: none\nmax_age: 86400\n", NULL },
	{ "max_age: 1 \t\nmx: \ta.b \nmode: enforce\nversion: STSv1\n\n \n",
	    NULL },
	{ "version: STSv1\nmode: enforce\nmode: none\nmax_age: 1\n"
	  "max_age: x\nmx: a.b\n",
	    NULL },
	{ "version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.b\n"
	  "x_y-9: z: \xc3\xa4\n",
	    NULL },
	{ "", "no version" },
	{ "mode: enforce\nmax_age: 1\nmx: a.b\n", "no version" },
	{ "version: STSv1\nmax_age: 1\nmx: a.b\n", "no mode" },
	{ "version: STSv1\nmode: enforce\nmx: a.b\n", "no max_age" },
	{ "version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx" },
	{ "version: STSv2\nmode: enforce\nmax_age: 1\nmx: a.b\n",
	    "the version is not STSv1" },
	{ "version: stsv1\nmode: enforce\nmax_age: 1\nmx: a.b\n",
	    "the version is not STSv1" },
	{ "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.b\n",
	    "an unknown mode" },
	{ "version: STSv1\nmode: enforce\nmax_age: -1\nmx: a.b\n",
	    "max_age is no number" },
	{ "version: STSv1\nmode: enforce\nmax_age: 00000000001\nmx: a.b\n",
	    "max_age is no number" },
	{ "version: STSv1\nmode: enforce\nmax_age:\nmx: a.b\n",
	    "max_age is no number" },
	{ "version: STSv1\nmode: enforce\nmax_age: 1\nmx\n",
	    "a line that is not KEY: VALUE" },
	{ "<!DOCTYPE html>\n", "a line that is not KEY: VALUE" },
};

static void
each_mistake_has_its_words(void **state)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		int status = parse(policies[i].text);

		if ((status == 0) != (policies[i].why == NULL))
			fail_msg("%s: %d %s", policies[i].text, status,
			    status == 0 ? "" : error.text);
		if (status == -1)
			assert_string_equal(error.text, policies[i].why);
	}
	assert_int_equal(parse("version: STSv1\nmode: enforce\nmode: none\n"
			       "max_age: 9999999999\nmx: a.b\n"),
	    0);
	assert_int_equal(policy.mode, STS_ENFORCE);
	assert_int_equal(policy.max_age_s, STS_MAX_AGE_S);
}

static void
a_host_that_is_none_is_no_mx(void **state)
{
	static const char *const wrong[] = { "", "*", "*.", "*.com", "com",
		"a..b", ".a.b", "a.b.", "a.*.b", "*a.b", "a b.c", "a.b/c",
		"[192.0.2.1]", "*.*.a.b", "a.b\x01",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"a"
		"a.b" };
	char text[400];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text),
		    "version: STSv1\nmode: enforce\nmax_age: 1\nmx: %s\n",
		    wrong[i]);
		if (parse(text) == 0)
			fail_msg("%s", wrong[i]);
		assert_string_equal(error.text, "a line mx that is no name");
	}
}

static void
there_are_limits(void **state)
{
	static char text[STS_MAX_POLICY_BYTES + 2];
	size_t size = 0;

	size += (size_t)sprintf(
	    text, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i < STS_MAX_MX; i++)
		size += (size_t)sprintf(text + size, "mx: m%d.a.b\n", i);
	assert_int_equal(parse(text), 0);
	assert_int_equal(policy.mx_count, STS_MAX_MX);
	sprintf(text + size, "mx: one.more\n");
	assert_int_equal(parse(text), -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	memset(text, '\n', sizeof(text) - 1);
	memcpy(text, "version: STSv1\nmode: none\nmax_age: 1\n", 37);
	assert_int_equal(parse(text), -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	text[STS_MAX_POLICY_BYTES] = '\0';
	assert_int_equal(parse(text), 0);
}

static void
a_pattern_stands_for_one_label(void **state)
{
	static const struct {
		const char *host;
		bool matches;
	} hosts[] = { { "mail.example.com", true },
		{ "MAIL.Example.com.", true }, { "example.com", false },
		{ "xmail.example.com", false }, { "mail.example.comx", false },
		{ "a.example.net", true }, { "a.b.example.net", false },
		{ "example.net", false }, { ".example.net", false },
		{ "", false }, { ".", false }, { "*.example.net", true } };

	assert_int_equal(parse("version: STSv1\nmode: enforce\nmax_age: 1\n"
			       "mx: mail.example.com\nmx: *.example.net\n"),
	    0);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (sts_policy_matches(&policy, text_of(hosts[i].host)) !=
		    hosts[i].matches)
			fail_msg("%s", hosts[i].host);
}

static void
a_record_has_one_id(void **state)
{
	static const struct {
		const char *record;
		int status;
		const char *id;
	} records[] = { { "v=STSv1; id=20160831085700Z;", 1,
			    "20160831085700Z" },
		{ "v=STSv1;id=1", 1, "1" },
		{ "v=STSv1 ; x=y; id = a1 ; z=", 1, "a1" },
		{ "v=STSv1; id=1; id=2", 1, "1" },
		{ "v=STSv1; id=12345678901234567890123456789012", 1,
		    "12345678901234567890123456789012" },
		{ "v=STSv1; id=123456789012345678901234567890123", -1, "" },
		{ "v=STSv1; id=", -1, "" }, { "v=STSv1; id=a-b", -1, "" },
		{ "v=STSv1;", -1, "" }, { "v=STSv1; id", -1, "" },
		{ "v=STSv1; =1", -1, "" }, { "v=STSv1; id=1; x", -1, "1" },
		{ "v=STSv1", 0, "" }, { " v=STSv1; id=1", 0, "" },
		{ "v=STSv2; id=1", 0, "" }, { "V=STSv1; id=1", 0, "" },
		{ "v=spf1 -all", 0, "" }, { "", 0, "" }, { ";", 0, "" } };
	char id[STS_ID_SIZE];

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		if (sts_record_parse(text_of(records[i].record), id) !=
		    records[i].status)
			fail_msg("%s", records[i].record);
		assert_string_equal(id, records[i].id);
	}
	assert_int_equal(sts_record_parse((struct text){ NULL, 0 }, id), 0);
}

static void
reports_go_to_addresses_and_to_uris(void **state)
{
	struct tlsrpt_record record;

	assert_int_equal(
	    tlsrpt_record_parse(
		text_of("v=TLSRPTv1; x=1; rua=MAILTO:r%2b1@Example.com?subject="
			"x , https://r.example.com/v1/tlsrpt?a=b,"
			"ftp://x.y/, http://x.y/, mailto:none; rua=mailto:a@b"),
		&record),
	    1);
	assert_int_equal(record.uri_count, 2);
	assert_int_equal(record.uris[0].scheme, TLSRPT_MAIL);
	assert_string_equal(record.uris[0].text, "r+1@Example.com");
	assert_int_equal(record.uris[1].scheme, TLSRPT_HTTPS);
	assert_string_equal(
	    record.uris[1].text, "https://r.example.com/v1/tlsrpt?a=b");
}

static void
a_record_of_reports_may_be_none(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = { { "v=TLSRPTv1;rua=mailto:a@b", 1 },
		{ "v=TLSRPTv1; rua=", -1 }, { "v=TLSRPTv1;", -1 },
		{ "v=TLSRPTv1; rua", -1 }, { "v=TLSRPTv1; rua=mailto:a", -1 },
		{ "v=TLSRPTv1; rua=mailto:", -1 },
		{ "v=TLSRPTv1; rua=mailto:a%0d@b", -1 },
		{ "v=TLSRPTv1; rua=mailto:a@b%2", -1 },
		{ "v=TLSRPTv1; rua=mailto:a@b%zz", -1 },
		{ "v=TLSRPTv1; rua=mailto:<a@b>", -1 },
		{ "v=TLSRPTv1; rua=https://a b/", -1 },
		{ "v=TLSRPTv1; rua=https://a\n/", -1 },
		{ "v=TLSRPTv2; rua=mailto:a@b", 0 },
		{ "v=TLSRPTv1 rua=mailto:a@b", 0 }, { "", 0 } };
	struct tlsrpt_record record;
	char many[2000] = "v=TLSRPTv1; rua=https://a/";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (tlsrpt_record_parse(text_of(rows[i].text), &record) !=
		    rows[i].status)
			fail_msg("%s", rows[i].text);
	for (int i = 0; i < 20; i++)
		strcat(many, ",https://a/");
	assert_int_equal(tlsrpt_record_parse(text_of(many), &record), 1);
	assert_int_equal(record.uri_count, TLSRPT_MAX_URIS);
	memset(many + 26, 'x', 1900);
	assert_int_equal(tlsrpt_record_parse(text_of(many), &record), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_understood),
		cmocka_unit_test(each_mistake_has_its_words),
		cmocka_unit_test(a_host_that_is_none_is_no_mx),
		cmocka_unit_test(there_are_limits),
		cmocka_unit_test(a_pattern_stands_for_one_label),
		cmocka_unit_test(a_record_has_one_id),
		cmocka_unit_test(reports_go_to_addresses_and_to_uris),
		cmocka_unit_test(a_record_of_reports_may_be_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
