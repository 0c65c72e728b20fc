/*
 * The spool as a whole, before a false queue and a false relay: what is taken
 * goes out, is tried again, comes back, and is still there after a restart.
 * Times are made by mail that is said to be old.
 */
#include "common/clock.h"
#include "common/dsn.h"
#include "common/file.h"
#include "common/log.h"
#include "common/queue_record.h"
#include "common/record.h"
#include "common/relay_route.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_allowance.h"
#include "smtpd/spool_env.h"
#include "tests/unit/spool_stand.h"

#include <errno.h>
#include <string.h>

enum {
	MAX_JOBS = 32
};

struct job {
	uint64_t number;
	uint8_t priority;
	enum relay_tls tls;
	char domain[256];
	char host[256];
	char recipients[1000]; /* addresses, each with a blank behind it */
	char body[4096];
	size_t count;
};

static struct account_table *accounts;
static struct channel *queue, *relay;
static unsigned int kept;
static enum status kept_status;
static unsigned int kept_sent;
static size_t told_sent;
static unsigned int told_number; /* of the only account */
static unsigned int offers;
static struct message_spool_undecided offered;
static struct job jobs[MAX_JOBS];
static size_t job_count;
static uint64_t cancelled;
static unsigned int reports;
static uint64_t report_tag;
static struct delivery_id report_delivery;
static unsigned int report_flags;
static char report[65536], report_recipient[512];
static bool is_failed;

/* -- Waiting -- */

static unsigned int wanted;

static bool
is_kept(void)
{
	return kept >= wanted;
}

static bool
has_jobs(void)
{
	return job_count >= wanted;
}

static bool
has_reports(void)
{
	return reports >= wanted;
}

static bool
is_empty(void)
{
	return schedule_count(spool->schedule) == 0;
}

static bool
is_at_rest(void)
{
	return schedule_running(spool->schedule) == 0;
}

static void
wait_for_jobs(unsigned int count)
{
	wanted = count;
	wait_for(has_jobs);
}

/* -- The others -- */

static void
read_fd(int fd, char *to, size_t to_size)
{
	struct error error;
	struct buf bytes;

	buf_init(&bytes, to_size - 1);
	assert_int_equal(file_read_all(fd, &bytes, &error), 0);
	memcpy(to, bytes.data, bytes.size);
	to[bytes.size] = '\0';
	buf_clear(&bytes);
}

static void
queue_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	if (message->type == MESSAGE_spool_kept) {
		kept++;
		kept_status = (enum status)message->spool_kept.status;
		kept_sent = message->spool_kept.sent;
	} else if (message->type == MESSAGE_spool_undecided) {
		offers++;
		offered = message->spool_undecided;
	} else if (message->type == MESSAGE_spool_sent) {
		told_sent = message->spool_sent.accounts.size / 8;
		told_number =
		    message->spool_sent.accounts.size == 8
			? (uint8_t)message->spool_sent.accounts.data[4]
			: 0;
	} else if (message->type == MESSAGE_spool_report) {
		reports++;
		report_tag = message->spool_report.tag;
		report_delivery = message->spool_report.delivery;
		report_flags = message->spool_report.flags;
		text_copy(message->spool_report.recipient, report_recipient,
		    sizeof(report_recipient));
		read_fd(fds[0], report, sizeof(report));
	}
}

static void
relay_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_relay_job *said = &message->relay_job;
	struct outgoing_record record;
	struct relay_route route;
	struct reader reader;
	struct job *job;

	if (message->type == MESSAGE_relay_cancel) {
		cancelled = message->relay_cancel.job;
		return;
	}
	assert_int_equal(message->type, MESSAGE_relay_job);
	job = &jobs[job_count++ % MAX_JOBS];
	memset(job, 0, sizeof(*job));
	job->number = said->job;
	job->priority = said->priority;
	text_copy(said->domain, job->domain, sizeof(job->domain));
	reader_init(&reader, said->route.data, said->route.size);
	assert_int_equal(relay_route_get(&reader, &route), 0);
	text_copy(route.host, job->host, sizeof(job->host));
	job->tls = route.tls;
	reader_init(&reader, said->recipients.data, said->recipients.size);
	while (record_get_outgoing(&reader, &record) == 1) {
		strncat(
		    job->recipients, record.address.data, record.address.size);
		strcat(job->recipients, " ");
		job->count++;
	}
	read_fd(fds[0], job->body, sizeof(job->body));
}

