/*
 * The process that keeps mail for other hosts until it has gone, or its sender
 * knows that it will not.  It has files and no network.
 *
 *   queue --spool_put-->   spool     on disk with what else came in this turn
 *   queue <--spool_kept--  spool
 *   spool --relay_job-->   relay     when it is its turn
 *   spool <--relay_done--  relay
 *   spool --post_report--> fetcher   how TLS went
 *   queue <-spool_report-- spool     what the sender is told
 *
 * spool.c has the clock, spool_channels.c who is there; spool_puts.h how mail
 * comes, spool_store.h what is on disk, spool_schedule.h what is tried when,
 * spool_jobs.h what the relay has, and spool_settle.h what becomes of it.
 */
#ifndef SMTPD_SPOOL_H
#define SMTPD_SPOOL_H

#include "common/account.h"
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/settings.h"
#include "smtpd/spool_arrival.h"
#include "smtpd/spool_round.h"
#include "smtpd/spool_schedule.h"
#include "smtpd/spool_store.h"

#include <stdbool.h>

/* Of the environment: address space, not memory. */
#define SPOOL_MAP_BYTES (UINT64_C(1) << 36)

enum {
	SPOOL_MAX_QUEUES = 4 /* one, or two while one is replaced */
};

struct spool_options {
	const char *path;   /* of the folder; "." inside the walls */
	uint64_t map_bytes; /* 0: SPOOL_MAP_BYTES */
	const struct settings *settings; /* the caller's, until configured */
	const struct account_table *accounts;
	void (*failed)(void *context); /* the disk: end, without an answer */
	void *context;
};

struct spool {
	struct event_loop *loop;
	struct spool_options options;
	struct spool_store *store;
	struct schedule *schedule;
	struct spool_round *round;
	struct spool_puts *puts;
	struct spool_jobs *jobs;
	struct spool_reports *reports;
	struct spool_undecided *undecided;
	struct spool_tls_reports *tls_reports;
	struct spool_policies *policies;
	struct spool_controls *controls;
	struct spool_queue *queues;
	size_t queue_count;
	struct channel *broker;
	struct channel *relay; /* NULL while it is away */
	struct channel *fetcher;
	struct timer *wake;   /* something may be due, */
	int64_t wake_at;      /* at that time; 0: it does not run */
	struct timer *hourly; /* queues hear what accounts have sent */
};

/* Opens what is there and knows all of it. NULL and error. */
struct spool *spool_new(struct event_loop *loop,
    const struct spool_options *options, struct error *error);
void spool_free(struct spool **spool);
void spool_configure(struct spool *spool, const struct settings *settings,
    const struct account_table *accounts);

/* The other end of `fd`, as master or the broker said: ROLE_BROKER, ROLE_RELAY,
 * ROLE_FETCHER, ROLE_QUEUE. Takes the descriptor over, or closes it. */
void spool_introduce(
    struct spool *spool, enum role role, uint64_t instance, int fd);

/* A client of the control socket, whose uid was checked. */
void spool_add_control(struct spool *spool, int fd);

/* That queue, or NULL: it is gone. */
struct channel *spool_find_queue(struct spool *spool, uint64_t instance);
/* A queue that is there, or NULL: who takes reports. */
struct channel *spool_some_queue(struct spool *spool);
/* The same, and which it is. */
struct channel *spool_newest_queue(struct spool *spool, uint64_t *instance);

/* Parcels of a message that was just committed are known from here on. */
void spool_schedule_message(struct spool *spool, uint64_t id);
/* What is told when one has come, in the transaction; and after its commit: it
 * is scheduled, and the reports go to the queue. */
int spool_arrive_now(struct spool *spool, uint64_t id,
    struct spool_arrival *arrival, struct error *error);
void spool_arrived(
    struct spool *spool, uint64_t id, const struct spool_arrival *arrival);
/* Milliseconds since 1970. */
int64_t spool_now(void);

#endif
