/*
 * Bodies, or parts of large ones, that become a block together: their list and
 * their bytes put together, how they will pack, and how they are cut in two
 * where they do not fit.  Used by seal_blocks.c.
 */
#ifndef SNAPD_BLOCK_PARTS_H
#define SNAPD_BLOCK_PARTS_H

#include "common/buf.h"
#include "snapd/block_pack.h"
#include "snapd/object_store.h"
#include "snapd/seal_batch.h"

enum {
	PARTS_MAX = 1024,   /* of a block */
	PART_MIN = 16 << 10 /* bytes of one that is cut */
};

struct block_part {
	struct object object;
	const char *bytes; /* of the whole body; NULL: the index has them */
	uint64_t offset;
	uint32_t length;
	bool is_gone;
	struct seal_batch *places;
};

/* How a block was packed, or will be. */
struct packing {
	uint32_t raw;
	uint32_t packed;
};

/* The list and the bytes; what is gone meanwhile or damaged is left out of
 * both, and of the parts. 0 or -1. */
int parts_build(struct store *store, struct block_part *parts, size_t *count,
    struct buf *raw, struct error *error);

/* What a part, or a block, will be when it is packed, as others of their kind
 * were: last[0] of small bodies, last[1] of large ones, which are mostly
 * attachments and pack much worse. */
uint64_t part_packed_size(
    const struct packing *last, const struct block_part *part);
struct packing parts_expect(
    const struct packing *last, const struct block_part *parts, size_t count);
/* How a block packed: it counts if nearly all of it is of one kind. */
void parts_note_packing(struct packing *last, const struct block_part *parts,
    size_t count, const struct packed_block *packed);

/* What of them fits into so many bytes, unpacked, and the rest: neither is
 * empty. */
struct block_halves {
	struct block_part *first, *second;
	size_t first_count, second_count;
	struct block_part cut[2]; /* private: of a single one */
};
void parts_halve(struct block_part *parts, size_t count, uint64_t fits,
    struct block_halves *halves);

#endif
