/*
 * Which messages of a mailbox changed last, or came, for who was away for a
 * while (message_index.h): runs of UIDs with one MODSEQ.  What is noted of a
 * row that has changed again since stays, and is as true as before.  Of the
 * oldest nothing is kept: who was away for longer looks at all rows.
 *
 * changed  id -> MODSEQ u64, last UID u32, first u32, big-endian (DUPFIXED)
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"
#include "imapd/message_index_room.h"

enum {
	CHANGES_MAX = 1000, /* runs of one mailbox */
	RUN_SIZE = INDEX_CHANGE_SIZE
};

struct run {
	uint64_t modseq;
	uint32_t first;
	uint32_t last;
};

static void
put_run(uint8_t bytes[RUN_SIZE], struct run run)
{
	index_put_big(
	    index_put_big(index_put_big(bytes, run.modseq, 8), run.last, 4),
	    run.first, 4);
}

static struct run
get_run(const MDB_val *v)
{
	const uint8_t *bytes = v->mv_data;

	return (struct run){ index_get_big(bytes, 8),
		(uint32_t)index_get_big(bytes + 12, 4),
		(uint32_t)index_get_big(bytes + 8, 4) };
}

static int
drop_first(MDB_cursor *cursor, MDB_val *k, struct index_counts *counts)
{
	MDB_val v;
	int rc = mdb_cursor_get(cursor, k, &v, MDB_SET);

	if (rc != 0)
		return rc;
	counts->changes_after = get_run(&v).modseq;
	return mdb_cursor_del(cursor, 0);
}

static int
add(MDB_cursor *cursor, MDB_val *k, struct run run, struct index_counts *counts)
{
	uint8_t bytes[RUN_SIZE];
	MDB_val v = { sizeof(bytes), bytes };
	size_t count = 0;
	int rc;

	put_run(bytes, run);
	rc = mdb_cursor_put(cursor, k, &v, 0);
	if (rc == 0)
		rc = mdb_cursor_count(cursor, &count);
	return rc == 0 && count > CHANGES_MAX ? drop_first(cursor, k, counts)
					      : rc;
}

void
index_changes_save(struct message_index *index)
{
	const struct index_change begun = index->begun_change;
	struct index_counts *counts;
	uint8_t key[8];
	MDB_val k = { sizeof(key), key };
	MDB_cursor *cursor;
	int rc;

	index->begun_change.mailbox = 0;
	if (begun.mailbox == 0)
		return;
	counts = index_counts_of(index, begun.mailbox);
	if (begun.modseq <= counts->changes_after || index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->changed, &cursor) != 0)
		return;
	index_put_big(key, begun.mailbox, sizeof(key));
	index_room_touch(index, 0);
	index_room_touch(index, 0);
	rc = add(cursor, &k,
	    (struct run){ begun.modseq, begun.first, begun.last }, counts);
	if (rc != 0)
		index_broke(index, "changed-put", rc);
	mdb_cursor_close(cursor);
}

/* Many that follow one another are one run. */
void
index_note_change(
    struct message_index *index, uint64_t mailbox, const struct index_row *row)
{
	struct index_change *begun = &index->begun_change;

	if (begun->mailbox == mailbox && begun->modseq == row->modseq &&
	    begun->last + 1 == row->uid) {
		begun->last = row->uid;
		return;
	}
	index_changes_save(index);
	*begun =
	    (struct index_change){ mailbox, row->modseq, row->uid, row->uid };
}

bool
index_each_changed(struct message_index *index, uint64_t mailbox,
    uint64_t after,
    void (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	uint8_t key[8], bytes[RUN_SIZE];
	MDB_val k = { sizeof(key), key }, v = { sizeof(bytes), bytes };
	struct index_counts counts;
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc;

	index_changes_save(index);
	index_count(index, mailbox, &counts);
	txn = index_read_begin(index);
	if (after < counts.changes_after || after == UINT64_MAX ||
	    txn == NULL || mdb_cursor_open(txn, index->changed, &cursor) != 0)
		return false;
	index_put_big(key, mailbox, sizeof(key));
	put_run(bytes, (struct run){ after + 1, 0, 0 });
	rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_BOTH_RANGE);
	while (rc == 0) {
		struct run run = get_run(&v);

		callback(run.first, run.last, context);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_DUP);
	}
	mdb_cursor_close(cursor);
	return true;
}
