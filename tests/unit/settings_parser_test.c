/*
 * firnmail.conf: each mistake has its place and its words, the example of
 * firnmail.conf(5) parses, and a slice brings back what was cut.
 */
#include "common/settings_parser.h"

#include "common/file.h"
#include "tests/unit/settings_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define GOOD                                                   \
	"host Mail.example.org\n"                              \
	"domain example.org example.net # two\n"               \
	"listen smtp   on * port 25  tls\n"                    \
	"listen submit on * port 465 tls-required auth\n"      \
	"listen imap   on 127.0.0.1 port 993 tls-required\n"   \
	"tls auto\n"                                           \
	"users file /etc/firnmail/users\n"                     \
	"aliases file aliases\n"                               \
	"store maildir /var/lib/firnmail/mail\n"               \
	"snapshot every 15m dir /var/lib/firnmail/snap\n"      \
	"keep 15m for 24h, 1h for 7d, 1d for 90d, 1w for 2y  " \
	"minimum 30d\n"                                        \
	"match from any for domain <domains> deliver\n"        \
	"max-message-size 25M\n"

static void
run_begin(struct run *run, const char *config)
{
	run_config(run, "firnmail.conf", config);
}

static void
the_example_is_understood(void **state)
{
	struct run run;

	run_begin(&run, GOOD);
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.settings->host, "mail.example.org");
	assert_int_equal(run.settings->domain_count, 2);
	assert_string_equal(run.settings->srs_domain, "example.org");
	assert_int_equal(run.settings->listener_count, 3);
	assert_int_equal(run.settings->listeners[1].tls, LISTEN_TLS_IMPLICIT);
	assert_int_equal(run.settings->listeners[1].service, SERVICE_SUBMIT);
	assert_string_equal(run.settings->listeners[2].address, "127.0.0.1");
	assert_string_equal(
	    run.settings->aliases_path, "/etc/firnmail/aliases");
	assert_string_equal(
	    run.settings->keys[0].key_path, "/etc/firnmail/key.pem");
	assert_int_equal(run.settings->keep_count, 4);
	assert_int_equal(run.settings->keep[3].span_s, 2 * 31536000);
	assert_int_equal(run.settings->max_message_bytes, 25 * 1024 * 1024);
	run_end(&run);
}

