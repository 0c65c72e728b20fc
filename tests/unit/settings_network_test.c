/*
 * firnmail.conf about other hosts: the resolver's words, trust anchors in their
 * spellings, the files that lines name, and who is told of it.
 */
#include "common/settings_grammar.h"

#include "common/memory.h"
#include "tests/unit/settings_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define GOOD                                                        \
	"host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n" \
	"store maildir /m\nsnapshot dir /s\n"
#define DIGEST \
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

static void
run_begin(struct run *run, const char *lines)
{
	char config[8192];

	assert_true((size_t)snprintf(config, sizeof(config), GOOD "%s", lines) <
		    sizeof(config));
	run_config(run, "f", config);
}

static void
forwarders_and_anchors_are_taken(void **state)
{
	struct run run;

	run_begin(&run,
	    "resolver forward 192.0.2.1 2001:db8::1@5353\n"
	    "resolver trust-anchor \". IN DS 20326 8 2 " DIGEST "\"\n"
	    "resolver insecure Corp.Example forward ::1\n");
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(run.settings->forwarder_count, 3);
	assert_string_equal(run.settings->forwarders[0].address, "192.0.2.1");
	assert_int_equal(run.settings->forwarders[0].port, 53);
	assert_string_equal(run.settings->forwarders[1].address, "2001:db8::1");
	assert_int_equal(run.settings->forwarders[1].port, 5353);
	assert_int_equal(run.settings->anchor_count, 1);
	assert_string_equal(
	    run.settings->anchors[0], ". IN DS 20326 8 2 " DIGEST);
	assert_int_equal(run.settings->insecure_count, 1);
	assert_string_equal(run.settings->insecure_zones[0], "corp.example");
	assert_string_equal(
	    run.settings->ca_path, "/etc/ssl/certs/ca-certificates.crt");
	run_end(&run);
}

static const struct {
	const char *lines;
	const char *expected;
} mistakes[] = {
	{ "resolver\n", ":7:9: usage is resolver" },
	{ "resolver forward\n", ":7:17: forward needs addresses" },
	{ "resolver 192.0.2.1\n", ":7:1: addresses stand behind" },
	{ "resolver forward ns.example\n",
	    ":7:18: \"ns.example\" is not a numeric address" },
	{ "resolver forward 192.0.2.1@0\n", "is not a numeric address" },
	{ "resolver forward 192.0.2.1@65536\n", "is not a numeric address" },
	{ "resolver forward 192.0.2.1@\n", "is not a numeric address" },
	{ "resolver system forward ::1\n", "either system or forward" },
	{ "resolver forward ::1\nresolver system\n",
	    ":8:1: resolver takes either" },
	{ "resolver trust-anchor . IN DS\n", "a trust anchor is a DS or" },
	{ "resolver insecure -x\n", "\"-x\" is not a domain" },
	{ "resolver forward ::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9\n",
	    ":7:50: more than 8 forwarders" },
	{ "ca-certificates /x\n", "unknown word \"/x\"" },
};

static void
each_mistake_is_named_with_its_place(void **state)
{
	struct run run;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		run_begin(&run, mistakes[i].lines);
		assert_int_equal(run.status, -1);
		if (strstr((char *)run.text.data, mistakes[i].expected) == NULL)
			fail_msg("%s: got %s", mistakes[i].lines,
			    (char *)run.text.data);
		run_end(&run);
	}
}

/* NULL: refused. */
static const struct {
	const char *line;
	const char *anchor;
} anchors[] = {
	{ ".\t172800\tIN DS 20326 8 2 " DIGEST " ; a comment",
	    ". IN DS 20326 8 2 " DIGEST },
	{ "Corp.Example ds 1 13 1 0123456789abcdef0123 456789ABCDEF01234567",
	    "corp.example. IN DS 1 13 1 "
	    "0123456789abcdef0123456789ABCDEF01234567" },
	{ "corp.example. 3600 DNSKEY 257 3 13 AwEA aQ==",
	    "corp.example. IN DNSKEY 257 3 13 AwEAaQ==" },
	{ "", NULL },
	{ ".", NULL },
	{ ". IN", NULL },
	{ ". IN A 192.0.2.1", NULL },
	{ ". IN DS 20326 8 2", NULL },
	{ ". IN DS 65536 8 2 " DIGEST, NULL },
	{ ". IN DS 20326 8 1 " DIGEST, NULL },
	{ ". IN DS 20326 8 9 " DIGEST, NULL },
	{ ". IN DS 20326 8 2 " DIGEST "0", NULL },
	{ ". IN DS 20326 8 2 g" DIGEST, NULL },
	{ ". IN DS 20326 8 2 ;" DIGEST, NULL },
	{ ". IN DNSKEY 385 3 8 AwEA", NULL },
	{ ". IN DNSKEY 257 2 8 AwEA", NULL },
	{ ". IN DNSKEY 257 3 8 Aw\"EA", NULL },
	{ "a..b IN DNSKEY 257 3 8 AwEA", NULL },
};

