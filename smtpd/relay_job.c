/*
 * One job: a message for some recipients of one destination.  It goes along the
 * path, host by host, until each recipient was decided or no host is left; then
 * the spool is told, and never twice.
 *
 *	PATH - CONNECT - SESSION - (PATH ...) - done
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/relay.h"
#include "smtpd/relay_connect.h"
#include "smtpd/relay_order.h"
#include "smtpd/relay_outcome.h"
#include "smtpd/relay_tally.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct relay_job {
	struct relay *relay;
	uint64_t number;
	char qid[33];
	struct relay_order order;
	struct relay_outcomes *outcomes;
	struct relay_body body;
	struct relay_path *path;
	const struct relay_target *target; /* the path's */
	struct relay_connect *connecting;
	struct relay_session *session;
	bool is_connection_counted;
	bool is_reused; /* the session was another job's before */
	bool is_clear;  /* TLS failed, and need not be */
	bool is_fresh;  /* TLS failed that was to be resumed: once more */
	bool is_begun;  /* the session has the mail */
	bool is_told;   /* what came of its TLS, for reports */
	bool is_cancelled;
	bool has_talked; /* a host took the mail, or said why not */
	char asked[256]; /* the host of a session of before: not again */
	unsigned int sessions;
	int64_t started_us;
	int64_t sending_us; /* 0: not yet */
	int64_t connect_ms;
	/* What the spool hears in the end. */
	enum relay_trouble trouble;
	char host[256];
	char why[400];
	struct relay_verdict verdict; /* for those without one, */
	char verdict_host[256];       /* of that host; "": of the last */
	char enhanced[12];
};

static const struct relay_path_handler path_handler;
static const struct relay_session_handler session_handler;

/* -- What the spool is told -- */

static int64_t
ms_since(int64_t us)
{
	return (clock_monotonic_us() - us) / 1000;
}

static struct relay_outcome_of
outcome_of(struct relay_job *job)
{
	return (struct relay_outcome_of){ job->relay, job->number, job->qid,
		job->started_us, &job->order.mail, job->host, job->session };
}

static void
decided(struct relay_mail *mail, size_t recipient,
    const struct relay_verdict *verdict, void *context)
{
	struct relay_job *job = context;
	const struct relay_outcome_of of = outcome_of(job);

	relay_outcomes_take(job->outcomes, &of, recipient, verdict);
}

static void
release(struct relay_job *job)
{
	relay_path_free(&job->path);
	relay_connect_free(&job->connecting);
	relay_session_free(&job->session);
	if (job->is_connection_counted)
		job->relay->connections--;
	job->is_connection_counted = false;
}

void
relay_job_free(struct relay_job *job)
{
	release(job);
	(void)table_remove_u64(job->relay->jobs, job->number);
	relay_body_clear(&job->body);
	if (job->body.fd != -1)
		close(job->body.fd);
	relay_outcomes_free(&job->outcomes);
	relay_order_clear(&job->order);
	memory_free(&job);
}

static void
finish(struct relay_job *job)
{
	struct message message = { .type = MESSAGE_relay_done };
	struct message_relay_done *said = &message.relay_done;
	struct relay_outcome_of of = outcome_of(job);
	struct relay *relay = job->relay;

	if (job->verdict_host[0] != '\0')
		of.host = job->verdict_host;
	relay_outcomes_end(job->outcomes, &of, &job->verdict);
	if (job->has_talked && !job->is_cancelled) {
		job->trouble = RELAY_NO_TROUBLE;
		job->why[0] = '\0';
	}
	said->job = job->number;
	said->trouble = (uint8_t)job->trouble;
	said->is_reused = job->is_reused;
	said->connect_ms = (uint32_t)job->connect_ms;
	if (job->sending_us != 0)
		said->send_ms = (uint32_t)ms_since(job->sending_us);
	said->text = text_of(job->why);
	said->host = text_of(job->host);
	if (relay->spool != NULL)
		(void)channel_send(relay->spool, &message, NULL, 0);
	relay_job_free(job);
	relay_end_if_empty(relay);
}

