/*
 * The records of a domain: which, how they are written, and what is said of
 * those that the DNS has.
 */
#include "firnmail/dns_records.h"

#include "common/codec.h"
#include "common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOST "mail.our.example"

static struct settings *
make_settings(void)
{
	static const struct listen_setting listeners[] = {
		{ .service = SERVICE_SMTP,
		    .tls = LISTEN_TLS_OFFERED,
		    .port = 25 },
		{ .service = SERVICE_SUBMIT,
		    .tls = LISTEN_TLS_REQUIRED,
		    .port = 587 },
		{ .service = SERVICE_SUBMIT,
		    .tls = LISTEN_TLS_IMPLICIT,
		    .port = 465 },
		{ .service = SERVICE_IMAP,
		    .tls = LISTEN_TLS_NONE,
		    .port = 143 },
		{ .service = SERVICE_IMAP,
		    .tls = LISTEN_TLS_IMPLICIT,
		    .port = 993 },
	};
	struct settings *settings = settings_new();

	strcpy(settings->host, HOST);
	memcpy(settings->listeners, listeners, sizeof(listeners));
	settings->listener_count = sizeof(listeners) / sizeof(listeners[0]);
	return settings;
}

static void
the_records_are_those_of_the_settings(void **state)
{
	static const char *const expected[] = {
		"our.example MX 10 " HOST ".",
		HOST " A 192.0.2.1",
		HOST " AAAA 2001:db8::2",
		"our.example TXT \"v=spf1 mx -all\"",
		NULL, /* the id of the policy */
		"_smtp._tls.our.example TXT \"v=TLSRPTv1; "
		"rua=mailto:postmaster@our.example\"",
		"_25._tcp." HOST " TLSA 3 1 1 "
		"abababababababababababababababababababababababababababababab"
		"abab",
		"_submission._tcp.our.example SRV 10 1 587 " HOST ".",
		"_submissions._tcp.our.example SRV 0 1 465 " HOST ".",
		"_imaps._tcp.our.example SRV 0 1 993 " HOST ".",
		"1.2.0.192.in-addr.arpa PTR " HOST ".",
		"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
		"2"
		".ip6.arpa PTR " HOST ".",
	};
	static const uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, [15] = 2 };
	struct dns_host host = { .address_count = 2, .key_count = 1 };
	struct settings *settings = make_settings();
	char value[DNS_VALUE_SIZE], line[1000];
	struct dns_wants *wants;

	host.addresses[0].size = 4;
	memcpy(host.addresses[0].bytes, "\xc0\x00\x02\x01", 4);
	host.addresses[1].size = 16;
	memcpy(host.addresses[1].bytes, six, 16);
	memset(host.keys[0].bytes, 0xab, sizeof(host.keys[0].bytes));
	wants = dns_wants_new(settings, "our.example", &host);
	assert_int_equal(wants->count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < wants->count; i++) {
		const struct dns_want *want = &wants->list[i];

		dns_record_format(want->type, &want->record, value);
		snprintf(line, sizeof(line), "%s %s %s", want->name,
		    dns_type_name(want->type), value);
		if (expected[i] != NULL)
			assert_string_equal(line, expected[i]);
	}
	dns_wants_free(&wants);
	settings_free(&settings);
}

/* The records of one answer of type TXT, NULL at the end. */
static enum dns_state
compare_texts(const char *wanted, const char *const *texts)
{
	const struct dns_want want = { .type = DNS_TXT,
		.record.data = text_of(wanted) };
	uint8_t bytes[2000];
	struct writer writer;

	writer_init(&writer, bytes, sizeof(bytes));
	for (; *texts != NULL; texts++) {
		const struct dns_record record = { .data = text_of(*texts) };

		dns_put_record(&writer, DNS_TXT, &record);
	}
	return dns_want_compare(
	    &want, DNS_FOUND, DNS_SECURE, text_make(bytes, writer.size));
}

