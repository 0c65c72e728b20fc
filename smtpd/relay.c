/* See relay.h. */
#include "smtpd/relay.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	/* Outcomes are never lost because the spool is slow: a delivery that it
	 * does not hear of would be made twice. */
	SPOOL_LIMIT = 256 * 1024 * 1024
};

const struct relay_limits relay_default_limits = {
	.max_connections = 500,
	.max_mails = 100,
	.max_sessions = 6,
	.rest_ms = 30 * 1000,
	.name_ms = 60 * 1000,
	.next_address_ms = 2 * 1000,
	.connect_ms = 30 * 1000,
	.stop_ms = 5 * 1000,
	.hurry = 1,
};

/* -- The spool -- */

static void
learn_of_job(struct relay *relay, const struct message_relay_job *said)
{
	const struct relay_spooled_policy spooled = { said->sts_id,
		said->sts_policy, said->sts_since, said->sts_until };

	relay_policies_learn(relay->policies, said->domain, &spooled);
}

static void
refresh(struct relay *relay, const struct message_sts_refresh *said)
{
	const struct relay_spooled_policy spooled = { said->sts_id,
		said->sts_policy, said->sts_since, said->sts_until };

	relay_policies_learn(relay->policies, said->domain, &spooled);
	relay_policies_refresh(relay->policies, said->domain);
}

static void
spool_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct relay *relay = context;
	struct relay_job *job;

	if (message->type == MESSAGE_relay_job) {
		learn_of_job(relay, &message->relay_job);
		relay_job_begin(relay, &message->relay_job, &fds[0]);
		return;
	}
	if (message->type == MESSAGE_sts_refresh) {
		refresh(relay, &message->sts_refresh);
		return;
	}
	job = table_find_u64(relay->jobs, message->relay_cancel.job);
	if (job != NULL)
		relay_job_cancel(job);
}

/* Nobody is left who could be told. What is on its way may arrive; it is tried
 * again all the same. */
static void
spool_closed(struct channel *channel, const struct error *error, void *context)
{
	struct relay *relay = context;
	size_t position = 0;
	void *job;

	process_peer_closed(error, ROLE_SPOOL, 0, relay->spool_instance);
	relay_tlsrpt_use(relay->tlsrpt, NULL);
	relay_policies_tell(relay->policies, NULL);
	channel_free(&relay->spool);
	while (table_next(relay->jobs, &position, NULL, NULL, &job))
		relay_job_free(job);
}

/* -- The resolver and the fetcher -- */

static void
resolver_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	struct relay *relay = context;

	relay_names_answer(relay->names, &message->relay_found);
}

static void
resolver_closed(
    struct channel *channel, const struct error *error, void *context)
{
	struct relay *relay = context;

	process_peer_closed(error, ROLE_RESOLVER, 0, relay->resolver_instance);
	relay_names_use(relay->names, NULL);
	channel_free(&relay->resolver);
}

static void
fetcher_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	struct relay *relay = context;

	relay_policies_answer(relay->policies, &message->policy_fetched);
}

static void
fetcher_closed(
    struct channel *channel, const struct error *error, void *context)
{
	struct relay *relay = context;

	process_peer_closed(error, ROLE_FETCHER, 0, relay->fetcher_instance);
	relay_policies_use(relay->policies, NULL);
	channel_free(&relay->fetcher);
}

bool
relay_introduce(struct relay *relay, int fd, enum role role, uint64_t instance)
{
	static const struct channel_handler spool_handler = { spool_received,
		spool_closed };
	static const struct channel_handler resolver_handler = {
		resolver_received, resolver_closed
	};
	static const struct channel_handler fetcher_handler = {
		fetcher_received, fetcher_closed
	};

	switch (role) {
	case ROLE_SPOOL:
		if (relay->spool != NULL)
			spool_closed(relay->spool, NULL, relay);
		relay->spool_instance = instance;
		relay->spool = channel_new(
		    relay->loop, fd, ROLE_RELAY, role, &spool_handler, relay);
		channel_set_limit(relay->spool, SPOOL_LIMIT);
		relay_tlsrpt_use(relay->tlsrpt, relay->spool);
		relay_policies_tell(relay->policies, relay->spool);
		return true;
	case ROLE_RESOLVER:
		if (relay->resolver != NULL)
			resolver_closed(relay->resolver, NULL, relay);
		relay->resolver_instance = instance;
		relay->resolver = channel_new(relay->loop, fd, ROLE_RELAY, role,
		    &resolver_handler, relay);
		relay_names_use(relay->names, relay->resolver);
		return true;
	case ROLE_FETCHER:
		if (relay->fetcher != NULL)
			fetcher_closed(relay->fetcher, NULL, relay);
		relay->fetcher_instance = instance;
		relay->fetcher = channel_new(
		    relay->loop, fd, ROLE_RELAY, role, &fetcher_handler, relay);
		relay_policies_use(relay->policies, relay->fetcher);
		return true;
	default:
		return false;
	}
}