static void
connect_relay(void)
{
	static const struct channel_handler handler = { relay_hears, gone };

	relay = connect_to(ROLE_RELAY, &handler);
}

static void
connect_queue(void)
{
	static const struct channel_handler handler = { queue_hears, gone };

	queue = connect_to(ROLE_QUEUE, &handler);
}

static void
failed(void *context)
{
	is_failed = true;
	event_loop_stop(loop);
}

static void
start(void)
{
	open_spool(accounts, failed);
	connect_queue();
}

static void
stop(void)
{
	channel_free(&queue);
	channel_free(&relay);
	close_spool();
}

static int
set_up(void **state)
{
	make_folder();
	accounts = account_table_new();
	account_table_add(accounts,
	    &(struct account){
		.number = 1, .address = "bob@demo.test", .hash = "" });
	kept = reports = offers = 0;
	job_count = 0;
	cancelled = 0;
	is_failed = false;
	start();
	return 0;
}

static int
tear_down(void **state)
{
	spool_env_set_fault(0);
	stop();
	account_table_free(&accounts);
	remove_folder();
	return 0;
}

struct mail {
	const char *sender;
	const char *recipients[4];
	uint8_t notify;
	int64_t age_s;
	uint16_t flags;
	uint32_t decider;
	enum outgoing_fate fate;
	int8_t priority;
};

static struct delivery_id
delivery_of(unsigned int number)
{
	return (struct delivery_id){ { (uint8_t)number } };
}

static void
put_as(unsigned int number, const struct mail *mail,
    const struct delivery_id *delivery)
{
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *said = &message.spool_put;
	uint8_t records[4000];
	struct writer writer;

	writer_init(&writer, records, sizeof(records));
	for (int i = 0; i < 4 && mail->recipients[i] != NULL; i++) {
		const struct outgoing_record record = { mail->notify,
			TEXT("rfc822;first+2Blast@old.test"),
			text_of(mail->recipients[i]), mail->fate };
		record_put_outgoing(&writer, &record);
	}
	said->tag = number;
	said->delivery = *delivery;
	said->time = clock_wall_us() / 1000000 - mail->age_s;
	said->account = 1;
	said->flags = mail->flags;
	said->decider = mail->decider;
	said->priority = (uint8_t)mail->priority;
	said->sender = text_of(mail->sender);
	said->envelope_id = TEXT("env+2B1");
	said->recipients = text_make(records, writer.size);
	said->data = TEXT("Subject: Hello\r\n\r\nThe body\r\n");
	said->size = said->data.size;
	assert_int_equal(channel_send(queue, &message, NULL, 0), 0);
	wanted = kept + 1;
	wait_for(is_kept);
}

static void
put(unsigned int number, const struct mail *mail)
{
	const struct delivery_id delivery = delivery_of(number);

	put_as(number, mail, &delivery);
}

static void
answer(const struct job *job, uint16_t recipient, enum relay_outcome outcome,
    unsigned int code)
{
	struct message message = { .type = MESSAGE_relay_recipient };
	struct message_relay_recipient *said = &message.relay_recipient;

	said->job = job->number;
	said->recipient = recipient;
	said->outcome = (uint8_t)outcome;
	said->code = (uint16_t)code;
	said->enhanced = code >= 500 ? TEXT("5.1.1") : TEXT("4.2.0");
	said->text = TEXT("the host's words");
	said->host = TEXT("mx.other.test");
	assert_int_equal(channel_send(relay, &message, NULL, 0), 0);
}

static void
end_job(const struct job *job, enum relay_trouble trouble)
{
	struct message message = { .type = MESSAGE_relay_done };

	message.relay_done.job = job->number;
	message.relay_done.trouble = (uint8_t)trouble;
	message.relay_done.text =
	    trouble == RELAY_NO_TROUBLE ? TEXT("") : TEXT("nobody there");
	assert_int_equal(channel_send(relay, &message, NULL, 0), 0);
}

static void
route_report(enum status status)
{
	struct message message = { .type = MESSAGE_report_routed };

	message.report_routed.tag = report_tag;
	message.report_routed.status = (uint8_t)status;
	assert_int_equal(channel_send(queue, &message, NULL, 0), 0);
}

