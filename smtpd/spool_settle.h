/*
 * What became of a parcel, put on disk: the states of its recipients, when it
 * is tried again or that it is over, and the reports that its sender gets, all
 * in the transaction that is open.  A report is a message of ours, which the
 * queue routes like any other; whoever has no address gets none, so that a
 * report that cannot be delivered is never reported.
 */
#ifndef SMTPD_SPOOL_SETTLE_H
#define SMTPD_SPOOL_SETTLE_H

#include "smtpd/spool_store.h"

/* Of a recipient that something was said of. */
struct spool_outcome {
	uint16_t recipient;
	enum spool_state state; /* SPOOL_WAITING: it was deferred */
	struct spool_words words;
};

/* Why those that still wait are told, or given up. */
enum spool_cause {
	SPOOL_TRIED,
	SPOOL_LATE,    /* the sender hears of it */
	SPOOL_EXPIRED, /* given up: too old */
	SPOOL_BOUNCED  /* given up: the administrator said so */
};

struct spool_settlement {
	enum spool_cause cause;
	uint64_t message;
	uint16_t parcel;
	const struct spool_outcome *outcomes;
	size_t count;
	struct spool_words words; /* of the try as a whole */
	bool is_try;              /* it counts as one */
	int64_t now;              /* seconds since 1970 */
	int64_t next;             /* the next try; 0: as it was */
	int64_t expire_s;         /* of a parcel */
	const char *host;         /* ours */
	/* Afterwards. */
	bool is_over;                /* the parcel is gone */
	struct delivery_id delivery; /* of the message */
	size_t report_count;
	uint64_t reports[2]; /* messages of ours, for the queue */
};

/* -1 and error: as the store's. */
int spool_settle(struct spool_store *store, struct spool_settlement *settlement,
    struct error *error);

#endif
