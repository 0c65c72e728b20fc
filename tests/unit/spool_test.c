/*
 * The spool as a whole, before a false queue and a false relay: what is taken
 * goes out, is tried again, and is still there after a restart.
 */
#include "common/log.h"
#include "smtpd/spool_allowance.h"
#include "tests/unit/spool_peers.h"

#include <errno.h>

static void
what_is_taken_goes_out_and_is_gone(void **state)
{
	peers_put(1, &simple);
	assert_int_equal(peers.kept_status, STATUS_OK);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	assert_string_equal(peers.jobs[0].domain, "other.test");
	assert_string_equal(peers.jobs[0].host, "");
	assert_string_equal(peers.jobs[0].recipients, "x@other.test ");
	assert_string_equal(
	    peers.jobs[0].body, "Subject: Hello\r\n\r\nThe body\r\n");
	peers_answer(&peers.jobs[0], 0, RELAY_DELIVERED, 250);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
	assert_int_equal(peers.reports, 0);
	/* The queue asks again: it was taken, and is not sent twice. */
	peers_put(1, &simple);
	assert_int_equal(peers.kept_status, STATUS_OK);
	assert_true(is_empty());
}

static void
mail_goes_by_the_way_that_was_set_for_its_domain(void **state)
{
	strcpy(settings->relay.host, "smart.test");
	strcpy(settings->transports[0].domain, "other.test");
	strcpy(settings->transports[0].host, "own.test");
	settings->transport_count = 1;
	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	assert_string_equal(peers.jobs[0].host, "own.test");
}

static void
what_was_kept_is_there_after_a_restart(void **state)
{
	peers_put(1, &simple);
	peers_put(2, &simple);
	peers_stop();
	peers_start();
	peers_connect_relay();
	peers_wait_for_jobs(2);
	peers_end_job(&peers.jobs[0], RELAY_MESSAGE_TROUBLE);
	peers_answer(&peers.jobs[1], 0, RELAY_DELIVERED, 250);
	peers_end_job(&peers.jobs[1], RELAY_NO_TROUBLE);
	wait_for(is_at_rest);
	peers_stop();
	peers_start();
	assert_int_equal(schedule_count(spool->schedule), 1);
	/* It was tried, and waits. */
	assert_true(
	    schedule_wake(spool->schedule, true) > spool_now() + 200 * 1000);
}

/* The sender's wish is less than the administrator's. */
static void
a_sender_may_do_without_what_policies_demand(void **state)
{
	static const struct mail lax = { .sender = "bob@demo.test",
		.recipients = { "x@other.test", "y@strict.test" },
		.flags = TRANSACTION_TLS_OPTIONAL,
		.priority = -4 };

	strcpy(settings->transports[0].domain, "strict.test");
	settings->transports[0].tls = RELAY_TLS_VERIFY;
	settings->transport_count = 1;
	peers_put(1, &lax);
	peers_put(2, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(3);
	for (int i = 0; i < 3; i++) {
		bool is_strict =
		    strcmp(peers.jobs[i].domain, "strict.test") == 0;
		bool is_lax = peers.jobs[i].priority != 0;

		assert_int_equal(peers.jobs[i].tls, is_strict ? RELAY_TLS_VERIFY
						    : is_lax
							? RELAY_TLS_MAY
							: RELAY_TLS_DEFAULT);
		assert_int_equal(
		    (int8_t)peers.jobs[i].priority, is_lax ? -4 : 0);
	}
}

static void
recipients_of_a_domain_go_together_and_end_one_by_one(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@third.test", "c@Other.test",
		    "d@other.test" } };

	peers_put(1, &mail);
	peers_connect_relay();
	peers_wait_for_jobs(2);
	const struct job *job = strcmp(peers.jobs[0].domain, "other.test") == 0
				    ? &peers.jobs[0]
				    : &peers.jobs[1];
	assert_string_equal(
	    job->recipients, "a@other.test c@Other.test d@other.test ");
	peers_answer(job, 0, RELAY_DELIVERED, 250);
	peers_answer(job, 1, RELAY_DEFERRED, 450);
	peers_answer(job, 2, RELAY_FAILED, 550);
	peers_answer(job, 2, RELAY_DELIVERED, 250); /* is not heard */
	peers_answer(job, 3, RELAY_DELIVERED, 250); /* there is none */
	peers_end_job(job, RELAY_NO_TROUBLE);
	peers.wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(peers.report, "<d@other.test>"));
	assert_null(strstr(peers.report, "c@Other.test"));
	/* The one that waits is tried alone. */
	for (uint16_t i = 0; i < 2; i++)
		schedule_flush(spool->schedule, 1, i, spool_now());
	peers_wait_for_jobs(3);
	assert_string_equal(peers.jobs[2].recipients, "c@Other.test ");
}

static void
a_relay_that_dies_gives_back_what_it_had(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@other.test" } };

	peers_put(1, &mail);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_answer(&peers.jobs[0], 0, RELAY_DELIVERED, 250);
	/* It was heard before the channel closes: messages keep their order. */
	channel_free(&peers.relay);
	wait_for(is_at_rest);
	peers_connect_relay();
	peers_wait_for_jobs(2);
	assert_string_equal(peers.jobs[1].recipients, "b@other.test ");
}

