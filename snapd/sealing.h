/*
 * The work of the sealer's thread: see sealer.h for when it is done.  It reads
 * the index, writes segments, and hands what the index must be told to its
 * writer (sealing_hand), waiting until that is durable.
 */
#ifndef SNAPD_SEALING_H
#define SNAPD_SEALING_H

#include "common/table.h"
#include "snapd/block_parts.h"
#include "snapd/collect_choice.h"
#include "snapd/pack_queue.h"
#include "snapd/seal_batch.h"
#include "snapd/segment_writer.h"

enum {
	SEALING_BLOCK = 944 << 10, /* bytes of bodies or rows in a block */
	SEALING_COMMIT = 8,        /* values of a commit */
	SEALING_LIST = 65536,      /* bodies that are looked for at a time */
	SEALING_GRACE_S = 60 /* that a reader of an older index may take */
};

struct sealing {
	struct store *store;
	struct segments *segments;
	struct segment_writer *writer; /* NULL after an error */
	struct seal_batch batch;
	/* Applies the batch and empties it, in whatever thread: 0 when it is
	 * durable, -1 if it will not be. */
	int (*apply)(
	    void *context, struct seal_batch *batch, struct error *error);
	bool (*is_stopping)(void *context);
	void *context;
	struct buf raw; /* of the block that is made */
	struct block_packer *packer;
	struct packed_block packed; /* that block */
	struct pack_queue *queue;   /* of several */
	struct packing last[2];     /* of small bodies, and of large ones */
	uint8_t *value;             /* one, for reading */
	struct error *error;
	bool has_ended; /* there may be segments to be finished */
	/* The collector's: segments and what of them is alive, as of the last
	 * look; damaged ones, which are left alone; those that are dropped and
	 * whose files wait, since when (int64_t), and how long they do. */
	struct segment_load *loads;
	size_t load_count;
	struct table *spared;
	struct table *dropped;
	int64_t grace_us;
};

void sealing_init(struct sealing *sealing);
void sealing_clear(struct sealing *sealing);

/* What stands in sealing->raw into sealing->packed. */
int sealing_pack(struct sealing *sealing, struct error *error);

/* Commits the segment; then the index is told. */
int sealing_hand(struct sealing *sealing, struct error *error);

/* Blocks that the index does not know yet, because somebody pulled the plug
 * between the two: their bodies get their places. Before anything else. */
int sealing_replay(struct sealing *sealing, struct error *error);

/* What the newest segment does not need, and those that are full, but not yet
 * so in the index, is given back; which takes no time, unless somebody verifies
 * one. */
int sealing_end(struct sealing *sealing, struct error *error);
/* The same, and their sums. */
int sealing_finish_full(struct sealing *sealing, struct error *error);

struct sealing_body {
	uint32_t account;
	uint64_t blob;
	uint64_t size;
};

/* Up to SEALING_LIST bodies that are staged, as `t` sees them, from the blob
 * *from on, by account; the caller frees. Left chunks of others go into the
 * batch, to be freed. */
int sealing_list(struct sealing *sealing, struct transaction *t, uint64_t *from,
    struct sealing_body **list, size_t *count, struct error *error);
/* Copies bodies into the newest segment, out of that with the number `from`;
 * 0: they are staged. */
int sealing_copy(struct sealing *sealing, const struct sealing_body *bodies,
    size_t count, uint32_t from, struct error *error);

/* All bodies that are staged now: 0 or -1. */
int sealing_bodies(struct sealing *sealing, struct error *error);

/* -- The collector: collect.c -- */

/* Looks at what of each segment is alive, and how large the newest becomes. */
int sealing_look(struct sealing *sealing, struct error *error);
/* Its live bodies are copied into the newest. ERROR_DAMAGED: not all could. */
int sealing_empty(
    struct sealing *sealing, uint32_t number, struct error *error);
/* Files of those that were dropped go away, a minute later. */
int sealing_finish_dropped(struct sealing *sealing, struct error *error);
/* Each block of a segment whose kind is in the set (1 << BLOCK_BODIES ...),
 * opened, until `visit` returns other than 0. */
int sealing_each_block(struct sealing *sealing, uint32_t number,
    unsigned int kinds, int (*visit)(void *context, const struct block *block),
    void *context, struct error *error);

/* A whole pass: bodies, then the rows of what happened since the last one. */
int sealing_pass(struct sealing *sealing, struct error *error);

#endif