static const struct {
	const char *config; /* after GOOD */
	const char *expected;
} mistakes[] = {
	{ "snapshot evry 15m dir /x\n", "snapshot was given in line 10" },
	{ "max-workers many\n", ":14:13: \"many\" is not a number" },
	{ "hibernate after soon\n", ":14:17: \"soon\" is not a time" },
	{ "max-account-changes 0\n", ":14:21: must not be 0" },
	{ "max-wrkers 5\n", ":14:1: unknown word \"max-wrkers\" (did you mean "
			    "\"max-workers\"?)\nmax-wrkers 5\n^\n" },
	{ "listen imap prt 143\n",
	    ":14:13: unknown word \"prt\" (did you mean \"port\"?)\n"
	    "listen imap prt 143\n            ^\n" },
	{ "listen imap on * port\n", ":14:22: port needs a number behind it" },
	{ "listen smtp on * port 26 auth\n", "smtp takes no logins" },
	{ "listen smtp on * port 25\n", "* port 25 is taken by line 3" },
	{ "listen smtp imap port 27\n", "a listener has one service" },
	{ "match auth for any relay dkim-sign\n",
	    ":14:26: this version has no \"dkim-sign\" yet" },
	{ "match from any for any relay\n", "\"any\" is one too many" },
	{ "match from any for domain <domains> relay\n",
	    "to relay takes: from auth for any relay" },
	{ "match for any relay\n", "to relay takes: from auth for any relay" },
	{ "queue retry 5h\n", "retry is longer than retry-most" },
	{ "queue expire 1m\n", "expire is shorter than retry" },
	{ "reconcile every 59s\n", ":14:17: at least 1m" },
	{ "reconcile 2h\n", "unknown word \"2h\"" },
	{ "reconcile every 2h\nreconcile every 3h\n",
	    ":15:1: reconcile was given in line 14 already" },
	{ "limit send 200\n", ":14:12: a number of recipients and /day" },
	{ "limit class free\n", "limit needs: send N/day" },
	{ "limit send 2/day class a\nlimit send 3/day class a\n",
	    ":15:1: these have a limit already" },
	{ "limit connections 20\n",
	    ":14:19: a number and /minute, /hour or /day" },
	{ "limit errors 0/hour\n", "a number and /minute, /hour or /day" },
	{ "limit errors 2/hour connections 3/hour\n", "limit needs: send" },
	{ "limit per-network 3\n", "limit needs: send" },
	{ "limit errors 2/hour\nlimit errors 3/hour\n",
	    ":15:1: these have a limit already" },
	{ "limit send 3/day per-network 3\n", "limit needs: send" },
	{ "limit send 3/day quota 3M\n", "limit needs: send" },
	{ "limit quota 5T\n", "\"5T\" is not a size such as 512K" },
	{ "limit quota 2000000G\n", "is too much" },
	{ "limit quota 0M\n", ":14:13: must not be 0" },
	{ "limit messages 0\n", ":14:16: must not be 0" },
	{ "limit quota 1M class a\nlimit messages 3 class a\n",
	    ":15:1: these have a quota already" },
	{ "trusted 192.0.2.1/24\n",
	    ":14:9: \"192.0.2.1/24\" is not a numeric address, or one and" },
	{ "listen lmtp port 25\n", "port 25 is SMTP's (RFC 2033 section 5)" },
	{ "listen lmtp\n", ":14:1: listen needs a port" },
	{ "listen lmtp unix /l port 24\n", "a unix socket has no address" },
	{ "listen lmtp unix /l tls\n", "a unix socket has no address" },
	{ "listen lmtp port 24 auth\n", "lmtp takes no logins" },
	{ "listen lmtp port 24 from 0.0.0.0/0\n", "0.0.0.0/0 is everybody" },
	{ "listen lmtp unix /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	    "a socket's path has 107 bytes at most" },
	{ "listen smtp unix /l\n", "only lmtp has a unix socket" },
	{ "listen smtp port 26 from 192.0.2.1\n", "only lmtp chooses whom" },
	{ "listen smtp port 26 proxy 192.0.2.1\n",
	    ":14:27: here stands from, and whose word is believed" },
	{ "listen smtp port 26 proxy from\n", ":14:31: a network is missing" },
	{ "listen smtp port 26 proxy from ::1,\n", "a network is missing" },
	{ "listen smtp port 26 proxy from ::/0\n", "::/0 is everybody" },
	{ "listen imap port 144 tls xclient from ::1\n",
	    "only smtp and submit have XCLIENT" },
	{ "listen lmtp unix /l\nlisten lmtp unix /l\n",
	    "/l port 0 is taken by line 14" },
	{ "vault pair x\n", "this version has no \"pair\" yet" },
	{ "listen imap port 143\n", "warning: passwords and mail go over" },
	{ "domain EXAMPLE.org\n", "domain \"example.org\" is given twice" },
	{ "domain a.b is c.d\n", ":14:15: \"c.d\" is no domain of a line" },
	{ "domain \xc3\xbc.test XN--TDA.test\n",
	    ":14:16: domain \"xn--tda.test\" is given twice" },
	{ "domain -\xc3\xbc.test\n", "is not a domain" },
	{ "domain a.b is a.b\n", "is no domain of a line before" },
	{ "domain a.b is example.org c.d\n", ":14:27: other names stand" },
	{ "domain is example.org\n", "domain needs a name before is" },
	{ "srs off valid 3d\n", "with off there is nothing else to say" },
	{ "srs valid 1h\n", ":14:11: at least 1d" },
	{ "srs domain else.where\n", "srs domain else.where has no line" },
	{ "trusted nobody\n", "\"nobody\" is not a numeric address" },
	{ "trusted users a:b\n", "is not the name of a user" },
	{ "tls certificate c.pem\n", "tls needs auto, or a certificate" },
	{ "max-workers \"5\n", "the closing quote is missing" },
	{ "max-workers \xff\n", "must be UTF-8" },
	{ "uid-range services 0x70000001 accounts 0x70000000 bits 24\n",
	    "services and accounts share uids" },
};

static void
each_mistake_is_named_with_its_place(void **state)
{
	char config[4096];
	struct run run;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		(void)snprintf(
		    config, sizeof(config), "%s%s", GOOD, mistakes[i].config);
		run_begin(&run, config);
		if (strstr((char *)run.text.data, mistakes[i].expected) == NULL)
			fail_msg("%s: got %s", mistakes[i].config,
			    (char *)run.text.data);
		run_end(&run);
	}
}

