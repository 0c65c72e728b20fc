/*
 * Who hears from the spool of what became of his mail, and who does not.  Times
 * are made by mail that is said to be old.
 */
#include "common/log.h"
#include "tests/unit/spool_peers.h"

/* RFC 8689 section 5. */
static void
a_secret_comes_back_as_one(void **state)
{
	static const struct mail secret = { .sender = "bob@demo.test",
		.recipients = { "x@other.test" },
		.flags = TRANSACTION_REQUIRETLS | TRANSACTION_RETURN_FULL };

	peers_put(1, &secret);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_FAILED, 550);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_int_equal(peers.report_flags, TRANSACTION_REQUIRETLS);
	assert_null(strstr(peers.report, "The body"));
}

static void
success_here_is_reported_when_it_is_decided(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "alice@demo.test" },
		.notify = DSN_NOTIFY_SUCCESS,
		.flags = TRANSACTION_TELLS,
		.decider = 9,
		.fate = OUTGOING_DELIVERED };

	peers_put(1, &mail);
	assert_int_equal(peers.kept_sent, 0);
	peers_put(2, &mail);
	peers_decide(1, false);
	peers_decide(2, true);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_string_equal(peers.report_recipient, "bob@demo.test");
	assert_non_null(strstr(peers.report, "\r\nAction: delivered\r\n"));
	assert_non_null(strstr(peers.report, "\r\nStatus: 2.0.0\r\n"));
	assert_non_null(strstr(
	    peers.report, "Original-Recipient: rfc822;first+last@old.test"));
	assert_non_null(strstr(peers.report, "Original-Envelope-Id: env+1"));
	assert_non_null(
	    strstr(peers.report, "Content-Type: text/rfc822-headers"));
	assert_int_equal(schedule_count(spool->schedule), 0);
	peers_route_report(STATUS_OK);
	peers_put(3, &simple);
	assert_int_equal(peers.reports, 1);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 1);
}

/* Its report is one more; whoever is behind the alias is sent to. */
static void
an_expanded_alias_is_reported_at_once(void **state)
{
	static const struct mail told = { .sender = "bob@demo.test",
		.recipients = { "list@demo.test" },
		.notify = DSN_NOTIFY_SUCCESS,
		.flags = TRANSACTION_TELLS,
		.fate = OUTGOING_EXPANDED };
	static const struct mail nobody = { .sender = "bob@demo.test",
		.recipients = { "list@demo.test" },
		.fate = OUTGOING_EXPANDED };

	peers_put(1, &told);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(peers.report, "\r\nAction: expanded\r\n"));
	/* Whom nobody would be told of, nobody would ever end. */
	peers_put(2, &nobody);
	assert_int_equal(peers.kept_status, STATUS_INVALID);
}

static void
a_failure_is_reported_to_its_sender(void **state)
{
	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_FAILED, 550);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_true(is_empty());
	assert_string_equal(peers.report_recipient, "bob@demo.test");
	assert_non_null(strstr(peers.report, "\r\nAction: failed\r\n"));
	assert_non_null(strstr(peers.report, "\r\nStatus: 5.1.1\r\n"));
	assert_non_null(strstr(peers.report,
	    "\r\nDiagnostic-Code: smtp;550 5.1.1 the host's words\r\n"));
	assert_non_null(strstr(peers.report,
	    "\r\nOriginal-Recipient: rfc822;first+last@old.test\r\n"));
	assert_non_null(
	    strstr(peers.report, "\r\nOriginal-Envelope-Id: env+1\r\n"));
	assert_non_null(strstr(peers.report, "\r\nThe body\r\n"));
	/* Until the queue has routed it, it is there. */
	peers_route_report(STATUS_UNAVAILABLE);
	peers_stop();
	peers_start();
	peers.wanted = 2;
	wait_for(has_reports);
	peers_route_report(STATUS_OK);
	peers_put(2, &simple); /* behind it, in the same channel */
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_REPORT), 0);
}

/* The queue hands it back under the id that it has: it is not taken for the one
 * that was there. */
static void
a_report_to_somebody_elsewhere_goes_out(void **state)
{
	static const struct mail back = { .sender = "",
		.recipients = { "away@sender.test" } };
	uint64_t id;
	struct error error;

	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_FAILED, 550);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	peers_put_as(2, &back, &peers.report_delivery);
	assert_int_equal(peers.kept_status, STATUS_OK);
	peers_route_report(STATUS_OK);
	peers_wait_for_jobs(2);
	assert_string_equal(peers.jobs[1].recipients, "away@sender.test ");
	/* And only that is what its id names. */
	assert_int_equal(spool_store_find_id(spool->store,
			     peers.report_delivery.bytes, 16, &id, &error),
	    1);
}