static const struct mail simple = { .sender = "bob@demo.test",
	.recipients = { "x@other.test" } };

static void
what_is_taken_goes_out_and_is_gone(void **state)
{
	put(1, &simple);
	assert_int_equal(kept_status, STATUS_OK);
	connect_relay();
	wait_for_jobs(1);
	assert_string_equal(jobs[0].domain, "other.test");
	assert_string_equal(jobs[0].host, "");
	assert_string_equal(jobs[0].recipients, "x@other.test ");
	assert_string_equal(jobs[0].body, "Subject: Hello\r\n\r\nThe body\r\n");
	answer(&jobs[0], 0, RELAY_DELIVERED, 250);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
	assert_int_equal(reports, 0);
	/* The queue asks again: it was taken, and is not sent twice. */
	put(1, &simple);
	assert_int_equal(kept_status, STATUS_OK);
	assert_true(is_empty());
}

static void
mail_goes_by_the_way_that_was_set_for_its_domain(void **state)
{
	strcpy(settings->relay.host, "smart.test");
	strcpy(settings->transports[0].domain, "other.test");
	strcpy(settings->transports[0].host, "own.test");
	settings->transport_count = 1;
	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	assert_string_equal(jobs[0].host, "own.test");
}

static void
what_was_kept_is_there_after_a_restart(void **state)
{
	put(1, &simple);
	put(2, &simple);
	stop();
	start();
	connect_relay();
	wait_for_jobs(2);
	end_job(&jobs[0], RELAY_MESSAGE_TROUBLE);
	answer(&jobs[1], 0, RELAY_DELIVERED, 250);
	end_job(&jobs[1], RELAY_NO_TROUBLE);
	wait_for(is_at_rest);
	stop();
	start();
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
	put(1, &lax);
	put(2, &simple);
	connect_relay();
	wait_for_jobs(3);
	for (int i = 0; i < 3; i++) {
		bool is_strict = strcmp(jobs[i].domain, "strict.test") == 0;
		bool is_lax = jobs[i].priority != 0;

		assert_int_equal(jobs[i].tls, is_strict ? RELAY_TLS_VERIFY
					      : is_lax  ? RELAY_TLS_MAY
							: RELAY_TLS_DEFAULT);
		assert_int_equal((int8_t)jobs[i].priority, is_lax ? -4 : 0);
	}
}

/* RFC 8689 section 5. */
static void
a_secret_comes_back_as_one(void **state)
{
	static const struct mail secret = { .sender = "bob@demo.test",
		.recipients = { "x@other.test" },
		.flags = TRANSACTION_REQUIRETLS | TRANSACTION_RETURN_FULL };

	put(1, &secret);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_FAILED, 550);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	assert_int_equal(report_flags, TRANSACTION_REQUIRETLS);
	assert_null(strstr(report, "The body"));
}

/* -- Messages that are undecided -- */

static const struct mail both = { .sender = "bob@demo.test",
	.recipients = { "x@other.test" },
	.decider = 9 };

static bool
is_offered(void)
{
	return offers > 0;
}

static void
decide(unsigned int number, bool is_kept)
{
	struct message message = { .type = MESSAGE_spool_decide };

	message.spool_decide.delivery.bytes[0] = (uint8_t)number;
	message.spool_decide.is_kept = is_kept;
	assert_int_equal(channel_send(queue, &message, NULL, 0), 0);
}

