/*
 * Mail on its way to other hosts: which is tried, in what order, what is made
 * of servers that are odd, and when a connection is used again.
 */
#include "common/smtp_verdict.h"
#include "tests/unit/relay_stand.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool
is_hanging(void)
{
	return servers.mails > 0;
}

static void
mail_goes_to_the_best_host(void **state)
{
	stand.mx = "20:refuses.test 10:good.test";
	stand_run_job("there.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
	assert_string_equal(stand.ending, "none 0 ");
	assert_string_equal(servers.heard,
	    "EHLO mx.here.test|MAIL FROM:<me@here.test>|RCPT TO:<a@x.test>|"
	    "DATA|Subject: x||hello|.|");
}

static void
without_mx_the_domain_is_the_host(void **state)
{
	stand_run_job("good.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
}

static const struct {
	const char *mx;
	const char *outcomes;
	const char *ending;
} hosts[] = {
	{ "1:says554.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:says421.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:silent.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:closes.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:endless.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:nowhere.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:leaves.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:injects.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	/* What a host says of a recipient is final. */
	{ "1:refuses.test 2:good.test", "0 failed 550 5.1.1 refuses.test\n",
	    "none 0 " },
	/* "Later" is the next host's chance. */
	{ "1:later.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later-rcpt.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later-end.test 2:good.test", "0 delivered 250 2.0.0 good.test\n",
	    "none 0 " },
	{ "1:later.test", "0 deferred 450 4.2.0 later.test\n", "none 0 " },
	{ "1:later.test 2:refuses.test", "0 failed 550 5.1.1 refuses.test\n",
	    "none 0 " },
	{ "1:later.test 2:closes.test", "0 deferred 450 4.2.0 later.test\n",
	    "none 0 " },
	{ "1:later.test 2:hangs.test", "0 deferred 450 4.2.0 later.test\n",
	    "none 0 " },
	{ "1:says421.test 2:says554.test",
	    "0 deferred 421 4.3.2 says421.test\n",
	    "destination 0 says421.test: it leaves: 421 busy" },
	/* It may have taken it: no other host may get it. */
	{ "1:hangs.test 2:good.test", "0 deferred 0 4.4.2 hangs.test\n",
	    "destination 0 hangs.test: the server is too slow" },
	{ "1:says554.test", "0 failed 554 5.7.1 says554.test\n",
	    "destination 0 says554.test: greeting: 554 no mail here" },
	{ "1:says421.test", "0 deferred 421 4.3.2 says421.test\n",
	    "destination 0 says421.test: it leaves: 421 busy" },
	{ "1:nowhere.test", "0 failed 0 5.4.4 \n",
	    "none 0 nowhere.test: it has no address" },
	{ "1:injects.test", "0 deferred 0 4.7.5 injects.test\n",
	    "destination 0 injects.test: bytes in the clear behind the answer "
	    "to STARTTLS" },
	{ "1:us.test 2:good.test", "0 failed 0 5.4.6 us.test\n",
	    "none 0 us.test: mail for it loops back to this host" },
	{ "1:mx.here.test 2:good.test", "0 failed 0 5.4.6 \n",
	    "none 0 there.test: mail for it loops back to this host" },
	{ "0:", "0 failed 0 5.1.10 \n",
	    "none 0 there.test: the domain takes no mail (null MX)" },
	/* No TLS comes of it: in the clear, on a connection of its own. */
	{ "1:junk.test", "0 delivered 250 2.0.0 junk.test\n", "none 0 " },
};

static void
one_host_after_the_other_is_tried(void **state)
{
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		print_message("%s\n", hosts[i].mx);
		stand_set_up(state);
		stand.mx = hosts[i].mx;
		stand_run_job("there.test");
		assert_string_equal(stand.outcomes, hosts[i].outcomes);
		assert_string_equal(stand.ending, hosts[i].ending);
		stand_tear_down(state);
	}
}

/* What a server that is odd at each stage costs: its turn, and no mail. */
static const struct {
	enum manner manner;
	bool is_understood;
} manners[] = {
	{ SILENT, false },
	{ ENDLESS_LINE, false },
	{ ENDLESS_LINES, false },
	{ CHANGES_ITS_CODE, false },
	{ ENDS_LINES_WITH_CR, false },
	{ SPLITS, true },
	{ HAS_NUL, true },
};

static void
run_oddly(void **state, enum stage stage, enum manner manner, const char *said)
{
	stand_set_up(state);
	servers.stage = stage;
	servers.manner = manner;
	stand.mx = "1:odd.test 2:good.test";
	stand_run_job("there.test");
	if (strcmp(stand.outcomes, said) != 0)
		fail_msg(
		    "stage %d manner %d: %s", stage, manner, stand.outcomes);
	stand_tear_down(state);
}

static void
a_server_that_is_odd_at_any_stage_costs_no_mail(void **state)
{
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		for (int stage = 0; stage < STAGES; stage++)
			run_oddly(state, (enum stage)stage, manners[i].manner,
			    manners[i].is_understood
				? "0 delivered 250 2.0.0 odd.test\n"
			    : stage < AT_END
				? "0 delivered 250 2.0.0 good.test\n"
				: "0 deferred 0 4.4.2 odd.test\n");
}

/* From then on what it answers is anybody's guess, but never that it took a
 * message whose end it had not seen. */
static void
a_reply_to_nothing_makes_no_message_count_as_taken(void **state)
{
	for (int stage = 0; stage < AT_DATA; stage++)
		run_oddly(state, (enum stage)stage, SAYS_IT_TWICE,
		    "0 delivered 250 2.0.0 good.test\n");
	run_oddly(
	    state, AT_DATA, SAYS_IT_TWICE, "0 delivered 250 2.0.0 good.test\n");
	run_oddly(
	    state, AT_END, SAYS_IT_TWICE, "0 delivered 250 2.0.0 odd.test\n");
}

static void
a_domain_that_is_not_there_fails_and_one_that_does_not_answer_waits(
    void **state)
{
	stand_run_job("none.test");
	assert_string_equal(stand.outcomes, "0 failed 0 5.1.2 \n");
	stand_run_job("down.test");
	assert_string_equal(stand.outcomes, "0 deferred 0 4.4.3 \n");
	assert_non_null(strstr(stand.ending, "destination"));
}

static void
a_connection_is_used_again(void **state)
{
	stand_run_job("good.test");
	stand_run_job("good.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
	assert_string_equal(stand.ending, "none 1 ");
	assert_int_equal(servers.connections, 1);
	assert_int_equal(servers.mails, 2);
	/* For another domain on the same host it is not. */
	stand.mx = "1:good.test";
	stand_run_job("there.test");
	assert_int_equal(servers.connections, 2);
	/* All that goes by one host goes by one connection. */
	stand.via = "good.test";
	stand_run_job("one.test");
	stand_run_job("another.test");
	assert_string_equal(stand.ending, "none 1 ");
	assert_int_equal(servers.connections, 3);
}

static void
a_host_that_said_later_is_not_asked_again_on_another_connection(void **state)
{
	stand.mx = "1:later-rcpt.test 2:good.test";
	stand_run_job("there.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
	/* Both rest; good.test was the last, and is the first to be used. */
	stand.mx = "1:later-rcpt.test";
	stand_run_job("other.test");
	assert_int_equal(servers.connections, 3);
	stand_run_job("other.test");
	assert_string_equal(
	    stand.outcomes, "0 deferred 451 4.7.1 later-rcpt.test\n");
	assert_int_equal(servers.connections, 3);
}

static void
what_one_host_lacks_another_may_have(void **state)
{
	stand.mx = "1:good.test 2:drops.test";
	stand_send_job(9001, "there.test", TRANSACTION_REQUIRETLS,
	    RELAY_TLS_DEFAULT, STAND_BODY, strlen(STAND_BODY));
	stand_wait(stand_is_done);
	assert_string_equal(stand.outcomes, "0 failed 0 5.7.30 drops.test\n");
	assert_int_equal(servers.connections, 2);
	assert_int_equal(servers.mails, 0);
}

static void
a_connection_that_broke_meanwhile_costs_nothing(void **state)
{
	stand_run_job("drops.test");
	stand_run_job("drops.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 drops.test\n");
	assert_string_equal(stand.ending, "none 0 ");
	assert_int_equal(servers.connections, 2);
}

static void
only_so_many_connections_are_made(void **state)
{
	stand.relay->limits.max_connections = 1;
	stand_send_job(1001, "hangs.test", 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(is_hanging);
	stand_run_job("good.test");
	assert_string_equal(
	    stand.ending, "busy 0 too many connections at once");
	stand.dones = 0;
	stand_wait(stand_is_done);
	/* One that rests makes room. */
	stand_run_job("good.test");
	assert_string_equal(stand.ending, "none 0 ");
	stand_run_job("drops.test");
	assert_string_equal(stand.ending, "none 0 ");
}

static void
cancel(uint64_t job)
{
	struct message message = { .type = MESSAGE_relay_cancel };

	message.relay_cancel.job = job;
	assert_int_equal(channel_send(stand.spool, &message, NULL, 0), 0);
}

static bool
is_connected(void)
{
	return servers.connections > 0;
}

static void
a_cancelled_job_is_over_at_once_unless_it_may_have_been_taken(void **state)
{
	stand_send_job(2001, "silent.test", 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(is_connected);
	cancel(2001);
	stand_wait(stand_is_done);
	assert_non_null(strstr(stand.ending, "cancelled"));
	stand.dones = 0;
	stand_send_job(2002, "hangs.test", 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(is_hanging);
	cancel(2002);
	stand_wait(stand_is_done);
	assert_non_null(strstr(stand.ending, "too slow"));
	cancel(4711); /* nobody's */
}

static void
a_body_that_is_short_is_the_messages_trouble(void **state)
{
	stand_send_job(
	    3001, "good.test", 0, RELAY_TLS_DEFAULT, STAND_BODY, 5000);
	stand_wait(stand_is_done);
	assert_string_equal(stand.ending, "message 0 the body is short");
	assert_int_equal(servers.mails, 0);
}

static void
the_administrators_demands_are_kept(void **state)
{
	stand_send_job(4001, "good.test", 0, RELAY_TLS_ENCRYPT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 good.test\n");
	stand.dones = 0;
	stand.outcomes[0] = '\0';
	stand_send_job(4002, "junk.test", 0, RELAY_TLS_VERIFY, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 junk.test\n");
	stand.dones = 0;
	stand.outcomes[0] = '\0';
	stand_send_job(4003, "good.test", 0, RELAY_TLS_DANE, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(stand_is_done);
	assert_string_equal(stand.outcomes, "0 deferred 0 4.7.5 \n");
	assert_int_equal(servers.mails, 0);
}

/* A listener whose queue is full: a connection to it hangs. */
static int
make_dead_address(int fillers[3])
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback,
		.sin6_port = htons(servers.port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		fillers[i] = socket(
		    AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(
		    fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
	return fd;
}

static void
a_dead_address_is_not_waited_for(void **state)
{
	int fillers[3], fd;

	stand.has_v6 = true;
	stand_run_job("good.test"); /* refused there */
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
	fd = make_dead_address(fillers);
	if (fd == -1)
		skip(); /* there is no IPv6 */
	stand_run_job("drops.test");
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 drops.test\n");
	close(fd);
	for (int i = 0; i < 3; i++)
		close(fillers[i]);
}

static bool
is_stopped(void)
{
	return stand.relay->resting == NULL;
}

static void
at_the_end_goodbye_is_said(void **state)
{
	stand_run_job("good.test");
	relay_stop(stand.relay);
	stand_wait(is_stopped);
	assert_non_null(strstr(servers.heard, "|QUIT|"));
}

static bool
is_cleared(void)
{
	return stand.relay->connections == 0 &&
	       table_count(stand.relay->jobs) == 0;
}

static void
without_a_spool_nothing_goes_on(void **state)
{
	stand_send_job(5001, "silent.test", 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_wait(is_connected);
	channel_free(&stand.spool);
	stand_wait(is_cleared);
}

static void
a_resolver_that_comes_back_is_asked_again(void **state)
{
	channel_free(&stand.resolver);
	stand_send_job(6001, "good.test", 0, RELAY_TLS_DEFAULT, STAND_BODY,
	    strlen(STAND_BODY));
	stand_connect_resolver();
	stand_wait(stand_is_done);
	assert_string_equal(
	    stand.outcomes, "0 delivered 250 2.0.0 good.test\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STAND(mail_goes_to_the_best_host),
		IN_STAND(without_mx_the_domain_is_the_host),
		cmocka_unit_test(one_host_after_the_other_is_tried),
		cmocka_unit_test(
		    a_server_that_is_odd_at_any_stage_costs_no_mail),
		cmocka_unit_test(
		    a_reply_to_nothing_makes_no_message_count_as_taken),
		IN_STAND(
		    a_domain_that_is_not_there_fails_and_one_that_does_not_answer_waits),
		IN_STAND(a_connection_is_used_again),
		IN_STAND(
		    a_host_that_said_later_is_not_asked_again_on_another_connection),
		IN_STAND(what_one_host_lacks_another_may_have),
		IN_STAND(a_connection_that_broke_meanwhile_costs_nothing),
		IN_STAND(only_so_many_connections_are_made),
		IN_STAND(
		    a_cancelled_job_is_over_at_once_unless_it_may_have_been_taken),
		IN_STAND(a_body_that_is_short_is_the_messages_trouble),
		IN_STAND(the_administrators_demands_are_kept),
		IN_STAND(a_dead_address_is_not_waited_for),
		IN_STAND(at_the_end_goodbye_is_said),
		IN_STAND(without_a_spool_nothing_goes_on),
		IN_STAND(a_resolver_that_comes_back_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