/* Why those who were not decided so far are not, as far as is known. */
static void
set_verdict(struct relay_job *job, enum relay_outcome outcome,
    unsigned int code, const char *enhanced, const char *text)
{
	(void)snprintf(job->enhanced, sizeof(job->enhanced), "%s", enhanced);
	(void)snprintf(job->why, sizeof(job->why), "%s", text);
	job->verdict_host[0] = '\0';
	job->verdict =
	    (struct relay_verdict){ outcome, code, job->enhanced, job->why };
}

/* Of several hosts "later" goes before "never". */
static void
trouble_with_host(struct relay_job *job, unsigned int code,
    const char *enhanced, const char *text)
{
	enum relay_outcome outcome =
	    code / 100 == 5 ? RELAY_FAILED : RELAY_DEFERRED;
	char why[sizeof(job->why)];

	job->trouble = RELAY_DESTINATION_TROUBLE;
	if (outcome == RELAY_FAILED && job->verdict.text != NULL &&
	    job->verdict.outcome == RELAY_DEFERRED)
		return;
	(void)snprintf(why, sizeof(why), "%.200s: %.190s", job->host, text);
	set_verdict(job, outcome, code, enhanced, why);
	memcpy(job->verdict_host, job->host, sizeof(job->verdict_host));
}

/* -- A session -- */

static void
send_mail(struct relay_job *job)
{
	job->is_begun = true;
	job->sending_us = clock_monotonic_us();
	relay_session_send(job->session, &job->order.mail);
}

/* A policy in mode testing: what would have been refused. */
static void
log_fault(const struct relay_job *job)
{
	enum tls_result result = relay_session_outcome(job->session)->result;

	if (job->target->security.proof == TLS_PROOF_TRIED &&
	    result != TLS_RESULT_SUCCESS)
		log_info("sts-testing", "qid=%s host=%s fault=%s", job->qid,
		    job->host, tls_result_name(result));
}

/* -- What reports of TLS count -- */

static struct relay_tally
tally_of(const struct relay_job *job)
{
	return (struct relay_tally){ job->relay->tlsrpt, job->order.domain,
		&job->order.route };
}

/* Once for each session that is made, and not for the other one in the
 * clear. */
static void
tell_session(struct relay_job *job)
{
	const struct relay_tally tally = tally_of(job);

	if (!job->is_told && !job->is_reused && !job->is_clear)
		job->is_told =
		    relay_tally_session(&tally, job->target, job->session);
}

static void
path_unsafe(
    const struct relay_target *target, enum tls_result result, void *context)
{
	const struct relay_tally tally = tally_of(context);

	relay_tally_unsafe(&tally, target, result);
}

static void
session_ready(struct relay_session *session, void *context)
{
	struct relay_job *job = context;

	log_fault(job);
	tell_session(job);
	job->connect_ms = ms_since(job->started_us);
	send_mail(job);
}

static void next_host(struct relay_job *job);

/* Who was put off may be taken by another host: for that the job has one more
 * connection, if there may be one. */
static void
session_done(struct relay_session *session, void *context)
{
	struct relay_job *job = context;
	struct relay *relay = job->relay;

	job->has_talked = true;
	if (job->is_reused)
		memcpy(job->asked, job->host, sizeof(job->asked));
	relay_rest_put(relay, &job->session, job->order.key);
	job->is_connection_counted = false;
	if (!relay_outcomes_has_kept(job->outcomes) ||
	    (relay->connections >= relay->limits.max_connections &&
		!relay_rest_drop_one(relay))) {
		finish(job);
		return;
	}
	relay->connections++;
	job->is_connection_counted = true;
	next_host(job);
}

static void
next_host(struct relay_job *job)
{
	relay_outcomes_ask_again(job->outcomes, &job->order.mail);
	relay_connect_free(&job->connecting);
	relay_session_free(&job->session);
	job->is_clear = job->is_begun = job->is_reused = job->is_told = false;
	job->is_fresh = false;
	if (job->is_cancelled ||
	    job->sessions >= job->relay->limits.max_sessions) {
		finish(job);
		return;
	}
	if (job->path == NULL) {
		const struct relay_path_setup setup = {
			.loop = job->relay->loop,
			.names = job->relay->names,
			.policies = job->relay->policies,
			.domain = job->order.domain,
			.route = &job->order.route,
			.own = job->relay->own,
			.own_count = 2,
			.seed = job->relay->seed += job->number,
			.deadline_ms = job->relay->limits.name_ms,
		};

		job->path = relay_path_new(&setup, &path_handler, job);
	}
	relay_path_next(job->path);
}