static void
what_is_for_accounts_of_ours_too_goes_when_it_is_decided(void **state)
{
	connect_relay();
	put(1, &both);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(kept_sent, 1);
	put(2, &simple);
	wait_for_jobs(1);
	assert_int_equal(schedule_count(spool->schedule), 1);
	decide(1, true);
	wait_for_jobs(2);
	assert_int_equal(offers, 0);
	/* What is dropped is given back. */
	put(3, &both);
	assert_int_equal(kept_sent, 3);
	told_sent = 0;
	decide(3, false);
	decide(1, false);
	answer(&jobs[0], 0, RELAY_DELIVERED, 250);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	answer(&jobs[1], 0, RELAY_DELIVERED, 250);
	end_job(&jobs[1], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(told_number, 2);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
}

/* The queue dies between the halves, and the spool with it. */
static void
what_nobody_decided_is_offered_to_the_next_queue(void **state)
{
	put(1, &both);
	channel_free(&queue);
	connect_queue();
	wait_for(is_offered);
	assert_int_equal(offered.decider, 9);
	assert_int_equal(offered.delivery.bytes[0], 1);
	offers = 0;
	stop();
	start();
	wait_for(is_offered);
	assert_int_equal(schedule_count(spool->schedule), 0);
	connect_relay();
	decide(1, true);
	wait_for_jobs(1);
	assert_string_equal(jobs[0].recipients, "x@other.test ");
}

/* The queue gave up on it before its body was on disk. */
static void
what_should_have_been_decided_long_ago_is_asked_for(void **state)
{
	static const struct mail late = { .sender = "bob@demo.test",
		.recipients = { "x@other.test" },
		.age_s = 100,
		.decider = 9 };
	struct channel *first = queue;

	put(1, &both);
	put(2, &late);
	assert_int_equal(offers, 0);
	connect_queue();
	wait_for(is_offered);
	assert_int_equal(offers, 1);
	assert_int_equal(offered.delivery.bytes[0], 2);
	channel_free(&first);
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

	put(1, &mail);
	assert_int_equal(kept_sent, 0);
	put(2, &mail);
	decide(1, false);
	decide(2, true);
	wanted = 1;
	wait_for(has_reports);
	assert_string_equal(report_recipient, "bob@demo.test");
	assert_non_null(strstr(report, "\r\nAction: delivered\r\n"));
	assert_non_null(strstr(report, "\r\nStatus: 2.0.0\r\n"));
	assert_non_null(
	    strstr(report, "Original-Recipient: rfc822;first+last@old.test"));
	assert_non_null(strstr(report, "Original-Envelope-Id: env+1"));
	assert_non_null(strstr(report, "Content-Type: text/rfc822-headers"));
	assert_int_equal(schedule_count(spool->schedule), 0);
	route_report(STATUS_OK);
	put(3, &simple);
	assert_int_equal(reports, 1);
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

	put(1, &told);
	wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(report, "\r\nAction: expanded\r\n"));
	/* Whom nobody would be told of, nobody would ever end. */
	put(2, &nobody);
	assert_int_equal(kept_status, STATUS_INVALID);
}

static void
recipients_of_a_domain_go_together_and_end_one_by_one(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@third.test", "c@Other.test",
		    "d@other.test" } };

	put(1, &mail);
	connect_relay();
	wait_for_jobs(2);
	const struct job *job =
	    strcmp(jobs[0].domain, "other.test") == 0 ? &jobs[0] : &jobs[1];
	assert_string_equal(
	    job->recipients, "a@other.test c@Other.test d@other.test ");
	answer(job, 0, RELAY_DELIVERED, 250);
	answer(job, 1, RELAY_DEFERRED, 450);
	answer(job, 2, RELAY_FAILED, 550);
	answer(job, 2, RELAY_DELIVERED, 250); /* is not heard */
	answer(job, 3, RELAY_DELIVERED, 250); /* there is none */
	end_job(job, RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(report, "<d@other.test>"));
	assert_null(strstr(report, "c@Other.test"));
	/* The one that waits is tried alone. */
	for (uint16_t i = 0; i < 2; i++)
		schedule_flush(spool->schedule, 1, i, spool_now());
	wait_for_jobs(3);
	assert_string_equal(jobs[2].recipients, "c@Other.test ");
}

static void
a_relay_that_dies_gives_back_what_it_had(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@other.test" } };

	put(1, &mail);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_DELIVERED, 250);
	/* It was heard before the channel closes: messages keep their order. */
	channel_free(&relay);
	wait_for(is_at_rest);
	connect_relay();
	wait_for_jobs(2);
	assert_string_equal(jobs[1].recipients, "b@other.test ");
}

