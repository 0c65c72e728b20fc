/*
 * Budgets of clients: what one address and one network may have at a time and
 * in a while, who has none, and that no flood makes a budget forget.
 */
#include "common/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static const uint8_t key[16] = { 4, 8, 15, 16, 23, 42 };
static struct budget *budget;
static struct budget_limits limits;

static int
set_up(void **state)
{
	limits = (struct budget_limits){
		.all = 100, .kept = 10, .per_address = 1000, .per_network = 1000
	};
	assert_int_equal(
	    network_parse(TEXT("203.0.113.0/24"), &limits.trusted.list[0]), 0);
	limits.trusted.count = 1;
	budget = budget_new(key);
	budget_set(budget, &limits);
	return 0;
}

static int
tear_down(void **state)
{
	budget_free(&budget);
	return 0;
}

static enum budget_verdict
take(const char *ip, int64_t now_us)
{
	struct budget_client client = budget_client_of(budget, ip);

	return budget_take(budget, &client, false, now_us);
}

static void
leave(const char *ip)
{
	struct budget_client client = budget_client_of(budget, ip);

	budget_release(budget, &client);
}

static enum budget_verdict
mistake(const char *ip, int64_t now_us)
{
	struct budget_client client = budget_client_of(budget, ip);

	return budget_error(budget, &client, now_us);
}

/* Whatever the limits and rates say: they are there. */
static void
what_is_inherited_is_counted_and_leaves(void **state)
{
	struct budget_client client = budget_client_of(budget, "192.0.2.1");

	limits.per_address = 2;
	limits.all = 4;
	limits.kept = 0;
	budget_set(budget, &limits);
	for (int i = 0; i < 3; i++)
		budget_inherit(budget, &client);
	assert_int_equal(take("192.0.2.1", 0), BUDGET_ADDRESS);
	assert_int_equal(take("192.0.2.2", 0), BUDGET_OK);
	assert_int_equal(take("192.0.2.3", 0), BUDGET_ALL);
	leave("192.0.2.1");
	assert_int_equal(take("192.0.2.1", 0), BUDGET_ADDRESS);
	leave("192.0.2.1");
	assert_int_equal(take("192.0.2.1", 0), BUDGET_OK);
}

/* Two from one address, three from one network: who comes ("-" and he leaves),
 * and what he hears. */
static void
connections_are_counted_by_address_and_network(void **state)
{
	static const struct {
		const char *ip;
		enum budget_verdict verdict;
	} rows[] = { { "192.0.2.1", BUDGET_OK }, { "192.0.2.1", BUDGET_OK },
		{ "192.0.2.1", BUDGET_ADDRESS }, { "192.0.2.2", BUDGET_OK },
		{ "192.0.2.3", BUDGET_NETWORK }, { "192.0.3.3", BUDGET_OK },
		{ "-192.0.2.1", BUDGET_OK }, { "192.0.2.1", BUDGET_OK },
		{ "192.0.2.3", BUDGET_NETWORK }, { "-192.0.2.2", BUDGET_OK },
		{ "192.0.2.3", BUDGET_OK },
		/* An IPv6 client is a /64, his network a /48. */
		{ "2001:db8:1:1::1", BUDGET_OK },
		{ "2001:db8:1:1:2::1", BUDGET_OK },
		{ "2001:db8:1:1:3::1", BUDGET_ADDRESS },
		{ "2001:db8:1:2::1", BUDGET_OK },
		{ "2001:db8:1:3::1", BUDGET_NETWORK },
		{ "2001:db8:2:3::1", BUDGET_OK },
		/* The same host over an IPv6 socket. */
		{ "::ffff:192.0.2.1", BUDGET_ADDRESS },
		{ "-192.0.2.3", BUDGET_OK }, { "-192.0.2.1", BUDGET_OK },
		{ "::ffff:192.0.2.1", BUDGET_OK },
		{ "192.0.2.1", BUDGET_ADDRESS } };

	limits.per_address = 2;
	limits.per_network = 3;
	budget_set(budget, &limits);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].ip[0] == '-')
			leave(rows[i].ip + 1);
		else if (take(rows[i].ip, 0) != rows[i].verdict)
			fail_msg("row %zu: %s", i, rows[i].ip);
	}
}

