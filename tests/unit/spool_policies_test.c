/*
 * What the spool remembers of MTA-STS: it outlives a restart, goes with each
 * job of its domain, is asked for again when it grows old, and is dropped when
 * it has expired.  The relay is the test's.
 */
#include "smtpd/spool_policies.h"

#include "common/clock.h"
#include "smtpd/spool_env.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	DAY_S = 86400
};

static char folder[SCRATCH_PATH];
static struct event_loop *loop;
static struct settings *settings;
static struct account_table *accounts;
static struct spool *spool;
static int relay_end;
static char asked[1000]; /* domains, each with a blank behind it */

static void
stop_loop(void *context)
{
	event_loop_stop(loop);
}

/* What came is on disk, and what is to be said was said. */
static void
turn(void)
{
	struct timer *timer = timer_new(loop, stop_loop, NULL);

	timer_start(timer, 0);
	event_loop_run(loop);
	timer_free(&timer);
}

static void
start(void)
{
	const struct spool_options options = { .path = folder,
		.map_bytes = 1 << 30,
		.settings = settings,
		.accounts = accounts };
	struct error error;
	int ends[2];

	loop = event_loop_new();
	spool = spool_new(loop, &options, &error);
	if (spool == NULL)
		fail_msg("%s", error.text);
	assert_int_equal(channel_pair(ends, &error), 0);
	spool_introduce(spool, ROLE_RELAY, 7, ends[1]);
	relay_end = ends[0];
}

static void
stop(void)
{
	spool_free(&spool);
	event_loop_free(&loop);
	close(relay_end);
}

static int
set_up(void **state)
{
	scratch_make(folder, "firnmail-policies");
	settings = settings_new();
	accounts = account_table_new();
	start();
	return 0;
}

static int
tear_down(void **state)
{
	stop();
	settings_free(&settings);
	account_table_free(&accounts);
	scratch_remove(folder);
	return 0;
}

static void
keep(const char *domain, uint32_t max_age_s, const char *policy)
{
	const struct message_sts_keep said = { .domain = text_of(domain),
		.id = TEXT("id1"),
		.max_age_s = max_age_s,
		.policy = text_of(policy) };

	spool_policies_keep(spool->policies, &said);
	turn();
}

/* As if it had been fetched then. */
static void
put(const char *domain, int64_t age_s, int64_t life_s)
{
	const struct spool_policy policy = { spool_now() / 1000 - age_s,
		spool_now() / 1000 - age_s + life_s, text_of(domain),
		TEXT("id0"), TEXT("policy") };
	struct spool_key key = spool_policy_key(policy.domain);
	struct spool_env *env = spool_store_env(spool->store);
	uint8_t value[SPOOL_MAX_POLICY_VALUE];
	struct error error;
	size_t size = spool_put_policy(value, &policy);

	assert_int_equal(spool_env_begin(env, &error), 0);
	assert_int_equal(spool_env_put(env, SPOOL_POLICY, &key,
			     text_make(value, size), &error),
	    0);
	assert_int_equal(spool_env_commit(env, &error), 0);
}

static struct message_relay_job
job_for(const char *domain)
{
	struct message_relay_job job = { .domain = text_of(domain) };

	spool_policies_add(spool->policies, &job);
	return job;
}

static uint64_t
count(void)
{
	return spool_env_count(spool_store_env(spool->store), SPOOL_POLICY);
}

static void
look(void)
{
	static uint8_t storage[MESSAGE_MAX_SIZE];
	int fds[CHANNEL_MAX_DESCRIPTORS];
	struct message message;
	struct error error;
	size_t fd_count = 0;

	asked[0] = '\0';
	spool_policies_look(spool->policies);
	turn();
	while (channel_receive_now(relay_end, ROLE_RELAY, ROLE_SPOOL, 0,
		   storage, &message, fds, &fd_count, &error) == 0) {
		assert_int_equal(message.type, MESSAGE_sts_refresh);
		assert_true(
		    text_equal(message.sts_refresh.sts_policy, TEXT("policy")));
		assert_true(message.sts_refresh.sts_until >
			    message.sts_refresh.sts_since);
		snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked),
		    "%.*s ", TEXT_FMT(message.sts_refresh.domain));
	}
}

