/*
 * When passwords may be checked: delays grow and fade, many connections guess
 * no faster than one, and whoever has logged in before answers for his own
 * mistakes only.
 */
#include "authd/login_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define SECOND INT64_C(1000000)

static struct login_gate *gate;

static int
gate_begin(void **state)
{
	gate = login_gate_new();
	return 0;
}

static int
gate_end(void **state)
{
	login_gate_free(&gate);
	return 0;
}

static struct login_who
who(const char *user, const char *ip)
{
	return login_gate_who(gate, text_of(user), text_of(ip));
}

static int64_t
wait_ms(const char *user, const char *ip, int64_t arrived_us, int64_t now_us)
{
	struct login_who w = who(user, ip);

	return login_gate_wait_ms(gate, &w, arrived_us, now_us);
}

static void
start(const char *user, const char *ip, int64_t now_us)
{
	struct login_who w = who(user, ip);

	login_gate_started(gate, &w, now_us);
}

static void
finish(const char *user, const char *ip, enum login_outcome outcome,
    int64_t now_us)
{
	struct login_who w = who(user, ip);

	login_gate_finished(gate, &w, outcome, now_us);
}

static void
fail_once(const char *user, const char *ip, int64_t now_us)
{
	start(user, ip, now_us);
	finish(user, ip, LOGIN_WAS_WRONG, now_us);
}

static void
delays_grow_with_mistakes_and_fade_with_time(void **state)
{
	static const int64_t expected[] = { 0, 0, 0, 500, 1000, 2000, 4000,
		8000, 15000, 15000 };
	struct login_who w = who("a@example.org", "192.0.2.1");

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(
		    wait_ms("a@example.org", "192.0.2.1", 0, 0), expected[i]);
		assert_false(login_gate_is_too_many(gate, &w, 0));
		fail_once("a@example.org", "192.0.2.1", 0);
	}
	fail_once("a@example.org", "192.0.2.1", 0);
	fail_once("a@example.org", "192.0.2.1", 0);
	assert_true(login_gate_is_too_many(gate, &w, 0));
	assert_int_equal(wait_ms("b@example.org", "192.0.2.2", 0, 0), 0);
	/* 12 mistakes, 6, 3, 1 */
	assert_int_equal(
	    wait_ms("a@example.org", "192.0.2.1", 1800 * SECOND, 1800 * SECOND),
	    0);
	assert_false(login_gate_is_too_many(gate, &w, 1800 * SECOND));
}

static void
attempts_at_once_wait_for_the_outcome_of_the_first(void **state)
{
	for (int i = 0; i < LOGIN_DELAY_FREE; i++) {
		assert_int_equal(
		    wait_ms("a@example.org", "192.0.2.1", 0, 0), 0);
		start("a@example.org", "192.0.2.1", 0);
	}
	assert_int_equal(
	    wait_ms("a@example.org", "192.0.2.1", 0, 0), LOGIN_GATE_WAIT);
	/* Another user from there as well, but nobody elsewhere. */
	assert_int_equal(
	    wait_ms("b@example.org", "192.0.2.1", 0, 0), LOGIN_GATE_WAIT);
	assert_int_equal(wait_ms("b@example.org", "192.0.2.2", 0, 0), 0);
	finish("a@example.org", "192.0.2.1", LOGIN_WAS_NOT_CHECKED, 0);
	assert_int_equal(wait_ms("a@example.org", "192.0.2.1", 0, 0), 0);
}

static void
many_connections_guess_no_faster_than_one(void **state)
{
	int64_t now_us = 0;
	int guesses = 0;

	/* A hundred attempts that came together, for a minute. */
	while (now_us < 60 * SECOND) {
		int64_t wait = wait_ms("a@example.org", "192.0.2.1", 0, now_us);

		if (wait == 0) {
			fail_once("a@example.org", "192.0.2.1", now_us);
			guesses++;
		} else {
			now_us += wait * 1000;
		}
	}
	assert_in_range(guesses, 8, 12);
}

