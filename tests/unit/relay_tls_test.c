/*
 * What the relay asks of TLS with the next host, by DANE and by policies of
 * MTA-STS, and what it tells for reports of TLS.
 */
#include "tests/unit/relay_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POLICY(mode, mx) \
	"version: STSv1\r\nmode: " mode "\r\nmx: " mx "\r\nmax_age: 1000\r\n"
#define RUA "v=TLSRPTv1; rua=mailto:tls@there.test"

static unsigned int wanted;

static void
no_answer_about_tlsa_is_not_taken_for_none(void **state)
{
	stand.security = DNS_SECURE;
	stand.tlsa_result = DNS_FAILED;
	stand_run_job("good.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(servers.connections, 0);
	stand.tlsa_result = DNS_NO_DATA;
	stand_run_job("good.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
}

static void
a_policy_is_kept(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("enforce", "good.test");
	stand_run_job("there.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_non_null(strstr(stand.ending, "STARTTLS"));
	/* The record goes: what is kept is in force until it expires. */
	stand.policy = NULL;
	stand_run_job("there.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_int_equal(servers.mails, 0);
}

static void
a_host_that_the_policy_does_not_list_gets_nothing(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("enforce", "mx.there.test");
	stand_run_job("there.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(servers.connections, 0);
}

static void
a_policy_in_testing_stops_nothing(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("testing", "mx.there.test");
	stand_run_job("there.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
}

static bool
are_three_done(void)
{
	return stand.dones == 3;
}

static void
a_policy_is_fetched_once_for_all_who_wait(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("testing", "mx.there.test");
	for (uint64_t i = 7001; i <= 7003; i++)
		stand_send_job(i, "there.test", 0, RELAY_TLS_DEFAULT,
		    STAND_BODY, strlen(STAND_BODY));
	stand_wait(are_three_done);
	assert_int_equal(servers.mails, 3);
	assert_int_equal(stand.fetches, 1);
}

/* One in the middle forges the record, which nobody signed, and swallows what
 * goes to the host of the policy. */
static void
a_policy_that_does_not_come_leaves_that_of_before_in_force(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("enforce", "good.test");
	stand_run_job("there.test");
	stand.relay->limits.name_ms =
	    200; /* what does not come is not waited for */
	stand.policy_id = "v=STSv1; id=2;";
	stand.is_fetcher_silent = true;
	stand_run_job("there.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 good.test\n");
	assert_int_equal(servers.mails, 0);
}

/* -- What reports of TLS hear -- */

static bool
is_told(void)
{
	return stand.told >= wanted;
}

static void
a_session_is_told_once_to_who_asks_for_reports(void **state)
{
	stand.mx = "1:good.test";
	stand_run_job("there.test");
	assert_int_equal(stand.told, 0);
	stand.rua = RUA;
	wanted = 1;
	stand_run_job("other.test");
	stand_wait(is_told);
	assert_string_equal(stand.sessions,
	    "no-policy-found starttls-not-supported other.test other.test "
	    "good.test there\n");
	stand_run_job("other.test"); /* on the same connection */
	assert_string_equal(stand.ending, "none 1 ");
	assert_int_equal(stand.told, 1);
}

static const struct {
	const char *mx;
	enum dns_security security;
	enum dns_result tlsa;
	const char *policy;
	enum status fetched;
	const char *sessions;
} tallies[] = {
	/* Nothing that TLS would have to do with. */
	{ "1:says554.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK, "" },
	{ "1:junk.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK,
	    "no-policy-found validation-failure x.test x.test junk.test "
	    "there\n" },
	{ "1:injects.test", DNS_INSECURE, DNS_NO_DATA, NULL, STATUS_OK,
	    "no-policy-found validation-failure x.test x.test injects.test "
	    "there\n" },
	{ "1:good.test", DNS_SECURE, DNS_FAILED, NULL, STATUS_OK,
	    "tlsa dnssec-invalid x.test good.test good.test \n" },
	{ "1:good.test", DNS_BOGUS, DNS_NO_DATA, NULL, STATUS_OK,
	    "tlsa dnssec-invalid x.test x.test  \n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("enforce", "good.test"), STATUS_OK,
	    "sts starttls-not-supported x.test x.test good.test there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("testing", "good.test"), STATUS_OK,
	    "sts starttls-not-supported x.test x.test good.test there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA,
	    POLICY("enforce", "other.test"), STATUS_OK,
	    "sts validation-failure x.test x.test good.test \n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "nonsense", STATUS_OK,
	    "sts sts-policy-invalid x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "", STATUS_REFUSED,
	    "sts sts-webpki-invalid x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
	{ "1:good.test", DNS_INSECURE, DNS_NO_DATA, "", STATUS_MISSING,
	    "sts sts-policy-fetch-error x.test x.test  \n"
	    "no-policy-found starttls-not-supported x.test x.test good.test "
	    "there\n" },
};

static unsigned int
count_lines(const char *text)
{
	unsigned int count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void
what_is_wrong_with_tls_is_told_in_the_words_of_the_rfc(void **state)
{
	for (size_t i = 0; i < sizeof(tallies) / sizeof(tallies[0]); i++) {
		print_message("%s\n", tallies[i].sessions);
		stand_set_up(state);
		stand.rua = RUA;
		stand.mx = tallies[i].mx;
		stand.security = tallies[i].security;
		stand.tlsa_result = tallies[i].tlsa;
		stand.policy = tallies[i].policy;
		stand.policy_status = tallies[i].fetched;
		stand_run_job("x.test");
		wanted = count_lines(tallies[i].sessions);
		stand_wait(is_told);
		assert_string_equal(stand.sessions, tallies[i].sessions);
		stand_tear_down(state);
	}
}

static void
nothing_is_told_where_the_administrator_decides(void **state)
{
	stand.rua = RUA;
	stand_send_job(8001, "good.test", 0, RELAY_TLS_MAY, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
	stand.dones = 0;
	stand_send_job(8002, "drops.test", 0, RELAY_TLS_NEVER, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
	stand.settings->sends_tls_reports = false;
	relay_reload(stand.relay, stand.settings);
	stand_run_job("good.test");
	assert_int_equal(stand.rua_questions, 0);
	assert_int_equal(stand.told, 0);
}

static void
new_authorities_are_believed_from_then_on(void **state)
{
	struct tls_client *before = stand.relay->tls;

	relay_reload(stand.relay, stand.settings);
	assert_ptr_equal(stand.relay->tls, before);
	stand.settings->ca_pem = strdup("none");
	relay_reload(stand.relay, stand.settings);
	assert_ptr_not_equal(stand.relay->tls, before);
	assert_int_equal(tls_client_kept(stand.relay->tls), 0);
}

static void
without_a_fetcher_what_is_kept_counts(void **state)
{
	stand.mx = "1:good.test";
	stand.policy = POLICY("enforce", "good.test");
	stand_run_job("there.test");
	channel_free(&stand.fetcher);
	stand_run_job("there.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 good.test\n");
	stand_run_job("good.test"); /* nothing is kept of that one */
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STAND(no_answer_about_tlsa_is_not_taken_for_none),
		IN_STAND(a_policy_is_kept),
		IN_STAND(a_host_that_the_policy_does_not_list_gets_nothing),
		IN_STAND(a_policy_in_testing_stops_nothing),
		IN_STAND(a_policy_is_fetched_once_for_all_who_wait),
		IN_STAND(
		    a_policy_that_does_not_come_leaves_that_of_before_in_force),
		IN_STAND(a_session_is_told_once_to_who_asks_for_reports),
		cmocka_unit_test(
		    what_is_wrong_with_tls_is_told_in_the_words_of_the_rfc),
		IN_STAND(new_authorities_are_believed_from_then_on),
		IN_STAND(nothing_is_told_where_the_administrator_decides),
		IN_STAND(without_a_fetcher_what_is_kept_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