static void
a_queue_cannot_end_a_message_that_is_no_report(void **state)
{
	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_put(2, &simple);
	peers_wait_for_jobs(2);
	peers_answer(&peers.jobs[0], 0, RELAY_FAILED, 550);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	peers.report_tag = 2;
	peers_route_report(STATUS_OK);
	peers_put(3, &simple);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 3);
}

/* Who wants what: a failure, a delay, a success that goes on unseen. */
static void
each_hears_what_he_asked_for(void **state)
{
	static const struct {
		uint8_t notify;
		enum relay_outcome outcome;
		unsigned int reports;
	} rows[] = {
		{ 0, RELAY_FAILED, 1 },
		{ DSN_NOTIFY_NEVER, RELAY_FAILED, 0 },
		{ DSN_NOTIFY_SUCCESS, RELAY_FAILED, 0 },
		{ DSN_NOTIFY_FAILURE, RELAY_FAILED, 1 },
		{ 0, RELAY_PASSED_ON, 0 },
		{ DSN_NOTIFY_SUCCESS, RELAY_PASSED_ON, 1 },
		{ DSN_NOTIFY_SUCCESS, RELAY_DELIVERED, 0 },
	};
	struct mail mail = simple;

	peers_connect_relay();
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peers.reports = 0;
		mail.notify = rows[i].notify;
		peers_put(i + 1, &mail);
		peers_wait_for_jobs(i + 1);
		peers_answer(&peers.jobs[i], 0, rows[i].outcome, 550);
		peers_end_job(&peers.jobs[i], RELAY_NO_TROUBLE);
		wait_for(is_empty);
		peers.wanted = rows[i].reports;
		wait_for(has_reports);
		peers_put(
		    100 + i, &mail); /* anything more would be there by now */
		assert_int_equal(peers.reports, rows[i].reports);
		peers_wait_for_jobs(i + 2);
		peers_answer(&peers.jobs[i + 1], 0, RELAY_DELIVERED, 250);
		peers_end_job(&peers.jobs[i + 1], RELAY_NO_TROUBLE);
		wait_for(is_empty);
		peers.jobs[i + 1] = peers.jobs[MAX_JOBS - 1];
		peers.job_count = i + 1;
	}
}

static void
a_report_that_fails_is_not_reported(void **state)
{
	static const struct mail mail = { .sender = "",
		.recipients = { "x@other.test" } };

	peers_put(1, &mail);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_FAILED, 550);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_REPORT), 0);
}

static void
a_delay_is_told_once(void **state)
{
	struct mail mail = simple;

	mail.age_s = 5 * 3600;
	peers_put(1, &mail);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(peers.report, "\r\nAction: delayed\r\n"));
	assert_non_null(strstr(peers.report, "\r\nWill-Retry-Until: "));
	assert_null(strstr(peers.report, "The body"));
	peers_route_report(STATUS_OK);
	peers_put(2, &simple); /* behind it, in the same channel */
	peers_stop();
	peers_start();
	peers_put(3, &simple);
	assert_int_equal(peers.reports, 1);
	assert_int_equal(schedule_count(spool->schedule), 3);
}

static void
what_is_too_old_comes_back(void **state)
{
	struct mail mail = simple;

	mail.age_s = 6 * 86400;
	peers_put(1, &mail);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_true(is_empty());
	assert_non_null(strstr(peers.report, "\r\nAction: failed\r\n"));
	assert_non_null(strstr(peers.report, "\r\nStatus: 5.4.7\r\n"));
	assert_non_null(strstr(peers.report, "too old"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEERS(a_secret_comes_back_as_one),
		WITH_PEERS(success_here_is_reported_when_it_is_decided),
		WITH_PEERS(an_expanded_alias_is_reported_at_once),
		WITH_PEERS(a_failure_is_reported_to_its_sender),
		WITH_PEERS(a_report_to_somebody_elsewhere_goes_out),
		WITH_PEERS(a_queue_cannot_end_a_message_that_is_no_report),
		WITH_PEERS(each_hears_what_he_asked_for),
		WITH_PEERS(a_report_that_fails_is_not_reported),
		WITH_PEERS(a_delay_is_told_once),
		WITH_PEERS(what_is_too_old_comes_back),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
