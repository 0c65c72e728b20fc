/*
 * Jobs of the relay.  See spool_jobs.h.
 */
#include "smtpd/spool_jobs.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/pool.h"
#include "common/record.h"
#include "common/relay_route.h"
#include "common/smtp_verdict.h"
#include "common/table.h"
#include "smtpd/spool_policies.h"
#include "smtpd/spool_reports.h"
#include "smtpd/transport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ROUTE_SIZE = 2000,   /* as in the row `relay_job` */
	GIVE_UP_AT_ONCE = 16 /* duties of a turn */
};

struct spool_jobs {
	struct spool *spool;
	struct table *table; /* by number, until they are settled */
	uint64_t next_number;
};

struct job {
	struct spool_change change;
	struct spool_jobs *jobs;
	struct pool *pool; /* words of hosts */
	uint64_t number;   /* 0: it never went to the relay */
	uint64_t queue;    /* it went to that queue, being for us; else 0 */
	struct spool_settlement settlement;
	enum schedule_result result; /* if something still waits */
	bool is_cancelled;           /* what still waits is returned */
	uint16_t count;              /* of recipients that are carried */
	uint16_t recipients[SPOOL_PARCEL_RECIPIENTS];
	bool is_said[SPOOL_PARCEL_RECIPIENTS];
	struct spool_outcome *outcomes; /* settlement.count of them */
};

static struct job *
job_new(struct spool_jobs *jobs, uint64_t message, uint16_t parcel)
{
	struct job *job = memory_new(1, sizeof(*job));

	job->jobs = jobs;
	job->pool = pool_new();
	job->settlement.message = message;
	job->settlement.parcel = parcel;
	return job;
}

static void
job_free(struct job *job)
{
	pool_free(&job->pool);
	free(job->outcomes);
	free(job);
}

static void
tell_schedule(const struct job *job, enum schedule_result result)
{
	schedule_done(job->jobs->spool->schedule, job->settlement.message,
	    job->settlement.parcel, result, spool_now());
}

/* -- The end of a job -- */

static int
apply(struct spool_change *change, struct error *error)
{
	struct job *job = (struct job *)change;

	return spool_settle(job->jobs->spool->store, &job->settlement, error);
}

static void
log_end(const struct job *job)
{
	const struct spool_settlement *settlement = &job->settlement;
	char id[33];

	text_format_hex(settlement->delivery.bytes, 16, id);
	log_info(settlement->is_over ? "parcel-over" : "parcel-waits",
	    "qid=%s parcel=%u host=%.*s why=\"%.*s\"", id,
	    (unsigned int)settlement->parcel, TEXT_FMT(settlement->words.host),
	    TEXT_FMT(settlement->words.text));
}

static void
done(struct spool_change *change, enum status status)
{
	struct job *job = (struct job *)change;
	struct spool *spool = job->jobs->spool;
	const struct spool_settlement *settlement = &job->settlement;

	if (status == STATUS_OK) {
		log_end(job);
		for (size_t i = 0; i < settlement->report_count; i++)
			spool_reports_send(
			    spool->reports, settlement->reports[i]);
	}
	if (job->number == 0 && settlement->is_over)
		schedule_remove(
		    spool->schedule, settlement->message, settlement->parcel);
	else if (job->number != 0)
		tell_schedule(
		    job, settlement->is_over ? SCHEDULE_OVER : job->result);
	job_free(job);
}

/* Puts it on disk at the end of the turn. */
static void
settle(struct job *job)
{
	struct spool *spool = job->jobs->spool;
	struct spool_settlement *settlement = &job->settlement;

	settlement->now = spool_now() / 1000;
	settlement->outcomes = job->outcomes;
	settlement->host = spool->options.settings->host;
	settlement->expire_s = spool->options.settings->queue_expire_s;
	job->change.apply = apply;
	job->change.done = done;
	job->change.is_must = true;
	if (job->number != 0)
		table_remove_u64(job->jobs->table, job->number);
	spool_round_add(spool->round, &job->change);
}

void
spool_jobs_settle(struct spool_jobs *jobs, uint64_t message, uint16_t parcel,
    enum spool_cause cause)
{
	struct job *job = job_new(jobs, message, parcel);

	job->settlement.cause = cause;
	settle(job);
}

