/*
 * The rows of the mailboxes: see message_index.h.  They lie in pages by rising
 * UID.  The page that was read last stays at hand until something is written,
 * so that who reads one row after another goes down the tree once a page.
 * Whatever changes a row is told to index_counts.c.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"
#include "imapd/message_index_room.h"

#include <string.h>

/* -- Changing -- */

/* A cursor on the row of a UID; false (and none) if it is not there. */
static bool
seek_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    MDB_cursor **cursor, struct index_row *row)
{
	uint8_t key[8], bytes[INDEX_ROW_SIZE];
	MDB_val k = { sizeof(key), key }, v = { sizeof(bytes), bytes };

	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->row, cursor) != 0)
		return false;
	index_put_big(key, mailbox, 8);
	index_put_big(bytes, uid, 4);
	if (mdb_cursor_get(*cursor, &k, &v, MDB_GET_BOTH) == 0) {
		index_row_decode(v.mv_data, row);
		return true;
	}
	mdb_cursor_close(*cursor);
	return false;
}

void
index_take_row(struct message_index *index, uint64_t mailbox, uint32_t uid)
{
	struct index_row row;
	MDB_cursor *cursor;
	int rc;

	if (!seek_row(index, mailbox, uid, &cursor, &row))
		return;
	index_room_touch(index, 0);
	rc = mdb_cursor_del(cursor, 0);
	if (rc != 0)
		index_broke(index, "row-del", rc);
	mdb_cursor_close(cursor);
	index_count_row(index, mailbox, uid, &row, NULL);
}

/* Written over where it stands, if there is one; false if there is none. */
static bool
replace_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    const uint8_t *bytes, struct index_row *old)
{
	MDB_val k, v, new = { INDEX_ROW_SIZE, (void *)(uintptr_t)bytes };
	MDB_cursor *cursor;
	int rc;

	if (!seek_row(index, mailbox, uid, &cursor, old))
		return false;
	index_room_touch(index, 0);
	rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_CURRENT);
	if (rc == 0)
		rc = mdb_cursor_put(cursor, &k, &new, MDB_CURRENT);
	if (rc != 0)
		index_broke(index, "row-put", rc);
	mdb_cursor_close(cursor);
	return true;
}

void
index_put_row(
    struct message_index *index, uint64_t mailbox, const struct index_row *row)
{
	uint8_t key[8], bytes[INDEX_ROW_SIZE];
	struct index_row old;
	bool has_old;

	index_put_big(key, mailbox, 8);
	index_row_encode(row, bytes);
	index_begin(index);
	has_old = replace_row(index, mailbox, row->uid, bytes, &old);
	if (!has_old)
		index_put(
		    index, index->row, key, sizeof(key), bytes, sizeof(bytes));
	index_count_row(index, mailbox, row->uid, has_old ? &old : NULL, row);
	index_commit(index);
}

/* -- Reading -- */

static uint32_t
uid_at(const struct index_page *page, size_t at)
{
	return index_get_uid(page->rows + at * INDEX_ROW_SIZE);
}

/* The page with the first row from `uid` on. */
static int
read_page(MDB_cursor *cursor, uint64_t mailbox, uint32_t uid, MDB_val *v)
{
	uint8_t key[8], bytes[INDEX_ROW_SIZE];
	MDB_val k = { sizeof(key), key };
	int rc;

	index_put_big(key, mailbox, 8);
	index_put_big(bytes, uid, 4);
	*v = (MDB_val){ sizeof(bytes), bytes };
	rc = mdb_cursor_get(cursor, &k, v, MDB_GET_BOTH_RANGE);
	/* A row that is the only one stays what `v` is. */
	return rc != 0 ? rc : mdb_cursor_get(cursor, &k, v, MDB_GET_MULTIPLE);
}

static bool
find_page(struct message_index *index, uint64_t mailbox, uint32_t uid)
{
	MDB_txn *txn = index_read_begin(index);
	struct index_page *page = &index->page;
	MDB_cursor *cursor = index->at_row;
	MDB_val v;
	int rc;

	if (page->rows != NULL && page->mailbox == mailbox &&
	    uid >= page->first && uid <= page->last)
		return true;
	page->rows = NULL;
	if (txn == NULL || (txn != index->reader &&
			       mdb_cursor_open(txn, index->row, &cursor) != 0))
		return false;
	rc = read_page(cursor, mailbox, uid, &v);
	if (cursor != index->at_row)
		mdb_cursor_close(cursor);
	if (rc != 0 || v.mv_size < INDEX_ROW_SIZE)
		return false;
	page->mailbox = mailbox;
	page->rows = v.mv_data;
	page->count = v.mv_size / INDEX_ROW_SIZE;
	page->first = uid_at(page, 0);
	page->last = uid_at(page, page->count - 1);
	page->next = 0;
	return true;
}

/* The first row of the page from `uid` on, which there is. Mostly it is the one
 * behind that of before. */
static size_t
position(const struct index_page *page, uint32_t uid)
{
	size_t low = 0, high = page->count - 1;

	if (page->next < page->count && uid_at(page, page->next) == uid)
		return page->next;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (uid_at(page, middle) < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
index_row_from(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_row *row)
{
	struct index_page *page = &index->page;
	size_t at;

	if (!find_page(index, mailbox, uid))
		return false;
	at = position(page, uid);
	page->next = at + 1;
	index_row_decode(page->rows + at * INDEX_ROW_SIZE, row);
	return true;
}

void
index_check_count(struct message_index *index, uint64_t mailbox, size_t count)
{
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	size_t rows = 0;
	uint8_t key[8];
	MDB_val k = { sizeof(key), key }, v;

	index_put_big(key, mailbox, 8);
	if (txn == NULL || mdb_cursor_open(txn, index->row, &cursor) != 0)
		return;
	if (mdb_cursor_get(cursor, &k, &v, MDB_SET) == 0)
		(void)mdb_cursor_count(cursor, &rows);
	mdb_cursor_close(cursor);
	if (rows != count)
		index_broke(index, "row-count", MDB_CORRUPTED);
}

bool
index_find_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_row *row)
{
	return index_row_from(index, mailbox, uid, row) && row->uid == uid;
}