static void
anchors_are_records_of_two_types(void **state)
{
	char anchor[SETTINGS_ANCHOR_SIZE];
	char line[4000] = ". IN DNSKEY 257 3 8 ";

	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		int status =
		    settings_parse_anchor(text_of(anchors[i].line), anchor);

		if ((status == 0) != (anchors[i].anchor != NULL))
			fail_msg("%s", anchors[i].line);
		if (status == 0)
			assert_string_equal(anchor, anchors[i].anchor);
	}
	for (size_t i = 0; i < 1500; i++)
		strcat(line, "A");
	assert_int_equal(settings_parse_anchor(text_of(line), anchor), -1);
}

static void
what_files_say_is_taken(void **state)
{
	struct settings *settings = settings_new();

	assert_int_equal(
	    settings_take_nameservers(text_of("# nameserver 1.2.3.4\n"
					      "search example\n"
					      " nameserver\t127.0.0.53 \n"
					      "nameserver fe80::1%eth0\n"
					      "nameserver ::1"),
		settings),
	    0);
	assert_int_equal(settings->forwarder_count, 2);
	assert_string_equal(settings->forwarders[0].address, "127.0.0.53");
	assert_string_equal(settings->forwarders[1].address, "::1");
	assert_int_equal(
	    settings_take_anchors(text_of("; kept by unbound\n\n"
					  ".\tIN\tDS\t20326 8 2 " DIGEST "\n"),
		settings),
	    0);
	assert_int_equal(settings->anchor_count, 1);
	assert_int_equal(
	    settings_take_anchors(text_of("oops\n"), settings), -1);
	settings_free(&settings);
	settings = settings_new();
	assert_int_equal(settings_take_anchors(text_of("; \n"), settings), -1);
	assert_int_equal(
	    settings_take_nameservers(text_of("search x\n"), settings), -1);
	settings_free(&settings);
}

static void
what_explain_prints_parses_to_the_same(void **state)
{
	struct buf text;
	struct run run;

	buf_init(&text, 65536);
	run_begin(&run, "resolver forward 192.0.2.1\n"
			"resolver trust-anchor \". DS 20326 8 2 " DIGEST "\"\n"
			"resolver insecure corp trust-anchor-file \"a file\"\n"
			"ca-certificates file /ca\n");
	settings_explain("x", run.settings, &run.origin, &text);
	assert_int_equal(buf_put_byte(&text, '\0'), 0);
	run_end(&run);
	assert_non_null(strstr((char *)text.data,
	    "resolver forward 192.0.2.1@53  # x:7\n"
	    "resolver trust-anchor \". IN DS 20326 8 2 " DIGEST "\"  # x:8\n"
	    "resolver trust-anchor-file \"/etc/firnmail/a file\"  # x:9\n"
	    "resolver insecure corp  # x:9\n"
	    "ca-certificates file /ca  # x:10\n"));
	buf_clear(&text);
}

static struct settings *
slice_of(const struct settings *settings, enum role role)
{
	struct settings *slice;
	struct error error;
	int fd = settings_slice(settings, role, &error);

	assert_true(fd >= 0);
	slice = settings_read_slice(fd, &error);
	assert_non_null(slice);
	close(fd);
	return slice;
}

static void
who_needs_it_is_told(void **state)
{
	struct settings *slice;
	struct run run;

	run_begin(&run,
	    "resolver forward 192.0.2.1@54 insecure corp\n"
	    "resolver trust-anchor \". DS 20326 8 2 " DIGEST "\"\n");
	run.settings->ca_pem = memory_copy_text("PEM");
	for (int role = ROLE_LOGGER; role < ROLE_COUNT; role++) {
		bool resolves = role == ROLE_RESOLVER;
		bool connects = role == ROLE_FETCHER || role == ROLE_RELAY;

		slice = slice_of(run.settings, (enum role)role);
		assert_int_equal(slice->forwarder_count, resolves);
		assert_int_equal(slice->anchor_count, resolves);
		assert_int_equal(slice->insecure_count, resolves);
		assert_int_equal(slice->ca_pem != NULL, connects);
		if (connects)
			assert_string_equal(slice->ca_pem, "PEM");
		if (resolves)
			assert_int_equal(slice->forwarders[0].port, 54);
		settings_free(&slice);
	}
	run_end(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwarders_and_anchors_are_taken),
		cmocka_unit_test(each_mistake_is_named_with_its_place),
		cmocka_unit_test(anchors_are_records_of_two_types),
		cmocka_unit_test(what_files_say_is_taken),
		cmocka_unit_test(what_explain_prints_parses_to_the_same),
		cmocka_unit_test(who_needs_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