void
spool_jobs_give_up(struct spool_jobs *jobs)
{
	struct spool *spool = jobs->spool;
	enum schedule_duty duty;
	uint64_t message;
	uint16_t parcel;

	for (int i = 0; i < GIVE_UP_AT_ONCE; i++) {
		duty = schedule_duty(
		    spool->schedule, spool_now(), &message, &parcel);
		if (duty == SCHEDULE_NONE)
			return;
		spool_jobs_settle(jobs, message, parcel,
		    duty == SCHEDULE_NOTICE ? SPOOL_LATE : SPOOL_EXPIRED);
	}
}

/* -- What the relay says -- */

static struct text
keep(struct job *job, struct text text)
{
	return text_make(pool_text(job->pool, text.data, text.size), text.size);
}

static enum spool_state
state_of(unsigned int outcome)
{
	switch (outcome) {
	case RELAY_DELIVERED:
		return SPOOL_DELIVERED;
	case RELAY_PASSED_ON:
		return SPOOL_PASSED_ON;
	case RELAY_FAILED:
		return SPOOL_FAILED;
	default:
		return SPOOL_WAITING;
	}
}

static void
hear_recipient(struct job *job, const struct message_relay_recipient *said)
{
	struct spool_settlement *settlement = &job->settlement;
	struct spool_outcome *outcome;

	/* Once for each: the second word is not his to say. */
	if (said->recipient >= job->count || job->is_said[said->recipient])
		return;
	/* That it was cancelled is no word of the host's. */
	if (job->is_cancelled && said->outcome == RELAY_DEFERRED &&
	    said->code == 0)
		return;
	job->is_said[said->recipient] = true;
	outcome = &job->outcomes[settlement->count++];
	outcome->recipient = job->recipients[said->recipient];
	outcome->state = state_of(said->outcome);
	outcome->words.code = said->code;
	outcome->words.enhanced = keep(job, said->enhanced);
	outcome->words.text = keep(job, said->text);
	outcome->words.host = keep(job, said->host);
}

/* Of the relay's troubles; a try that ended counts. */
static void
hear_done(struct job *job, const struct message_relay_done *said)
{
	struct spool_settlement *settlement = &job->settlement;
	struct schedule *schedule = job->jobs->spool->schedule;
	struct spool_parcel parcel;
	struct error error;
	unsigned int tries = 1;

	settlement->words.text = keep(job, said->text);
	settlement->words.host = keep(job, said->host);
	if (job->is_cancelled) {
		settlement->cause = SPOOL_BOUNCED;
		settlement->words.text = text_of("");
		job->result = SCHEDULE_RETURNED;
		settle(job);
		return;
	}
	if (said->trouble == RELAY_BUSY) {
		job->result = SCHEDULE_REFUSED;
		if (settlement->count > 0) {
			settle(job);
			return;
		}
		table_remove_u64(job->jobs->table, job->number);
		tell_schedule(job, SCHEDULE_REFUSED);
		job_free(job);
		return;
	}
	job->result = said->trouble == RELAY_DESTINATION_TROUBLE
			  ? SCHEDULE_TROUBLE
			  : SCHEDULE_AGAIN;
	if (spool_store_parcel(job->jobs->spool->store, settlement->message,
		settlement->parcel, &parcel, &error) == 1)
		tries = parcel.tries + 1;
	settlement->is_try = true;
	settlement->next = schedule_next_try(schedule, settlement->message,
			       settlement->parcel, tries, spool_now()) /
			   1000;
	settle(job);
}

void
spool_jobs_hear(struct spool_jobs *jobs, const struct message *message)
{
	uint64_t number = message->type == MESSAGE_relay_done
			      ? message->relay_done.job
			      : message->relay_recipient.job;
	struct job *job = table_find_u64(jobs->table, number);

	if (job == NULL)
		return;
	if (message->type == MESSAGE_relay_recipient)
		hear_recipient(job, &message->relay_recipient);
	else if (message->type == MESSAGE_relay_done)
		hear_done(job, &message->relay_done);
}

void
spool_jobs_cancel(struct spool_jobs *jobs, uint64_t message, uint16_t parcel)
{
	struct message packet = { .type = MESSAGE_relay_cancel };
	size_t position = 0;
	void *value;

	while (table_next(jobs->table, &position, NULL, NULL, &value)) {
		struct job *job = value;

		if (job->settlement.message != message ||
		    job->settlement.parcel != parcel)
			continue;
		job->is_cancelled = true;
		packet.relay_cancel.job = job->number;
		if (jobs->spool->relay != NULL)
			(void)channel_send(
			    jobs->spool->relay, &packet, NULL, 0);
	}
}

