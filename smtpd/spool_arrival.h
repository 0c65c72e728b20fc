/*
 * What the sender of a message is told when it has come: that those here have
 * it, or that an alias was expanded, where he asked for it (RFC 3461 section 6,
 * 5.2.7).  In the transaction that makes the message one that goes out.
 */
#ifndef SMTPD_SPOOL_ARRIVAL_H
#define SMTPD_SPOOL_ARRIVAL_H

#include "smtpd/spool_store.h"

struct spool_arrival {
	uint64_t message;
	int64_t now;      /* seconds since 1970 */
	const char *host; /* ours */
	/* Afterwards. */
	size_t report_count;
	uint64_t reports[2]; /* messages of ours, for the queue */
};

/* Of a message with TRANSACTION_TELLS; of another nothing is told. With nobody
 * to be sent to it is over. -1 and error. */
int spool_arrive(struct spool_store *store, struct spool_arrival *arrival,
    struct error *error);

#endif
