/*
 * Forgetting what nobody was promised any more: walks the dead rows in paced
 * steps, asks retention.h of each, and takes away those that are free, with
 * their bodies where nothing else refers to them.  The only caller of
 * object_store_remove and the only one that drops references.
 *
 * It takes no message and no argument from anybody: the journal's clock and
 * promises, and the rows, are all that it looks at.  What it takes away it
 * names in the log (forget.h), in the same transaction.
 */
#ifndef SNAPD_EXPIRE_H
#define SNAPD_EXPIRE_H

#include "snapd/journal.h"

enum {
	EXPIRE_LOOK_US = 1000,  /* of a step: looking at rows */
	EXPIRE_WRITE_US = 1000, /* and taking them away */
	EXPIRE_PAUSE_MS = 50,   /* between the steps of a pass */
	EXPIRE_MIN_PASS_S = 10,
	EXPIRE_MAX_PASS_S = 86400
};

struct expire;

/* What its steps did. */
struct expire_counts {
	uint64_t looked;
	uint64_t rows;
	uint64_t bodies;
};

struct expire *expire_new(void);
void expire_free(struct expire **expire);

/* One step, in the journal's thread, between its requests: STATUS_OK and
 * whether there is more to do at once. What it took away is durable with the
 * round's commit. */
enum status expire_step(struct expire *expire, struct journal *journal,
    bool *has_more, struct error *error);

/* Since expire_new(). */
const struct expire_counts *expire_counts(const struct expire *expire);

#endif
