/*
 * Policies of MTA-STS over the life of a relay: what the spool remembers is in
 * force from the first job on, what is fetched is told to the spool, and what
 * grows old is fetched again.  Resolver, fetcher and spool are the test's.
 */
#include "common/clock.h"
#include "common/status.h"
#include "smtpd/relay_policies.h"
#include "smtpd/sts_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define POLICY(mx) \
	"version: STSv1\nmode: enforce\nmx: " mx "\nmax_age: 604800\n"

enum {
	DAY_S = 86400,
	WEEK_S = 7 * DAY_S
};

static struct event_loop *loop;
static struct relay_names *names;
static struct relay_policies *policies;
static struct channel *fetcher; /* the relay's end, as is spool */
static struct channel *spool;
static int fetcher_end, spool_end;
static uint64_t lookups;
static unsigned int answers;
static char answered[1000];
static enum tls_result result;

static void
nothing_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
}

static void
never_closed(struct channel *channel, const struct error *error, void *context)
{
	fail();
}

static int
begin(void **state)
{
	static const struct channel_handler handler = { nothing_received,
		never_closed };
	int ends[2];

	loop = event_loop_new();
	names = relay_names_new();
	policies = relay_policies_new(names);
	assert_int_equal(channel_pair(ends, NULL), 0);
	fetcher_end = ends[0];
	fetcher = channel_new(
	    loop, ends[1], ROLE_RELAY, ROLE_FETCHER, &handler, NULL);
	relay_policies_use(policies, fetcher);
	assert_int_equal(channel_pair(ends, NULL), 0);
	spool_end = ends[0];
	spool =
	    channel_new(loop, ends[1], ROLE_RELAY, ROLE_SPOOL, &handler, NULL);
	relay_policies_tell(policies, spool);
	lookups = answers = 0;
	return 0;
}

static int
end(void **state)
{
	relay_policies_free(&policies);
	relay_names_free(&names);
	channel_free(&fetcher);
	channel_free(&spool);
	close(fetcher_end);
	close(spool_end);
	event_loop_free(&loop);
	return 0;
}

/* -- The others -- */

static void
stop_loop(void *context)
{
	event_loop_stop(loop);
}

/* What the relay said last; false: nothing. */
static bool
said(int fd, enum role role, struct message *message)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	struct timer *timer = timer_new(loop, stop_loop, NULL);
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct error error;
	size_t count = 0;

	timer_start(timer, 0);
	event_loop_run(loop);
	timer_free(&timer);
	return channel_receive_now(fd, role, ROLE_RELAY, 0, storage, message,
		   fds, &count, &error) == 0;
}

static void
answers_with(struct text policy, enum tls_result why, void *context)
{
	answers++;
	(void)text_copy(policy, answered, sizeof(answered));
	result = why;
}

static void
dns_says(const char *record)
{
	struct message_relay_found found = { .tag = ++lookups,
		.result = record == NULL ? DNS_NO_DATA : DNS_FOUND };
	uint8_t bytes[200];
	struct writer writer;

	writer_init(&writer, bytes, sizeof(bytes));
	if (record != NULL) {
		struct dns_record one = { .data = text_of(record) };

		dns_put_record(&writer, DNS_TXT, &one);
	}
	found.records = text_make(bytes, writer.size);
	relay_names_answer(names, &found);
}

static void
ask(const char *record)
{
	(void)relay_policies_ask(
	    policies, TEXT("There.test"), answers_with, NULL);
	dns_says(record);
}

static uint64_t
is_asked(void)
{
	struct message message;

	if (!said(fetcher_end, ROLE_FETCHER, &message))
		return 0;
	assert_int_equal(message.type, MESSAGE_fetch_policy);
	assert_true(
	    text_equal(message.fetch_policy.domain, TEXT("there.test")));
	return message.fetch_policy.tag;
}

static void
fetched(uint64_t tag, enum status status, const char *policy)
{
	const struct message_policy_fetched fetched = {
		.tag = tag, .status = (uint8_t)status, .policy = text_of(policy)
	};

	relay_policies_answer(policies, &fetched);
}

static void
learn(const char *policy, int64_t age_s, int64_t life_s)
{
	int64_t now = clock_wall_us() / 1000000;
	const struct relay_spooled_policy spooled = { TEXT("1"),
		text_of(policy), now - age_s, now - age_s + life_s };

	relay_policies_learn(policies, TEXT("there.test"), &spooled);
}

/* -- Tests -- */

static void
what_the_spool_remembers_is_in_force_without_dns_and_https(void **state)
{
	learn(POLICY("mx.there.test"), DAY_S / 2, WEEK_S);
	ask(NULL);
	assert_int_equal(answers, 1);
	assert_string_equal(answered, POLICY("mx.there.test"));
	/* Its record is there again, and its host is not. */
	ask("v=STSv1; id=2;");
	assert_int_equal(answers, 1);
	fetched(is_asked(), STATUS_UNAVAILABLE, "");
	assert_int_equal(answers, 2);
	assert_string_equal(answered, POLICY("mx.there.test"));
	assert_int_equal(result, TLS_RESULT_STS_FETCH);
}

