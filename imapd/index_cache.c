/*
 * The cache of parses, by content: see message_index.h.  What it costs to find
 * a record decides how fast a mailbox is listed.  By hash they would lie in no
 * order, two to a page, so that each costs a way down a tree whose pages are in
 * no memory cache; by number they lie as the messages came.  A number is given
 * once, above all others; should one come again, for the last record was
 * dropped, the hash in front of the record tells it.
 *
 * content  hash -> u32 references, u64 number
 * parsed   number -> hash, bytes
 * unused   hash of entries without a reference
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"
#include "imapd/message_index_room.h"

#include <string.h>

enum {
	HASH_SIZE = sizeof(struct hash),
	CONTENT_SIZE = 12,
	NUMBER_SIZE = 8
};

struct content {
	uint32_t references;
	uint64_t number;
};

/* -- By content -- */

static bool
find_content(struct message_index *index, const struct hash *hash,
    struct content *content)
{
	struct text value;
	const uint8_t *bytes;

	if (!index_get(index, index->content, hash->bytes, HASH_SIZE, &value) ||
	    value.size != CONTENT_SIZE)
		return false;
	bytes = (const uint8_t *)value.data;
	content->references = (uint32_t)index_get_big(bytes, 4);
	content->number = index_get_big(bytes + 4, NUMBER_SIZE);
	return true;
}

static void
put_content(struct message_index *index, const struct hash *hash,
    const struct content *content)
{
	uint8_t bytes[CONTENT_SIZE];

	index_put_big(index_put_big(bytes, content->references, 4),
	    content->number, NUMBER_SIZE);
	index_put(index, index->content, hash->bytes, HASH_SIZE, bytes,
	    sizeof(bytes));
}

uint64_t
index_cache_number(struct message_index *index, const struct hash *hash)
{
	struct content content;

	return find_content(index, hash, &content) ? content.number : 0;
}

/* -- By number -- */

/* The record of that number, if it is of this content. */
static bool
find_parsed(struct message_index *index, uint64_t number,
    const struct hash *hash, struct text *bytes)
{
	uint8_t key[NUMBER_SIZE];

	index_put_big(key, number, sizeof(key));
	if (!index_look(index, &index->at_parsed, key, sizeof(key), bytes) ||
	    bytes->size < HASH_SIZE ||
	    memcmp(bytes->data, hash->bytes, HASH_SIZE) != 0)
		return false;
	*bytes = text_skip(*bytes, HASH_SIZE);
	return true;
}

/* One above the last. */
static uint64_t
next_number(struct message_index *index)
{
	uint64_t number = 1;
	MDB_cursor *cursor;
	MDB_val k, v;

	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->parsed, &cursor) != 0)
		return 0;
	if (mdb_cursor_get(cursor, &k, &v, MDB_LAST) == 0 &&
	    k.mv_size == NUMBER_SIZE)
		number = index_get_big(k.mv_data, NUMBER_SIZE) + 1;
	mdb_cursor_close(cursor);
	return number;
}

static void
put_parsed(struct message_index *index, uint64_t number,
    const struct hash *hash, struct text bytes)
{
	uint8_t key[NUMBER_SIZE];

	index_put_big(key, number, sizeof(key));
	buf_reset(&index->scratch);
	if (buf_put(&index->scratch, hash->bytes, HASH_SIZE) == 0 &&
	    buf_put(&index->scratch, bytes.data, bytes.size) == 0)
		index_put(index, index->parsed, key, sizeof(key),
		    index->scratch.data, index->scratch.size);
}

/* -- Entries -- */

bool
index_find_cache(
    struct message_index *index, const struct hash *hash, struct text *bytes)
{
	uint64_t number = index_cache_number(index, hash);

	return number != 0 && find_parsed(index, number, hash, bytes);
}

bool
index_find_parsed(struct message_index *index, const struct index_file *file,
    struct text *bytes)
{
	return (file->cache_number != 0 &&
		   find_parsed(
		       index, file->cache_number, &file->hash, bytes)) ||
	       index_find_cache(index, &file->hash, bytes);
}

void
index_number_file(struct message_index *index, uint64_t mailbox, uint32_t uid)
{
	struct index_file file;

	if (index_find_file(index, mailbox, uid, &file))
		index_set_number(
		    index, mailbox, uid, index_cache_number(index, &file.hash));
}

void
index_set_number(struct message_index *index, uint64_t mailbox, uint32_t uid,
    uint64_t number)
{
	struct index_file file;

	if (!index_find_file(index, mailbox, uid, &file) ||
	    file.cache_number == number)
		return;
	file.cache_number = number;
	index_begin(index);
	index_put_file_record(index, mailbox, uid, &file);
	index_commit(index);
}

static bool
is_unused(struct message_index *index, const struct hash *hash)
{
	struct text value;

	return index_get(index, index->unused, hash->bytes, HASH_SIZE, &value);
}

/* The entry itself is not touched: a large expunge would write all of them. */
static void
set_unused(struct message_index *index, const struct hash *hash)
{
	index_put(index, index->unused, hash->bytes, HASH_SIZE, "", 0);
}

void
index_count_cache(
    struct message_index *index, const struct hash *hash, int delta)
{
	struct content content;

	if (!find_content(index, hash, &content))
		return;
	if (content.references <= 1 && delta < 0) {
		set_unused(index, hash);
		return;
	}
	if (content.references <= 1 && is_unused(index, hash)) {
		index_del(index, index->unused, hash->bytes, HASH_SIZE);
		return;
	}
	content.references += (uint32_t)delta;
	put_content(index, hash, &content);
}

uint64_t
index_put_cache(
    struct message_index *index, const struct hash *hash, struct text bytes)
{
	struct content content = { .references = 1 };

	index_begin(index);
	if (!find_content(index, hash, &content)) {
		content.number = next_number(index);
		put_content(index, hash, &content);
	}
	put_parsed(index, content.number, hash, bytes);
	index_commit(index);
	return content.number;
}

void
index_put_past_cache(
    struct message_index *index, const struct hash *hash, struct text bytes)
{
	index_begin(index);
	if (index_cache_number(index, hash) == 0)
		set_unused(index, hash);
	(void)index_put_cache(index, hash, bytes);
	index_commit(index);
}

static void
drop_entry(struct message_index *index, const struct hash *hash)
{
	uint8_t key[NUMBER_SIZE];
	struct content content;

	if (!find_content(index, hash, &content))
		return;
	index_put_big(key, content.number, sizeof(key));
	index_del(index, index->parsed, key, sizeof(key));
	index_del(index, index->content, hash->bytes, HASH_SIZE);
}

static void
drop_unused(struct message_index *index)
{
	struct hash hash;
	MDB_val k, v;
	MDB_cursor *cursor;
	int rc;

	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->unused, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (rc == 0) {
		if (k.mv_size == HASH_SIZE) {
			memcpy(hash.bytes, k.mv_data, HASH_SIZE);
			drop_entry(index, &hash);
		}
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	index_room_touch(index, 0);
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
	if (stat.ms_entries <= limit)
		return;
	index_begin(index);
	drop_unused(index);
	index_commit(index);
}
