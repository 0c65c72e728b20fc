/*
 * Where mail goes, and how long it takes to find out with many aliases.
 */
#include "common/buf.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/route.h"
#include "common/smtp_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct settings *settings;
static struct account_table *accounts;

static int
set_up(void **state)
{
	static const char *const addresses[] = { "root@demo.test",
		"alice@demo.test", "bob@demo.test", "bob@second.test",
		"a b@demo.test", "x+y@demo.test", "kept@demo.test" };
	static const char *const aliases[][2] = { { "team@demo.test",
						      "alice@demo.test" },
		{ "Team@demo.test", "bob@demo.test" },
		{ "team@demo.test", "alice@demo.test" },
		{ "sales", "bob@demo.test" },
		{ "abuse@second.test", "bob@second.test" },
		{ "broken", "nobody@demo.test" },
		{ "carol@demo.test", "carol@elsewhere.test" },
		{ "kept@demo.test", "kept@demo.test" },
		{ "kept@demo.test", "kept@elsewhere.test" },
		{ "@second.test", "alice@demo.test" },
		{ "@second.test", "rest@elsewhere.test" } };
	struct account account = { .hash = "" };

	settings = settings_new();
	strcpy(settings->host, "mx.demo.test");
	strcpy(settings->domains[settings->domain_count++], "demo.test");
	strcpy(settings->domains[settings->domain_count++], "second.test");
	strcpy(settings->domains[settings->domain_count++], "other.test");
	settings->domain_is[2] = 2; /* another name of second.test */
	strcpy(
	    settings->domains[settings->domain_count++], "xn--bcher-kva.test");
	settings->domain_is[3] = 2;
	accounts = account_table_new();
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		account.number = (uint32_t)i + 1;
		account.address = addresses[i];
		assert_int_equal(account_table_add(accounts, &account), 0);
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		account_table_add_alias(
		    accounts, text_of(aliases[i][0]), text_of(aliases[i][1]));
	return 0;
}

static int
tear_down(void **state)
{
	account_table_free(&accounts);
	settings_free(&settings);
	return 0;
}

static void
each_address_goes_where_the_table_says(void **state)
{
	static const struct row {
		const char *address;
		unsigned int verdict;
		uint32_t numbers[3];
		const char *remote;
	} rows[] = { { "alice@demo.test", VERDICT_OK, { 2 }, NULL },
		{ "ALICE@Demo.TEST", VERDICT_OK, { 2 }, NULL },
		{ "bob@second.test", VERDICT_OK, { 4 }, NULL },
		{ "carol@demo.test", VERDICT_OK, { 0 },
		    "carol@elsewhere.test" },
		{ "carol+x@demo.test", VERDICT_OK, { 0 },
		    "carol@elsewhere.test" },
		{ "kept@demo.test", VERDICT_OK, { 7 }, "kept@elsewhere.test" },
		{ "bob@OTHER.test", VERDICT_OK, { 4 }, NULL },
		{ "bob+x@other.test", VERDICT_OK, { 4 }, NULL },
		{ "bob@b\xc3\xbc"
		  "cher.test",
		    VERDICT_OK, { 4 }, NULL },
		{ "bob@b\xc3\xbc"
		  "cher.tst",
		    VERDICT_RELAYING, { 0 }, NULL },
		{ "abuse@other.test", VERDICT_OK, { 4 }, NULL },
		{ "alice@other.test", VERDICT_OK, { 2 },
		    "rest@elsewhere.test" },
		/* The catch-all has what nobody else has. */
		{ "alice@second.test", VERDICT_OK, { 2 },
		    "rest@elsewhere.test" },
		{ "bob+x@second.test", VERDICT_OK, { 4 }, NULL },
		{ "sales+x@second.test", VERDICT_OK, { 3 }, NULL },
		{ "alice@elsewhere.test", VERDICT_RELAYING, { 0 }, NULL },
		{ "alice@[192.0.2.1]", VERDICT_RELAYING, { 0 }, NULL },
		{ "alice%elsewhere.test@demo.test", VERDICT_UNKNOWN_USER, { 0 },
		    NULL },
		{ "alice", VERDICT_BAD_RECIPIENT, { 0 }, NULL },
		{ "", VERDICT_BAD_RECIPIENT, { 0 }, NULL },
		{ "a@b@demo.test", VERDICT_BAD_RECIPIENT, { 0 }, NULL },
		{ "\"alice\"@demo.test", VERDICT_OK, { 2 }, NULL },
		{ "\"a b\"@demo.test", VERDICT_OK, { 5 }, NULL },
		{ "alice+tag@demo.test", VERDICT_OK, { 2 }, NULL },
		{ "alice+@demo.test", VERDICT_OK, { 2 }, NULL },
		{ "x+y@demo.test", VERDICT_OK, { 6 }, NULL },
		{ "+tag@demo.test", VERDICT_UNKNOWN_USER, { 0 }, NULL },
		{ "TEAM@demo.test", VERDICT_OK, { 2, 3 }, NULL },
		{ "team+x@demo.test", VERDICT_OK, { 2, 3 }, NULL },
		{ "team@second.test", VERDICT_OK, { 2 },
		    "rest@elsewhere.test" },
		{ "sales@second.test", VERDICT_OK, { 3 }, NULL },
		{ "broken@demo.test", VERDICT_UNKNOWN_USER, { 0 }, NULL },
		{ "postmaster", VERDICT_OK, { 1 }, NULL },
		{ "Postmaster@demo.test", VERDICT_OK, { 1 }, NULL },
		{ "postmaster+x@second.test", VERDICT_OK, { 1 }, NULL },
		{ "postmaster@elsewhere.test", VERDICT_RELAYING, { 0 }, NULL },
		{ "abuse@demo.test", VERDICT_OK, { 1 }, NULL },
		{ "abuse@second.test", VERDICT_OK, { 4 }, NULL } };
	struct route route;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (route_find(settings, accounts, text_of(rows[i].address),
			&route) != rows[i].verdict)
			fail_msg("verdict of %s", rows[i].address);
		for (size_t n = 0; n < 3; n++)
			if ((n < route.count ? route.accounts[n]->number : 0) !=
			    rows[i].numbers[n])
				fail_msg(
				    "account %zu of %s", n, rows[i].address);
		assert_int_equal(
		    route.remote_count, rows[i].remote != NULL ? 1 : 0);
		if (rows[i].remote != NULL)
			assert_string_equal(route.remotes[0], rows[i].remote);
	}
}

