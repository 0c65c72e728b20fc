/*
 * Rounds: what came in one turn of the loop is applied to the store, committed
 * once, and only then answered, or told to the scheduler (as snapd does it).
 *
 * A change stands at the start of whatever it is a change for.  Mail that finds
 * no room is refused; what must be said in the end, that mail has gone, waits
 * until there is some.
 */
#ifndef SMTPD_SPOOL_ROUND_H
#define SMTPD_SPOOL_ROUND_H

#include "common/error.h"
#include "common/event_loop.h"
#include "common/status.h"
#include "smtpd/spool_store.h"

#include <stdbool.h>

struct spool_round;

struct spool_change {
	struct spool_change *next;
	/* In the transaction. -1 and error: ERROR_INPUT, ERROR_LIMIT and
	 * ERROR_FULL before anything was written are this one's alone. */
	int (*apply)(struct spool_change *change, struct error *error);
	/* After the commit, or when it was refused: frees it. */
	void (*done)(struct spool_change *change, enum status status);
	bool is_must;
	enum status status; /* the round's */
};

/* `failed` is called when the disk failed: the process must end, and answers
 * nothing more. */
struct spool_round *spool_round_new(struct event_loop *loop,
    struct spool_store *store, void (*failed)(void *context), void *context);
/* What is not committed is done with STATUS_UNAVAILABLE. */
void spool_round_free(struct spool_round **round);

void spool_round_add(struct spool_round *round, struct spool_change *change);
/* At the end of each turn of the loop. */
void spool_round_run(struct spool_round *round);
bool spool_round_is_failed(const struct spool_round *round);
/* What the one who asked hears of it. */
enum status spool_round_status(const struct error *error);
/* Tells so, for one who met it elsewhere. */
void spool_round_fail(struct spool_round *round, const struct error *error);

#endif