/* -- All together -- */

static void
stop_at_last(void *context)
{
	struct relay *relay = context;

	log_warning("stop-unfinished", "jobs=%zu", table_count(relay->jobs));
	event_loop_stop(relay->loop);
}

void
relay_end_if_empty(struct relay *relay)
{
	if (relay->is_stopping && relay->resting == NULL &&
	    table_count(relay->jobs) == 0)
		event_loop_stop(relay->loop);
}

void
relay_stop(struct relay *relay)
{
	size_t position = 0;
	void *job;

	if (relay->is_stopping)
		return;
	relay->is_stopping = true;
	timer_start(relay->stop_timer, relay->limits.stop_ms);
	while (relay_rest_drop_one(relay))
		;
	while (table_next(relay->jobs, &position, NULL, NULL, &job))
		relay_job_cancel(job);
	relay_end_if_empty(relay);
}

/* Those who were believed before are not any more: nothing is resumed of
 * theirs. Without TLS there is no relay, and the old one stays. */
static int
set_authorities(
    struct relay *relay, const struct settings *settings, struct error *error)
{
	const char *pem = settings->ca_pem != NULL ? settings->ca_pem : "";
	struct tls_client *fresh;

	if (relay->tls != NULL && strcmp(pem, relay->authorities) == 0)
		return 0;
	fresh = tls_client_new(text_of(pem), error);
	if (fresh == NULL)
		return -1;
	if (tls_client_authorities(fresh) == 0)
		log_warning("no-authorities",
		    "what=\"only DANE can prove another host's name\"");
	tls_client_free(&relay->tls);
	memory_free(&relay->authorities);
	relay->tls = fresh;
	relay->authorities = memory_copy(pem, strlen(pem) + 1);
	return 0;
}

void
relay_reload(struct relay *relay, const struct settings *settings)
{
	struct error error;

	if (set_authorities(relay, settings, &error) == -1)
		log_error("reload", "why=\"%s\"", error.text);
	(void)text_copy(
	    text_of(settings->host), relay->host, sizeof(relay->host));
	(void)text_copy(
	    text_of(settings->relay_hello[0] != '\0' ? settings->relay_hello
						     : settings->host),
	    relay->hello, sizeof(relay->hello));
	relay->own[0] = relay->host;
	relay->own[1] = relay->hello;
	relay_tlsrpt_enable(relay->tlsrpt, settings->sends_tls_reports);
}

struct relay *
relay_new(struct event_loop *loop, const struct settings *settings,
    const struct relay_limits *limits, struct error *error)
{
	struct relay *relay = memory_new(1, sizeof(*relay));

	if (set_authorities(relay, settings, error) == -1) {
		memory_free(&relay);
		return NULL;
	}
	relay->loop = loop;
	relay->limits = *limits;
	relay->jobs = table_new();
	relay->names = relay_names_new();
	relay->policies = relay_policies_new(relay->names);
	relay->tlsrpt = relay_tlsrpt_new(relay->names);
	relay->stop_timer = timer_new(loop, stop_at_last, relay);
	if (getrandom(&relay->seed, sizeof(relay->seed), 0) !=
	    sizeof(relay->seed))
		relay->seed = (uint64_t)clock_monotonic_us();
	relay_reload(relay, settings);
	return relay;
}

void
relay_free(struct relay **pointer)
{
	struct relay *relay = *pointer;
	size_t position = 0;
	void *job;

	if (relay == NULL)
		return;
	while (table_next(relay->jobs, &position, NULL, NULL, &job))
		relay_job_free(job);
	relay_rest_free_all(relay);
	table_free(&relay->jobs);
	relay_tlsrpt_free(&relay->tlsrpt);
	relay_policies_free(&relay->policies);
	relay_names_free(&relay->names);
	channel_free(&relay->spool);
	channel_free(&relay->resolver);
	channel_free(&relay->fetcher);
	timer_free(&relay->stop_timer);
	tls_client_free(&relay->tls);
	memory_free(&relay->authorities);
	memory_free(pointer);
}
