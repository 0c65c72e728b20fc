/*
 * Which hosts take mail for a domain, in what order, and their addresses.
 */
#include "smtpd/relay_hosts.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MAX_MX = 20
};

static const char *const own[] = { "mx.here.test", "relay.here.test" };
static uint8_t storage[8192];

static struct message_relay_found
answer_of(const char *records, enum dns_result result, enum dns_security how)
{
	struct message_relay_found found = { .result = (uint8_t)result,
		.security = (uint8_t)how };
	struct writer writer;
	char copy[1000], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", records);
	writer_init(&writer, storage, sizeof(storage));
	while ((word = strsep(&rest, " ")) != NULL && *word != '\0') {
		char *name = strchr(word, ':');
		struct dns_record record = { 0 };

		*name++ = '\0';
		record.preference = (uint16_t)atoi(word);
		record.name = text_of(name);
		dns_put_record(&writer, DNS_MX, &record);
	}
	found.records = text_make(storage, writer.size);
	return found;
}

static const struct {
	const char *domain;
	const char *records; /* "10:a.test 20:b.test" */
	enum dns_result found;
	enum dns_security security;
	enum relay_hosts_result result;
	const char *hosts; /* where each preference has one */
} table[] = {
	{ "there.test", "20:b.there.test 10:a.there.test", DNS_FOUND,
	    DNS_INSECURE, RELAY_HOSTS_FOUND, "a.there.test b.there.test " },
	{ "there.test", "", DNS_NO_DATA, DNS_INSECURE, RELAY_HOSTS_FOUND,
	    "there.test " },
	{ "there.test", "", DNS_NO_NAME, DNS_SECURE, RELAY_HOSTS_NO_DOMAIN,
	    "" },
	{ "there.test", "", DNS_FAILED, DNS_INSECURE, RELAY_HOSTS_FAILED, "" },
	{ "there.test", "", DNS_FAILED, DNS_BOGUS, RELAY_HOSTS_BOGUS, "" },
	{ "there.test", "10:evil.test", DNS_FOUND, DNS_BOGUS, RELAY_HOSTS_BOGUS,
	    "" },
	{ "there.test", "0:", DNS_FOUND, DNS_INSECURE, RELAY_HOSTS_NULL_MX,
	    "" },
	{ "there.test", "0: 10:a.test", DNS_FOUND, DNS_INSECURE,
	    RELAY_HOSTS_FOUND, "a.test " },
	{ "there.test", "10:a.test 10:A.TEST 20:a.test", DNS_FOUND,
	    DNS_INSECURE, RELAY_HOSTS_FOUND, NULL },
	/* Of names that are none nothing is left: not "the domain itself". */
	{ "there.test", "10:a\x1b.test 20:a>b", DNS_FOUND, DNS_INSECURE,
	    RELAY_HOSTS_FAILED, "" },
	{ "there.test", "10:a.test 20:MX.here.test 30:c.test", DNS_FOUND,
	    DNS_INSECURE, RELAY_HOSTS_FOUND, "a.test " },
	{ "there.test", "5:mx.here.test 30:c.test", DNS_FOUND, DNS_INSECURE,
	    RELAY_HOSTS_LOOP, "" },
	/* Of our own preference none is better than we are. */
	{ "there.test", "5:relay.here.test 5:c.test 4:d.test", DNS_FOUND,
	    DNS_INSECURE, RELAY_HOSTS_FOUND, "d.test " },
	{ "mx.here.test", "", DNS_NO_DATA, DNS_INSECURE, RELAY_HOSTS_LOOP, "" },
};

static void
hosts_come_from_mx_records(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct message_relay_found found = answer_of(
		    table[i].records, table[i].found, table[i].security);
		struct relay_hosts hosts;
		char names[1000] = "";

		print_message("%s %s\n", table[i].domain, table[i].records);
		assert_int_equal(
		    relay_hosts_from_mx(
			&hosts, text_of(table[i].domain), &found, own, 2, 7),
		    table[i].result);
		for (size_t j = 0; j < hosts.count; j++)
			snprintf(names + strlen(names),
			    sizeof(names) - strlen(names), "%s ",
			    hosts.hosts[j].name);
		if (table[i].hosts != NULL)
			assert_string_equal(names, table[i].hosts);
		else
			assert_int_equal(hosts.count, 1);
	}
}