static void
what_was_fetched_goes_with_each_job_after_a_restart(void **state)
{
	struct message_relay_job job;

	keep("far.test", DAY_S, "mode: enforce");
	keep("far.test", 2 * DAY_S, "mode: testing"); /* the newest counts */
	stop();
	start();
	job = job_for("far.test");
	assert_true(text_equal(job.sts_policy, TEXT("mode: testing")));
	assert_true(text_equal(job.sts_id, TEXT("id1")));
	assert_int_equal(job.sts_until - job.sts_since, 2 * DAY_S);
	assert_true(spool_now() / 1000 - job.sts_since < 60);
	assert_int_equal(job_for("other.test").sts_policy.size, 0);
	assert_int_equal(count(), 1);
}

static void
nobody_says_that_it_counts_for_ever(void **state)
{
	struct message_relay_job job;

	keep("far.test", UINT32_MAX, "mode: enforce");
	job = job_for("far.test");
	assert_int_equal(job.sts_until - job.sts_since, 31557600);
}

static void
what_grows_old_is_asked_for_again_without_mail(void **state)
{
	put("old.test", DAY_S, 7 * DAY_S);
	put("young.test", DAY_S - 60, 7 * DAY_S);
	put("short.test", 400, 600);
	look();
	assert_non_null(strstr(asked, "old.test "));
	assert_non_null(strstr(asked, "short.test "));
	assert_null(strstr(asked, "young.test"));
	assert_int_equal(count(), 3);
}

static void
what_has_expired_is_dropped(void **state)
{
	put("gone.test", 700, 600);
	put("old.test", 500, 600);
	look();
	assert_string_equal(asked, "old.test ");
	assert_int_equal(count(), 1);
	assert_int_equal(job_for("gone.test").sts_policy.size, 0);
}

/* A look at many is made in parts, and begins again behind the last one. */
static void
a_part_of_a_look_is_of_few(void **state)
{
	char name[20];
	size_t parts = 0, all = 0;

	for (int i = 0; i < 2 * SPOOL_POLICIES_AT_ONCE + 1; i++) {
		snprintf(name, sizeof(name), "d%02d.test", i);
		put(name, DAY_S, 7 * DAY_S);
	}
	for (; parts < 3; parts++) {
		look();
		assert_true(strlen(asked) <= 9u * SPOOL_POLICIES_AT_ONCE);
		all += strlen(asked);
	}
	assert_int_equal(all, 9 * (2 * SPOOL_POLICIES_AT_ONCE + 1));
}

/* Those that are there stay: nobody can push another's out. */
static void
beyond_the_limit_none_is_added(void **state)
{
	struct spool_env *env = spool_store_env(spool->store);
	struct spool_key key;
	struct error error;

	assert_int_equal(spool_env_begin(env, &error), 0);
	for (uint64_t i = 0; i < SPOOL_MAX_POLICIES; i++) {
		key = spool_message_key(i);
		assert_int_equal(
		    spool_env_put(env, SPOOL_POLICY, &key, TEXT("x"), &error),
		    0);
	}
	assert_int_equal(spool_env_commit(env, &error), 0);
	keep("far.test", DAY_S, "mode: enforce");
	assert_int_equal(count(), SPOOL_MAX_POLICIES);
	assert_int_equal(job_for("far.test").sts_policy.size, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_fetched_goes_with_each_job_after_a_restart),
		TEST(nobody_says_that_it_counts_for_ever),
		TEST(what_grows_old_is_asked_for_again_without_mail),
		TEST(what_has_expired_is_dropped),
		TEST(a_part_of_a_look_is_of_few),
		TEST(beyond_the_limit_none_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
