/*
 * See message_index.h.  The process is the only one that opens the
 * environment (MDB_NOLOCK), so no reader may stay open over a write: the one
 * that there is ends when a write begins, and reads inside a write use that
 * one, which on a full disk stays open over many (message_index_room.h).
 */
#include "imapd/message_index.h"

#include "imapd/index_record.h"
#include "imapd/message_index_file.h"
#include "imapd/message_index_room.h"

#include <lmdb.h>
#include <string.h>

enum {
	KEY_MAX = 511
};

/* -- Transactions -- */

static void
begin(struct message_index *index)
{
	int rc;

	/* What one transaction lost, the next would say is there. */
	if (index->is_broken || index->writer != NULL)
		return;
	index_read_end(index);
	rc = mdb_txn_begin(index->env, NULL, 0, &index->writer);
	if (rc != 0) {
		index->writer = NULL;
		index_broke(index, "begin", rc);
	}
}

static void
commit(struct message_index *index)
{
	int rc;

	if (index->writer == NULL)
		return;
	index_counts_save(index);
	index->page.rows = NULL;
	if (index->touched_pages > 0 && !index_mark_touched(index)) {
		mdb_txn_abort(index->writer);
		index->writer = NULL;
		index->is_broken = true;
		return;
	}
	if (!index_room_take(index))
		return;
	rc = mdb_txn_commit(index->writer);
	index->writer = NULL;
	if (rc != 0)
		index_broke(index, "commit", rc);
}

void
index_begin(struct message_index *index)
{
	if (index->depth++ == 0)
		begin(index);
}

void
index_commit(struct message_index *index)
{
	if (--index->depth == 0)
		commit(index);
}

bool
index_commit_later(struct message_index *index)
{
	return --index->depth == 0 && index->writer != NULL;
}

void
index_settle(struct message_index *index)
{
	if (index->depth == 0)
		commit(index);
}

bool
index_flush(struct message_index *index)
{
	bool is_committed;

	if (index->depth == 0)
		return true;
	commit(index);
	is_committed = index->writer == NULL;
	begin(index);
	return is_committed;
}

void
index_empty(struct message_index *index)
{
	int rc = 0;

	index_begin(index);
	index_room_touch(index, 0);
	for (size_t i = 0; i < INDEX_DATABASES && index->writer != NULL; i++)
		if (rc == 0)
			rc = mdb_drop(index->writer, index->all[i], 0);
	if (rc != 0)
		index_broke(index, "drop", rc);
	index_counts_forget(index);
	index_commit(index);
}

void
index_put(struct message_index *index, MDB_dbi dbi, const void *key,
    size_t key_size, const void *data, size_t size)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key };
	MDB_val v = { size, (void *)(uintptr_t)data };
	int rc;

	if (index->writer == NULL)
		return;
	index_room_touch(index, size);
	rc = mdb_put(index->writer, dbi, &k, &v, 0);
	if (rc != 0)
		index_broke(index, "put", rc);
}

void
index_del(
    struct message_index *index, MDB_dbi dbi, const void *key, size_t key_size)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key };
	int rc;

	if (index->writer == NULL)
		return;
	index_room_touch(index, 0);
	rc = mdb_del(index->writer, dbi, &k, NULL);
	if (rc != 0 && rc != MDB_NOTFOUND)
		index_broke(index, "del", rc);
}

/* -- Reading -- */

/* No lock file tells a writer of a reader: so none is open while one writes. */
MDB_txn *
index_read_begin(struct message_index *index)
{
	if (index->writer != NULL)
		return index->writer;
	if (index->is_reading)
		return index->reader;
	if (mdb_txn_renew(index->reader) != 0)
		return NULL;
	index->is_reading = true;
	index->at_file.number = index->at_parsed.number = 0;
	index->page.rows = NULL;
	if (mdb_cursor_renew(index->reader, index->at_row) != 0 ||
	    mdb_cursor_renew(index->reader, index->at_file.cursor) != 0 ||
	    mdb_cursor_renew(index->reader, index->at_parsed.cursor) != 0) {
		index_read_end(index);
		return NULL;
	}
	return index->reader;
}

void
index_read_end(struct message_index *index)
{
	if (index->is_reading)
		mdb_txn_reset(index->reader);
	index->is_reading = false;
	index->page.rows = NULL;
}

/* Most who look up one look up the next one then: it is found without a way
 * down the tree. */
static int
look_at_place(struct index_place *place, MDB_val *key, MDB_val *value)
{
	const uint8_t *end = (uint8_t *)key->mv_data + key->mv_size;
	uint64_t number = index_get_big(end - 8, 8);
	bool is_next = place->number != 0 && number == place->number + 1;
	MDB_val k;
	int rc;

	place->number = number;
	if (is_next &&
	    mdb_cursor_get(place->cursor, &k, value, MDB_NEXT) == 0 &&
	    k.mv_size == key->mv_size &&
	    memcmp(k.mv_data, key->mv_data, k.mv_size) == 0)
		return 0;
	rc = mdb_cursor_get(place->cursor, key, value, MDB_SET);
	if (rc != 0)
		place->number = 0;
	return rc;
}

