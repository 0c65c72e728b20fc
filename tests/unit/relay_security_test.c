/*
 * What a host must prove: the whole of the decision as a table, and that no
 * lack of an answer makes it weaker.
 */
#include "smtpd/relay_security.h"

#include "common/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	struct relay_facts facts;
	enum relay_level level;
	enum tls_proof proof;
} table[] = {
	{ { .wanted = RELAY_TLS_DEFAULT }, RELAY_LEVEL_MAY, TLS_PROOF_NONE },
	{ { .tlsa = RELAY_TLSA_USABLE }, RELAY_LEVEL_DANE, TLS_PROOF_DANE },
	{ { .tlsa = RELAY_TLSA_UNUSABLE }, RELAY_LEVEL_ENCRYPT,
	    TLS_PROOF_NONE },
	{ { .tlsa = RELAY_TLSA_FAILED }, RELAY_LEVEL_REFUSED, TLS_PROOF_NONE },
	{ { .policy = RELAY_POLICY_ENFORCED }, RELAY_LEVEL_VERIFY,
	    TLS_PROOF_NAME },
	{ { .policy = RELAY_POLICY_TESTING }, RELAY_LEVEL_MAY,
	    TLS_PROOF_TRIED },
	{ { .policy = RELAY_POLICY_UNLISTED }, RELAY_LEVEL_REFUSED,
	    TLS_PROOF_NONE },
	/* DANE goes before the policy, in both directions. */
	{ { .policy = RELAY_POLICY_ENFORCED, .tlsa = RELAY_TLSA_USABLE },
	    RELAY_LEVEL_DANE, TLS_PROOF_DANE },
	{ { .policy = RELAY_POLICY_UNLISTED, .tlsa = RELAY_TLSA_USABLE },
	    RELAY_LEVEL_DANE, TLS_PROOF_DANE },
	{ { .policy = RELAY_POLICY_ENFORCED, .tlsa = RELAY_TLSA_FAILED },
	    RELAY_LEVEL_REFUSED, TLS_PROOF_NONE },
	{ { .policy = RELAY_POLICY_ENFORCED, .tlsa = RELAY_TLSA_UNUSABLE },
	    RELAY_LEVEL_VERIFY, TLS_PROOF_NAME },
	{ { .policy = RELAY_POLICY_TESTING, .tlsa = RELAY_TLSA_UNUSABLE },
	    RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE },
	/* The administrator's word. */
	{ { .wanted = RELAY_TLS_NEVER, .tlsa = RELAY_TLSA_USABLE },
	    RELAY_LEVEL_NONE, TLS_PROOF_NONE },
	{ { .wanted = RELAY_TLS_MAY,
	      .tlsa = RELAY_TLSA_FAILED,
	      .policy = RELAY_POLICY_UNLISTED },
	    RELAY_LEVEL_MAY, TLS_PROOF_NONE },
	{ { .wanted = RELAY_TLS_ENCRYPT, .tlsa = RELAY_TLSA_NONE },
	    RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE },
	{ { .wanted = RELAY_TLS_VERIFY }, RELAY_LEVEL_VERIFY, TLS_PROOF_NAME },
	{ { .wanted = RELAY_TLS_DANE, .tlsa = RELAY_TLSA_USABLE },
	    RELAY_LEVEL_DANE, TLS_PROOF_DANE },
	{ { .wanted = RELAY_TLS_DANE }, RELAY_LEVEL_REFUSED, TLS_PROOF_NONE },
	{ { .wanted = RELAY_TLS_DANE, .tlsa = RELAY_TLSA_UNUSABLE },
	    RELAY_LEVEL_REFUSED, TLS_PROOF_NONE },
	{ { .wanted = RELAY_TLS_DANE, .tlsa = RELAY_TLSA_FAILED },
	    RELAY_LEVEL_REFUSED, TLS_PROOF_NONE },
	/* A password, and implicit TLS. */
	{ { .has_login = true }, RELAY_LEVEL_VERIFY, TLS_PROOF_NAME },
	{ { .has_login = true, .tlsa = RELAY_TLSA_UNUSABLE },
	    RELAY_LEVEL_VERIFY, TLS_PROOF_NAME },
	{ { .has_login = true, .wanted = RELAY_TLS_ENCRYPT },
	    RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE },
	{ { .is_implicit_tls = true }, RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE },
};