static void
this_host_and_trusted_networks_have_no_budget(void **state)
{
	static const char *const rows[] = { "127.0.0.1", "127.9.9.9", "::1",
		"::ffff:127.0.0.1", "local", "203.0.113.77" };

	limits.per_address = limits.per_network = 1;
	limits.address_errors = (struct rate){ 1, 60 };
	limits.address_connections = (struct rate){ 1, 60 };
	budget_set(budget, &limits);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(take(rows[i], 0), BUDGET_OK);
		assert_int_equal(take(rows[i], 0), BUDGET_OK);
		assert_int_equal(mistake(rows[i], 0), BUDGET_OK);
		assert_int_equal(mistake(rows[i], 0), BUDGET_OK);
	}
	assert_int_equal(take("203.0.114.77", 0), BUDGET_OK);
	assert_int_equal(take("203.0.114.77", 0), BUDGET_ADDRESS);
}

static void
some_places_are_kept_for_who_logs_in(void **state)
{
	struct budget_client client = budget_client_of(budget, "127.0.0.1");

	for (int i = 0; i < 90; i++)
		assert_int_equal(take("127.0.0.1", 0), BUDGET_OK);
	assert_int_equal(take("127.0.0.1", 0), BUDGET_ALL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(
		    budget_take(budget, &client, true, 0), BUDGET_OK);
	assert_int_equal(budget_take(budget, &client, true, 0), BUDGET_ALL);
	/* Fewer after a reload: those who are there stay. */
	limits.all = 5;
	limits.kept = 0;
	budget_set(budget, &limits);
	for (int i = 0; i < 96; i++) {
		assert_int_equal(take("127.0.0.1", 0), BUDGET_ALL);
		leave("127.0.0.1");
	}
	assert_int_equal(take("127.0.0.1", 0), BUDGET_OK);
}

/* Three at once, then one in 20 seconds; who was refused has lost nothing. */
static void
connections_are_counted_by_time(void **state)
{
	static const struct {
		const char *ip;
		int second;
		enum budget_verdict verdict;
	} rows[] = { { "192.0.2.1", 0, BUDGET_OK },
		{ "192.0.2.1", 0, BUDGET_OK }, { "192.0.2.1", 1, BUDGET_OK },
		{ "192.0.2.1", 2, BUDGET_ADDRESS_RATE },
		{ "192.0.2.1", 19, BUDGET_ADDRESS_RATE },
		{ "192.0.2.1", 20, BUDGET_OK },
		{ "192.0.2.1", 20, BUDGET_ADDRESS_RATE },
		/* Five of the network, one in twelve seconds. */
		{ "192.0.2.2", 20, BUDGET_OK }, { "192.0.2.2", 20, BUDGET_OK },
		{ "192.0.2.3", 20, BUDGET_NETWORK_RATE },
		{ "198.51.100.1", 20, BUDGET_OK },
		{ "192.0.2.1", 200, BUDGET_OK },
		{ "192.0.2.1", 200, BUDGET_OK },
		{ "192.0.2.1", 200, BUDGET_OK },
		{ "192.0.2.1", 200, BUDGET_ADDRESS_RATE } };

	limits.address_connections = (struct rate){ 3, 60 };
	limits.network_connections = (struct rate){ 5, 60 };
	budget_set(budget, &limits);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum budget_verdict verdict =
		    take(rows[i].ip, rows[i].second * SECOND);

		if (verdict != rows[i].verdict)
			fail_msg("row %zu: %s", i, budget_name(verdict));
		if (verdict == BUDGET_OK)
			leave(rows[i].ip);
	}
}

static void
errors_close_the_door_for_a_while(void **state)
{
	limits.address_errors = (struct rate){ 4, 3600 };
	limits.network_errors = (struct rate){ 6, 3600 };
	budget_set(budget, &limits);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mistake("192.0.2.1", 0), BUDGET_OK);
	assert_int_equal(take("192.0.2.1", 0), BUDGET_OK);
	assert_int_equal(mistake("192.0.2.1", 0), BUDGET_ADDRESS_ERRORS);
	assert_int_equal(take("192.0.2.1", 0), BUDGET_ADDRESS_ERRORS);
	assert_int_equal(mistake("192.0.2.2", 0), BUDGET_OK);
	assert_int_equal(mistake("192.0.2.2", 0), BUDGET_NETWORK_ERRORS);
	assert_int_equal(take("192.0.2.3", 0), BUDGET_NETWORK_ERRORS);
	assert_int_equal(take("192.0.3.3", 0), BUDGET_OK);
	/* However many come on top: it is over when the window is. */
	for (int i = 0; i < 1000; i++)
		mistake("192.0.2.1", SECOND);
	assert_int_equal(
	    take("192.0.2.1", 900 * SECOND), BUDGET_ADDRESS_ERRORS);
	assert_int_equal(take("192.0.2.1", 902 * SECOND), BUDGET_OK);
}

/* One who has half of the Internet's addresses does not get rid of his record,
 * and costs others nearly nothing. */