bool
index_look(struct message_index *index, struct index_place *place,
    const void *key, size_t key_size, struct text *value)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key }, v;
	MDB_txn *txn = index_read_begin(index);
	int rc;

	if (txn == NULL)
		return false;
	rc = txn == index->reader ? look_at_place(place, &k, &v)
				  : mdb_get(txn, place->dbi, &k, &v);
	if (rc == 0)
		*value = text_make(v.mv_data, v.mv_size);
	return rc == 0;
}

/* Copies the value into the scratch buffer, so that it outlives the
 * transaction. */
bool
index_get(struct message_index *index, MDB_dbi dbi, const void *key,
    size_t key_size, struct text *value)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key }, v;
	MDB_txn *txn = index_read_begin(index);
	bool found;

	if (txn == NULL)
		return false;
	buf_reset(&index->scratch);
	found = mdb_get(txn, dbi, &k, &v) == 0 &&
		buf_put(&index->scratch, v.mv_data, v.mv_size) == 0;
	*value = text_make(index->scratch.data, index->scratch.size);
	return found;
}

/* -- Keys -- */

static size_t
uid_key(uint8_t *key, uint64_t mailbox, uint32_t uid)
{
	return (size_t)(index_put_big(index_put_big(key, mailbox, 8), uid, 4) -
			key);
}

static size_t
name_key(uint8_t *key, uint64_t mailbox, struct text base)
{
	size_t size =
	    base.size > RECORD_MAX_BASE_SIZE ? RECORD_MAX_BASE_SIZE : base.size;

	memcpy(index_put_big(key, mailbox, 8), base.data, size);
	return 8 + size;
}

/* -- Meta -- */

bool
index_get_meta(struct message_index *index, struct index_meta *meta)
{
	struct text value;

	if (!index_get(index, index->meta, "account", 7, &value))
		return false;
	return index_meta_decode(value, meta) == 0;
}

void
index_put_meta(struct message_index *index, const struct index_meta *meta)
{
	uint8_t bytes[64];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	index_meta_encode(&w, meta);
	index_put(index, index->meta, "account", 7, bytes, w.size);
}

/* -- Mailboxes -- */

void
index_put_mailbox(struct message_index *index,
    const struct mailbox_record *record,
    const struct index_mailbox_state *state)
{
	uint8_t key[8], bytes[RECORD_MAILBOX_MAX + 64];
	struct writer w;

	index_put_big(key, record->id, 8);
	writer_init(&w, bytes, sizeof(bytes));
	index_mailbox_encode(&w, record, state);
	index_put(index, index->mailbox, key, sizeof(key), bytes, w.size);
}

/* Deletes all entries of a database whose key begins with the mailbox. */
static void
remove_range(struct message_index *index, MDB_dbi dbi, uint64_t mailbox)
{
	uint8_t prefix[8];
	MDB_val k = { sizeof(prefix), prefix }, v;
	MDB_cursor *cursor;
	int rc;

	index_put_big(prefix, mailbox, 8);
	if (index->writer == NULL ||
	    mdb_cursor_open(index->writer, dbi, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size >= 8 && memcmp(k.mv_data, prefix, 8) == 0) {
		index_room_touch(index, 0);
		rc = mdb_cursor_del(cursor, 0);
		if (rc != 0) {
			index_broke(index, "cursor-del", rc);
			break;
		}
		k = (MDB_val){ sizeof(prefix), prefix };
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	}
	mdb_cursor_close(cursor);
}

void
index_remove_mailbox(struct message_index *index, uint64_t mailbox)
{
	uint8_t key[8];

	index_put_big(key, mailbox, 8);
	index_begin(index);
	index_count_no_more(index, mailbox);
	index_del(index, index->mailbox, key, sizeof(key));
	index_del(index, index->row, key, sizeof(key));
	remove_range(index, index->file, mailbox);
	remove_range(index, index->name, mailbox);
	remove_range(index, index->vanished, mailbox);
	remove_range(index, index->saved, mailbox);
	index_commit(index);
}

void
index_each_mailbox(struct message_index *index,
    void (*callback)(const struct mailbox_record *record,
	const struct index_mailbox_state *state, void *context),
    void *context)
{
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	MDB_val k, v;

	if (txn == NULL || mdb_cursor_open(txn, index->mailbox, &cursor) != 0)
		return;
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		struct index_mailbox_state state;
		struct mailbox_record record;

		if (index_mailbox_decode(
			text_make(v.mv_data, v.mv_size), &record, &state) == 0)
			callback(&record, &state, context);
		else
			index_broke(index, "mailbox-record", MDB_CORRUPTED);
	}
	mdb_cursor_close(cursor);
}

