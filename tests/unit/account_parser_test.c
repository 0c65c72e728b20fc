/*
 * Users and aliases: both forms of a users line, every mistake by name and
 * never with a hash, aliases down to accounts, slices without secrets.
 */
#include "common/account_parser.h"
#include "common/domain_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define USERS                                                         \
	"# people\n"                                                  \
	"Alice@Example.org:{SHA512-CRYPT}$6$a$b:1000:1000::/home/a::" \
	"userdb_quota_rule=*:storage=1G firnmail_id=1\n"              \
	"bob@example.org:{BLF-CRYPT}$2y$05$xyz:::::: firnmail_id=2\n" \
	"carol@example.org:$y$j9T$x$y::::::firnmail_id=7 nologin\r\n"

struct run {
	struct settings *settings;
	struct report *report;
	struct account_table *table;
	struct buf text;
};

static void
run_begin(struct run *run, const char *users, const char *aliases)
{
	struct account_source user_source = { "users", text_of(users) };
	struct account_source alias_source = { "aliases",
		text_of(aliases ? aliases : "") };

	run->settings = settings_new();
	strcpy(run->settings->domains[0], "example.org");
	strcpy(run->settings->domains[1], "example.net");
	run->settings->domain_is[1] = 1;
	run->settings->domain_count = 2;
	run->report = report_new();
	run->table = account_table_parse(&user_source,
	    aliases ? &alias_source : NULL, run->settings, run->report);
	buf_init(&run->text, 1024 * 1024);
	report_format(run->report, &run->text);
	assert_int_equal(buf_put_byte(&run->text, '\0'), 0);
}

static void
run_end(struct run *run)
{
	settings_free(&run->settings);
	report_free(&run->report);
	account_table_free(&run->table);
	buf_clear(&run->text);
}

static void
both_forms_of_a_line_are_read(void **state)
{
	const struct account *alice;
	const struct account *carol;
	struct run run;

	run_begin(&run, USERS, NULL);
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(account_table_count(run.table), 3);
	alice = account_find_address(run.table, TEXT("ALICE@example.ORG"));
	assert_non_null(alice);
	assert_string_equal(alice->hash, "$6$a$b");
	assert_int_equal(alice->uid, 0x70000001);
	carol = account_find_number(run.table, 7);
	assert_non_null(carol);
	assert_int_equal(carol->flags, ACCOUNT_DISABLED);
	run_end(&run);
}

static const struct {
	const char *users;
	const char *aliases;
	const char *expected;
} mistakes[] = {
	{ "a@example.org:$6$x$y\n", NULL, "has no firnmail_id" },
	{ USERS "d@example.org:$6$x$y::::::firnmail_id=1\n", NULL,
	    "users:5:1: alice@example.org and d@example.org have the same" },
	{ USERS "ALICE@example.org:$6$x$y::::::firnmail_id=9\n", NULL,
	    "alice@example.org is there twice" },
	{ "a@b.c:$6$x$y::::::firnmail_id=9\n", NULL, "in none of the domains" },
	{ "a.example.org:$6$x$y::::::firnmail_id=9\n", NULL,
	    "is not an address" },
	{ "a@example.org:{PLAIN}pass::::::firnmail_id=9\n", NULL,
	    "users:1:15: password scheme {PLAIN}" },
	{ "a@example.org:{SHA512-CRIPT}$6$x$y::::::firnmail_id=9\n", NULL,
	    "did you mean {SHA512-CRYPT}?" },
	{ "a@example.org:{BLF-CRYPT}$6$x$y::::::firnmail_id=9\n", NULL,
	    "the hash is not one of its {SCHEME}" },
	{ "a@example.org:hunter2::::::firnmail_id=9\n", NULL,
	    "the password is not a hash" },
	{ "a@example.org:$6$x$y::::::firnmail_id=0\n", NULL,
	    "must be a number from 1 to 268435455" },
	{ "a@example.org:$6$x$y::::::firnmail_id=9 firnmail_class=x\n", NULL,
	    "there is no line limit ... class x" },
	{ "a@example.net:$6$x$y::::::firnmail_id=9\n", NULL,
	    "another name: write a@example.org" },
	{ USERS, "x@example.net: bob\nX@example.org: bob\n",
	    "alias x@example.org is there twice: line 1" },
	{ USERS, "a: b\nb: c, alice\nc: a\n", "leads back to itself" },
	{ USERS, "a: nobody\n", "aliases:1:4: target nobody is no account" },
	{ USERS, "a@else.where: bob\n", "in none of the domains" },
	{ USERS, "@else.where: bob\n", "in none of the domains" },
	{ USERS, "a: bob@else_where\n", "in none of the domains" },
	{ USERS, "a: .bob@else.where\n", "is not an address" },
	{ USERS, "a: |/bin/sh\n", "programs, files and includes" },
	{ USERS, "a: bob\nA: alice\n", "alias a is there twice: line 1" },
	{ USERS, "a:\n", "has no target" },
	{ USERS, "just words\n", "an alias is NAME: TARGET" },
};