static bool
knows(const struct network_list *list, const char *ip)
{
	return network_list_has_ip(list, ip);
}

static void
listeners_say_whose_word_they_believe(void **state)
{
	const struct listen_setting *listen;
	struct run run;

	run_begin(&run,
	    GOOD "listen smtp port 26 proxy from 192.0.2.1, 2001:db8::/32 "
		 "xclient from 198.51.100.0/24,::1\n"
		 "listen lmtp on 127.0.0.1 port 24\n"
		 "listen lmtp port 2424 from 192.0.2.0/24\n"
		 "listen lmtp unix /run/x/lmtp\n"
		 "trusted 192.0.2.0/25 ::1\ntrusted 203.0.113.1\n"
		 "max-connections 50 per-network 20 per-address 10\n"
		 "limit connections 7/minute\n"
		 "limit errors 5/day per-network 11\n");
	assert_int_equal(run.status, 0);
	listen = &run.settings->listeners[run.settings->listener_count - 4];
	assert_true(knows(&listen[0].proxies, "192.0.2.1"));
	assert_true(knows(&listen[0].proxies, "2001:db8::9"));
	assert_false(knows(&listen[0].proxies, "198.51.100.7"));
	assert_true(knows(&listen[0].xclients, "198.51.100.7"));
	assert_int_equal(listen[0].clients.count, 0);
	assert_true(knows(&listen[1].clients, "127.0.0.9"));
	assert_false(knows(&listen[1].clients, "192.0.2.9"));
	assert_true(knows(&listen[2].clients, "192.0.2.9"));
	assert_false(knows(&listen[2].clients, "127.0.0.1"));
	assert_string_equal(listen[3].path, "/run/x/lmtp");
	assert_true(knows(&run.settings->trusted, "203.0.113.1"));
	assert_int_equal(run.settings->max_connections_per_network, 20);
	assert_int_equal(run.settings->connections_rate.address.most, 7);
	assert_int_equal(run.settings->connections_rate.network.most, 28);
	assert_int_equal(run.settings->errors_rate.address.window_s, 86400);
	assert_int_equal(run.settings->errors_rate.network.most, 11);
	run_end(&run);
}

static void
all_errors_come_in_one_run(void **state)
{
	struct run run;

	run_begin(&run, "hst a\nlisten smpt port 0\nkeep 1h for 5m\n");
	assert_int_equal(run.status, -1);
	assert_true(report_errors(run.report) >= 8);
	assert_non_null(strstr((char *)run.text.data, "a line is missing: "
						      "host NAME"));
	assert_non_null(strstr((char *)run.text.data, ":2:8: unknown word "
						      "\"smpt\""));
	assert_non_null(strstr((char *)run.text.data, ":3:13:"));
	run_end(&run);
}

static void
a_store_inside_the_mail_is_warned_about(void **state)
{
	struct run run;

	run_begin(&run,
	    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
	    "store maildir /m\nsnapshot dir /m/snap\n"
	    "keep 1h for 2d minimum 3d\n");
	assert_int_equal(run.status, 0);
	assert_int_equal(report_warnings(run.report), 2);
	assert_non_null(strstr((char *)run.text.data, ":6:1: warning: the "
						      "snapshot store lies"));
	assert_non_null(strstr((char *)run.text.data, ":7:1: warning: the "
						      "longest tier"));
	run_end(&run);
}

static void
who_may_delete_is_said_in_one_of_two_words(void **state)
{
	static const struct {
		const char *word;
		bool takes;
		const char *complaint;
	} rows[] = { { "accept", true, NULL }, { "heal", false, NULL },
		{ "maybe", false, ":5:35: accept or heal" } };
	char config[300];
	struct run run;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(config, sizeof(config),
		    "host a.b\ndomain a.b\nlisten smtp port 25\n"
		    "users file u\nstore maildir /m external-deletes %s\n"
		    "snapshot dir /s\n",
		    rows[i].word);
		run_begin(&run, config);
		assert_int_equal(
		    run.status, rows[i].complaint == NULL ? 0 : -1);
		assert_int_equal(
		    run.settings->takes_external_deletes, rows[i].takes);
		if (rows[i].complaint != NULL)
			assert_non_null(
			    strstr((char *)run.text.data, rows[i].complaint));
		run_end(&run);
	}
}

