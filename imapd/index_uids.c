/*
 * Sets of UIDs beside the rows (message_index.h): which there are, are unseen,
 * are to be deleted.  Runs without a gap, no two of which touch, by their last
 * UID, so that the run from a UID on is found by it; a million messages of
 * which none was removed are one run.
 *
 * uids     id, set -> last u32, first u32, big-endian (DUPFIXED)
 */
#include "imapd/message_index_file.h"

#include "imapd/index_record.h"
#include "imapd/message_index_room.h"

enum {
	KEY_SIZE = 9,
	RUN_SIZE = INDEX_RUN_SIZE
};

struct run {
	uint32_t first;
	uint32_t last;
};

static void
put_key(uint8_t key[KEY_SIZE], uint64_t mailbox, enum index_set set)
{
	index_put_big(index_put_big(key, mailbox, 8), set, 1);
}

static void
put_run(uint8_t bytes[RUN_SIZE], struct run run)
{
	index_put_big(index_put_big(bytes, run.last, 4), run.first, 4);
}

static struct run
get_run(const MDB_val *v)
{
	const uint8_t *bytes = v->mv_data;

	return (struct run){ index_get_uid(bytes + 4), index_get_uid(bytes) };
}

/* The first run that ends at `uid` or above. */
static bool
find_run(MDB_cursor *cursor, uint64_t mailbox, enum index_set set, uint32_t uid,
    struct run *run)
{
	uint8_t key[KEY_SIZE], bytes[RUN_SIZE];
	MDB_val k = { sizeof(key), key }, v = { sizeof(bytes), bytes };

	put_key(key, mailbox, set);
	put_run(bytes, (struct run){ 0, uid });
	if (mdb_cursor_get(cursor, &k, &v, MDB_GET_BOTH_RANGE) != 0)
		return false;
	*run = get_run(&v);
	return true;
}

/* -- Changing -- */

struct editing {
	struct message_index *index;
	MDB_cursor *cursor;
	uint64_t mailbox;
	enum index_set set;
};

static void
add_run(const struct editing *e, struct run run)
{
	uint8_t key[KEY_SIZE], bytes[RUN_SIZE];

	put_key(key, e->mailbox, e->set);
	put_run(bytes, run);
	index_put(
	    e->index, e->index->uids, key, sizeof(key), bytes, sizeof(bytes));
}

/* The one that the cursor is at, by one that sorts into its place. */
static void
replace_run(const struct editing *e, struct run run)
{
	uint8_t key[KEY_SIZE], bytes[RUN_SIZE];
	MDB_val k = { sizeof(key), key }, v = { sizeof(bytes), bytes };
	int rc;

	put_key(key, e->mailbox, e->set);
	put_run(bytes, run);
	index_room_touch(e->index, 0);
	rc = mdb_cursor_put(e->cursor, &k, &v, MDB_CURRENT);
	if (rc != 0)
		index_broke(e->index, "uids-put", rc);
}

static void
remove_run(const struct editing *e)
{
	int rc;

	index_room_touch(e->index, 0);
	rc = mdb_cursor_del(e->cursor, 0);
	if (rc != 0)
		index_broke(e->index, "uids-del", rc);
}

/* `before` ends just before the new one, and the cursor is at it. */
static void
add_behind(const struct editing *e, struct run before, struct run run)
{
	struct run behind;

	if (!find_run(e->cursor, e->mailbox, e->set, run.last, &behind) ||
	    behind.first != run.last + 1) {
		(void)find_run(
		    e->cursor, e->mailbox, e->set, before.last, &before);
		replace_run(e, (struct run){ before.first, run.last });
		return;
	}
	replace_run(e, (struct run){ before.first, behind.last });
	if (find_run(e->cursor, e->mailbox, e->set, before.last, &before))
		remove_run(e);
}

/* None of these are in the set. */
static void
add_uids(const struct editing *e, struct run run)
{
	struct run near;

	if (!find_run(e->cursor, e->mailbox, e->set, run.first - 1, &near))
		add_run(e, run);
	else if (near.last + 1 == run.first)
		add_behind(e, near, run);
	else if (near.first == run.last + 1)
		replace_run(e, (struct run){ run.first, near.last });
	else if (near.first > run.last)
		add_run(e, run);
	else
		index_broke(e->index, "uids", MDB_CORRUPTED);
}