static void
each_mistake_is_named_and_no_hash_is_shown(void **state)
{
	struct run run;

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		run_begin(&run, mistakes[i].users, mistakes[i].aliases);
		if (strstr((char *)run.text.data, mistakes[i].expected) == NULL)
			fail_msg("%s: got %s", mistakes[i].expected,
			    (char *)run.text.data);
		assert_null(strstr((char *)run.text.data, "hunter2"));
		assert_null(strstr((char *)run.text.data, "$6$"));
		assert_null(run.table);
		run_end(&run);
	}
}

static void
aliases_lead_to_accounts(void **state)
{
	const struct account_alias *rows;
	struct run run;

	run_begin(&run, USERS,
	    "postmaster: root\nroot: alice, Bob@example.org, sales\n"
	    "sales: bob, carol@example.org\n");
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(account_table_aliases(run.table, &rows), 8);
	assert_string_equal(rows[0].name, "postmaster");
	assert_string_equal(rows[0].target, "alice@example.org");
	assert_string_equal(rows[2].target, "carol@example.org");
	assert_string_equal(rows[6].name, "sales");
	run_end(&run);
}

static void
aliases_lead_elsewhere_and_back(void **state)
{
	static const char *const wanted[][2] = {
		{ "bob@example.org", "bob@example.org" }, /* keeps it */
		{ "bob@example.org", "bob@else.where" },
		{ "@example.org", "bob@example.org" },
		{ "@example.org", "bob@else.where" },
		{ "@example.org", "rest@else.where" },
	};
	const struct account_alias *rows;
	struct run run;

	run_begin(&run, USERS,
	    "bob@example.org: bob@example.org, Bob@Else.Where\n"
	    "@example.org: bob@example.org, rest@else.where, bob@else.where\n");
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(account_table_aliases(run.table, &rows), 5);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(rows[i].name, wanted[i][0]);
		assert_string_equal(rows[i].target, wanted[i][1]);
	}
	run_end(&run);
	/* Two who pass their mail to each other. */
	run_begin(&run, USERS,
	    "alice@example.org: bob@example.org\n"
	    "bob@example.org: alice@example.org\n");
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(account_table_aliases(run.table, &rows), 2);
	assert_string_equal(rows[0].target, "alice@example.org");
	run_end(&run);
}

static void
other_names_of_a_domain_are_that_domain(void **state)
{
	const struct account_alias *rows;
	struct run run;

	run_begin(&run, USERS,
	    "Sales@Example.net: Bob@example.net\n@example.net: bob\n");
	assert_string_equal((char *)run.text.data, "");
	assert_int_equal(account_table_aliases(run.table, &rows), 2);
	assert_string_equal(rows[0].name, "sales@example.org");
	assert_string_equal(rows[0].target, "bob@example.org");
	assert_string_equal(rows[1].name, "@example.org");
	run_end(&run);
}

