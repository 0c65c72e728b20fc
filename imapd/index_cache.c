/*
 * The cache of parses, by content: see message_index.h.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"

#include <string.h>

bool
index_find_cache(
    struct message_index *index, const struct hash *hash, struct text *bytes)
{
	if (!index_get(
		index, index->cache, hash->bytes, sizeof(hash->bytes), bytes) ||
	    bytes->size < 4)
		return false;
	*bytes = text_skip(*bytes, 4);
	return true;
}

static bool
is_unused(struct message_index *index, const struct hash *hash)
{
	struct text value;

	return index_get(
	    index, index->unused, hash->bytes, sizeof(hash->bytes), &value);
}

/* The entry itself is not touched: a large expunge would write all of them. */
static void
set_unused(struct message_index *index, const struct hash *hash)
{
	index_put(
	    index, index->unused, hash->bytes, sizeof(hash->bytes), "", 0);
}

void
index_count_cache(
    struct message_index *index, const struct hash *hash, int delta)
{
	struct text value;
	uint32_t references;

	if (!index_get(index, index->cache, hash->bytes, sizeof(hash->bytes),
		&value) ||
	    value.size < 4)
		return;
	references = (uint32_t)index_get_big((const uint8_t *)value.data, 4);
	if (references <= 1 && delta < 0) {
		set_unused(index, hash);
		return;
	}
	if (references <= 1 && is_unused(index, hash)) {
		index_del(
		    index, index->unused, hash->bytes, sizeof(hash->bytes));
		return;
	}
	if (!index_get(
		index, index->cache, hash->bytes, sizeof(hash->bytes), &value))
		return;
	index_put_big(
	    (uint8_t *)(uintptr_t)value.data, references + (uint32_t)delta, 4);
	index_put(index, index->cache, hash->bytes, sizeof(hash->bytes),
	    value.data, value.size);
}

void
index_put_cache(
    struct message_index *index, const struct hash *hash, struct text bytes)
{
	struct text old;
	uint8_t references[4];

	index_begin(index);
	index_put_big(references, 1, 4);
	if (index_get(
		index, index->cache, hash->bytes, sizeof(hash->bytes), &old) &&
	    old.size >= 4)
		memcpy(references, old.data, 4);
	buf_reset(&index->scratch);
	if (buf_put(&index->scratch, references, 4) == 0 &&
	    buf_put(&index->scratch, bytes.data, bytes.size) == 0)
		index_put(index, index->cache, hash->bytes, sizeof(hash->bytes),
		    index->scratch.data, index->scratch.size);
	index_commit(index);
}

void
index_put_past_cache(
    struct message_index *index, const struct hash *hash, struct text bytes)
{
	struct text old;

	index_begin(index);
	if (!index_find_cache(index, hash, &old))
		set_unused(index, hash);
	index_put_cache(index, hash, bytes);
	index_commit(index);
}

static void
drop_unused(struct message_index *index)
{
	MDB_val k, v;
	MDB_cursor *cursor;
	int rc;

	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->unused, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (rc == 0) {
		index_del(index, index->cache, k.mv_data, k.mv_size);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	rc = mdb_drop(index->writer, index->unused, 0);
	if (rc != 0)
		index_broke(index, "drop", rc);
}

void
index_trim_cache(struct message_index *index, size_t limit)
{
	MDB_txn *txn = index_read_begin(index);
	MDB_stat stat = { 0 };

	if (txn == NULL || mdb_stat(txn, index->unused, &stat) != 0)
		return;
	index_read_end(index, txn);
	if (stat.ms_entries <= limit)
		return;
	index_begin(index);
	drop_unused(index);
	index_commit(index);
}
