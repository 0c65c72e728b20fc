/*
 * The Merkle tree of RFC 9162 over the events, grown leaf by leaf: only the
 * roots of its complete subtrees are kept (at most 64), which is all that
 * the next leaf and the root of the whole need.  Pure.
 */
#ifndef SNAPD_MERKLE_LOG_H
#define SNAPD_MERKLE_LOG_H

#include "common/messages.h"
#include "snapd/digest.h"

struct merkle_log {
	uint64_t count; /* leaves */
	/* One for each bit set in count, the largest subtree first. */
	struct hash roots[64];
	size_t root_count;
};

void merkle_log_add(struct merkle_log *log, struct digest *digest,
    const void *leaf, size_t size);
struct hash merkle_log_root(
    const struct merkle_log *log, struct digest *digest);

#endif
