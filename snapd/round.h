/*
 * Rounds: what came in one turn of the loop is applied, committed once, and
 * only then answered.  A request that nobody's 250 or OK waits for is patient:
 * it rides in the commit of the next urgent one, if that comes soon.  Mail, and
 * changes of messages, are durable in the log of accepted mail (accept_log.h)
 * before they are answered; the commit comes later, for many.  After a commit,
 * and when nothing comes, the store's file is made longer.
 *
 * Answers to what comes in bulk wait after the commit while the sealer is
 * behind, and so do the answers to later batches of the same client, which are
 * in order: who waits for them sends no more meanwhile.
 */
#ifndef SNAPD_ROUND_H
#define SNAPD_ROUND_H

#include "snapd/accept_log.h"
#include "snapd/snapd.h"

enum {
	ROUND_PATIENCE_MS = 5,  /* a patient request waits so long, */
	ROUND_PATIENT_MAX = 32, /* or until so much waits */
	ROUND_SETTLE_MS = 250, /* what the log has is committed after so long */
	ROUND_HOLD_MS = 500    /* bulk waits so long for one answer at most */
};

struct round;

struct round_options {
	struct event_loop *loop;
	struct snapd *snapd;
	struct store *store; /* NULL, as is journal: there is none */
	struct journal *journal;
	struct accept_log
	    *log;            /* NULL: there is none, as is the store, or not */
	int64_t patience_ms; /* as in snapd_options, as are: */
	int64_t hold_ms;
	int64_t settle_ms;
	void (*failed)(void *context);
	void *context;
};

/* Takes the loop's on_round; drops what was not answered when freed. */
struct round *round_new(const struct round_options *options);
void round_free(struct round **round);

/* The disk failed: nothing is answered any more. */
bool round_is_failed(const struct round *round);

/* The same for who met it elsewhere: alarm, and the process ends. */
void round_fail(struct round *round, const struct error *error);

/* `patient`: how many changes it answers that may wait; 0: none may. */
void round_answer(struct round *round, uint64_t client,
    const struct message *answer, struct text data, size_t patient);
void round_answer_bulk(struct round *round, uint64_t client,
    const struct message *answer, struct text data, uint64_t bytes);
/* That mail was accepted, or a batch applied: answered when the log or the
 * index has it.  `patient` as above. */
void round_answer_accepted(struct round *round, uint64_t client,
    const struct message *answer, const struct accept_record *record);
void round_answer_applied(struct round *round, uint64_t client,
    const struct message *answer, struct text data,
    const struct accept_batch *batch, size_t patient);
/* Whether that mail may be in the log alone. */
bool round_has_delivery(
    const struct round *round, const struct delivery_id *delivery);
/* What only the log has comes into the index. */
void round_settle(struct round *round);
/* The reading starts after the commit; taken over. */
void round_read(struct round *round, uint64_t client, struct reading *reading);

#endif
