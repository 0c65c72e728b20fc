/*
 * What the spool keeps until the queue says so, or takes it back: messages
 * whose other half is for accounts of ours, and mail that is to go later (RFC
 * 4865).
 */
#include "common/log.h"
#include "tests/unit/spool_peers.h"

static const struct mail both = { .sender = "bob@demo.test",
	.recipients = { "x@other.test" },
	.decider = 9 };

static bool
has_releases(void)
{
	return peers.releases >= peers.wanted;
}

static bool
is_offered(void)
{
	return peers.offers > 0;
}

static void
what_is_for_accounts_of_ours_too_goes_when_it_is_decided(void **state)
{
	peers_connect_relay();
	peers_put(1, &both);
	assert_int_equal(peers.kept_status, STATUS_OK);
	assert_int_equal(peers.kept_sent, 1);
	peers_put(2, &simple);
	peers_wait_for_jobs(1);
	assert_int_equal(schedule_count(spool->schedule), 1);
	peers_decide(1, true);
	peers_wait_for_jobs(2);
	assert_int_equal(peers.offers, 0);
	/* What is dropped is given back. */
	peers_put(3, &both);
	assert_int_equal(peers.kept_sent, 3);
	peers.told_sent = 0;
	peers_decide(3, false);
	peers_decide(1, false);
	peers_answer(&peers.jobs[0], 0, RELAY_DELIVERED, 250);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers_answer(&peers.jobs[1], 0, RELAY_DELIVERED, 250);
	peers_end_job(&peers.jobs[1], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(peers.told_number, 2);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
}

/* The queue dies between the halves, and the spool with it. */
static void
what_nobody_decided_is_offered_to_the_next_queue(void **state)
{
	peers_put(1, &both);
	channel_free(&peers.queue);
	peers_connect_queue();
	wait_for(is_offered);
	assert_int_equal(peers.offered.decider, 9);
	assert_int_equal(peers.offered.delivery.bytes[0], 1);
	peers.offers = 0;
	peers_stop();
	peers_start();
	wait_for(is_offered);
	assert_int_equal(schedule_count(spool->schedule), 0);
	peers_connect_relay();
	peers_decide(1, true);
	peers_wait_for_jobs(1);
	assert_string_equal(peers.jobs[0].recipients, "x@other.test ");
}

/* The queue gave up on it before its body was on disk. */
static void
what_should_have_been_decided_long_ago_is_asked_for(void **state)
{
	static const struct mail late = { .sender = "bob@demo.test",
		.recipients = { "x@other.test" },
		.age_s = 100,
		.decider = 9 };
	struct channel *first = peers.queue;

	peers_put(1, &both);
	peers_put(2, &late);
	assert_int_equal(peers.offers, 0);
	peers_connect_queue();
	wait_for(is_offered);
	assert_int_equal(peers.offers, 1);
	assert_int_equal(peers.offered.delivery.bytes[0], 2);
	channel_free(&first);
}

static void
answer_release(const uint16_t *verdicts, size_t count)
{
	struct message message = { .type = MESSAGE_due_routed };

	message.due_routed.job = peers.release_job;
	message.due_routed.verdicts =
	    text_make(verdicts, count * sizeof(*verdicts));
	assert_int_equal(channel_send(peers.queue, &message, NULL, 0), 0);
}

static void
wait_for_release(unsigned int count)
{
	peers.wanted = count;
	wait_for(has_releases);
}

static const struct mail home = { .sender = "bob@demo.test",
	.recipients = { "alice@demo.test", "nobody@demo.test" },
	.fate = OUTGOING_HERE,
	.later_s = 1 };

static void
what_is_for_later_goes_when_it_is_time(void **state)
{
	static const struct mail later = { .sender = "bob@demo.test",
		.recipients = { "x@other.test" },
		.later_s = 86400 };

	peers_put(1, &later);
	assert_int_equal(peers.kept_sent, 1);
	peers_connect_relay();
	/* Its time to be late, or given up, begins then. */
	assert_true(schedule_wake(spool->schedule, true) >
		    spool_now() + 86000 * INT64_C(1000));
	peers_stop();
	peers_start();
	assert_true(schedule_wake(spool->schedule, true) >
		    spool_now() + 86000 * INT64_C(1000));
	peers_put(2, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	assert_int_equal(schedule_running(spool->schedule), 1);
}

static void
what_is_for_us_goes_to_the_queue(void **state)
{
	static const uint16_t verdicts[] = { VERDICT_ACCEPTED,
		VERDICT_UNKNOWN_USER };

	peers_put(1, &home);
	assert_int_equal(peers.kept_sent, 0); /* no limit is about it */
	peers_connect_relay();
	wait_for_release(1);
	assert_string_equal(peers.released,
	    "bob@demo.test: alice@demo.test nobody@demo.test "
	    "Subject: Hello\r\n\r\nThe body\r\n");
	assert_int_equal(peers.job_count, 0);
	answer_release(verdicts, 2);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(peers.report, "<nobody@demo.test>"));
	assert_null(strstr(peers.report, "alice@demo.test"));
	wait_for(is_empty);
}

/* The store takes an id once, so that nobody gets it twice, or not at all. */
static void
a_queue_that_dies_has_it_again_under_the_same_id(void **state)
{
	static const uint16_t later[] = { VERDICT_ACCEPTED, VERDICT_NO_SPACE };
	struct delivery_id first;

	peers_put(1, &home);
	peers_connect_relay();
	wait_for_release(1);
	first = peers.release_delivery;
	channel_free(&peers.queue);
	wait_for(is_at_rest);
	peers_connect_queue();
	wait_for_release(2);
	assert_memory_equal(&peers.release_delivery, &first, sizeof(first));
	/* Who is left has it under another. */
	answer_release(later, 2);
	wait_for(is_at_rest);
	schedule_flush(spool->schedule, 1, 0, spool_now());
	wait_for_release(3);
	assert_memory_not_equal(&peers.release_delivery, &first, sizeof(first));
	assert_non_null(strstr(peers.released, ": nobody@demo.test Subject"));
	/* A word that comes again, or too late, means nothing. */
	answer_release(later, 1);
	answer_release(later, 2);
	wait_for(is_empty);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEERS(
		    what_is_for_accounts_of_ours_too_goes_when_it_is_decided),
		WITH_PEERS(what_nobody_decided_is_offered_to_the_next_queue),
		WITH_PEERS(what_should_have_been_decided_long_ago_is_asked_for),
		WITH_PEERS(what_is_for_later_goes_when_it_is_time),
		WITH_PEERS(what_is_for_us_goes_to_the_queue),
		WITH_PEERS(a_queue_that_dies_has_it_again_under_the_same_id),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
