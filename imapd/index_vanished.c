/*
 * UIDs that vanished, in runs that have one MODSEQ: see message_index.h.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"

#include <string.h>

enum {
	VANISHED_KEY_SIZE = 20
};

static void
vanished_key(uint8_t key[VANISHED_KEY_SIZE], uint64_t mailbox, uint64_t modseq,
    uint32_t uid)
{
	index_put_big(
	    index_put_big(index_put_big(key, mailbox, 8), modseq, 8), uid, 4);
}

void
index_put_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t modseq, uint32_t first, uint32_t last)
{
	uint8_t key[VANISHED_KEY_SIZE], bytes[4];

	vanished_key(key, mailbox, modseq, first);
	index_put_big(bytes, last, 4);
	index_begin(index);
	index_put(
	    index, index->vanished, key, sizeof(key), bytes, sizeof(bytes));
	index_commit(index);
}

/* The run of this MODSEQ that ends just before the UID: its first one, or 0. */
static uint32_t
find_run_before(struct message_index *index, uint64_t mailbox, uint64_t modseq,
    uint32_t uid)
{
	uint8_t key[VANISHED_KEY_SIZE];
	MDB_val k = { sizeof(key), key }, v;
	MDB_cursor *cursor;
	uint32_t first = 0;
	int rc;

	vanished_key(key, mailbox, modseq, uid);
	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->vanished, &cursor) != 0)
		return 0;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	rc = mdb_cursor_get(
	    cursor, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	if (rc == 0 && k.mv_size == sizeof(key) && v.mv_size == 4 &&
	    memcmp(k.mv_data, key, 16) == 0 &&
	    index_get_big(v.mv_data, 4) + 1 == uid)
		first = (uint32_t)index_get_big((uint8_t *)k.mv_data + 16, 4);
	mdb_cursor_close(cursor);
	return first;
}

void
index_add_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t modseq, uint32_t uid)
{
	uint32_t first = find_run_before(index, mailbox, modseq, uid);

	index_put_vanished(
	    index, mailbox, modseq, first != 0 ? first : uid, uid);
}

void
index_each_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t after_modseq,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	uint8_t key[VANISHED_KEY_SIZE];
	MDB_val k = { sizeof(key), key }, v;
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	int rc;

	if (txn == NULL || mdb_cursor_open(txn, index->vanished, &cursor) != 0)
		return;
	vanished_key(key, mailbox, after_modseq + 1, 0);
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size == sizeof(key) && v.mv_size == 4 &&
	       memcmp(k.mv_data, key, 8) == 0) {
		callback((uint32_t)index_get_big((uint8_t *)k.mv_data + 16, 4),
		    (uint32_t)index_get_big(v.mv_data, 4), context);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
}
