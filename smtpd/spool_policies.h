/*
 * The policies of MTA-STS that the relay fetched (RFC 8461): rows of the spool,
 * because the relay has no file and forgets them when it ends, and who could
 * keep it from fetching one again would have mail go without it.  The spool
 * does not read them.  Each goes back to the relay with the jobs for its
 * domain; one that grows old is asked for again, whether there is mail for it
 * or not, and one that has expired is dropped.
 */
#ifndef SMTPD_SPOOL_POLICIES_H
#define SMTPD_SPOOL_POLICIES_H

#include "smtpd/spool.h"

enum {
	SPOOL_MAX_POLICIES = 10000,    /* more are not remembered */
	SPOOL_POLICIES_LOOK_S = 3600,  /* from one look at all to the next */
	SPOOL_POLICIES_STEP_MS = 1000, /* from one part of it to the next, */
	SPOOL_POLICIES_AT_ONCE = 20    /* which is of so many at most */
};

struct spool_policies;

struct spool_policies *spool_policies_new(struct spool *spool);
void spool_policies_free(struct spool_policies **policies);

void spool_policies_keep(
    struct spool_policies *policies, const struct message_sts_keep *said);
/* What is remembered of the domain, if anything is, goes with its job; valid
 * until the next write or rest. */
void spool_policies_add(
    struct spool_policies *policies, struct message_relay_job *job);
/* A part of a look at all, if it is time. */
void spool_policies_look(struct spool_policies *policies);

#endif
