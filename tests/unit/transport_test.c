/*
 * Where mail for other hosts goes: from the lines of firnmail.conf over the
 * spool's slice to the route of a domain, and who is told of the login.
 */
#include "common/settings_grammar.h"
#include "smtpd/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOOD                                                        \
	"host a.b\ndomain a.b\nlisten smtp port 25\nusers file u\n" \
	"store maildir /m\nsnapshot dir /s\n"

static char complaints[4000];

/* NULL, and what is wrong in `complaints`. */
static struct settings *
parse(const char *lines)
{
	struct settings *settings = settings_new();
	struct report *report = report_new();
	struct settings_origin origin;
	char config[4000];
	struct buf text;

	memset(&origin, 0, sizeof(origin));
	snprintf(config, sizeof(config), GOOD "%s", lines);
	(void)settings_parse(
	    "f", "/etc/firnmail", text_of(config), settings, &origin, report);
	buf_init(&text, sizeof(complaints));
	report_format(report, &text);
	snprintf(complaints, sizeof(complaints), "%.*s", (int)text.size,
	    text.size > 0 ? (const char *)text.data : "");
	if (report_errors(report) > 0)
		settings_free(&settings);
	report_free(&report);
	buf_clear(&text);
	return settings;
}

static struct settings *
slice(const struct settings *settings, enum role role)
{
	struct settings *sliced;
	struct error error;
	int fd = settings_slice(settings, role, &error);

	assert_true(fd != -1);
	sliced = settings_read_slice(fd, &error);
	assert_non_null(sliced);
	close(fd);
	return sliced;
}

static const struct {
	const char *lines;
	const char *domain;
	const char *host;
	unsigned int port;
	enum relay_tls tls;
	enum relay_protocol protocol;
	bool is_implicit_tls;
	const char *user;
} table[] = {
	{ "", "x.test", "", 0, RELAY_TLS_DEFAULT, RELAY_SMTP, false, "" },
	{ "relay tls encrypt\n", "x.test", "", 0, RELAY_TLS_ENCRYPT, RELAY_SMTP,
	    false, "" },
	{ "relay via Smart.test port 465 auth a\n", "x.test", "smart.test", 465,
	    RELAY_TLS_DEFAULT, RELAY_SMTP, true, "me" },
	{ "relay via 192.0.2.1 port 587 tls verify\n", "x.test", "192.0.2.1",
	    587, RELAY_TLS_VERIFY, RELAY_SMTP, false, "" },
	/* A domain of its own, without the other host's login. */
	{ "relay via smart.test auth a\n"
	  "transport X.test via 127.0.0.1 port 24 lmtp tls never\n",
	    "x.TEST", "127.0.0.1", 24, RELAY_TLS_NEVER, RELAY_LMTP, false, "" },
	/* Only what TLS it needs: it goes by the host that all goes by. */
	{ "relay via smart.test auth a\ntransport x.test tls dane\n", "x.test",
	    "smart.test", 0, RELAY_TLS_DANE, RELAY_SMTP, false, "me" },
	{ "transport .x.test via a.test\ntransport .y.x.test via b.test\n",
	    "z.y.x.test", "b.test", 0, RELAY_TLS_DEFAULT, RELAY_SMTP, false,
	    "" },
	{ "transport .x.test via a.test\n", "x.test", "", 0, RELAY_TLS_DEFAULT,
	    RELAY_SMTP, false, "" },
	{ "transport .x.test via a.test\n", "ax.test", "", 0, RELAY_TLS_DEFAULT,
	    RELAY_SMTP, false, "" },
};

static void
routes_are_what_the_lines_say(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct settings *all = parse(table[i].lines), *settings;
		struct relay_route route;

		print_message("%s", table[i].lines);
		assert_string_equal(complaints, "");
		if (all->relay_auth_path[0] != '\0')
			assert_int_equal(
			    settings_take_login(TEXT("me:se:cret\n"), all), 0);
		settings = slice(all, ROLE_SPOOL);
		route = relay_route_for(settings, text_of(table[i].domain));
		assert_true(text_is(route.host, table[i].host));
		assert_int_equal(route.port, table[i].port);
		assert_int_equal(route.tls, table[i].tls);
		assert_int_equal(route.protocol, table[i].protocol);
		assert_int_equal(
		    route.is_implicit_tls, table[i].is_implicit_tls);
		assert_true(text_is(route.user, table[i].user));
		assert_true(text_is(
		    route.password, route.user.size > 0 ? "se:cret" : ""));
		settings_free(&settings);
		settings_free(&all);
	}
}

static void
only_the_spool_knows_the_login(void **state)
{
	struct settings *all =
	    parse("relay via a.test auth f from 192.0.2.9 hello Out.a.b\n");

	assert_string_equal(complaints, "");
	assert_int_equal(settings_take_login(TEXT("me:secret\n"), all), 0);
	for (int role = 0; role < ROLE_COUNT; role++) {
		struct settings *one = slice(all, (enum role)role);

		assert_string_equal(
		    one->relay_password, role == ROLE_SPOOL ? "secret" : "");
		assert_string_equal(
		    one->relay_source, role == ROLE_SPOOL ? "192.0.2.9" : "");
		assert_string_equal(
		    one->relay_hello, role == ROLE_RELAY ? "out.a.b" : "");
		settings_free(&one);
	}
	settings_free(&all);
}

static const struct {
	const char *line;
	const char *complaint;
} mistakes[] = {
	{ "relay via a/b", "is not a host name or an address" },
	{ "relay port 25", "port and auth are of a host" },
	{ "relay auth f", "port and auth are of a host" },
	{ "relay via a.test tls never auth f", "never said without TLS" },
	{ "relay tls maybe", "tls is one of" },
	{ "relay from a.test", "is not a numeric address" },
	{ "relay hello a/b", "is not a host name" },
	{ "relay via a.test port 0", "port 0 is none" },
	{ "transport via a.test", "needs a domain" },
	{ "transport x.test", "needs via HOST" },
	{ "transport x.test lmtp tls never", "are of a host" },
	{ "transport x/y via a.test", "is not a domain" },
	{ "transport x.test tls dane\ntransport X.test tls never",
	    "is given twice" },
};

static void
mistakes_are_told(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		print_message("%s\n", mistakes[i].line);
		assert_null(parse(mistakes[i].line));
		assert_non_null(strstr(complaints, mistakes[i].complaint));
	}
}

static void
a_login_is_one_line(void **state)
{
	static const char *const wrong[] = { "", "user", ":secret",
		"user:", "user:secret\nmore:secrets" };
	struct settings *settings = settings_new();

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
		    settings_take_login(text_of(wrong[i]), settings), -1);
	settings_free(&settings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_what_the_lines_say),
		cmocka_unit_test(only_the_spool_knows_the_login),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(a_login_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
