/*
 * The relay: jobs of the spool's, the connections that they are carried out on,
 * and those that rest between two of them.
 */
#ifndef SMTPD_RELAY_H
#define SMTPD_RELAY_H

#include "common/channel.h"
#include "common/event_loop.h"
#include "common/settings.h"
#include "common/table.h"
#include "common/tls_client.h"
#include "smtpd/relay_names.h"
#include "smtpd/relay_policies.h"
#include "smtpd/relay_session.h"
#include "smtpd/relay_tlsrpt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay_limits {
	uint32_t max_connections; /* in all */
	uint32_t max_mails;       /* of a connection */
	uint32_t max_sessions;    /* that one job may try */
	int64_t rest_ms;          /* of a connection without a job */
	int64_t name_ms;          /* for each step of finding names */
	int64_t next_address_ms;
	int64_t connect_ms;
	int64_t stop_ms;    /* for goodbyes and what may be taken */
	unsigned int hurry; /* SMTP's own deadlines are divided by it */
};

extern const struct relay_limits relay_default_limits;

struct relay {
	struct event_loop *loop;
	struct relay_limits limits;
	char hello[256];
	char host[256];
	const char *own[2];
	struct tls_client *tls;
	char *authorities; /* what it believes, PEM */
	struct relay_names *names;
	struct relay_policies *policies;
	struct relay_tlsrpt *tlsrpt;
	struct channel *spool;
	struct channel *resolver;
	struct channel *fetcher;
	uint64_t spool_instance;
	uint64_t resolver_instance;
	uint64_t fetcher_instance;
	struct table *jobs;
	struct relay_rest *resting; /* most recently used first */
	size_t connections;         /* that jobs have, and that rest */
	uint64_t seed;
	bool is_stopping;
	struct timer *stop_timer;
};

/* NULL and error if there can be no TLS. */
struct relay *relay_new(struct event_loop *loop,
    const struct settings *settings, const struct relay_limits *limits,
    struct error *error);
void relay_free(struct relay **relay);
void relay_reload(struct relay *relay, const struct settings *settings);

/* Takes over `fd` if it is a peer of the relay's. */
bool relay_introduce(
    struct relay *relay, int fd, enum role role, uint64_t instance);

/* What the server may have taken is waited for, the rest is given up; then the
 * loop ends. */
void relay_stop(struct relay *relay);

/* After relay_stop: that was the last one. */
void relay_end_if_empty(struct relay *relay);

/* ---- relay_rest.c: connections between two jobs ---- */

/* A connection to the same place with the same demands, or NULL; it is the
 * caller's. `key` is all that tells one place from another. */
struct relay_session *relay_rest_take(struct relay *relay, struct text key);
/* It says goodbye if it is used up or there are too many. */
void relay_rest_put(
    struct relay *relay, struct relay_session **session, struct text key);
/* The one that rested longest goes; false if there is none. */
bool relay_rest_drop_one(struct relay *relay);
/* All of them, without a word. */
void relay_rest_free_all(struct relay *relay);

/* ---- relay_job.c ---- */
struct relay_job;

/* Takes the descriptor over, if it takes the job: what became of it is said to
 * the spool. */
void relay_job_begin(
    struct relay *relay, const struct message_relay_job *said, int *fd);
/* By itself, or because nobody wants it; waits for what the server may have
 * taken. */
void relay_job_cancel(struct relay_job *job);
/* At once, and nothing is said. */
void relay_job_free(struct relay_job *job);

#endif
