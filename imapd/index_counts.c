/*
 * What is known of a mailbox without a look at its rows (message_index.h): how
 * many there are, and their sets, kept with them in the same transactions, so
 * that no row is counted twice and none is forgotten, whoever brought it (a
 * delivery, a restore, another program's file).  Of the mailbox that was
 * changed last the counts are in memory until the commit, or until another one
 * is.
 *
 * count    id -> messages, bytes, unseen, deleted, bytes of these, the MODSEQ
 *          from which on all changes are known (u64 each)
 * meta "usage": messages u64, bytes u64, of all mailboxes, for the quota.
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"

#include <string.h>

enum {
	USAGE_SIZE = 16,
	USAGE_KEY_SIZE = 5,
	COUNTS_SIZE = 48
};

static const char usage_key[] = "usage";

/* -- Of one mailbox -- */

static void
read_counts(
    struct message_index *index, uint64_t mailbox, struct index_counts *counts)
{
	struct text value;
	struct reader r;
	uint8_t key[8];

	memset(counts, 0, sizeof(*counts));
	index_put_big(key, mailbox, sizeof(key));
	if (!index_get(index, index->count, key, sizeof(key), &value))
		return;
	reader_init(&r, value.data, value.size);
	counts->messages = reader_get_u64(&r);
	counts->bytes = reader_get_u64(&r);
	counts->unseen = reader_get_u64(&r);
	counts->deleted = reader_get_u64(&r);
	counts->deleted_bytes = reader_get_u64(&r);
	counts->changes_after = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		index_broke(index, "counts", MDB_CORRUPTED);
}

static void
write_counts(struct message_index *index)
{
	const struct index_counts *counts = &index->counted.counts;
	uint8_t key[8], bytes[COUNTS_SIZE];
	struct writer w;

	if (!index->counted.is_changed)
		return;
	index_put_big(key, index->counted.mailbox, sizeof(key));
	writer_init(&w, bytes, sizeof(bytes));
	writer_put_u64(&w, counts->messages);
	writer_put_u64(&w, counts->bytes);
	writer_put_u64(&w, counts->unseen);
	writer_put_u64(&w, counts->deleted);
	writer_put_u64(&w, counts->deleted_bytes);
	writer_put_u64(&w, counts->changes_after);
	index_put(index, index->count, key, sizeof(key), bytes, w.size);
	index->counted.is_changed = false;
}

struct index_counts *
index_counts_of(struct message_index *index, uint64_t mailbox)
{
	if (index->counted.mailbox != mailbox) {
		write_counts(index);
		read_counts(index, mailbox, &index->counted.counts);
		index->counted.mailbox = mailbox;
	}
	index->counted.is_changed = true;
	return &index->counted.counts;
}

void
index_count(
    struct message_index *index, uint64_t mailbox, struct index_counts *counts)
{
	if (index->counted.mailbox == mailbox)
		*counts = index->counted.counts;
	else
		read_counts(index, mailbox, counts);
}

/* -- Rows that come, change and go -- */

static bool
is_unseen(const struct index_row *row)
{
	return row != NULL && (row->flags & FLAG_SEEN) == 0;
}

static bool
is_deleted(const struct index_row *row)
{
	return row != NULL && (row->flags & FLAG_DELETED) != 0;
}

static void
add_to(uint64_t *sum, uint64_t size, bool is_there)
{
	*sum = is_there ? *sum + size : *sum - size;
}

static void
tally(struct index_counts *counts, struct index_usage *usage,
    const struct index_row *row, bool is_there)
{
	if (row == NULL)
		return;
	add_to(&counts->messages, 1, is_there);
	add_to(&counts->bytes, row->size, is_there);
	add_to(&counts->unseen, is_unseen(row), is_there);
	add_to(&counts->deleted, is_deleted(row), is_there);
	add_to(
	    &counts->deleted_bytes, is_deleted(row) ? row->size : 0, is_there);
	add_to(&usage->messages, 1, is_there);
	add_to(&usage->bytes, row->size, is_there);
}

void
index_count_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    const struct index_row *old, const struct index_row *row)
{
	struct index_counts *counts = index_counts_of(index, mailbox);

	tally(counts, &index->usage, old, false);
	tally(counts, &index->usage, row, true);
	index->is_usage_changed |=
	    old == NULL || row == NULL || old->size != row->size;
	if ((old == NULL) != (row == NULL))
		index_uids_set(index, mailbox, INDEX_ALL, uid, row != NULL);
	if (is_unseen(old) != is_unseen(row))
		index_uids_set(
		    index, mailbox, INDEX_UNSEEN, uid, is_unseen(row));
	if (is_deleted(old) != is_deleted(row))
		index_uids_set(
		    index, mailbox, INDEX_DELETED, uid, is_deleted(row));
	if (row != NULL)
		index_note_change(index, mailbox, row);
}

