/*
 * What the sealer's thread found out or wrote, for the writer of the index to
 * put: which bodies lie where now, how far the index knows a segment, which
 * segment is full.  Each item can be applied again without harm, so that a cut
 * between two of them is no more than a batch that is applied again.
 */
#ifndef SNAPD_SEAL_BATCH_H
#define SNAPD_SEAL_BATCH_H

#include "snapd/journal.h"
#include "snapd/segment_use.h"

enum seal_kind {
	SEAL_BODY = 1, /* blob lies at places; then its chunks are freed */
	SEAL_MOVE,     /* the same for one that lay in `segment` */
	SEAL_REPLAYED, /* either, found in a block of before */
	SEAL_FREE,     /* only the chunks of a blob that is sealed */
	SEAL_KNOWN,    /* the index knows `segment` up to `end` */
	SEAL_FULL,     /* `segment` is full; its SHA-256 */
	SEAL_DROPPED,  /* nothing is alive in `segment` */
	SEAL_PASS      /* a pass up to `sequence` is complete */
};

struct seal_item {
	uint8_t kind;
	uint32_t segment;
	uint64_t blob;
	uint64_t sequence;
	struct hash hash;
	struct block_at end;
	struct place *places;
	uint32_t count;
};

/* How far a batch was applied: items, and whether the one after them says
 * where it lies, while its chunks are being freed. */
struct seal_progress {
	size_t done;
	bool is_swapped;
};

struct seal_batch {
	struct seal_item *items;
	size_t count;
	size_t room;
	struct seal_progress committed;
	struct seal_progress applied; /* in the round that is not committed */
};

/* The new item, zeroed but for its kind. */
struct seal_item *seal_batch_add(struct seal_batch *batch, enum seal_kind kind);
void seal_item_add(struct seal_item *item, const struct place *place);
void seal_batch_clear(struct seal_batch *batch);

/* Applies items, at least one, until `budget_us` is over, in a nested
 * transaction of the journal's round, whole or not at all: 0 or -1 (nothing was
 * applied). */
int seal_batch_apply(struct seal_batch *batch, struct journal *journal,
    int64_t budget_us, struct error *error);
/* How the round ended. */
void seal_batch_committed(struct seal_batch *batch, bool is_kept);

/* The index knows the segment up to this end, or already further. */
int seal_batch_know(
    struct transaction *t, const struct block_at *end, struct error *error);

/* Sequence up to which passes were complete (meta "sealed"): form u8 = 1,
 * sequence u64. 0 if there was none. */
int seal_batch_sealed(
    struct transaction *transaction, uint64_t *sequence, struct error *error);
int seal_batch_put_sealed(
    struct transaction *transaction, uint64_t sequence, struct error *error);

#endif
