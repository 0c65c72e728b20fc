/*
 * What a worker's witness says: that the store once told its account of a
 * newer state than it has now.  If that is true the store was put back behind
 * our back, and the account's counters must leap (witness.h) before a UID is
 * given to a second message.
 *
 * But a worker may be taken over and claim anything (P2).  So a claim moves
 * the counters of its own account's mailboxes only, once a day by the guard
 * clock; the whole store leaps only when a second account claims the same
 * within a week, once a day as well.  A UID has 32 bits: 4096 leaps use up a
 * mailbox.
 */
#ifndef SNAPD_CLAIM_H
#define SNAPD_CLAIM_H

#include "snapd/journal.h"

#include <stdbool.h>

/* A state of the store as one account is told it. Within an incarnation the
 * sequence rises with each event of the store, the counter with each batch of
 * the account. */
struct claim {
	uint64_t incarnation;
	uint64_t sequence;
	uint64_t counter;
};

struct claim_case {
	struct claim claimed;
	struct claim is; /* what the store has */
	uint64_t now_us; /* guard clock */
	/* Of the last leaps of this account, of another one for its own claim,
	 * of the store; 0: never. */
	uint64_t account_us;
	uint64_t other_us;
	uint64_t store_us;
};

enum claim_verdict {
	CLAIM_NOT_NEWER,
	CLAIM_TOO_SOON,
	CLAIM_LEAP_ACCOUNT,
	CLAIM_LEAP_STORE
};

/* Pure. */
enum claim_verdict claim_judge(const struct claim_case *c);

/* What the store tells the account's worker: STATUS_OK, STATUS_MISSING. Not
 * while a batch is applied. */
enum status claim_state(struct journal *journal, uint32_t account,
    struct claim *is, struct error *error);

/* Judges and leaps, then `is` is the new state: STATUS_OK; STATUS_REFUSED (not
 * newer), STATUS_LIMIT (too soon), STATUS_MISSING. Logged. */
enum status claim_heard(struct journal *journal, uint32_t account,
    const struct claim *claimed, struct claim *is, struct error *error);

#endif