static void
texts_are_told_apart_by_what_they_are(void **state)
{
	static const struct {
		const char *wanted;
		const char *texts[3];
		enum dns_state state;
	} rows[] = {
		{ "v=spf1 mx -all", { "v=spf1 mx -all" }, DNS_STATE_OK },
		{ "v=spf1 mx -all", { "V=SPF1 +MX ~all" }, DNS_STATE_OK },
		{ "v=spf1 mx -all", { "x", "v=spf1 ip4:192.0.2.1 -all" },
		    DNS_STATE_OK },
		{ "v=spf1 mx -all", { "v=spf1 -all" }, DNS_STATE_DIFFERS },
		{ "v=spf1 mx -all", { "v=spf1 -all exp=amx" },
		    DNS_STATE_DIFFERS },
		{ "v=spf1 mx -all", { "v=spf1 mx", "v=spf1 mx" },
		    DNS_STATE_DIFFERS },
		{ "v=spf1 mx -all", { "v=spf10 mx", "google-site=1" },
		    DNS_STATE_MISSING },
		{ "v=STSv1; id=1", { "v=STSv1;id=2;" }, DNS_STATE_OK },
		{ "v=STSv1; id=1", { "v=STSv1;" }, DNS_STATE_DIFFERS },
		{ "v=TLSRPTv1; rua=x", { "v=TLSRPTv1;rua=mailto:a@b" },
		    DNS_STATE_OK },
		{ "v=TLSRPTv1; rua=x", { "v=TLSRPTv1; ruax=1" },
		    DNS_STATE_DIFFERS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (compare_texts(rows[i].wanted, rows[i].texts) !=
		    rows[i].state)
			fail_msg("row %zu", i);
}

static void
a_key_that_nobody_vouches_for_is_none(void **state)
{
	struct dns_record record = { .usage = 3,
		.selector = 1,
		.matching = 1,
		.data = TEXT("0123456789abcdef0123456789abcdef") };
	const struct dns_want want = { .type = DNS_TLSA, .record = record };
	uint8_t bytes[200];
	struct writer writer;
	struct text records;

	writer_init(&writer, bytes, sizeof(bytes));
	record.usage = 2;
	dns_put_record(&writer, DNS_TLSA, &record);
	records = text_make(bytes, writer.size);
	assert_int_equal(
	    dns_want_compare(&want, DNS_FOUND, DNS_SECURE, records),
	    DNS_STATE_DIFFERS);
	record.usage = 3;
	dns_put_record(&writer, DNS_TLSA, &record);
	records = text_make(bytes, writer.size);
	assert_int_equal(
	    dns_want_compare(&want, DNS_FOUND, DNS_SECURE, records),
	    DNS_STATE_OK);
	assert_int_equal(
	    dns_want_compare(&want, DNS_FOUND, DNS_INSECURE, records),
	    DNS_STATE_UNSIGNED);
	assert_int_equal(dns_want_compare(&want, DNS_FOUND, DNS_BOGUS, records),
	    DNS_STATE_FAILED);
	assert_int_equal(dns_want_compare(&want, DNS_NO_NAME, DNS_SECURE,
			     text_make(NULL, 0)),
	    DNS_STATE_MISSING);
	assert_int_equal(dns_want_compare(&want, DNS_FAILED, DNS_INSECURE,
			     text_make(NULL, 0)),
	    DNS_STATE_FAILED);
}

/* Whoever owns the name writes what stands there. */
static void
what_is_too_long_or_odd_is_shown_all_the_same(void **state)
{
	char value[DNS_VALUE_SIZE], long_text[4096];
	struct dns_record record = { .data = TEXT("a\"b\\c") };

	dns_record_format(DNS_TXT, &record, value);
	assert_string_equal(value, "\"a\\\"b\\\\c\"");
	memset(long_text, '"', sizeof(long_text));
	record.data = text_make(long_text, sizeof(long_text));
	dns_record_format(DNS_TXT, &record, value);
	assert_true(strlen(value) < DNS_VALUE_SIZE);
	dns_record_format(DNS_TLSA, &record, value);
	assert_true(strlen(value) < DNS_VALUE_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_records_are_those_of_the_settings),
		cmocka_unit_test(texts_are_told_apart_by_what_they_are),
		cmocka_unit_test(a_key_that_nobody_vouches_for_is_none),
		cmocka_unit_test(what_is_too_long_or_odd_is_shown_all_the_same),
	};

	digest_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