static void
hosts_of_one_preference_take_turns(void **state)
{
	struct message_relay_found found =
	    answer_of("10:a.test 10:b.test 20:c.test", DNS_FOUND, DNS_SECURE);
	unsigned int first = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct relay_hosts hosts;

		relay_hosts_from_mx(
		    &hosts, TEXT("there.test"), &found, own, 2, seed);
		assert_int_equal(hosts.count, 3);
		assert_string_equal(hosts.hosts[2].name, "c.test");
		first += hosts.hosts[0].name[0] == 'a';
	}
	assert_in_range(first, 400, 600);
}

static void
only_so_many_hosts_are_tried(void **state)
{
	char records[1000] = "";
	struct message_relay_found found;
	struct relay_hosts hosts;

	for (int i = MAX_MX; i > 0; i--)
		snprintf(records + strlen(records),
		    sizeof(records) - strlen(records), "%d:h%d.test ", i, i);
	found = answer_of(records, DNS_FOUND, DNS_SECURE);
	relay_hosts_from_mx(&hosts, TEXT("there.test"), &found, own, 2, 1);
	assert_int_equal(hosts.count, RELAY_MAX_HOSTS);
	assert_string_equal(hosts.hosts[0].name, "h1.test");
	relay_hosts_cut(&hosts, 3, 5);
	assert_int_equal(hosts.count, 4);
	assert_string_equal(hosts.hosts[3].name, "h4.test");
}

static void
literals_are_hosts(void **state)
{
	static const struct {
		const char *domain;
		const char *host; /* NULL: it is none */
	} literals[] = { { "[192.0.2.1]", "192.0.2.1" },
		{ "[IPv6:2001:DB8::1]", "2001:db8::1" }, { "[192.0.2.1", NULL },
		{ "[]", NULL }, { "[192.0.2]", NULL }, { "[host.test]", NULL },
		{ "192.0.2.1", NULL } };

	for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
		struct relay_hosts hosts;
		bool is_one = relay_hosts_from_literal(
		    &hosts, text_of(literals[i].domain));

		assert_int_equal(is_one, literals[i].host != NULL);
		if (is_one)
			assert_string_equal(
			    hosts.hosts[0].name, literals[i].host);
	}
}

static struct message_relay_found
addresses_of(enum dns_type type, int count, char *space)
{
	struct message_relay_found found = { .result = DNS_FOUND };
	struct writer writer;

	writer_init(&writer, space, 4096);
	for (int i = 0; i < count; i++) {
		char bytes[16] = { (char)(i + 1) };
		struct dns_record record = { 0 };

		record.data = text_make(bytes, type == DNS_A ? 4 : 16);
		dns_put_record(&writer, type, &record);
	}
	found.records = text_make(space, writer.size);
	return found;
}

static void
addresses_of_both_families_alternate(void **state)
{
	char four[4096], six[4096];
	struct message_relay_found v4 = addresses_of(DNS_A, 30, four);
	struct message_relay_found v6 = addresses_of(DNS_AAAA, 2, six);
	struct relay_addresses a = { 0 }, b = { 0 }, all;

	relay_addresses_add(&a, DNS_A, &v4);
	relay_addresses_add(&b, DNS_AAAA, &v6);
	assert_int_equal(a.count, RELAY_MAX_ADDRESSES);
	relay_addresses_join(&all, &b, &a);
	assert_int_equal(all.count, RELAY_MAX_ADDRESSES);
	assert_int_equal(all.all[0].family, AF_INET6);
	assert_int_equal(all.all[1].family, AF_INET);
	assert_int_equal(all.all[2].family, AF_INET6);
	assert_int_equal(all.all[3].family, AF_INET);
	assert_int_equal(all.all[4].family, AF_INET);
	/* An address of another size is none. */
	memset(&a, 0, sizeof(a));
	relay_addresses_add(&a, DNS_AAAA, &v4);
	assert_int_equal(a.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_come_from_mx_records),
		cmocka_unit_test(hosts_of_one_preference_take_turns),
		cmocka_unit_test(only_so_many_hosts_are_tried),
		cmocka_unit_test(literals_are_hosts),
		cmocka_unit_test(addresses_of_both_families_alternate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