static void
decisions_are_the_table(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct relay_security security;

		print_message("row %zu\n", i);
		relay_security_decide(&table[i].facts, &security);
		assert_int_equal(security.level, table[i].level);
		assert_int_equal(security.proof, table[i].proof);
		assert_int_equal(security.why != NULL,
		    security.level == RELAY_LEVEL_REFUSED);
	}
}

/* Mail in the clear only where nobody asked for more. */
static void
clear_text_is_never_the_result_of_a_failure(void **state)
{
	for (int wanted = 0; wanted <= RELAY_TLS_DANE; wanted++) {
		for (int n = 0; n < 16; n++) {
			struct relay_facts facts = {
				.wanted = (enum relay_tls)wanted,
				.policy = (enum relay_policy)(n / 4),
				.tlsa = (enum relay_tlsa)(n % 4),
			};
			struct relay_security security;

			relay_security_decide(&facts, &security);
			if (relay_security_allows_clear(&security))
				assert_true(
				    wanted == RELAY_TLS_NEVER ||
				    (wanted == RELAY_TLS_DEFAULT &&
					facts.tlsa == RELAY_TLSA_NONE &&
					facts.policy <= RELAY_POLICY_TESTING));
		}
	}
}

static struct message_relay_found
answer_of(const struct dns_record *records, size_t count,
    enum dns_result result, enum dns_security security)
{
	static uint8_t space[4096];
	struct message_relay_found found = { .result = (uint8_t)result,
		.security = (uint8_t)security };
	struct writer writer;

	writer_init(&writer, space, sizeof(space));
	for (size_t i = 0; i < count; i++)
		dns_put_record(&writer, DNS_TLSA, &records[i]);
	found.records = text_make(space, writer.size);
	return found;
}

static void
only_records_for_smtp_are_usable(void **state)
{
	static const char bytes[64];
	const struct dns_record records[] = {
		{ .usage = 3,
		    .selector = 1,
		    .matching = 1,
		    .data = { bytes, 32 } },
		{ .usage = 2,
		    .selector = 0,
		    .matching = 2,
		    .data = { bytes, 64 } },
		{ .usage = 3,
		    .selector = 0,
		    .matching = 0,
		    .data = { bytes, 5 } },
		/* PKIX, unknown numbers, a digest of another size. */
		{ .usage = 0,
		    .selector = 1,
		    .matching = 1,
		    .data = { bytes, 32 } },
		{ .usage = 1,
		    .selector = 1,
		    .matching = 1,
		    .data = { bytes, 32 } },
		{ .usage = 4,
		    .selector = 1,
		    .matching = 1,
		    .data = { bytes, 32 } },
		{ .usage = 3,
		    .selector = 2,
		    .matching = 1,
		    .data = { bytes, 32 } },
		{ .usage = 3,
		    .selector = 1,
		    .matching = 3,
		    .data = { bytes, 32 } },
		{ .usage = 3,
		    .selector = 1,
		    .matching = 1,
		    .data = { bytes, 31 } },
		{ .usage = 3,
		    .selector = 1,
		    .matching = 0,
		    .data = { bytes, 0 } },
	};
	struct tls_tlsa usable[RELAY_MAX_TLSA];
	struct message_relay_found found =
	    answer_of(records, 10, DNS_FOUND, DNS_SECURE);
	size_t count;

	assert_int_equal(
	    relay_security_records(&found, usable, &count), RELAY_TLSA_USABLE);
	assert_int_equal(count, 3);
	assert_int_equal(usable[1].usage, 2);
	found = answer_of(records + 3, 7, DNS_FOUND, DNS_SECURE);
	assert_int_equal(relay_security_records(&found, usable, &count),
	    RELAY_TLSA_UNUSABLE);
	found = answer_of(records, 10, DNS_FOUND, DNS_INSECURE);
	assert_int_equal(
	    relay_security_records(&found, usable, &count), RELAY_TLSA_NONE);
	found = answer_of(records, 0, DNS_NO_NAME, DNS_SECURE);
	assert_int_equal(
	    relay_security_records(&found, usable, &count), RELAY_TLSA_NONE);
	found = answer_of(records, 10, DNS_FOUND, DNS_BOGUS);
	assert_int_equal(
	    relay_security_records(&found, usable, &count), RELAY_TLSA_FAILED);
	found = answer_of(records, 0, DNS_FAILED, DNS_INSECURE);
	assert_int_equal(
	    relay_security_records(&found, usable, &count), RELAY_TLSA_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions_are_the_table),
		cmocka_unit_test(clear_text_is_never_the_result_of_a_failure),
		cmocka_unit_test(only_records_for_smtp_are_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