static void
a_known_pair_answers_for_its_own_mistakes_only(void **state)
{
	start("a@example.org", "192.0.2.1", 0);
	finish("a@example.org", "192.0.2.1", LOGIN_WAS_RIGHT, 0);
	for (int i = 0; i < 20; i++) {
		fail_once("b@example.org", "192.0.2.1", 0); /* same address */
		fail_once("a@example.org", "192.0.2.9", 0); /* same user */
	}
	assert_int_equal(wait_ms("a@example.org", "192.0.2.1", 0, 0), 0);
	assert_int_equal(wait_ms("A@Example.org", "192.0.2.1", 0, 0), 0);
	assert_int_equal(wait_ms("c@example.org", "192.0.2.1", 0, 0), 15000);
	assert_int_equal(wait_ms("a@example.org", "192.0.2.3", 0, 0), 15000);
	/* Fifty connections at once, as mail programs do. */
	for (int i = 0; i < 50; i++) {
		assert_int_equal(
		    wait_ms("a@example.org", "192.0.2.1", 0, 0), 0);
		start("a@example.org", "192.0.2.1", 0);
	}
	for (int i = 0; i < 50; i++)
		finish("a@example.org", "192.0.2.1", LOGIN_WAS_RIGHT, 0);
	for (int i = 0; i < 4; i++)
		fail_once("a@example.org", "192.0.2.1", 0);
	assert_int_equal(wait_ms("a@example.org", "192.0.2.1", 0, 0), 1000);
	/* A day later he is a stranger again. */
	for (int i = 0; i < 20; i++)
		fail_once("b@example.org", "192.0.2.1", 86400 * SECOND);
	assert_int_equal(wait_ms("a@example.org", "192.0.2.1", 86400 * SECOND,
			     86400 * SECOND),
	    15000);
}

static void
guesses_from_everywhere_delay_a_user_from_his_arrival(void **state)
{
	char ip[40];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(ip, sizeof(ip), "198.51.100.%d", i);
		fail_once("a@example.org", ip, 100 * SECOND);
		start("a@example.org", ip, 100 * SECOND);
	}
	assert_int_equal(
	    wait_ms("a@example.org", "192.0.2.1", 100 * SECOND, 100 * SECOND),
	    15000);
	fail_once("a@example.org", "198.51.100.99", 114 * SECOND);
	assert_int_equal(
	    wait_ms("a@example.org", "192.0.2.1", 100 * SECOND, 115 * SECOND),
	    0);
}

static void
a_network_of_ipv6_is_one_address(void **state)
{
	for (int i = 0; i < 4; i++) {
		char ip[40];

		(void)snprintf(ip, sizeof(ip), "2001:db8:1:2:%x::1", i + 1);
		fail_once("a@example.org", ip, 0);
	}
	assert_int_equal(
	    wait_ms("b@example.org", "2001:db8:1:2:ffff::1", 0, 0), 1000);
	assert_int_equal(wait_ms("b@example.org", "2001:db8:1:3::1", 0, 0), 0);
}

static void
this_host_is_treated_gently(void **state)
{
	static const char *const local[] = { "127.0.0.1", "::1",
		"::ffff:127.0.0.1" };

	for (size_t i = 0; i < 3; i++) {
		char user[40];

		(void)snprintf(user, sizeof(user), "a%zu@example.org", i);
		for (int n = 0; n < 30; n++)
			fail_once(user, local[i], 0);
		assert_int_equal(
		    wait_ms(user, local[i], 0, 0), LOGIN_DELAY_LOCAL_MAX_MS);
		assert_int_equal(wait_ms("b@example.org", local[i], 0, 0), 0);
	}
}

static void
a_user_who_does_not_exist_is_one_in_any_case_of_letters(void **state)
{
	for (int i = 0; i < 4; i++)
		fail_once(i % 2 == 0 ? "X@example.org" : "x@EXAMPLE.org",
		    i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", 0);
	assert_int_equal(wait_ms("x@example.org", "192.0.2.3", 0, 0), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gate_begin, gate_end)
		TEST(delays_grow_with_mistakes_and_fade_with_time),
		TEST(attempts_at_once_wait_for_the_outcome_of_the_first),
		TEST(many_connections_guess_no_faster_than_one),
		TEST(a_known_pair_answers_for_its_own_mistakes_only),
		TEST(guesses_from_everywhere_delay_a_user_from_his_arrival),
		TEST(a_network_of_ipv6_is_one_address),
		TEST(this_host_is_treated_gently),
		TEST(a_user_who_does_not_exist_is_one_in_any_case_of_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