static void
segments_have_a_size_and_a_time(void **state)
{
	static const struct {
		const char *words;
		uint64_t bytes; /* 0: refused */
		uint32_t seal_s;
	} rows[] = {
		{ "", UINT64_C(64) << 30, 3600 },
		{ "segment 512M", 512 << 20, 3600 },
		{ "seal 5m segment 4G", UINT64_C(4) << 30, 300 },
		{ "segment 64G seal 24h", UINT64_C(64) << 30, 86400 },
		{ "segment 511M", 0, 0 },
		{ "segment 65G", 0, 0 },
		{ "segment", 0, 0 },
		{ "seal 59s", 0, 0 },
		{ "seal 25h", 0, 0 },
		{ "segment 1G segment 2G", 0, 0 },
	};
	char config[400];
	struct run run;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(config, sizeof(config),
		    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
		    "store maildir /m\nsnapshot %s dir /s\n",
		    rows[i].words);
		run_begin(&run, config);
		assert_int_equal(run.status, rows[i].bytes > 0 ? 0 : -1);
		if (rows[i].bytes > 0) {
			assert_int_equal(
			    run.settings->segment_bytes, rows[i].bytes);
			assert_int_equal(
			    run.settings->seal_after_s, rows[i].seal_s);
		} else {
			assert_non_null(strstr((char *)run.text.data, ":6:"));
		}
		run_end(&run);
	}
}

static void
a_scratch_folder_lies_beside_the_store_and_apart_from_mail(void **state)
{
	static const char *const wrong[] = { "/m", "/m/x/", "/s/", "/",
		"/s/y" };
	char config[300];
	struct run run;

	run_begin(&run, GOOD "drill every 7d all\n");
	assert_int_equal(run.status, 0);
	assert_string_equal(
	    run.settings->drill_path, "/var/lib/firnmail/snap.drill");
	assert_int_equal(run.settings->drill_every_s, 7 * 86400);
	assert_int_equal(run.settings->drill_sample, 0);
	run_end(&run);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(config, sizeof(config),
		    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
		    "store maildir /m\nsnapshot dir /s/\ndrill dir %s\n",
		    wrong[i]);
		run_begin(&run, config);
		assert_int_equal(run.status, -1);
		assert_non_null(strstr((char *)run.text.data,
		    ":7:1: drill's scratch folder must lie apart"));
		run_end(&run);
	}
	run_begin(&run, GOOD "drill sample 3 all\n");
	assert_int_equal(run.status, -1);
	assert_non_null(strstr((char *)run.text.data, "either sample or all"));
	run_end(&run);
	run_begin(&run,
	    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
	    "store maildir /m\nsnapshot dir /s//\n");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.settings->drill_path, "/s.drill");
	run_end(&run);
	/* The mail would lie in the scratch folder. */
	run_begin(&run,
	    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
	    "store maildir /s.drill/m\nsnapshot dir /s\n");
	assert_int_equal(run.status, -1);
	assert_non_null(strstr((char *)run.text.data, "must lie apart"));
	run_end(&run);
	/* Warned of, and the folder beside the store may be named as well. */
	run_begin(&run,
	    "host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n"
	    "store maildir /m\nsnapshot dir /m/s\ndrill dir /m/s.drill\n");
	assert_int_equal(run.status, 0);
	run_end(&run);
}