static void
log_attack(const struct relay_job *job, const char *what)
{
	log_warning("relay-attacked", "qid=%s host=%s ip=%s what=\"%s\"",
	    job->qid, job->host, relay_session_address(job->session), what);
}

/* TLS did not come to be; the same host in the clear, if it may be. */
static bool
tries_clear(struct relay_job *job)
{
	return job->target != NULL && !job->is_clear &&
	       relay_session_has_tls_failed(job->session) &&
	       relay_security_allows_clear(&job->target->security);
}

/* A session of before, of which nothing was left: that is no fault of TLS. */
static bool
tries_fresh(const struct relay_job *job)
{
	return job->target != NULL && !job->is_fresh && !job->is_cancelled &&
	       relay_session_has_tls_failed(job->session) &&
	       relay_session_outcome(job->session)->is_offered;
}

static void connect_to(struct relay_job *job);

/* Of a host that did not get as far as to take the message. */
static void
note_trouble(struct relay_job *job, const struct relay_session *session)
{
	const struct relay_client *client = relay_session_client(session);
	bool is_reply = client->end == RELAY_END_REFUSED ||
			client->end == RELAY_END_LEAVING;
	bool has_tls_failed = relay_session_has_tls_failed(session) ||
			      client->end == RELAY_END_NO_TLS ||
			      client->end == RELAY_END_INJECTED;
	const char *enhanced = has_tls_failed ? "4.7.5" : "4.4.2";

	if (is_reply && client->reply.enhanced[0] != '\0')
		enhanced = client->reply.enhanced;
	trouble_with_host(
	    job, is_reply ? client->reply.code : 0, enhanced, client->why);
}

static void
session_over(struct relay_session *session, void *context)
{
	const struct relay_client *client = relay_session_client(session);
	struct relay_job *job = context;
	bool was_reused = job->is_reused;

	if (tries_fresh(job)) {
		relay_session_free(&job->session);
		job->is_fresh = true;
		connect_to(job);
		return;
	}
	tell_session(job);
	if (client->end == RELAY_END_INJECTED)
		log_attack(job, client->why);
	if (client->end == RELAY_END_BODY) {
		set_verdict(job, RELAY_DEFERRED, 0, "4.3.0", client->why);
		job->trouble = RELAY_MESSAGE_TROUBLE;
		finish(job);
	} else if (relay_client_said_end(client)) {
		/* It may have taken it: no other host gets it now. */
		trouble_with_host(job, 0, "4.4.2", client->why);
		finish(job);
	} else if (client->end == RELAY_END_LOOP) {
		relay_path_cut(job->path);
		next_host(job);
	} else if (tries_clear(job)) {
		log_info("relay-tls-failed", "qid=%s host=%s why=\"%s\"",
		    job->qid, job->host, client->why);
		relay_session_free(&job->session);
		job->is_clear = true;
		connect_to(job);
	} else {
		if (!was_reused)
			note_trouble(job, session);
		next_host(job);
	}
}

static const struct relay_session_handler session_handler = { session_ready,
	session_done, session_over };

/* -- Along the path -- */

static void
connected(int fd, const struct relay_address *address,
    const struct error *error, void *context)
{
	struct relay_job *job = context;

	if (fd == -1) {
		trouble_with_host(job, 0, "4.4.1", error->text);
		next_host(job);
		return;
	}
	const struct relay_session_setup setup = {
		.loop = job->relay->loop,
		.fd = fd,
		.tls = &job->relay->tls,
		.target = job->target,
		.address = address,
		.route = &job->order.route,
		.hello = text_of(job->relay->hello),
		.is_clear = job->is_clear,
		.hurry = job->relay->limits.hurry,
	};

	job->session = relay_session_new(&setup, &session_handler, job);
	relay_connect_free(&job->connecting);
}