void
index_count_no_more(struct message_index *index, uint64_t mailbox)
{
	struct index_counts *counts;
	uint8_t key[8];

	index_changes_save(index);
	counts = index_counts_of(index, mailbox);
	index->usage.messages -= counts->messages;
	index->usage.bytes -= counts->bytes;
	index->is_usage_changed = true;
	memset(&index->counted, 0, sizeof(index->counted));
	index_put_big(key, mailbox, sizeof(key));
	index_del(index, index->count, key, sizeof(key));
	index_del(index, index->changed, key, sizeof(key));
	index_uids_remove_all(index, mailbox);
}

/* -- Of all mailboxes -- */

const struct index_usage *
index_usage(const struct message_index *index)
{
	return &index->usage;
}

void
index_counts_load(struct message_index *index)
{
	struct text value;
	struct reader r;

	if (!index_get(index, index->meta, usage_key, USAGE_KEY_SIZE, &value))
		return;
	reader_init(&r, value.data, value.size);
	index->usage.messages = reader_get_u64(&r);
	index->usage.bytes = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		index_broke(index, "usage", MDB_CORRUPTED);
}

void
index_counts_save(struct message_index *index)
{
	uint8_t bytes[USAGE_SIZE];
	struct writer w;

	index_changes_save(index);
	index_uids_save(index);
	write_counts(index);
	if (!index->is_usage_changed)
		return;
	writer_init(&w, bytes, sizeof(bytes));
	writer_put_u64(&w, index->usage.messages);
	writer_put_u64(&w, index->usage.bytes);
	index_put(index, index->meta, usage_key, USAGE_KEY_SIZE, bytes, w.size);
	index->is_usage_changed = false;
}

void
index_counts_forget(struct message_index *index)
{
	memset(&index->counted, 0, sizeof(index->counted));
	memset(index->begun, 0, sizeof(index->begun));
	memset(&index->begun_change, 0, sizeof(index->begun_change));
	index->usage = (struct index_usage){ 0 };
	index->is_usage_changed = true;
}

/* -- An index of before they were kept -- */

struct recount {
	struct message_index *index;
	uint64_t mailbox;
	struct index_counts counts;
	struct {
		uint32_t first, last;
	} runs[INDEX_SETS]; /* last 0: none is begun */
};

static void
end_run(struct recount *recount, enum index_set set)
{
	if (recount->runs[set].last != 0)
		index_uids_add_run(recount->index, recount->mailbox, set,
		    recount->runs[set].first, recount->runs[set].last);
	recount->runs[set].last = 0;
}

static void
continue_run(struct recount *recount, enum index_set set, uint32_t uid)
{
	if (recount->runs[set].last == 0 ||
	    recount->runs[set].last + 1 != uid) {
		end_run(recount, set);
		recount->runs[set].first = uid;
	}
	recount->runs[set].last = uid;
}

/* Which changes were made, and when, is not known. */
static void
recount_row(struct recount *recount, const struct index_row *row)
{
	tally(&recount->counts, &recount->index->usage, row, true);
	if (row->modseq > recount->counts.changes_after)
		recount->counts.changes_after = row->modseq;
	continue_run(recount, INDEX_ALL, row->uid);
	if (is_unseen(row))
		continue_run(recount, INDEX_UNSEEN, row->uid);
	if (is_deleted(row))
		continue_run(recount, INDEX_DELETED, row->uid);
}

static void
recount_page(struct recount *recount, MDB_val page)
{
	const uint8_t *at = page.mv_data;
	struct index_row row;

	for (; page.mv_size >= INDEX_ROW_SIZE; page.mv_size -= INDEX_ROW_SIZE) {
		index_row_decode(at, &row);
		recount_row(recount, &row);
		at += INDEX_ROW_SIZE;
	}
}

/* Of the mailbox that the cursor is at, whose first row is `v`: if it is the
 * only one, LMDB leaves it as it is. */
static void
recount_mailbox(struct recount *recount, MDB_cursor *cursor, MDB_val v)
{
	MDB_val k;
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_MULTIPLE);

	for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_MULTIPLE))
		recount_page(recount, v);
	for (int set = 0; set < INDEX_SETS; set++)
		end_run(recount, (enum index_set)set);
	*index_counts_of(recount->index, recount->mailbox) = recount->counts;
}

void
index_counts_make(struct message_index *index)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	index_counts_forget(index);
	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->row, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	for (; rc == 0 && k.mv_size == 8;
	     rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_NODUP)) {
		struct recount recount = { .index = index,
			.mailbox = index_get_big(k.mv_data, 8) };

		recount_mailbox(&recount, cursor, v);
	}
	mdb_cursor_close(cursor);
}
