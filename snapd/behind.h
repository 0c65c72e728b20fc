/*
 * Accounts whose workers do not know yet what a restore did.  A worker counts
 * what it has applied by the sequence of its own batches; an event of a restore
 * may lie before one of those, unseen.  So the sequence before the first such
 * event is kept until the worker has caught up, and until then its list of
 * changes begins there, whatever it asks for.
 *
 * meta key "behind" and account (u32): form u8 = 1, sequence u64.
 */
#ifndef SNAPD_BEHIND_H
#define SNAPD_BEHIND_H

#include "snapd/journal.h"

/* 1 and the sequence, 0: it is not behind; -1. */
int behind_find(struct transaction *transaction, uint32_t account,
    uint64_t *sequence, struct error *error);
/* In the batch that is open: an event that the worker does not know of. */
int behind_note(struct journal *journal, uint32_t account, struct error *error);
/* In this round, without an event: the worker has caught up. */
enum status behind_settle(
    struct journal *journal, uint32_t account, struct error *error);

#endif