static void
no_flood_of_addresses_makes_it_forget(void **state)
{
	struct rate rate = { 100, 3600 };
	struct rate_sketch *sketch = rate_sketch_new(key);
	uint32_t count, more = 0;

	for (uint32_t i = 0; i < 40; i++)
		rate_sketch_add(sketch, "culprit", 7, rate, i);
	for (uint32_t i = 0; i < 30000; i++)
		rate_sketch_add(sketch, &i, sizeof(i), rate, SECOND);
	count = rate_sketch_count(sketch, "culprit", 7, rate, SECOND);
	assert_in_range(count, 40, 42);
	for (uint32_t i = 30000; i < 31000; i++) {
		count = rate_sketch_count(sketch, &i, sizeof(i), rate, SECOND);
		assert_in_range(count, 0, 3);
		more += count > 1;
	}
	assert_in_range(more, 0, 300);
	for (uint32_t i = 0; i < 30000; i++)
		assert_in_range(
		    rate_sketch_count(sketch, &i, sizeof(i), rate, SECOND), 1,
		    5);
	/* Half of the window later half of his are over. */
	assert_in_range(
	    rate_sketch_count(sketch, "culprit", 7, rate, 36 * 20 * SECOND), 20,
	    21);
	rate_sketch_free(&sketch);
}

/* Beside a plain count of each: never fewer. */
static void
a_sketch_never_counts_too_little(void **state)
{
	struct rate rate = { 1000, 86400 };
	struct rate_sketch *sketch = rate_sketch_new(key);
	static uint32_t counts[5000];
	uint32_t random = 1;

	memset(counts, 0, sizeof(counts));
	for (int i = 0; i < 200000; i++) {
		uint32_t who;

		random = random * 1664525 + 1013904223;
		who = (random >> 8) % 5000;
		rate_sketch_add(sketch, &who, sizeof(who), rate, 1);
		counts[who]++;
	}
	for (uint32_t who = 0; who < 5000; who++)
		assert_in_range(
		    rate_sketch_count(sketch, &who, sizeof(who), rate, 1),
		    counts[who], counts[who] + 8);
	rate_sketch_free(&sketch);
}

static void
networks_are_read_and_shown(void **state)
{
	static const struct {
		const char *word, *shown; /* NULL: it is none */
	} rows[] = { { "192.0.2.1", "192.0.2.1" }, { "::1", "::1" },
		{ "192.0.2.0/24", "192.0.2.0/24" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" }, { "::/0", "::/0" },
		{ "192.0.2.1/32", "192.0.2.1" }, { "192.0.2.1/24", NULL },
		{ "192.0.2.0/33", NULL }, { "2001:db8::/129", NULL },
		{ "192.0.2.0/", NULL }, { "192.0.2/24", NULL }, { "", NULL },
		{ "/24", NULL }, { "host", NULL }, { "192.0.2.0/24/24", NULL },
		{ "fe80::1%eth0", NULL } };
	char text[NETWORK_TEXT_SIZE];
	struct network network;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = network_parse(text_of(rows[i].word), &network);

		assert_int_equal(status, rows[i].shown == NULL ? -1 : 0);
		if (status == -1)
			continue;
		network_format(&network, text);
		assert_string_equal(text, rows[i].shown);
	}
}

static void
a_list_has_what_lies_in_its_networks(void **state)
{
	struct network_list list = { .count = 2 };

	assert_int_equal(
	    network_parse(TEXT("192.0.2.128/25"), &list.list[0]), 0);
	assert_int_equal(
	    network_parse(TEXT("2001:db8::/33"), &list.list[1]), 0);
	assert_true(network_list_has_ip(&list, "192.0.2.129"));
	assert_true(network_list_has_ip(&list, "::ffff:192.0.2.129"));
	assert_false(network_list_has_ip(&list, "192.0.2.127"));
	assert_true(network_list_has_ip(&list, "2001:db8:7fff::1"));
	assert_false(network_list_has_ip(&list, "2001:db8:8000::1"));
	assert_false(network_list_has_ip(&list, "local"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connections_are_counted_by_address_and_network),
		TEST(what_is_inherited_is_counted_and_leaves),
		TEST(this_host_and_trusted_networks_have_no_budget),
		TEST(some_places_are_kept_for_who_logs_in),
		TEST(connections_are_counted_by_time),
		TEST(errors_close_the_door_for_a_while),
		TEST(no_flood_of_addresses_makes_it_forget),
		TEST(a_sketch_never_counts_too_little),
		TEST(networks_are_read_and_shown),
		TEST(a_list_has_what_lies_in_its_networks)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
