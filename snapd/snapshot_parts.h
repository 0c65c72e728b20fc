/*
 * What the files of snapshot.h know of each other: snapshot.c lists all,
 * snapshot_find.c looks for one.
 */
#ifndef SNAPD_SNAPSHOT_PARTS_H
#define SNAPD_SNAPSHOT_PARTS_H

#include "snapd/hold.h"
#include "snapd/ratchet.h"
#include "snapd/snapshot.h"

/* What is kept, as of one transaction: what was forgotten in it was forgotten
 * by no later guard clock. */
struct snapshot_kept {
	uint64_t guard_us;
	uint64_t longest_s; /* of a mark */
	size_t count;
	struct retention policies[RETENTION_MAX_POLICIES];
	struct pins pins; /* holds; the caller clears them */
};

int snapshot_kept_read(struct snapshot_kept *kept, struct transaction *t,
    const struct retention *retention, struct error *error);

/* The mark of this row, but for its id, and its name: 1, 0 if it is not kept
 * any more, -1. */
int snapshot_read_mark(const struct snapshot_kept *kept, struct text key,
    struct text value, struct snapshot *snapshot, struct text *name,
    struct error *error);
bool snapshot_concerns(const struct snapshot *mark, uint32_t account);

/* Held states and timer snapshots, in no order and some of them twice. */
int snapshot_add_computed(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct snapshot_kept *kept, int64_t now, uint32_t account,
    struct error *error);

#endif
