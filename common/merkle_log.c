/*
 * The tree of RFC 9162 2.1: see merkle_log.h.
 */
#include "common/merkle_log.h"

#include <string.h>

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

struct hash
merkle_leaf(struct digest *digest, const void *leaf, size_t size)
{
	digest_start(digest);
	digest_add(digest, "\0", 1);
	digest_add(digest, leaf, size);
	return digest_finish(digest);
}

void
merkle_log_add(struct merkle_log *log, struct digest *digest, const void *leaf,
    size_t size)
{
	struct hash hash = merkle_leaf(digest, leaf, size);
	uint64_t bits;

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

/* -- Making a proof -- */

/* The largest power of two below `size`, which is above 1. */
static uint64_t
split_of(uint64_t size)
{
	uint64_t split = 1;

	while (split < size - split)
		split *= 2;
	return split;
}

static void
add_part(struct merkle_plan *plan, uint64_t from, uint64_t to)
{
	plan->parts[plan->count].from = from;
	plan->parts[plan->count].to = to;
	plan->count++;
}

/* Parts are found from the root down, and stand from the leaf up. */
static void
turn(struct merkle_plan *plan)
{
	struct merkle_part *low = plan->parts, *high = low + plan->count, part;

	while (low + 1 < high) {
		part = *low;
		*low++ = *--high;
		*high = part;
	}
}

void
merkle_plan_inclusion(struct merkle_plan *plan, uint64_t index, uint64_t size)
{
	uint64_t from = 0, to = size, middle;

	memset(plan, 0, sizeof(*plan));
	while (to - from > 1) {
		middle = from + split_of(to - from);
		if (index < middle) {
			add_part(plan, middle, to);
			to = middle;
		} else {
			add_part(plan, from, middle);
			from = middle;
		}
	}
	turn(plan);
}

void
merkle_plan_consistency(
    struct merkle_plan *plan, uint64_t before, uint64_t after)
{
	uint64_t from = 0, to = after, middle;

	memset(plan, 0, sizeof(*plan));
	while (to > before) {
		middle = from + split_of(to - from);
		if (before <= middle) {
			add_part(plan, middle, to);
			to = middle;
		} else {
			add_part(plan, from, middle);
			from = middle;
		}
	}
	/* The whole tree of before is known to whoever asks. */
	if (from > 0)
		add_part(plan, from, to);
	turn(plan);
}

void
merkle_plan_take(struct merkle_plan *plan, struct digest *digest,
    const void *leaf, size_t size)
{
	uint64_t at = plan->next++;
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (plan->parts[i].from <= at && at < plan->parts[i].to)
			break;
	if (i == plan->count)
		return;
	if (at == plan->parts[i].from)
		memset(&plan->part, 0, sizeof(plan->part));
	merkle_log_add(&plan->part, digest, leaf, size);
	if (at + 1 == plan->parts[i].to)
		plan->parts[i].hash = merkle_log_root(&plan->part, digest);
}

/* -- Checking one -- */

static bool
is_same(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
merkle_check_inclusion(struct digest *digest, uint64_t index, uint64_t size,
    const struct hash *leaf, const struct hash *path, size_t path_count,
    const struct hash *root)
{
	uint64_t node = index, last = size - 1;
	struct hash hash = *leaf;
	size_t i;

	if (index >= size)
		return false;
	for (i = 0; i < path_count; i++) {
		if (last == 0)
			return false;
		if ((node & 1) == 0 && node != last) {
			hash = node_of(digest, &hash, &path[i]);
		} else {
			hash = node_of(digest, &path[i], &hash);
			while ((node & 1) == 0 && node != 0) {
				node >>= 1;
				last >>= 1;
			}
		}
		node >>= 1;
		last >>= 1;
	}
	return last == 0 && is_same(&hash, root);
}

/* Both roots from the path; `old` begins as the part that both trees have. */
static bool
check_path(struct digest *digest, uint64_t node, uint64_t last,
    const struct hash *path, size_t path_count, struct hash *old,
    struct hash *now)
{
	size_t i;

	for (i = 0; i < path_count; i++) {
		if (last == 0)
			return false;
		if ((node & 1) == 0 && node != last) {
			*now = node_of(digest, now, &path[i]);
		} else {
			*old = node_of(digest, &path[i], old);
			*now = node_of(digest, &path[i], now);
			while ((node & 1) == 0 && node != 0) {
				node >>= 1;
				last >>= 1;
			}
		}
		node >>= 1;
		last >>= 1;
	}
	return last == 0;
}

bool
merkle_check_consistency(struct digest *digest, uint64_t before, uint64_t after,
    const struct hash *path, size_t path_count, const struct hash *root_before,
    const struct hash *root_after)
{
	uint64_t node = before - 1, last = after - 1;
	struct hash old, now;

	if (before == 0 || before > after)
		return false;
	if (before == after)
		return path_count == 0 && is_same(root_before, root_after);
	while ((node & 1) != 0) {
		node >>= 1;
		last >>= 1;
	}
	/* A tree of 2^n leaves is a part of the later one itself. */
	if ((before & (before - 1)) == 0) {
		old = *root_before;
	} else {
		if (path_count == 0)
			return false;
		old = *path++;
		path_count--;
	}
	now = old;
	return check_path(digest, node, last, path, path_count, &old, &now) &&
	       is_same(&old, root_before) && is_same(&now, root_after);
}
