/*
 * Erasure of an account, when the law asks for it.  Three steps, by an
 * administrator, each an event of the log: a request; a confirmation, which is
 * taken only when the longest minimum in force has passed since; or a
 * withdrawal.  Once confirmed, snapshots keep nothing of the account any more:
 * its live rows die, and each dead one is forgotten when its own minimum has
 * passed.  Locks, holds and alarms go before it.
 *
 * meta "erasure", account u32: form u8 = 1, requested wall clock u64, guard
 * clock u64, confirmed guard clock u64 (0: not yet).
 */
#ifndef SNAPD_ERASURE_H
#define SNAPD_ERASURE_H

#include "snapd/journal.h"

enum erasure_step {
	ERASURE_REQUEST = 1,
	ERASURE_CONFIRM,
	ERASURE_WITHDRAW
};

/* The confirmed ones, ascending, RETENTION_MAX_ERASED at most. 0 or -1. */
int erasure_list(struct transaction *transaction, uint32_t *accounts,
    size_t *count, struct error *error);

/* `left_us` is how long a confirmation still has to wait. STATUS_EXISTS,
 * _MISSING, _REFUSED (too early), _LIMIT (too many). */
enum status erasure_step(struct journal *journal, uint32_t account,
    enum erasure_step step, uint64_t *left_us, struct error *error);

#endif
