/*
 * How much is in all mailboxes of the account, for its quota: two sums that are
 * kept with the rows, in the same transactions, so that no row is counted twice
 * and none is forgotten, whoever brought it (a delivery, a restore, another
 * program's file).  An index of before there were quotas is counted once.
 *
 * meta "usage": messages u64, bytes u64.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"

enum {
	USAGE_SIZE = 16,
	USAGE_KEY_SIZE = 5
};

static const char usage_key[] = "usage";

const struct index_usage *
index_usage(const struct message_index *index)
{
	return &index->usage;
}

void
index_usage_add(struct message_index *index, uint64_t size)
{
	index->usage.messages++;
	index->usage.bytes += size;
	index->is_usage_changed = true;
}

void
index_usage_take(struct message_index *index, uint64_t size)
{
	index->usage.messages--;
	index->usage.bytes -= size;
	index->is_usage_changed = true;
}

/* The sum of a page of rows, or of more. */
static void
sum_page(MDB_val page, struct index_usage *sum)
{
	const uint8_t *at = page.mv_data;
	struct index_row row;

	for (; page.mv_size >= INDEX_ROW_SIZE; page.mv_size -= INDEX_ROW_SIZE) {
		index_row_decode(at, &row);
		sum->messages++;
		sum->bytes += row.size;
		at += INDEX_ROW_SIZE;
	}
}

/* Of the mailbox that the cursor is at, whose first row is `v`: if it is the
 * only one, LMDB leaves it as it is. */
static void
sum_mailbox(MDB_cursor *cursor, MDB_val v, struct index_usage *sum)
{
	MDB_val k;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_MULTIPLE);

	for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_MULTIPLE))
		sum_page(v, sum);
}

void
index_usage_take_mailbox(struct message_index *index, uint64_t mailbox)
{
	struct index_usage sum = { 0 };
	uint8_t key[8];
	MDB_val k = { sizeof(key), key }, v;
	MDB_cursor *cursor;

	index_put_big(key, mailbox, sizeof(key));
	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->row, &cursor) != 0)
		return;
	if (mdb_cursor_get(cursor, &k, &v, MDB_SET) == 0)
		sum_mailbox(cursor, v, &sum);
	mdb_cursor_close(cursor);
	index->usage.messages -= sum.messages;
	index->usage.bytes -= sum.bytes;
	index->is_usage_changed = true;
}

static void
count_all(struct message_index *index)
{
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	if (txn == NULL || mdb_cursor_open(txn, index->row, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_NODUP))
		sum_mailbox(cursor, v, &index->usage);
	mdb_cursor_close(cursor);
	index->is_usage_changed = true;
}

void
index_usage_load(struct message_index *index)
{
	struct text value;
	struct reader r;

	if (!index_get(index, index->meta, usage_key, USAGE_KEY_SIZE, &value)) {
		count_all(index);
		return;
	}
	reader_init(&r, value.data, value.size);
	index->usage.messages = reader_get_u64(&r);
	index->usage.bytes = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		index_broke(index, "usage", MDB_CORRUPTED);
}

void
index_usage_save(struct message_index *index)
{
	uint8_t bytes[USAGE_SIZE];
	struct writer w;

	if (!index->is_usage_changed)
		return;
	writer_init(&w, bytes, sizeof(bytes));
	writer_put_u64(&w, index->usage.messages);
	writer_put_u64(&w, index->usage.bytes);
	index_put(index, index->meta, usage_key, USAGE_KEY_SIZE, bytes, w.size);
	index->is_usage_changed = false;
}