static void
nothing_is_answered_when_the_disk_fails(void **state)
{
	struct message message = { .type = MESSAGE_spool_put };
	const struct outgoing_record record = { 0, TEXT(""),
		TEXT("x@other.test"), OUTGOING_SEND };
	uint8_t records[100];
	struct writer writer;

	writer_init(&writer, records, sizeof(records));
	record_put_outgoing(&writer, &record);
	message.spool_put.recipients = text_make(records, writer.size);
	spool_env_set_fault(EIO);
	channel_send(peers.queue, &message, NULL, 0);
	event_loop_run(loop);
	assert_true(peers.is_failed);
	assert_int_equal(peers.kept, 0);
}

/* What must be said in the end waits until there is room. */
static void
on_a_full_disk_mail_is_refused_and_what_went_is_not_forgotten(void **state)
{
	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	spool_env_set_fault(ENOSPC);
	peers_answer(&peers.jobs[0], 0, RELAY_DELIVERED, 250);
	peers_end_job(&peers.jobs[0], RELAY_NO_TROUBLE);
	peers_put(2, &simple);
	assert_int_equal(peers.kept_status, STATUS_FULL);
	assert_int_equal(schedule_count(spool->schedule), 1);
	spool_env_set_fault(0);
	wait_for(is_empty);
	assert_int_equal(peers.job_count, 1);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
}

static void
a_busy_relay_is_asked_again_without_a_try_being_counted(void **state)
{
	struct spool_parcel parcel;
	struct error error;

	peers_put(1, &simple);
	peers_connect_relay();
	peers_wait_for_jobs(1);
	peers_end_job(&peers.jobs[0], RELAY_BUSY);
	peers_wait_for_jobs(2);
	assert_int_equal(
	    spool_store_parcel(spool->store, 1, 0, &parcel, &error), 1);
	assert_int_equal(parcel.tries, 0);
}

/* Counted on disk, with the mail: a restart forgets nothing. */
static void
an_account_sends_so_much_a_day_and_no_more(void **state)
{
	struct account_table *limited = account_table_new();
	static const struct mail two = { .sender = "bob@demo.test",
		.recipients = { "x@other.test", "y@other.test" } };

	account_table_add(limited, &(struct account){ .number = 1,
				       .address = "bob@demo.test",
				       .hash = "",
				       .send_per_day = 3 });
	spool_configure(spool, settings, limited);
	account_table_free(&peers.accounts);
	peers.accounts = limited;
	peers_put(1, &two);
	assert_int_equal(peers.kept_status, STATUS_OK);
	assert_int_equal(peers.kept_sent, 2);
	peers_put(2, &two);
	assert_int_equal(peers.kept_status, STATUS_LIMIT);
	assert_int_equal(peers.kept_sent, 2);
	peers_stop();
	peers_start();
	peers_put(3, &simple);
	assert_int_equal(peers.kept_status, STATUS_OK);
	assert_int_equal(peers.told_sent, 1);
	peers_put(4, &simple);
	assert_int_equal(peers.kept_status, STATUS_LIMIT);
	/* A message that was taken is answered so again. */
	peers_put(1, &two);
	assert_int_equal(peers.kept_status, STATUS_OK);
	assert_int_equal(peers.kept_sent, 3);
	assert_int_equal(schedule_count(spool->schedule), 2);
}

static void
what_was_sent_counts_for_24_hours(void **state)
{
	struct spool_allowance allowance = { .hour = 0 }, back;
	uint8_t value[ALLOWANCE_VALUE_SIZE];
	int64_t hour = 3600, now = 1000000 * hour;

	spool_allowance_add(&allowance, now, 5);
	spool_allowance_add(&allowance, now + 23 * hour, 2);
	assert_int_equal(spool_allowance_used(&allowance, now), 7);
	assert_int_equal(spool_allowance_used(&allowance, now + 23 * hour), 7);
	assert_int_equal(spool_allowance_used(&allowance, now + 24 * hour), 2);
	assert_int_equal(spool_allowance_used(&allowance, now + 47 * hour), 0);
	assert_int_equal(
	    spool_allowance_used(&allowance, now + 4700 * hour), 0);
	assert_int_equal(spool_allowance_put(value, &allowance), sizeof(value));
	assert_int_equal(
	    spool_allowance_get(text_make(value, sizeof(value)), &back), 0);
	assert_memory_equal(&back, &allowance, sizeof(back));
	assert_int_equal(
	    spool_allowance_get(text_make(value, sizeof(value) - 1), &back),
	    -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PEERS(what_is_taken_goes_out_and_is_gone),
		WITH_PEERS(mail_goes_by_the_way_that_was_set_for_its_domain),
		WITH_PEERS(what_was_kept_is_there_after_a_restart),
		WITH_PEERS(a_sender_may_do_without_what_policies_demand),
		WITH_PEERS(
		    recipients_of_a_domain_go_together_and_end_one_by_one),
		WITH_PEERS(a_relay_that_dies_gives_back_what_it_had),
		WITH_PEERS(nothing_is_answered_when_the_disk_fails),
		WITH_PEERS(
		    on_a_full_disk_mail_is_refused_and_what_went_is_not_forgotten),
		WITH_PEERS(an_account_sends_so_much_a_day_and_no_more),
		cmocka_unit_test(what_was_sent_counts_for_24_hours),
		WITH_PEERS(
		    a_busy_relay_is_asked_again_without_a_try_being_counted),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