static void
connect_to(struct relay_job *job)
{
	const struct relay_connect_setup setup = {
		.loop = job->relay->loop,
		.addresses = &job->target->addresses,
		.port = job->target->port,
		.source = job->order.route.source,
		.next_ms = job->relay->limits.next_address_ms,
		.deadline_ms = job->relay->limits.connect_ms,
	};

	job->sessions++;
	job->connecting = relay_connect_new(&setup, connected, job);
}

static void
path_target(const struct relay_target *target, void *context)
{
	struct relay_job *job = context;

	if (strcmp(target->name, job->asked) == 0) {
		relay_path_next(job->path);
		return;
	}
	job->target = target;
	(void)snprintf(job->host, sizeof(job->host), "%s", target->name);
	connect_to(job);
}

/* What a host said goes before what the names said, and "later" before
 * "never". */
static void
path_ended(const struct relay_verdict *verdict, void *context)
{
	struct relay_job *job = context;

	if (job->verdict.text == NULL ||
	    (verdict->outcome == RELAY_DEFERRED &&
		job->verdict.outcome == RELAY_FAILED)) {
		set_verdict(
		    job, verdict->outcome, 0, verdict->enhanced, verdict->text);
		if (verdict->outcome == RELAY_DEFERRED)
			job->trouble = RELAY_DESTINATION_TROUBLE;
	}
	finish(job);
}

static const struct relay_path_handler path_handler = { path_target,
	path_unsafe, path_ended };

/* -- A job comes -- */

/* Takes a connection that rests, or the right to make one. */
static bool
take_connection(struct relay_job *job)
{
	struct relay *relay = job->relay;

	job->session = relay_rest_take(relay, job->order.key);
	if (job->session == NULL) {
		if (relay->connections >= relay->limits.max_connections &&
		    !relay_rest_drop_one(relay))
			return false;
		relay->connections++;
	}
	job->is_connection_counted = true;
	return true;
}

static void
begin(struct relay_job *job)
{
	if (!take_connection(job)) {
		set_verdict(job, RELAY_DEFERRED, 0, "4.3.2",
		    "too many connections at once");
		job->trouble = RELAY_BUSY;
		finish(job);
	} else if (job->session != NULL) {
		job->is_reused = true;
		(void)snprintf(job->host, sizeof(job->host), "%s",
		    relay_session_host(job->session));
		relay_session_adopt(job->session, &session_handler, job);
		send_mail(job);
	} else {
		next_host(job);
	}
}

void
relay_job_begin(
    struct relay *relay, const struct message_relay_job *said, int *fd)
{
	struct relay_job *job;
	bool is_read;

	if (table_find_u64(relay->jobs, said->job) != NULL)
		return; /* twice: the spool's bug, and the first one runs */
	job = memory_new(1, sizeof(*job));
	job->relay = relay;
	job->number = said->job;
	job->started_us = clock_monotonic_us();
	text_format_hex(said->delivery.bytes, 16, job->qid);
	relay_body_init(&job->body, *fd, said->size);
	(void)table_put_u64(relay->jobs, job->number, job);
	is_read = relay_order_read(&job->order, said) == 0 && *fd != -1;
	if (!is_read)
		job->order.mail.count = 0;
	job->order.mail.body = &job->body;
	job->order.mail.decided = decided;
	job->order.mail.context = job;
	job->outcomes = relay_outcomes_new(job->order.mail.count);
	if (!is_read) {
		job->body.fd = -1;
		set_verdict(
		    job, RELAY_DEFERRED, 0, "4.3.0", "the job cannot be read");
		job->trouble = RELAY_MESSAGE_TROUBLE;
		log_error("relay-job", "qid=%s why=\"%s\"", job->qid, job->why);
		finish(job);
		return;
	}
	*fd = -1;
	if (relay->is_stopping) {
		set_verdict(job, RELAY_DEFERRED, 0, "4.3.2", "stopping");
		job->trouble = RELAY_BUSY;
		finish(job);
		return;
	}
	begin(job);
}

void
relay_job_cancel(struct relay_job *job)
{
	job->is_cancelled = true;
	if (job->session != NULL &&
	    relay_client_said_end(relay_session_client(job->session)))
		return;
	set_verdict(job, RELAY_DEFERRED, 0, "4.3.2", "cancelled");
	finish(job);
}