static void
a_failure_is_reported_to_its_sender(void **state)
{
	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_FAILED, 550);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	assert_true(is_empty());
	assert_string_equal(report_recipient, "bob@demo.test");
	assert_non_null(strstr(report, "\r\nAction: failed\r\n"));
	assert_non_null(strstr(report, "\r\nStatus: 5.1.1\r\n"));
	assert_non_null(strstr(report,
	    "\r\nDiagnostic-Code: smtp;550 5.1.1 the host's words\r\n"));
	assert_non_null(strstr(
	    report, "\r\nOriginal-Recipient: rfc822;first+last@old.test\r\n"));
	assert_non_null(strstr(report, "\r\nOriginal-Envelope-Id: env+1\r\n"));
	assert_non_null(strstr(report, "\r\nThe body\r\n"));
	/* Until the queue has routed it, it is there. */
	route_report(STATUS_UNAVAILABLE);
	stop();
	start();
	wanted = 2;
	wait_for(has_reports);
	route_report(STATUS_OK);
	put(2, &simple); /* behind it, in the same channel */
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

	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_FAILED, 550);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	put_as(2, &back, &report_delivery);
	assert_int_equal(kept_status, STATUS_OK);
	route_report(STATUS_OK);
	wait_for_jobs(2);
	assert_string_equal(jobs[1].recipients, "away@sender.test ");
	/* And only that is what its id names. */
	assert_int_equal(spool_store_find_id(spool->store,
			     report_delivery.bytes, 16, &id, &error),
	    1);
}

static void
a_queue_cannot_end_a_message_that_is_no_report(void **state)
{
	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	put(2, &simple);
	wait_for_jobs(2);
	answer(&jobs[0], 0, RELAY_FAILED, 550);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	report_tag = 2;
	route_report(STATUS_OK);
	put(3, &simple);
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

	connect_relay();
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reports = 0;
		mail.notify = rows[i].notify;
		put(i + 1, &mail);
		wait_for_jobs(i + 1);
		answer(&jobs[i], 0, rows[i].outcome, 550);
		end_job(&jobs[i], RELAY_NO_TROUBLE);
		wait_for(is_empty);
		wanted = rows[i].reports;
		wait_for(has_reports);
		put(100 + i, &mail); /* anything more would be there by now */
		assert_int_equal(reports, rows[i].reports);
		wait_for_jobs(i + 2);
		answer(&jobs[i + 1], 0, RELAY_DELIVERED, 250);
		end_job(&jobs[i + 1], RELAY_NO_TROUBLE);
		wait_for(is_empty);
		jobs[i + 1] = jobs[MAX_JOBS - 1];
		job_count = i + 1;
	}
}

static void
a_report_that_fails_is_not_reported(void **state)
{
	static const struct mail mail = { .sender = "",
		.recipients = { "x@other.test" } };

	put(1, &mail);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_FAILED, 550);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wait_for(is_empty);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_REPORT), 0);
}

static void
a_delay_is_told_once(void **state)
{
	struct mail mail = simple;

	mail.age_s = 5 * 3600;
	put(1, &mail);
	wanted = 1;
	wait_for(has_reports);
	assert_non_null(strstr(report, "\r\nAction: delayed\r\n"));
	assert_non_null(strstr(report, "\r\nWill-Retry-Until: "));
	assert_null(strstr(report, "The body"));
	route_report(STATUS_OK);
	put(2, &simple); /* behind it, in the same channel */
	stop();
	start();
	put(3, &simple);
	assert_int_equal(reports, 1);
	assert_int_equal(schedule_count(spool->schedule), 3);
}

static void
what_is_too_old_comes_back(void **state)
{
	struct mail mail = simple;

	mail.age_s = 6 * 86400;
	put(1, &mail);
	wanted = 1;
	wait_for(has_reports);
	assert_true(is_empty());
	assert_non_null(strstr(report, "\r\nAction: failed\r\n"));
	assert_non_null(strstr(report, "\r\nStatus: 5.4.7\r\n"));
	assert_non_null(strstr(report, "too old"));
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
	channel_send(queue, &message, NULL, 0);
	event_loop_run(loop);
	assert_true(is_failed);
	assert_int_equal(kept, 0);
}

/* What must be said in the end waits until there is room. */
static void
on_a_full_disk_mail_is_refused_and_what_went_is_not_forgotten(void **state)
{
	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	spool_env_set_fault(ENOSPC);
	answer(&jobs[0], 0, RELAY_DELIVERED, 250);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	put(2, &simple);
	assert_int_equal(kept_status, STATUS_FULL);
	assert_int_equal(schedule_count(spool->schedule), 1);
	spool_env_set_fault(0);
	wait_for(is_empty);
	assert_int_equal(job_count, 1);
	assert_int_equal(
	    spool_env_count(spool_store_env(spool->store), SPOOL_MESSAGE), 0);
}