/* All of these are, and so in one run. */
static void
remove_uids(const struct editing *e, struct run run)
{
	struct run all;

	if (!find_run(e->cursor, e->mailbox, e->set, run.first, &all) ||
	    all.first > run.first || all.last < run.last) {
		index_broke(e->index, "uids", MDB_CORRUPTED);
	} else if (all.last == run.last && all.first == run.first) {
		remove_run(e);
	} else if (all.last == run.last) {
		replace_run(e, (struct run){ all.first, run.first - 1 });
	} else {
		replace_run(e, (struct run){ run.last + 1, all.last });
		if (all.first < run.first)
			add_run(e, (struct run){ all.first, run.first - 1 });
	}
}

static void
save(struct message_index *index, enum index_set set)
{
	struct index_uids *begun = &index->begun[set];
	struct editing e = {
		.index = index, .mailbox = begun->mailbox, .set = set
	};
	const struct run run = { begun->first, begun->last };

	begun->mailbox = 0;
	if (e.mailbox == 0 || index->writer == NULL ||
	    mdb_cursor_open(index->writer, index->uids, &e.cursor) != 0)
		return;
	if (begun->is_in)
		add_uids(&e, run);
	else
		remove_uids(&e, run);
	mdb_cursor_close(e.cursor);
}

/* Many that follow one another are one change. */
void
index_uids_set(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t uid, bool is_in)
{
	struct index_uids *begun = &index->begun[set];

	if (begun->mailbox == mailbox && begun->is_in == is_in &&
	    begun->last + 1 == uid) {
		begun->last = uid;
		return;
	}
	save(index, set);
	*begun = (struct index_uids){ mailbox, uid, uid, is_in };
}

void
index_uids_save(struct message_index *index)
{
	for (int set = 0; set < INDEX_SETS; set++)
		save(index, (enum index_set)set);
}

void
index_uids_add_run(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t first, uint32_t last)
{
	const struct editing e = {
		.index = index, .mailbox = mailbox, .set = set
	};

	add_run(&e, (struct run){ first, last });
}

void
index_uids_remove_all(struct message_index *index, uint64_t mailbox)
{
	uint8_t key[KEY_SIZE];

	index_uids_save(index);
	for (int set = 0; set < INDEX_SETS; set++) {
		put_key(key, mailbox, (enum index_set)set);
		index_del(index, index->uids, key, sizeof(key));
	}
}

/* -- Reading -- */

static bool
add_up(uint32_t first, uint32_t last, void *context)
{
	size_t *count = context;

	*count += (size_t)last - first + 1;
	return true;
}

size_t
index_set_count(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t from)
{
	size_t count = 0;

	index_each_run(index, mailbox, set, from, add_up, &count);
	return count;
}

/* False: that is enough. */
static bool
each_of_page(MDB_val page, uint32_t from,
    bool (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	bool goes_on = true;

	for (; goes_on && page.mv_size >= RUN_SIZE; page.mv_size -= RUN_SIZE) {
		struct run run = get_run(&page);

		if (run.last >= from)
			goes_on = callback(run.first < from ? from : run.first,
			    run.last, context);
		page.mv_data = (uint8_t *)page.mv_data + RUN_SIZE;
	}
	return goes_on;
}

void
index_each_run(struct message_index *index, uint64_t mailbox,
    enum index_set set, uint32_t from,
    bool (*callback)(uint32_t first, uint32_t last, void *context),
    void *context)
{
	uint8_t bytes[RUN_SIZE];
	MDB_val k, page = { sizeof(bytes), bytes };
	MDB_cursor *cursor;
	struct run run;
	MDB_txn *txn;
	int rc;

	save(index, set);
	txn = index_read_begin(index);
	if (txn == NULL || mdb_cursor_open(txn, index->uids, &cursor) != 0)
		return;
	rc = find_run(cursor, mailbox, set, from, &run) ? 0 : MDB_NOTFOUND;
	if (rc == 0) {
		/* One that is the only one stays what `page` is. */
		put_run(bytes, run);
		rc = mdb_cursor_get(cursor, &k, &page, MDB_GET_MULTIPLE);
	}
	while (rc == 0 && each_of_page(page, from, callback, context))
		rc = mdb_cursor_get(cursor, &k, &page, MDB_NEXT_MULTIPLE);
	mdb_cursor_close(cursor);
}
