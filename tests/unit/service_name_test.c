/*
 * How the service's own files are called in the store.
 */
#include "master/service_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
names_begin_at_the_configuration_or_at_the_top(void **state)
{
	static const char config[] = "/etc/firnmail/firnmail.conf";
	static const struct {
		const char *path;
		const char *name; /* NULL: none that the store takes */
	} rows[] = {
		{ "/etc/firnmail/firnmail.conf", "firnmail.conf" },
		{ "/etc/firnmail/tls/key.pem", "tls/key.pem" },
		{ "/etc/firnmail//users", "users" },
		{ "/etc/firnmail2/users", "etc/firnmail2/users" },
		{ "/etc/letsencrypt/live/a.b/privkey.pem",
		    "etc/letsencrypt/live/a.b/privkey.pem" },
		{ "//srv///x", "srv/x" },
		{ "relative/users", "relative/users" },
		{ "/etc/firnmail/", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ "/etc/line\nbreak", NULL },
		{ "/etc/\xff", NULL },
	};
	char name[100], longer[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int result = service_files_name(
		    rows[i].path, config, name, sizeof(name));

		assert_int_equal(result, rows[i].name != NULL ? 0 : -1);
		if (rows[i].name != NULL)
			assert_string_equal(name, rows[i].name);
	}
	memset(longer, 'a', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(name)] = '\0';
	assert_int_equal(
	    service_files_name(longer, config, name, sizeof(name)), 0);
	longer[sizeof(name)] = 'a';
	longer[sizeof(name) + 1] = '\0';
	assert_int_equal(
	    service_files_name(longer, config, name, sizeof(name)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    names_begin_at_the_configuration_or_at_the_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