static void
a_busy_relay_is_asked_again_without_a_try_being_counted(void **state)
{
	struct spool_parcel parcel;
	struct error error;

	put(1, &simple);
	connect_relay();
	wait_for_jobs(1);
	end_job(&jobs[0], RELAY_BUSY);
	wait_for_jobs(2);
	assert_int_equal(
	    spool_store_parcel(spool->store, 1, 0, &parcel, &error), 1);
	assert_int_equal(parcel.tries, 0);
}

/* -- The administrator, on the control socket -- */

enum {
	MANY_PARCELS = 1200 /* of one message: more than two pages */
};

static struct message page;
static bool is_answered;
static bool is_seen[MANY_PARCELS];
static unsigned int seen;

static void
note_page(const struct message_queue_page *answer)
{
	struct queue_parcel_record record;
	struct reader reader;
	int found;

	reader_init(&reader, answer->rows.data, answer->rows.size);
	while ((found = queue_get_parcel(&reader, &record)) == 1) {
		assert_true(record.parcel < MANY_PARCELS);
		assert_false(is_seen[record.parcel]);
		assert_true(text_is(record.sender, "bob@demo.test"));
		assert_int_equal(record.recipients, 1);
		is_seen[record.parcel] = true;
		seen++;
	}
	assert_int_equal(found, 0);
}

static void
admin_hears(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	page = *message;
	if (message->type == MESSAGE_queue_page)
		note_page(&message->queue_page);
	is_answered = true;
}

static bool
has_answer(void)
{
	return is_answered;
}

static void
ask(struct channel *admin, const struct message *request)
{
	is_answered = false;
	assert_int_equal(channel_send(admin, request, NULL, 0), 0);
	wait_for(has_answer);
}

static struct channel *
connect_admin(void)
{
	static const struct channel_handler handler = { admin_hears, gone };

	return connect_to(ROLE_FIRNMAIL, &handler);
}

static bool
is_cancelled(void)
{
	return cancelled != 0;
}

/* One of two recipients was taken before. */
static void
what_is_under_way_is_returned_when_the_administrator_says_so(void **state)
{
	static const struct mail mail = { .sender = "bob@demo.test",
		.recipients = { "a@other.test", "b@other.test" } };
	struct message request = { .type = MESSAGE_queue_change };
	struct channel *admin = connect_admin();

	put(1, &mail);
	connect_relay();
	wait_for_jobs(1);
	answer(&jobs[0], 0, RELAY_DELIVERED, 250);
	request.queue_change.action = QUEUE_BOUNCE;
	request.queue_change.selector = QUEUE_ALL;
	ask(admin, &request);
	assert_int_equal(page.queue_changed.busy, 1);
	wait_for(is_cancelled);
	assert_int_equal(cancelled, jobs[0].number);
	answer(&jobs[0], 1, RELAY_DEFERRED, 0);
	end_job(&jobs[0], RELAY_NO_TROUBLE);
	wanted = 1;
	wait_for(has_reports);
	wait_for(is_empty);
	assert_non_null(strstr(report, "<b@other.test>"));
	assert_null(strstr(report, "<a@other.test>"));
	assert_non_null(strstr(report, "The administrator returned it."));
	channel_free(&admin);
}

static unsigned int
list_pages(struct channel *admin, enum queue_selector selector)
{
	struct message request = { .type = MESSAGE_queue_list };
	unsigned int pages = 0;

	memset(is_seen, 0, sizeof(is_seen));
	seen = 0;
	request.queue_list.selector = (uint8_t)selector;
	do {
		ask(admin, &request);
		assert_int_equal(page.queue_page.status, STATUS_OK);
		request.queue_list.message = page.queue_page.message;
		request.queue_list.parcel = page.queue_page.parcel;
		pages++;
	} while (!page.queue_page.is_last);
	return pages;
}

static unsigned int
change_pages(struct channel *admin, enum queue_action action)
{
	struct message request = { .type = MESSAGE_queue_change };
	unsigned int changed = 0;

	request.queue_change.action = (uint8_t)action;
	do {
		ask(admin, &request);
		assert_int_equal(page.queue_changed.status, STATUS_OK);
		changed += page.queue_changed.changed;
		request.queue_change.message = page.queue_changed.message;
		request.queue_change.parcel = page.queue_changed.parcel;
	} while (!page.queue_changed.is_last);
	return changed;
}