void
spool_jobs_return(struct spool_jobs *jobs, uint64_t queue)
{
	size_t position = 0;
	struct job *job;
	void *value;

	while (table_next(jobs->table, &position, NULL, NULL, &value)) {
		job = value;
		if (job->queue != queue)
			continue;
		job->result = SCHEDULE_RETURNED;
		if (job->is_cancelled)
			job->settlement.cause = SPOOL_BOUNCED;
		if (job->settlement.count > 0 || job->is_cancelled) {
			settle(job);
			continue;
		}
		table_remove_u64(jobs->table, job->number);
		tell_schedule(job, SCHEDULE_RETURNED);
		job_free(job);
	}
}

/* The queue's word is like that of a host, which is ours. */
void
spool_jobs_released(
    struct spool_jobs *jobs, const struct message_due_routed *said)
{
	struct message_relay_recipient one = { .job = said->job,
		.host = text_of(jobs->spool->options.settings->host) };
	struct message_relay_done done = { .trouble = RELAY_MESSAGE_TROUBLE,
		.text = TEXT(""),
		.host = TEXT("") };
	struct job *job = table_find_u64(jobs->table, said->job);
	const struct smtp_verdict_row *row;
	uint16_t verdict;

	if (job == NULL || job->queue == 0)
		return;
	for (size_t i = 0; i < said->verdicts.size / sizeof(verdict); i++) {
		memcpy(&verdict, said->verdicts.data + i * sizeof(verdict),
		    sizeof(verdict));
		row = smtp_verdict_row(verdict);
		one.recipient = (uint16_t)i;
		one.outcome = row->code < 300   ? RELAY_DELIVERED
			      : row->code < 500 ? RELAY_DEFERRED
						: RELAY_FAILED;
		one.code = row->code;
		one.enhanced = text_of(row->enhanced);
		one.text = text_of(row->text);
		hear_recipient(job, &one);
	}
	hear_done(job, &done);
}

/* -- The beginning of a job -- */

/* Those of the parcel that wait, as records. -1 and error. */
static int
write_recipients(struct job *job, const struct spool_parcel *parcel,
    struct writer *to, struct error *error)
{
	struct spool_recipient recipient;

	for (uint16_t i = 0; i < parcel->count; i++) {
		if (spool_store_recipient(job->jobs->spool->store,
			parcel->message, parcel->first + i, &recipient,
			error) != 1)
			return error_set(error, ERROR_DAMAGED,
			    "spool: a recipient is missing");
		if (recipient.state != SPOOL_WAITING)
			continue;
		const struct outgoing_record record = { recipient.notify,
			recipient.original, recipient.address, OUTGOING_SEND };
		record_put_outgoing(to, &record);
		job->recipients[job->count++] = parcel->first + i;
	}
	job->outcomes = memory_new(job->count + 1u, sizeof(*job->outcomes));
	return to->failed ? error_set(error, ERROR_DAMAGED,
				"spool: a parcel is too large")
			  : 0;
}

static int
send_job(struct job *job, const struct spool_message *message,
    const struct spool_parcel *parcel, struct text recipients, int fd)
{
	struct message packet = { .type = MESSAGE_relay_job };
	struct message_relay_job *to = &packet.relay_job;
	struct relay_route route =
	    relay_route_for(job->jobs->spool->options.settings, parcel->domain);
	uint8_t bytes[ROUTE_SIZE];
	struct writer writer;

	/* The sender may do without what DNS and policies demand, not without
	 * what our administrator does, nor may our password. */
	if (message->flags & TRANSACTION_TLS_OPTIONAL &&
	    route.tls == RELAY_TLS_DEFAULT && route.user.size == 0)
		route.tls = RELAY_TLS_MAY;
	writer_init(&writer, bytes, sizeof(bytes));
	relay_route_put(&writer, &route);
	to->job = job->number;
	to->delivery = message->delivery;
	to->domain = parcel->domain;
	to->flags = message->flags;
	to->sender = message->sender;
	to->envelope_id = message->envelope_id;
	to->recipients = recipients;
	to->route = text_make(bytes, writer.size);
	to->size = message->size;
	to->priority = (uint8_t)parcel->priority;
	to->deliver_by = parcel->deliver_by;
	spool_policies_add(job->jobs->spool->policies, to);
	return channel_send(job->jobs->spool->relay, &packet, &fd, 1);
}

