/*
 * Rows of a rebuilt index that follow from others: see rebuild.c.
 */
#ifndef SNAPD_REBUILD_DERIVE_H
#define SNAPD_REBUILD_DERIVE_H

#include "snapd/segment_form.h"
#include "snapd/store.h"

/* What a segment holds. */
struct segment_total {
	struct block_at end; /* behind its last block */
	uint64_t body_bytes;
};

struct rebuild_derive {
	uint64_t sequence; /* of the last complete pass */
	const struct segment_total *totals;
	size_t total_count;
};

/* Unfiled mail that was filed, bodies that nothing refers to, names, hashes,
 * use of segments, how far it is sealed; and the log must be what its state
 * says (ERROR_DAMAGED). */
int rebuild_derive(struct transaction *t, const struct rebuild_derive *derive,
    struct error *error);

#endif