static void
put_many(void)
{
	struct message message = { .type = MESSAGE_spool_put };
	struct message_spool_put *said = &message.spool_put;
	struct outgoing_record record = { .original = TEXT("") };
	static uint8_t records[40000];
	struct writer writer;
	char address[32];

	writer_init(&writer, records, sizeof(records));
	for (int i = 0; i < MANY_PARCELS; i++) {
		snprintf(address, sizeof(address), "x@d%04d.test", i);
		record.address = text_of(address);
		record_put_outgoing(&writer, &record);
	}
	assert_false(writer.failed);
	said->sender = TEXT("bob@demo.test");
	said->time = clock_wall_us() / 1000000;
	said->recipients = text_make(records, writer.size);
	assert_int_equal(channel_send(queue, &message, NULL, 0), 0);
	wanted = kept + 1;
	wait_for(is_kept);
}

static void
a_long_queue_is_shown_and_changed_page_by_page(void **state)
{
	struct channel *admin = connect_admin();

	put_many();
	assert_int_equal(list_pages(admin, QUEUE_ALL), 3);
	assert_int_equal(seen, MANY_PARCELS);
	assert_int_equal(change_pages(admin, QUEUE_HOLD), MANY_PARCELS);
	assert_int_equal(change_pages(admin, QUEUE_HOLD), 0);
	list_pages(admin, QUEUE_HELD);
	assert_int_equal(seen, MANY_PARCELS);
	connect_relay();
	assert_int_equal(change_pages(admin, QUEUE_RELEASE), MANY_PARCELS);
	wait_for_jobs(SCHEDULE_MAX_RUNNING);
	list_pages(admin, QUEUE_HELD);
	assert_int_equal(seen, 0);
	channel_free(&admin);
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
	account_table_free(&accounts);
	accounts = limited;
	put(1, &two);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(kept_sent, 2);
	put(2, &two);
	assert_int_equal(kept_status, STATUS_LIMIT);
	assert_int_equal(kept_sent, 2);
	stop();
	start();
	put(3, &simple);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(told_sent, 1);
	put(4, &simple);
	assert_int_equal(kept_status, STATUS_LIMIT);
	/* A message that was taken is answered so again. */
	put(1, &two);
	assert_int_equal(kept_status, STATUS_OK);
	assert_int_equal(kept_sent, 3);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_taken_goes_out_and_is_gone),
		TEST(mail_goes_by_the_way_that_was_set_for_its_domain),
		TEST(what_was_kept_is_there_after_a_restart),
		TEST(a_sender_may_do_without_what_policies_demand),
		TEST(a_secret_comes_back_as_one),
		TEST(what_is_for_accounts_of_ours_too_goes_when_it_is_decided),
		TEST(what_nobody_decided_is_offered_to_the_next_queue),
		TEST(what_should_have_been_decided_long_ago_is_asked_for),
		TEST(success_here_is_reported_when_it_is_decided),
		TEST(an_expanded_alias_is_reported_at_once),
		TEST(recipients_of_a_domain_go_together_and_end_one_by_one),
		TEST(a_relay_that_dies_gives_back_what_it_had),
		TEST(a_failure_is_reported_to_its_sender),
		TEST(a_report_to_somebody_elsewhere_goes_out),
		TEST(a_queue_cannot_end_a_message_that_is_no_report),
		TEST(each_hears_what_he_asked_for),
		TEST(a_report_that_fails_is_not_reported),
		TEST(a_delay_is_told_once),
		TEST(what_is_too_old_comes_back),
		TEST(nothing_is_answered_when_the_disk_fails),
		TEST(
		    on_a_full_disk_mail_is_refused_and_what_went_is_not_forgotten),
		TEST(a_long_queue_is_shown_and_changed_page_by_page),
		TEST(an_account_sends_so_much_a_day_and_no_more),
		cmocka_unit_test(what_was_sent_counts_for_24_hours),
		TEST(a_busy_relay_is_asked_again_without_a_try_being_counted),
		TEST(
		    what_is_under_way_is_returned_when_the_administrator_says_so),
	};

	log_set_level(LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