void
index_put_subscribed(
    struct message_index *index, struct text name, bool is_subscribed)
{
	size_t size = name.size > KEY_MAX ? KEY_MAX : name.size;

	if (is_subscribed)
		index_put(index, index->subscribed, name.data, size, name.data,
		    name.size);
	else
		index_del(index, index->subscribed, name.data, size);
}

void
index_each_subscribed(struct message_index *index,
    void (*callback)(struct text name, void *context), void *context)
{
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	MDB_val k, v;

	if (txn == NULL ||
	    mdb_cursor_open(txn, index->subscribed, &cursor) != 0)
		return;
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
		callback(text_make(v.mv_data, v.mv_size), context);
	mdb_cursor_close(cursor);
}

/* -- Files and their names -- */

uint32_t
index_next_uid(struct message_index *index, uint64_t mailbox, uint32_t after)
{
	uint8_t key[12];
	MDB_val k = { uid_key(key, mailbox, after + 1), key }, v;
	MDB_txn *txn = index_read_begin(index);
	MDB_cursor *cursor;
	uint32_t uid = 0;

	if (txn == NULL || mdb_cursor_open(txn, index->file, &cursor) != 0)
		return 0;
	if (mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) == 0 &&
	    k.mv_size == 12 && memcmp(k.mv_data, key, 8) == 0)
		uid = (uint32_t)index_get_big((uint8_t *)k.mv_data + 8, 4);
	mdb_cursor_close(cursor);
	return uid;
}

void
index_put_file_record(struct message_index *index, uint64_t mailbox,
    uint32_t uid, const struct index_file *file)
{
	uint8_t key[12], bytes[1024];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	index_file_encode(&w, file);
	index_put(
	    index, index->file, key, uid_key(key, mailbox, uid), bytes, w.size);
}

void
index_put_file(struct message_index *index, uint64_t mailbox, uint32_t uid,
    const struct index_file *file)
{
	uint8_t name[KEY_MAX], number[4];
	/* Before anything is written: its texts may be those that are read. */
	size_t name_size = name_key(name, mailbox, file->base);
	struct text value;

	index_begin(index);
	index_put_file_record(index, mailbox, uid, file);
	index_put_big(number, uid, 4);
	/* Which it has from its first day on, mostly. */
	if (!index_get(index, index->name, name, name_size, &value) ||
	    !text_equal(value, text_make((char *)number, sizeof(number))))
		index_put(index, index->name, name, name_size, number,
		    sizeof(number));
	index_commit(index);
}

bool
index_find_file(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_file *file)
{
	uint8_t key[12];
	struct text value;

	if (!index_look(index, &index->at_file, key, uid_key(key, mailbox, uid),
		&value))
		return false;
	if (index_file_decode(value, file) == 0)
		return true;
	index_broke(index, "file-record", MDB_CORRUPTED);
	return false;
}

void
index_each_file(struct message_index *index, uint64_t mailbox,
    void (*callback)(
	uint32_t uid, const struct index_file *file, void *context),
    void *context)
{
	uint8_t key[12];
	MDB_val k = { uid_key(key, mailbox, 0), key }, v;
	MDB_txn *txn = index_read_begin(index);
	struct index_file file;
	MDB_cursor *cursor;
	int rc;

	if (txn == NULL || mdb_cursor_open(txn, index->file, &cursor) != 0)
		return;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size == 12 && memcmp(k.mv_data, key, 8) == 0) {
		if (index_file_decode(text_make(v.mv_data, v.mv_size), &file) ==
		    0)
			callback((uint32_t)index_get_big(
				     (uint8_t *)k.mv_data + 8, 4),
			    &file, context);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
}

uint32_t
index_find_name(struct message_index *index, uint64_t mailbox, struct text base)
{
	uint8_t key[KEY_MAX];
	struct text value;

	if (!index_get(index, index->name, key, name_key(key, mailbox, base),
		&value) ||
	    value.size != 4)
		return 0;
	return (uint32_t)index_get_big((const uint8_t *)value.data, 4);
}

void
index_forget_file(struct message_index *index, uint64_t mailbox, uint32_t uid)
{
	uint8_t key[12], name[KEY_MAX];
	struct index_file file;
	size_t size;

	if (!index_find_file(index, mailbox, uid, &file))
		return;
	size = name_key(name, mailbox, file.base);
	index_begin(index);
	if (index_find_name(
		index, mailbox, text_make((char *)name + 8, size - 8)) == uid)
		index_del(index, index->name, name, size);
	index_del(index, index->file, key, uid_key(key, mailbox, uid));
	index_commit(index);
}

void
index_remove_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    uint64_t modseq)
{
	struct index_file file;
	struct hash hash;

	index_begin(index);
	if (index_find_file(index, mailbox, uid, &file)) {
		hash = file.hash;
		index_count_cache(index, &hash, -1);
	}
	index_take_row(index, mailbox, uid);
	if (modseq != 0)
		index_add_vanished(index, mailbox, modseq, uid);
	index_commit(index);
}
