/*
 * Blocks that are being packed, in the order in which they were put: by a
 * thread beside, and by the one who waits for the oldest, so that two
 * processors pack while one thread alone decides what a block is and where it
 * goes.  How many are under way when another is put does not depend on who is
 * fast; so neither does what comes out.
 *
 * The thread begins with the first block.  It has nothing but bytes: no file,
 * no key.
 */
#ifndef SNAPD_PACK_QUEUE_H
#define SNAPD_PACK_QUEUE_H

#include "common/buf.h"
#include "snapd/block_pack.h"

enum {
	PACK_QUEUE_MAX = 3 /* blocks */
};

struct pack_queue;

/* `packer`: of the thread that puts, which stays its own. */
struct pack_queue *pack_queue_new(struct block_packer *packer);
/* Waits for what is being packed. */
void pack_queue_free(struct pack_queue **queue);

size_t pack_queue_count(const struct pack_queue *queue);
/* Where the bytes of the next block are put together, before it is put; there
 * must be room for one (PACK_QUEUE_MAX). */
struct buf *pack_queue_raw(struct pack_queue *queue);
void pack_queue_put(struct pack_queue *queue);
/* The oldest, when it is packed; it stays until it is dropped. NULL and
 * error. */
const struct packed_block *pack_queue_oldest(
    struct pack_queue *queue, struct error *error);
void pack_queue_drop(struct pack_queue *queue);

#endif
