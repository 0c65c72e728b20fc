/*
 * Live rows that nobody can reach any more: those of a mailbox that was deleted
 * so long ago that no promise covers what it held then, and those of an account
 * that is erased by law.  They die, by an event of the store's own, and are
 * then kept like every other dead row.  Takes no message.
 */
#ifndef SNAPD_REAP_H
#define SNAPD_REAP_H

#include "snapd/promises.h"

struct reap {
	/* Where it goes on: a mailbox, and behind which UID. */
	uint32_t account;
	uint64_t mailbox;
	uint32_t uid;
};

/* One step: 1 if there is more to look at, 0 at the end (and `reap` is at the
 * beginning again), -1. */
int reap_step(struct reap *reap, struct promises *promises,
    struct journal *journal, struct error *error);

#endif