static void
note(void *context, enum route_step step, struct text name)
{
	assert_int_equal(
	    buf_put_format(context, "%d %.*s\n", (int)step, TEXT_FMT(name)), 0);
}

static void
each_step_is_told(void **state)
{
	static const struct {
		const char *address, *steps;
	} rows[] = { { "Bob+x@Other.test",
			 "0 Bob+x@second.test\n1 Bob@second.test\n"
			 "3 Bob@second.test\n" },
		{ "team@demo.test", "2 team@demo.test\n" },
		{ "sales@demo.test", "2 sales\n" },
		{ "postmaster", "4 postmaster\n" },
		{ "who@second.test", "5 @second.test\n" },
		{ "who@demo.test", "" }, { "who@elsewhere.test", "" } };
	struct buf steps;
	struct route_trace trace = { note, &steps };
	struct route route;

	buf_init(&steps, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&steps);
		(void)route_look(settings, accounts, text_of(rows[i].address),
		    &route, &trace);
		assert_int_equal(buf_put_byte(&steps, '\0'), 0);
		assert_string_equal((char *)steps.data, rows[i].steps);
	}
	buf_clear(&steps);
}

static void
a_sender_owns_what_reaches_him(void **state)
{
	static const struct {
		const char *address;
		uint32_t account;
		bool is_owner;
	} rows[] = { { "bob@demo.test", 3, true },
		{ "bob+x@demo.test", 3, true }, { "team@demo.test", 3, true },
		{ "alice@demo.test", 3, false },
		{ "bob@second.test", 3, false },
		{ "bob@elsewhere.test", 3, false },
		{ "bob@other.test", 4, true }, { "bob@other.test", 3, false },
		{ "x@second.test", 2, false }, /* a catch-all owns nothing */
		{ "kept@demo.test", 7, true },
		{ "postmaster@demo.test", 3, false },
		{ "postmaster@demo.test", 1, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(route_is_owner(settings, accounts,
				     text_of(rows[i].address), rows[i].account),
		    rows[i].is_owner);
}

static void
an_alias_of_many_reaches_all(void **state)
{
	struct account account = { .hash = "" };
	struct route route;
	char address[64];

	for (uint32_t i = 100; i < 1200; i++) {
		snprintf(address, sizeof(address), "u%u@demo.test", i);
		account.number = i;
		account.address = address;
		account_table_add(accounts, &account);
		account_table_add_alias(
		    accounts, TEXT("all"), text_of(address));
	}
	assert_int_equal(
	    route_find(settings, accounts, TEXT("all@demo.test"), &route),
	    VERDICT_OK);
	assert_int_equal(route.count, ROUTE_MAX_TARGETS);
}

/* 100,000 aliases, 100,000 lookups: a walk over all would take minutes. */
static void
many_aliases_are_found_at_once(void **state)
{
	enum {
		MANY = 100000
	};
	int64_t start;
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "alias%d", i);
		account_table_add_alias(
		    accounts, text_of(name), TEXT("bob@demo.test"));
	}
	start = clock_monotonic_us();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "ALIAS%d", i);
		assert_non_null(account_find_alias(accounts, text_of(name)));
	}
	assert_null(account_find_alias(accounts, TEXT("alias100000")));
	assert_true(clock_monotonic_us() - start < 5000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_address_goes_where_the_table_says),
		TEST(each_step_is_told), TEST(a_sender_owns_what_reaches_him),
		TEST(an_alias_of_many_reaches_all),
		TEST(many_aliases_are_found_at_once)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
