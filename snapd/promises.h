/*
 * All that was promised, as of one transaction: the policies in force, marks,
 * holds, erasures.  Reads what retention.h, which is pure, has to know of a row
 * and asks it.
 */
#ifndef SNAPD_PROMISES_H
#define SNAPD_PROMISES_H

#include "snapd/journal.h"

struct promises {
	struct retention_promises all;
	struct pins pins;
	uint32_t erased[RETENTION_MAX_ERASED];
	uint64_t number;          /* journal->promises when these were read */
	uint64_t account_mailbox; /* whose account is: */
	uint32_t account;
};

/* Reads what has changed since the last time. 0 or -1. */
int promises_read(struct promises *promises, const struct journal *journal,
    struct transaction *t, struct error *error);
void promises_clear(struct promises *promises);

/* 1: nobody was promised the row any more, which died with event row->died at
 * row->died_guard_us; 0; -1. Its account is promises->account then. */
int promises_are_over(struct promises *promises, struct transaction *t,
    const struct message_row *row, struct error *error);

/* Did it die too late for the longest minimum, whatever else there is? */
bool promises_hold_for_minimum(
    const struct promises *promises, uint64_t died_guard_us);
bool promises_erase(const struct promises *promises, uint32_t account);

#endif