/* The store takes one id once: it is the same as long as it is for the same
 * ones, and another for those who are left of them. */
static struct delivery_id
delivery_of(const struct job *job, const struct spool_message *message)
{
	uint16_t parcel = job->settlement.parcel;
	struct delivery_id delivery = message->delivery;

	delivery.bytes[13] ^= (uint8_t)(parcel >> 8);
	delivery.bytes[14] ^= (uint8_t)parcel;
	delivery.bytes[15] ^= (uint8_t)job->count;
	return delivery;
}

static int
send_home(struct job *job, const struct spool_message *message,
    const struct spool_parcel *parcel, struct text recipients, int fd)
{
	struct message packet = { .type = MESSAGE_spool_due };
	struct message_spool_due *to = &packet.spool_due;
	struct channel *queue =
	    spool_newest_queue(job->jobs->spool, &job->queue);

	if (queue == NULL)
		return -1;
	to->job = job->number;
	to->delivery = delivery_of(job, message);
	to->flags = message->flags;
	to->sender = message->sender;
	to->envelope_id = message->envelope_id;
	to->recipients = recipients;
	to->size = message->size;
	return channel_send(queue, &packet, &fd, 1);
}

/* 1: it is on its way; 0: the relay takes no more; -1: it cannot be read. */
static int
begin(struct job *job, struct error *error)
{
	const struct spool_settlement *of = &job->settlement;
	struct spool_store *store = job->jobs->spool->store;
	uint8_t records[SPOOL_PARCEL_BYTES];
	struct spool_message message;
	struct spool_parcel parcel;
	struct writer writer;
	int fd, result;

	writer_init(&writer, records, sizeof(records));
	if (spool_store_parcel(
		store, of->message, of->parcel, &parcel, error) != 1 ||
	    spool_store_message(store, of->message, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	if (write_recipients(job, &parcel, &writer, error) == -1)
		return -1;
	fd = spool_store_open_body(store, of->message, &message, error);
	if (fd == -1)
		return -1;
	result = (parcel.flags & SPOOL_HOME ? send_home : send_job)(
	    job, &message, &parcel, text_make(records, writer.size), fd);
	close(fd);
	return result == 0;
}

/* What cannot be read is not sent: it waits for the administrator. */
static void
park(struct job *job, const struct error *error)
{
	struct schedule *schedule = job->jobs->spool->schedule;

	log_alarm("spool-damaged", "message=%llu error=\"%s\"",
	    (unsigned long long)job->settlement.message, error->text);
	schedule_hold(schedule, job->settlement.message, job->settlement.parcel,
	    true, 0, spool_now());
	tell_schedule(job, SCHEDULE_RETURNED);
}

void
spool_jobs_start(struct spool_jobs *jobs)
{
	struct spool *spool = jobs->spool;
	struct error error = { .code = ERROR_NONE };
	uint64_t message;
	uint16_t parcel;
	struct job *job;
	int result;

	while (spool->relay != NULL &&
	       schedule_take(spool->schedule, spool_now(), &message, &parcel)) {
		job = job_new(jobs, message, parcel);
		job->number = ++jobs->next_number;
		result = begin(job, &error);
		if (result == 1) {
			table_put_u64(jobs->table, job->number, job);
			continue;
		}
		if (result == -1)
			park(job, &error);
		else
			tell_schedule(job, SCHEDULE_REFUSED);
		job_free(job);
	}
}

/* -- All together -- */

struct spool_jobs *
spool_jobs_new(struct spool *spool)
{
	struct spool_jobs *jobs = memory_new(1, sizeof(*jobs));

	jobs->spool = spool;
	jobs->table = table_new();
	return jobs;
}

void
spool_jobs_free(struct spool_jobs **jobs)
{
	size_t position = 0;
	void *value;

	if (*jobs == NULL)
		return;
	while (table_next((*jobs)->table, &position, NULL, NULL, &value))
		job_free(value);
	table_free(&(*jobs)->table);
	memory_free(jobs);
}
