/*
 * Bodies into blocks of the newest segment.  Bodies of one account go together,
 * in the order in which they came, into blocks of SEALING_BLOCK bytes; a small
 * body is never cut, a large one is cut into blocks of its own.  Used by the
 * sealer's thread, for bodies that the index has and for such that come in
 * bulk; while it puts a block together those before it are packed
 * (pack_queue.h).
 */
#ifndef SNAPD_SEAL_BLOCKS_H
#define SNAPD_SEAL_BLOCKS_H

#include "snapd/sealing.h"

struct seal_blocks;

/* Where each body lies goes into `places`, when its last block was added. The
 * bodies are moved out of segment `from`; 0: out of none. */
struct seal_blocks *seal_blocks_new(
    struct sealing *sealing, struct seal_batch *places, uint32_t from);
/* What is added from now on gets its places in another batch; a block may hold
 * what is of both. */
void seal_blocks_go_on(struct seal_blocks *blocks, struct seal_batch *places);
/* What was not flushed is nowhere. */
void seal_blocks_free(struct seal_blocks **blocks);

/* `bytes`: all of the body, valid until the flush; NULL: they are read from the
 * index, and a body that is gone or damaged by then is left out. */
int seal_blocks_add(struct seal_blocks *blocks, const struct object *object,
    const char *bytes, struct error *error);
/* The same for one that can be added without waiting for what is being packed:
 * 1, and nothing was written; 0: it was not added, try no more; -1. */
int seal_blocks_try(struct seal_blocks *blocks, const struct object *object,
    const char *bytes, struct error *error);
/* All that was added has its place. Now and then it, or an addition, commits
 * the segment. */
int seal_blocks_flush(struct seal_blocks *blocks, struct error *error);

#endif
