/*
 * The Merkle tree of RFC 9162 over the events of a store, grown leaf by leaf:
 * only the roots of its complete subtrees are kept (at most 64), which is all
 * that the next leaf and the root of the whole need.  Beside it the proofs of
 * section 2.1: that a leaf is in a tree, and that a tree is the beginning of a
 * later one.  Pure.
 */
#ifndef COMMON_MERKLE_LOG_H
#define COMMON_MERKLE_LOG_H

#include "common/digest.h"
#include "common/messages.h"

#include <stdbool.h>

enum {
	MERKLE_MAX_PATH = 65 /* hashes of a proof */
};

struct merkle_log {
	uint64_t count; /* leaves */
	/* One for each bit set in count, the largest subtree first. */
	struct hash roots[64];
	size_t root_count;
};

struct hash merkle_leaf(struct digest *digest, const void *leaf, size_t size);

void merkle_log_add(struct merkle_log *log, struct digest *digest,
    const void *leaf, size_t size);
struct hash merkle_log_root(
    const struct merkle_log *log, struct digest *digest);

/* -- Making a proof: leaves pass by once, in order -- */

struct merkle_part {
	uint64_t from, to; /* leaves [from, to), from 0 */
	struct hash hash;  /* once `to` has passed by */
};

/* Which subtrees are its hashes, in the order of the proof. */
struct merkle_plan {
	size_t count;
	struct merkle_part parts[MERKLE_MAX_PATH];
	struct merkle_log part; /* the one that is being made */
	uint64_t next;          /* leaf */
};

/* That leaf `index` is in the tree of `size` (2.1.3.1). */
void merkle_plan_inclusion(
    struct merkle_plan *plan, uint64_t index, uint64_t size);
/* That the tree of `before` is the beginning of that of `after` (2.1.4.1); both
 * above 0, before <= after. */
void merkle_plan_consistency(
    struct merkle_plan *plan, uint64_t before, uint64_t after);

void merkle_plan_take(struct merkle_plan *plan, struct digest *digest,
    const void *leaf, size_t size);

/* -- Checking one -- */

/* 2.1.3.2 */
bool merkle_check_inclusion(struct digest *digest, uint64_t index,
    uint64_t size, const struct hash *leaf, const struct hash *path,
    size_t path_count, const struct hash *root);
/* 2.1.4.2 */
bool merkle_check_consistency(struct digest *digest, uint64_t before,
    uint64_t after, const struct hash *path, size_t path_count,
    const struct hash *root_before, const struct hash *root_after);

#endif