static void
domains_in_other_scripts_are_what_dns_has(void **state)
{
	static const struct {
		const char *domain, *ascii; /* NULL: none */
	} rows[] = { { "Example.ORG", "example.org" }, { "", "" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.Example",
		    "xn--bcher-kva.example" },
		/* u and a combining diaeresis */
		{ "b\x75\xcc\x88"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" },
		{ "\xe4\xbe\x8b\xe3\x81\x88.test", "xn--r8jz45g.test" },
		{ "a\xe3\x80\x82"
		  "b",
		    "a.b" },
		{ "XN--bcher-kva.example", "xn--bcher-kva.example" },
		{ "\xff.test", NULL }, { "\xe2\x80\xa8.test", NULL },
		{ "-\xc3\xbc.test", NULL } };
	char ascii[DOMAIN_NAME_SIZE], long_name[600];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wanted = rows[i].ascii;

		assert_int_equal(
		    domain_name_to_ascii(text_of(rows[i].domain), ascii),
		    wanted != NULL ? 0 : -1);
		assert_string_equal(ascii, wanted != NULL ? wanted : "");
	}
	for (size_t i = 0; i < sizeof(long_name) - 2; i += 2)
		memcpy(long_name + i, "\xc3\xbc", 3);
	assert_int_equal(domain_name_to_ascii(text_of(long_name), ascii), -1);
	assert_int_equal(domain_name_of_address(
			     TEXT("no domain"), long_name, sizeof(long_name)),
	    -1);
	assert_int_equal(domain_name_of_address(TEXT("J\xc3\xbc@\xc3\xbc.test"),
			     long_name, sizeof(long_name)),
	    0);
	assert_string_equal(long_name, "J\xc3\xbc@xn--tda.test");
	assert_int_equal(
	    domain_name_of_address(TEXT("a@\xc3\xbc.test"), long_name, 14), -1);
}

static void
files_may_name_them_as_people_write_them(void **state)
{
	const struct account_source users = { "users",
		TEXT("j\xc3\xbc@b\xc3\xbc"
		     "cher.example:$6$x$y::::::firnmail_id=1\n") };
	const struct account_source aliases = { "aliases",
		TEXT("sales@B\xc3\x9c"
		     "CHER.example: j\xc3\xbc, a@\xc3\xbc.test\n"
		     "@xn--bcher-kva.example: sales@b\xc3\xbc"
		     "cher.example\n") };
	struct settings *settings = settings_new();
	struct report *report = report_new();
	const struct account_alias *rows;
	struct account_table *table;

	strcpy(settings->domains[settings->domain_count++],
	    "xn--bcher-kva.example");
	table = account_table_parse(&users, &aliases, settings, report);
	assert_non_null(table);
	assert_string_equal(account_table_at(table, 0)->address,
	    "j\xc3\xbc@xn--bcher-kva.example");
	assert_int_equal(account_table_aliases(table, &rows), 4);
	assert_string_equal(rows[0].name, "sales@xn--bcher-kva.example");
	assert_string_equal(rows[1].target, "a@xn--tda.test");
	assert_string_equal(rows[2].name, "@xn--bcher-kva.example");
	account_table_free(&table);
	report_free(&report);
	settings_free(&settings);
}

static void
only_authd_gets_hashes(void **state)
{
	static const enum role roles[] = { ROLE_AUTHD, ROLE_QUEUE, ROLE_BROKER,
		ROLE_SNAPD, ROLE_SPOOL };
	struct error error = { 0 };
	struct run run;

	run_begin(&run, USERS, "root: bob\n");
	for (size_t i = 0; i < 5; i++) {
		int fd = account_table_slice(run.table, roles[i], &error);
		struct account_table *read = account_table_read(fd, &error);
		const struct account_alias *aliases;
		const struct account *bob;

		close(fd);
		assert_non_null(read);
		bob = account_find_number(read, 2);
		assert_int_equal(bob->uid, 0x70000002);
		assert_string_equal(
		    bob->hash, roles[i] == ROLE_AUTHD ? "$2y$05$xyz" : "");
		assert_int_equal(account_table_count(read), 3);
		assert_int_equal(account_table_aliases(read, &aliases),
		    roles[i] == ROLE_QUEUE ? 1 : 0);
		account_table_free(&read);
	}
	run_end(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_of_a_line_are_read),
		cmocka_unit_test(each_mistake_is_named_and_no_hash_is_shown),
		cmocka_unit_test(aliases_lead_to_accounts),
		cmocka_unit_test(aliases_lead_elsewhere_and_back),
		cmocka_unit_test(domains_in_other_scripts_are_what_dns_has),
		cmocka_unit_test(files_may_name_them_as_people_write_them),
		cmocka_unit_test(other_names_of_a_domain_are_that_domain),
		cmocka_unit_test(only_authd_gets_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
