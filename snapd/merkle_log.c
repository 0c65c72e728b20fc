/*
 * The tree of RFC 9162 2.1: see merkle_log.h.
 */
#include "snapd/merkle_log.h"

static struct hash
node_of(
    struct digest *digest, const struct hash *left, const struct hash *right)
{
	digest_start(digest);
	digest_add(digest, "\1", 1);
	digest_add(digest, left->bytes, sizeof(left->bytes));
	digest_add(digest, right->bytes, sizeof(right->bytes));
	return digest_finish(digest);
}

void
merkle_log_add(struct merkle_log *log, struct digest *digest, const void *leaf,
    size_t size)
{
	uint64_t bits;
	struct hash hash;

	digest_start(digest);
	digest_add(digest, "\0", 1);
	digest_add(digest, leaf, size);
	hash = digest_finish(digest);
	for (bits = log->count; bits & 1; bits >>= 1)
		hash = node_of(digest, &log->roots[--log->root_count], &hash);
	log->roots[log->root_count++] = hash;
	log->count++;
}

struct hash
merkle_log_root(const struct merkle_log *log, struct digest *digest)
{
	struct hash hash;
	size_t i;

	if (log->root_count == 0)
		return digest_of(digest, "", 0);
	hash = log->roots[log->root_count - 1];
	for (i = log->root_count - 1; i > 0; i--)
		hash = node_of(digest, &log->roots[i - 1], &hash);
	return hash;
}
