/*
 * See touched_rows.h.  A row costs its page, and those on the way to it; rows
 * side by side, a run of UIDs or blobs, share theirs, which LMDB keeps a
 * quarter full at least.
 */
#include "snapd/touched_rows.h"

#include <string.h>

enum {
	ROW_PAGES = 5,   /* anew for one row: its own, and the way to it */
	STEP = 8,        /* keys that are still side by side, */
	NODE_BYTES = 16, /* what each takes beside its bytes, */
	ROW_BYTES = 512, /* and a row of unknown size */
	FILL_SHARE = 4,  /* of a page is full */
	CHUNK_BYTES = 4096 + 512, /* chunks lie side by side */
	COMMIT_PAGES = 64         /* the free list, the roots */
};

void
touched_rows_begin(struct touched_rows *rows, size_t page_size)
{
	rows->page_size = page_size;
	rows->bytes = COMMIT_PAGES * page_size;
	for (size_t i = 0; i < DB_COUNT; i++)
		rows->last[i].size = 0;
}

/* How many keys there are at most from the one before up to this one, if it is
 * one of the next.  0: it is not. */
static uint64_t
step_from(const struct key *before, const struct key *key)
{
	size_t same = key->size - sizeof(uint32_t);
	uint32_t from, to;

	if (key->size != before->size || key->size < sizeof(uint32_t) ||
	    memcmp(key->bytes, before->bytes, same) != 0)
		return 0;
	from = key_u32_at(text_make(before->bytes, before->size), same);
	to = key_u32_at(text_make(key->bytes, key->size), same);
	return to > from && to - from <= STEP ? to - from : 0;
}

void
touched_rows_add(struct touched_rows *rows, enum database database,
    const struct key *key, size_t size)
{
	struct key *last = &rows->last[database];
	uint64_t step = step_from(last, key);
	size_t row = key->size + (size > 0 ? size : ROW_BYTES) + NODE_BYTES;
	uint64_t bytes = ROW_PAGES * rows->page_size + size;

	if (database == DB_CHUNK && size > 0)
		bytes = CHUNK_BYTES;
	else if (step > 0 && FILL_SHARE * step * row < bytes)
		bytes = FILL_SHARE * step * row;
	rows->bytes += bytes;
	last->size = key->size;
	memcpy(last->bytes, key->bytes, key->size);
}
