/*
 * What the relay has been told to do and has not ended: jobs.  A job is what
 * waits of a parcel; how it ended is settled on disk first, then the scheduler
 * hears of it.  A relay that dies gives back what it had: what it said of some
 * recipients before stands, the others are tried again.
 */
#ifndef SMTPD_SPOOL_JOBS_H
#define SMTPD_SPOOL_JOBS_H

#include "smtpd/spool.h"
#include "smtpd/spool_settle.h"

struct spool_jobs;

struct spool_jobs *spool_jobs_new(struct spool *spool);
void spool_jobs_free(struct spool_jobs **jobs);

/* Gives the relay what has its turn now. */
void spool_jobs_start(struct spool_jobs *jobs);
void spool_jobs_hear(struct spool_jobs *jobs, const struct message *message);
/* The queue has had what is for us. */
void spool_jobs_released(
    struct spool_jobs *jobs, const struct message_due_routed *said);
/* All that the relay had comes back (0), or that queue. */
void spool_jobs_return(struct spool_jobs *jobs, uint64_t queue);
/* What the scheduler has a duty for: notices, and what is too old. */
void spool_jobs_give_up(struct spool_jobs *jobs);

/* Gives up a parcel that is under way: the relay stops, unless the host may
 * have it already, and those of whom it says nothing are returned. */
void spool_jobs_cancel(
    struct spool_jobs *jobs, uint64_t message, uint16_t parcel);

/* Puts on disk that those who wait of a parcel that does not run are given up,
 * or told that it is late. */
void spool_jobs_settle(struct spool_jobs *jobs, uint64_t message,
    uint16_t parcel, enum spool_cause cause);

#endif
