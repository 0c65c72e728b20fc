/*
 * Bodies that come in bulk (an import, the adoption of a Maildir) go from the
 * batch that has them straight into the newest segment, and never into the
 * index: the sealer's thread writes them, durably, and then the loop applies
 * the batch, whose rows say from the beginning where the bodies lie.
 *
 * Cut between the two, nothing refers to what was written: the replay of the
 * next start finds it, finds no row, and counts it as dead.  So it is with a
 * batch that is refused, or whose worker is gone by then (seal_bulk_disown).
 *
 * A body that has no place after all (the account has the same already, or the
 * disk of the segments is full) is added or staged as any other.
 */
#ifndef SNAPD_SEAL_BULK_H
#define SNAPD_SEAL_BULK_H

#include "snapd/sealing.h"

struct bulk_body {
	struct text bytes; /* the batch's */
	struct object object;
	const struct seal_item *item; /* where it lies; NULL: nowhere */
	/* What it consists of, each with a place or without; none: it is
	 * one. */
	struct bulk_body *pieces;
	size_t piece_count;
	/* Private. */
	bool is_run; /* of base64, a piece */
	bool is_new; /* to the account, as the thread saw it */
	bool is_added;
};

struct bulk {
	struct bulk *next;
	/* Given: the account, and the bytes of each body. */
	uint32_t account;
	struct bulk_body *bodies;
	size_t count;
	/* Called in the loop, in the order in which they were given; at the
	 * end of the sealer with is_ending. It owns the bulk again. */
	void (*done)(struct bulk *bulk, bool is_ending);
	void *context;
	/* Where the bodies lie, and behind them the end of the segment (of the
	 * last of those that were committed together; else segment 0). */
	struct seal_batch placed;
	struct block_at end;
	bool is_known; /* to the index, with the batch that is applied */
};

/* In the loop: what its bodies are, and their numbers, which no others get. The
 * loop hashes, since the thread has more to do. */
void seal_bulk_begin(struct bulk *bulk, struct journal *journal);
/* Not the bulk itself, nor the bytes. */
void seal_bulk_clear(struct bulk *bulk);

/* In the loop: was any of it written into a segment, and how many bytes? */
bool seal_bulk_is_placed(const struct bulk_body *body);
uint64_t seal_bulk_placed_bytes(const struct bulk_body *body);

/* In the loop, in the journal's batch: the rows of the body, whose object may
 * turn out to be another one that holds the same. It must be placed; a piece of
 * it that is not is added as any other. */
int seal_bulk_add(
    struct journal *journal, struct bulk_body *body, struct error *error);
/* After the last of them, in the same batch: what was not added is dead. */
int seal_bulk_know(
    struct journal *journal, struct bulk *bulk, struct error *error);
/* Instead of both, in a batch of its own: all is dead. */
enum status seal_bulk_disown(
    struct journal *journal, struct bulk *bulk, struct error *error);

#endif