static void
what_explain_prints_parses_to_the_same(void **state)
{
	struct buf first;
	struct buf second;
	struct run run;

	buf_init(&first, 65536);
	buf_init(&second, 65536);
	run_begin(&run, GOOD "listen smtp port 26 proxy from 192.0.2.1, ::1 "
			     "xclient from 2001:db8::/32\n"
			     "listen lmtp unix /run/x/lmtp\n"
			     "listen lmtp port 24 from 192.0.2.0/24\n"
			     "trusted 192.0.2.0/25 ::1\n"
			     "limit errors 5/day per-network 11\n"
			     "limit quota 5G messages 10 class free\n"
			     "limit messages 7\n");
	settings_explain("x", run.settings, &run.origin, &first);
	run_end(&run);
	assert_int_equal(buf_put_byte(&first, '\0'), 0);
	run_begin(&run, (char *)first.data);
	assert_int_equal(run.status, 0);
	assert_int_equal(run.settings->reconcile_every_s, 24 * 60 * 60);
	settings_explain("x", run.settings, &run.origin, &second);
	assert_int_equal(buf_put_byte(&second, '\0'), 0);
	assert_non_null(strstr((char *)second.data,
	    "listen smtp on * port 26 proxy from 192.0.2.1,::1 xclient from "
	    "2001:db8::/32  #"));
	assert_non_null(
	    strstr((char *)second.data, "listen lmtp unix /run/x/lmtp  #"));
	assert_non_null(strstr(
	    (char *)second.data, "\nlimit errors 5/day per-network 11  #"));
	assert_non_null(strstr((char *)second.data,
	    "\nlimit quota 5368709120 messages 10 class free  #"));
	assert_non_null(strstr((char *)second.data, "\nlimit messages 7  #"));
	assert_non_null(
	    strstr((char *)first.data, "max-workers 500  # default\n"));
	assert_non_null(
	    strstr((char *)first.data, "hibernate after 30s  # default\n"));
	assert_non_null(strstr((char *)first.data,
	    "keep 15m for 1d, 1h for 1w, 1d for 90d, 1w for 2y minimum 30d"
	    "  # x:11\n"));
	run_end(&run);
	buf_clear(&first);
	buf_clear(&second);
}

static void
a_slice_tells_a_role_only_its_own(void **state)
{
	struct error error = { 0 };
	struct settings *read;
	struct run run;
	int fd;

	run_begin(&run, GOOD "reconcile every 2h\n");
	fd = settings_slice(run.settings, ROLE_SNAPD, &error);
	read = settings_read_slice(fd, &error);
	assert_non_null(read);
	close(fd);
	assert_int_equal(read->reconcile_every_s, 2 * 60 * 60);
	settings_free(&read);

	fd = settings_slice(run.settings, ROLE_SMTPD, &error);
	assert_true(fd >= 0);
	read = settings_read_slice(fd, &error);
	assert_non_null(read);
	close(fd);
	assert_int_equal(read->listener_count, 3);
	assert_int_equal(read->domain_count, 2);
	assert_int_equal(read->max_message_bytes, 25 * 1024 * 1024);
	assert_string_equal(read->users_path, "");
	assert_string_equal(read->keys[0].key_path, "");
	settings_free(&read);

	run.settings->takes_external_deletes = true;
	run.settings->hibernate_after_s = 90;
	fd = settings_slice(run.settings, ROLE_WORKER, &error);
	read = settings_read_slice(fd, &error);
	assert_non_null(read);
	assert_true(read->takes_external_deletes);
	assert_int_equal(read->hibernate_after_s, 90);
	close(fd);
	assert_int_equal(read->domain_count, 0);
	assert_int_equal(read->listener_count, 0);
	settings_free(&read);
	run_end(&run);
}

static void
a_slice_cut_short_is_refused(void **state)
{
	struct error error = { 0 };
	uint8_t data[4096];
	struct run run;
	ssize_t size;
	int fd;

	run_begin(&run, GOOD);
	fd = settings_slice(run.settings, ROLE_SMTPD, &error);
	size = pread(fd, data, sizeof(data), 0);
	close(fd);
	assert_true(size > 0);
	for (ssize_t n = 0; n < size; n++) {
		fd = file_sealed_memory("x", data, (size_t)n, &error);
		assert_null(settings_read_slice(fd, &error));
		close(fd);
	}
	run_end(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_understood),
		cmocka_unit_test(each_mistake_is_named_with_its_place),
		cmocka_unit_test(all_errors_come_in_one_run),
		cmocka_unit_test(a_store_inside_the_mail_is_warned_about),
		cmocka_unit_test(who_may_delete_is_said_in_one_of_two_words),
		cmocka_unit_test(
		    a_scratch_folder_lies_beside_the_store_and_apart_from_mail),
		cmocka_unit_test(segments_have_a_size_and_a_time),
		cmocka_unit_test(listeners_say_whose_word_they_believe),
		cmocka_unit_test(what_explain_prints_parses_to_the_same),
		cmocka_unit_test(a_slice_tells_a_role_only_its_own),
		cmocka_unit_test(a_slice_cut_short_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