static void
what_has_expired_is_not(void **state)
{
	learn(POLICY("mx.there.test"), WEEK_S, WEEK_S);
	ask(NULL);
	assert_string_equal(answered, "");
}

static void
what_is_fetched_is_told_to_the_spool(void **state)
{
	struct message message;

	ask("v=STSv1; id=1;");
	fetched(is_asked(), STATUS_OK, POLICY("mx.there.test"));
	assert_string_equal(answered, POLICY("mx.there.test"));
	assert_true(said(spool_end, ROLE_SPOOL, &message));
	assert_int_equal(message.type, MESSAGE_sts_keep);
	assert_true(text_equal(message.sts_keep.domain, TEXT("there.test")));
	assert_true(text_equal(message.sts_keep.id, TEXT("1")));
	assert_int_equal(message.sts_keep.max_age_s, WEEK_S);
	assert_true(
	    text_equal(message.sts_keep.policy, TEXT(POLICY("mx.there.test"))));
	/* What is no policy is not. */
	ask("v=STSv1; id=2;");
	fetched(is_asked(), STATUS_OK, "junk");
	assert_false(said(spool_end, ROLE_SPOOL, &message));
}

static void
what_is_young_is_not_fetched_again(void **state)
{
	learn(POLICY("mx.there.test"), DAY_S / 2, WEEK_S);
	ask("v=STSv1; id=1;");
	assert_int_equal(answers, 1);
	assert_int_equal(is_asked(), 0);
}

static void
what_grows_old_is_fetched_again_and_nobody_waits(void **state)
{
	struct message message;
	uint64_t tag;

	learn(POLICY("old.there.test"), DAY_S + 1, WEEK_S);
	ask("v=STSv1; id=1;");
	assert_int_equal(answers, 1);
	assert_string_equal(answered, POLICY("old.there.test"));
	assert_int_equal(result, TLS_RESULT_SUCCESS);
	tag = is_asked();
	assert_int_not_equal(tag, 0);
	/* Once for all. */
	ask("v=STSv1; id=1;");
	assert_int_equal(answers, 2);
	assert_int_equal(is_asked(), 0);
	fetched(tag, STATUS_OK, POLICY("new.there.test"));
	assert_true(said(spool_end, ROLE_SPOOL, &message));
	ask("v=STSv1; id=1;");
	assert_string_equal(answered, POLICY("new.there.test"));
}

/* It is the one that the domain announces: no failure for its owner to hear
 * of. */
static void
a_refresh_that_fails_leaves_it_as_it_is(void **state)
{
	learn(POLICY("mx.there.test"), DAY_S + 1, WEEK_S);
	ask("v=STSv1; id=1;");
	fetched(is_asked(), STATUS_UNAVAILABLE, "");
	ask("v=STSv1; id=1;");
	assert_int_equal(is_asked(), 0); /* not at once */
	assert_string_equal(answered, POLICY("mx.there.test"));
	assert_int_equal(result, TLS_RESULT_SUCCESS);
}

static void
the_spool_has_it_fetched_again_without_mail(void **state)
{
	struct message message;

	learn(POLICY("mx.there.test"), DAY_S + 1, WEEK_S);
	relay_policies_refresh(policies, TEXT("there.test"));
	relay_policies_refresh(policies, TEXT("there.test"));
	dns_says("v=STSv1; id=2;");
	fetched(is_asked(), STATUS_OK, POLICY("new.there.test"));
	assert_true(said(spool_end, ROLE_SPOOL, &message));
	assert_true(text_equal(message.sts_keep.id, TEXT("2")));
	assert_int_equal(answers, 0);
	ask(NULL);
	assert_string_equal(answered, POLICY("new.there.test"));
}

static void
what_the_spool_says_of_before_replaces_nothing_newer(void **state)
{
	ask("v=STSv1; id=1;");
	fetched(is_asked(), STATUS_OK, POLICY("new.there.test"));
	learn(POLICY("old.there.test"), DAY_S, WEEK_S);
	ask(NULL);
	assert_string_equal(answered, POLICY("new.there.test"));
}

static void
it_is_old_in_half_of_its_life_or_after_a_day(void **state)
{
	assert_false(sts_policy_is_old(1000, 1000 + WEEK_S, 1000 + DAY_S - 1));
	assert_true(sts_policy_is_old(1000, 1000 + WEEK_S, 1000 + DAY_S));
	assert_false(sts_policy_is_old(1000, 1600, 1299));
	assert_true(sts_policy_is_old(1000, 1600, 1300));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(
		    what_the_spool_remembers_is_in_force_without_dns_and_https),
		TEST(what_has_expired_is_not),
		TEST(what_is_fetched_is_told_to_the_spool),
		TEST(what_is_young_is_not_fetched_again),
		TEST(what_grows_old_is_fetched_again_and_nobody_waits),
		TEST(a_refresh_that_fails_leaves_it_as_it_is),
		TEST(the_spool_has_it_fetched_again_without_mail),
		TEST(what_the_spool_says_of_before_replaces_nothing_newer),
		cmocka_unit_test(it_is_old_in_half_of_its_life_or_after_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
