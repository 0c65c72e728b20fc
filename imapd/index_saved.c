/*
 * When messages came into their mailboxes, in runs of UIDs that came together:
 * see message_index.h.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"

#include <string.h>

enum {
	SAVED_KEY_SIZE = 12,
	SAVED_SIZE = 12
};

static const char up_to_key[] = "saved";

/* The run that the UID is in, or the first one behind it: false if the mailbox
 * has none. */
static bool
find_run(struct message_index *index, uint64_t mailbox, uint32_t uid,
    uint32_t *first, int64_t *time)
{
	uint8_t key[SAVED_KEY_SIZE];
	MDB_val k = { sizeof(key), key }, v;
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	bool found;

	index_put_big(index_put_big(key, mailbox, 8), uid, 4);
	if (txn == NULL || mdb_cursor_open(txn, index->saved, &cursor) != 0)
		return false;
	found = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) == 0 &&
		k.mv_size == sizeof(key) && v.mv_size == SAVED_SIZE &&
		memcmp(k.mv_data, key, 8) == 0;
	if (found) {
		*first = (uint32_t)index_get_big(v.mv_data, 4);
		*time = (int64_t)index_get_big((uint8_t *)v.mv_data + 4, 8);
	}
	mdb_cursor_close(cursor);
	return found;
}

bool
index_find_saved(
    struct message_index *index, uint64_t mailbox, uint32_t uid, int64_t *time)
{
	uint32_t first;

	return find_run(index, mailbox, uid, &first, time) && first <= uid;
}

void
index_put_saved(struct message_index *index, uint64_t mailbox, uint32_t first,
    uint32_t last, int64_t time)
{
	uint8_t key[SAVED_KEY_SIZE], bytes[SAVED_SIZE];
	uint32_t known;
	int64_t then;

	/* One that is known came once more in a restore: it keeps its time, and
	 * the others of the run, which came behind it, are put by themselves.
	 */
	while (first <= last && index_find_saved(index, mailbox, first, &then))
		first++;
	if (find_run(index, mailbox, first, &known, &then) && known <= last)
		last = known - 1;
	if (first > last)
		return;
	index_put_big(index_put_big(key, mailbox, 8), last, 4);
	index_put_big(index_put_big(bytes, first, 4), (uint64_t)time, 8);
	index_begin(index);
	index_put(index, index->saved, key, sizeof(key), bytes, sizeof(bytes));
	index_commit(index);
}

uint64_t
index_saved_up_to(struct message_index *index)
{
	struct text value;

	return index_get(index, index->meta, up_to_key, sizeof(up_to_key) - 1,
		   &value) &&
		       value.size == 8
		   ? index_get_big((const uint8_t *)value.data, 8)
		   : 0;
}

void
index_set_saved_up_to(struct message_index *index, uint64_t sequence)
{
	uint8_t bytes[8];

	index_put_big(bytes, sequence, sizeof(bytes));
	index_begin(index);
	index_put(index, index->meta, up_to_key, sizeof(up_to_key) - 1, bytes,
	    sizeof(bytes));
	index_commit(index);
}
