/*
 * See message_index.h.  The process is the only one that opens the
 * environment (MDB_NOLOCK), so no reader may stay open over a write: each read
 * renews one transaction, and reads inside a write use that one.
 */
#include "imapd/message_index.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "imapd/index_record.h"
#include "imapd/index_state.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	KEY_MAX = 511,
	MAX_CRASHES = 2
};

/* Address space only: without MDB_WRITEMAP the file grows as it is filled, and
 * no transaction, however large, meets the end of the map. */
static const size_t map_bytes =
    sizeof(size_t) >= 8 ? (size_t)64 << 30 : (size_t)1 << 30;

struct message_index {
	int home_fd;
	MDB_env *env;
	MDB_txn *reader;
	MDB_txn *writer;
	unsigned int depth;
	bool is_broken;
	bool was_killed;
	MDB_dbi meta, mailbox, row, file, name, vanished, cache, subscribed;
	struct buf scratch;
};

/* -- Opening -- */

static void
broke(struct message_index *index, const char *what, int rc)
{
	if (!index->is_broken)
		log_error("index-broken", "call=%s error=\"%s\"", what,
		    mdb_strerror(rc));
	index->is_broken = true;
}

static int
open_databases(struct message_index *index)
{
	const struct {
		MDB_dbi *dbi;
		const char *name;
		unsigned int flags;
	} databases[] = {
		{ &index->meta, "meta", 0 },
		{ &index->mailbox, "mailbox", 0 },
		{ &index->row, "row", MDB_DUPSORT | MDB_DUPFIXED },
		{ &index->file, "file", 0 },
		{ &index->name, "name", 0 },
		{ &index->vanished, "vanished", 0 },
		{ &index->cache, "cache", 0 },
		{ &index->subscribed, "subscribed", 0 },
	};
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++) {
		rc = mdb_dbi_open(txn, databases[i].name,
		    databases[i].flags | MDB_CREATE, databases[i].dbi);
		if (rc != 0) {
			mdb_txn_abort(txn);
			return rc;
		}
	}
	return mdb_txn_commit(txn);
}

/* Rows are compared by UID alone, so that one is found by it. */
static int
compare_rows(const MDB_val *a, const MDB_val *b)
{
	return memcmp(a->mv_data, b->mv_data, 4);
}

static int
open_environment(struct message_index *index, struct error *error)
{
	char path[64];
	MDB_txn *txn;
	int rc;

	/* By descriptor: the worker's path is relative to its home. */
	snprintf(path, sizeof(path), "index");
	if (fchdir(index->home_fd) == -1)
		return error_set_errno(error, "home");
	rc = mdb_env_create(&index->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(index->env, 8);
	if (rc == 0)
		rc = mdb_env_set_mapsize(index->env, map_bytes);
	if (rc == 0)
		rc = mdb_env_open(
		    index->env, path, MDB_NOSYNC | MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = open_databases(index);
	if (rc == 0)
		rc = mdb_txn_begin(index->env, NULL, 0, &txn);
	if (rc == 0) {
		mdb_set_dupsort(txn, index->row, compare_rows);
		rc = mdb_txn_commit(txn);
	}
	if (rc == 0)
		rc =
		    mdb_txn_begin(index->env, NULL, MDB_RDONLY, &index->reader);
	if (rc != 0)
		return error_set(
		    error, ERROR_DAMAGED, "index: %s", mdb_strerror(rc));
	mdb_txn_reset(index->reader);
	return 0;
}

static void
close_environment(struct message_index *index)
{
	if (index->reader != NULL)
		mdb_txn_abort(index->reader);
	index->reader = NULL;
	if (index->env != NULL)
		mdb_env_close(index->env);
	index->env = NULL;
}

static void
remove_files(int home_fd)
{
	struct error error;
	int fd = file_open_directory(home_fd, "index", &error);

	if (fd == -1)
		return;
	file_unlink(fd, "data.mdb", &error);
	file_unlink(fd, "lock.mdb", &error);
	close(fd);
}

static bool
has_format(struct message_index *index)
{
	struct index_meta meta;

	return index_get_meta(index, &meta);
}

static bool
is_data_there(int home_fd)
{
	struct stat info;

	return fstatat(home_fd, "index/data.mdb", &info, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISREG(info.st_mode) && info.st_size > 0;
}

/* The directory, the state and the environment; one that cannot be opened is
 * made anew, once. */
static int
prepare(struct message_index *index, const struct index_state *now,
    bool *was_made, struct error *error)
{
	struct error ignored;
	int home_fd = index->home_fd;

	if (file_make_directory(home_fd, "index", 0700, error) == -1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	if (index_state_write(home_fd, now, error) == -1)
		return -1;
	if (*was_made)
		remove_files(home_fd);
	if (open_environment(index, &ignored) == 0 &&
	    (*was_made || has_format(index)))
		return 0;
	close_environment(index);
	remove_files(home_fd);
	*was_made = true;
	return open_environment(index, error);
}

struct message_index *
index_open(int home_fd, bool *was_made, bool *was_unclean, struct error *error)
{
	struct message_index *index = memory_new(1, sizeof(*index));
	struct index_state state = { "", 0, 0 }, now = { "", 0, 0 };
	bool has_state = index_state_read(home_fd, &state) == 0;
	bool is_same_boot;

	index->home_fd = home_fd;
	index->was_killed = has_state && !state.is_clean;
	buf_init(&index->scratch, 16 * 1024 * 1024);
	index_state_boot(now.boot);
	is_same_boot = has_state && memcmp(state.boot, now.boot, 40) == 0;
	*was_unclean = has_state && !state.is_clean && !is_same_boot;
	now.crashes = state.is_clean ? 0 : (uint8_t)(state.crashes + 1);
	*was_made = !has_state || *was_unclean || now.crashes > MAX_CRASHES ||
		    !is_data_there(home_fd);
	if (*was_made)
		now.crashes = 0;
	if (prepare(index, &now, was_made, error) == 0)
		return index;
	close_environment(index);
	buf_clear(&index->scratch);
	free(index);
	return NULL;
}

void
index_abandon(struct message_index **index)
{
	if (*index == NULL)
		return;
	if ((*index)->writer != NULL)
		mdb_txn_abort((*index)->writer);
	close_environment(*index);
	buf_clear(&(*index)->scratch);
	memory_free(index);
}

void
index_close(struct message_index **index)
{
	struct index_state state = { "", 1, 0 };
	struct error error;
	int home_fd;
	bool is_good;

	if (*index == NULL)
		return;
	home_fd = (*index)->home_fd;
	index_state_boot(state.boot);
	is_good = !(*index)->is_broken && mdb_env_sync((*index)->env, 1) == 0;
	index_abandon(index);
	if (is_good && index_state_write(home_fd, &state, &error) == -1)
		log_warning("index-close", "error=\"%s\"", error.text);
}

bool
index_was_killed(const struct message_index *index)
{
	return index->was_killed;
}

bool
index_is_broken(const struct message_index *index)
{
	return index->is_broken;
}

/* -- Transactions -- */

static void
begin(struct message_index *index)
{
	int rc;

	/* What one transaction lost, the next would say is there. */
	if (index->is_broken)
		return;
	rc = mdb_txn_begin(index->env, NULL, 0, &index->writer);
	if (rc != 0) {
		index->writer = NULL;
		broke(index, "begin", rc);
	}
}

static void
commit(struct message_index *index)
{
	int rc;

	if (index->writer == NULL)
		return;
	rc = mdb_txn_commit(index->writer);
	index->writer = NULL;
	if (rc != 0)
		broke(index, "commit", rc);
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

void
index_flush(struct message_index *index)
{
	if (index->depth == 0)
		return;
	commit(index);
	begin(index);
}

void
index_empty(struct message_index *index)
{
	const MDB_dbi databases[] = { index->meta, index->mailbox, index->row,
		index->file, index->name, index->vanished, index->cache,
		index->subscribed };
	int rc = 0;

	index_begin(index);
	for (size_t i = 0; i < 8 && index->writer != NULL && rc == 0; i++)
		rc = mdb_drop(index->writer, databases[i], 0);
	if (rc != 0)
		broke(index, "drop", rc);
	index_commit(index);
}

/* Setting the size maps the file anew, with none of its pages in this
 * process; LMDB permits it as long as no transaction runs. */
void
index_rest(struct message_index *index)
{
	int rc;

	if (index->writer != NULL)
		return;
	buf_clear(&index->scratch);
	rc = mdb_env_set_mapsize(index->env, map_bytes);
	if (rc != 0)
		broke(index, "map", rc);
}

static void
put(struct message_index *index, MDB_dbi dbi, const void *key, size_t key_size,
    const void *data, size_t size)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key };
	MDB_val v = { size, (void *)(uintptr_t)data };
	int rc;

	if (index->writer == NULL)
		return;
	rc = mdb_put(index->writer, dbi, &k, &v, 0);
	if (rc != 0)
		broke(index, "put", rc);
}

static void
del(struct message_index *index, MDB_dbi dbi, const void *key, size_t key_size)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key };
	int rc;

	if (index->writer == NULL)
		return;
	rc = mdb_del(index->writer, dbi, &k, NULL);
	if (rc != 0 && rc != MDB_NOTFOUND)
		broke(index, "del", rc);
}

/* A transaction to read in, and its end. */
static MDB_txn *
read_begin(struct message_index *index)
{
	if (index->writer != NULL)
		return index->writer;
	if (mdb_txn_renew(index->reader) != 0)
		return NULL;
	return index->reader;
}

static void
read_end(struct message_index *index, MDB_txn *txn)
{
	if (txn == index->reader)
		mdb_txn_reset(txn);
}

/* Copies the value into the scratch buffer, so that it outlives the
 * transaction. */
static bool
get(struct message_index *index, MDB_dbi dbi, const void *key, size_t key_size,
    struct text *value)
{
	MDB_val k = { key_size, (void *)(uintptr_t)key }, v;
	MDB_txn *txn = read_begin(index);
	bool found;

	if (txn == NULL)
		return false;
	buf_reset(&index->scratch);
	found = mdb_get(txn, dbi, &k, &v) == 0 &&
		buf_put(&index->scratch, v.mv_data, v.mv_size) == 0;
	read_end(index, txn);
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

	if (!get(index, index->meta, "account", 7, &value))
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
	put(index, index->meta, "account", 7, bytes, w.size);
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
	put(index, index->mailbox, key, sizeof(key), bytes, w.size);
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
		rc = mdb_cursor_del(cursor, 0);
		if (rc != 0) {
			broke(index, "cursor-del", rc);
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
	del(index, index->mailbox, key, sizeof(key));
	del(index, index->row, key, sizeof(key));
	remove_range(index, index->file, mailbox);
	remove_range(index, index->name, mailbox);
	remove_range(index, index->vanished, mailbox);
	index_commit(index);
}

void
index_each_mailbox(struct message_index *index,
    void (*callback)(const struct mailbox_record *record,
	const struct index_mailbox_state *state, void *context),
    void *context)
{
	MDB_txn *txn = read_begin(index);
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
			broke(index, "mailbox-record", MDB_CORRUPTED);
	}
	mdb_cursor_close(cursor);
	read_end(index, txn);
}

void
index_put_subscribed(
    struct message_index *index, struct text name, bool is_subscribed)
{
	size_t size = name.size > KEY_MAX ? KEY_MAX : name.size;

	if (is_subscribed)
		put(index, index->subscribed, name.data, size, name.data,
		    name.size);
	else
		del(index, index->subscribed, name.data, size);
}

void
index_each_subscribed(struct message_index *index,
    void (*callback)(struct text name, void *context), void *context)
{
	MDB_txn *txn = read_begin(index);
	MDB_cursor *cursor;
	MDB_val k, v;

	if (txn == NULL ||
	    mdb_cursor_open(txn, index->subscribed, &cursor) != 0)
		return;
	while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
		callback(text_make(v.mv_data, v.mv_size), context);
	mdb_cursor_close(cursor);
	read_end(index, txn);
}

/* -- Rows -- */

/* A cursor on the row of a UID; false (and none) if it is not there. */
static bool
seek_row(struct message_index *index, MDB_txn *txn, uint64_t mailbox,
    uint32_t uid, MDB_cursor **cursor, MDB_val *value)
{
	static uint8_t key[8], bytes[INDEX_ROW_SIZE];
	MDB_val k = { sizeof(key), key };

	index_put_big(key, mailbox, 8);
	index_put_big(bytes, uid, 4);
	*value = (MDB_val){ sizeof(bytes), bytes };
	if (mdb_cursor_open(txn, index->row, cursor) != 0)
		return false;
	if (mdb_cursor_get(*cursor, &k, value, MDB_GET_BOTH) == 0)
		return true;
	mdb_cursor_close(*cursor);
	return false;
}

static void
remove_row(struct message_index *index, uint64_t mailbox, uint32_t uid)
{
	MDB_cursor *cursor;
	MDB_val v;
	int rc;

	if (index->writer == NULL ||
	    !seek_row(index, index->writer, mailbox, uid, &cursor, &v))
		return;
	rc = mdb_cursor_del(cursor, 0);
	if (rc != 0)
		broke(index, "row-del", rc);
	mdb_cursor_close(cursor);
}

void
index_put_row(
    struct message_index *index, uint64_t mailbox, const struct index_row *row)
{
	uint8_t key[8], bytes[INDEX_ROW_SIZE];

	index_put_big(key, mailbox, 8);
	index_row_encode(row, bytes);
	index_begin(index);
	remove_row(index, mailbox, row->uid);
	put(index, index->row, key, sizeof(key), bytes, sizeof(bytes));
	index_commit(index);
}

bool
index_find_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_row *row)
{
	MDB_txn *txn = read_begin(index);
	MDB_cursor *cursor;
	MDB_val v;
	bool found;

	if (txn == NULL)
		return false;
	found = seek_row(index, txn, mailbox, uid, &cursor, &v);
	if (found) {
		index_row_decode(v.mv_data, row);
		mdb_cursor_close(cursor);
	}
	read_end(index, txn);
	return found;
}

uint32_t
index_next_uid(struct message_index *index, uint64_t mailbox, uint32_t after)
{
	uint8_t key[12];
	MDB_val k = { uid_key(key, mailbox, after + 1), key }, v;
	MDB_txn *txn = read_begin(index);
	MDB_cursor *cursor;
	uint32_t uid = 0;

	if (txn == NULL || mdb_cursor_open(txn, index->file, &cursor) != 0)
		return 0;
	if (mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) == 0 &&
	    k.mv_size == 12 && memcmp(k.mv_data, key, 8) == 0)
		uid = (uint32_t)index_get_big((uint8_t *)k.mv_data + 8, 4);
	mdb_cursor_close(cursor);
	read_end(index, txn);
	return uid;
}

struct index_row *
index_load_rows(struct message_index *index, uint64_t mailbox, size_t *count)
{
	struct index_row *rows = NULL;
	uint8_t key[8];
	MDB_val k = { sizeof(key), key }, v;
	MDB_txn *txn = read_begin(index);
	MDB_cursor *cursor;
	size_t total = 0;
	int rc;

	*count = 0;
	index_put_big(key, mailbox, 8);
	if (txn == NULL || mdb_cursor_open(txn, index->row, &cursor) != 0)
		return NULL;
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
	if (rc == 0)
		rc = mdb_cursor_count(cursor, &total);
	if (rc == 0) {
		rows = memory_new(total, sizeof(*rows));
		rc = mdb_cursor_get(cursor, &k, &v, MDB_GET_MULTIPLE);
	}
	while (rc == 0) {
		const uint8_t *at = v.mv_data;

		for (size_t left = v.mv_size;
		     left >= INDEX_ROW_SIZE && *count < total;
		     left -= INDEX_ROW_SIZE, at += INDEX_ROW_SIZE)
			index_row_decode(at, &rows[(*count)++]);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT_MULTIPLE);
	}
	mdb_cursor_close(cursor);
	read_end(index, txn);
	return rows;
}

/* -- Files and their names -- */

void
index_put_file(struct message_index *index, uint64_t mailbox, uint32_t uid,
    const struct index_file *file)
{
	uint8_t key[KEY_MAX], bytes[1024], number[4];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	index_file_encode(&w, file);
	index_begin(index);
	put(index, index->file, key, uid_key(key, mailbox, uid), bytes, w.size);
	index_put_big(number, uid, 4);
	put(index, index->name, key, name_key(key, mailbox, file->base), number,
	    sizeof(number));
	index_commit(index);
}

bool
index_find_file(struct message_index *index, uint64_t mailbox, uint32_t uid,
    struct index_file *file)
{
	uint8_t key[12];
	struct text value;

	if (!get(index, index->file, key, uid_key(key, mailbox, uid), &value))
		return false;
	if (index_file_decode(value, file) == 0)
		return true;
	broke(index, "file-record", MDB_CORRUPTED);
	return false;
}

uint32_t
index_find_name(struct message_index *index, uint64_t mailbox, struct text base)
{
	uint8_t key[KEY_MAX];
	struct text value;

	if (!get(index, index->name, key, name_key(key, mailbox, base),
		&value) ||
	    value.size != 4)
		return 0;
	return (uint32_t)index_get_big((const uint8_t *)value.data, 4);
}

/* -- The cache of parses -- */

bool
index_find_cache(
    struct message_index *index, const struct hash *hash, struct text *bytes)
{
	if (!get(
		index, index->cache, hash->bytes, sizeof(hash->bytes), bytes) ||
	    bytes->size < 4)
		return false;
	*bytes = text_skip(*bytes, 4);
	return true;
}

void
index_count_cache(
    struct message_index *index, const struct hash *hash, int delta)
{
	struct text value;
	uint32_t references;

	if (!get(index, index->cache, hash->bytes, sizeof(hash->bytes),
		&value) ||
	    value.size < 4)
		return;
	references = (uint32_t)index_get_big((const uint8_t *)value.data, 4);
	references += (uint32_t)delta;
	if (references == 0) {
		del(index, index->cache, hash->bytes, sizeof(hash->bytes));
		return;
	}
	index_put_big((uint8_t *)(uintptr_t)value.data, references, 4);
	put(index, index->cache, hash->bytes, sizeof(hash->bytes), value.data,
	    value.size);
}

void
index_put_cache(
    struct message_index *index, const struct hash *hash, struct text bytes)
{
	struct text old;
	uint8_t references[4];

	index_begin(index);
	index_put_big(references, 1, 4);
	if (get(index, index->cache, hash->bytes, sizeof(hash->bytes), &old) &&
	    old.size >= 4)
		memcpy(references, old.data, 4);
	buf_reset(&index->scratch);
	if (buf_put(&index->scratch, references, 4) == 0 &&
	    buf_put(&index->scratch, bytes.data, bytes.size) == 0)
		put(index, index->cache, hash->bytes, sizeof(hash->bytes),
		    index->scratch.data, index->scratch.size);
	index_commit(index);
}

/* -- Vanished -- */

void
index_remove_row(struct message_index *index, uint64_t mailbox, uint32_t uid,
    uint64_t modseq)
{
	uint8_t key[KEY_MAX];
	struct index_file file;

	index_begin(index);
	if (index_find_file(index, mailbox, uid, &file)) {
		struct hash hash = file.hash;
		size_t size = name_key(key, mailbox, file.base);

		if (index_find_name(
			index, mailbox, text_make(key + 8, size - 8)) == uid)
			del(index, index->name, key, size);
		index_count_cache(index, &hash, -1);
	}
	del(index, index->file, key, uid_key(key, mailbox, uid));
	remove_row(index, mailbox, uid);
	if (modseq != 0) {
		index_put_big(
		    index_put_big(index_put_big(key, mailbox, 8), modseq, 8),
		    uid, 4);
		put(index, index->vanished, key, 20, "", 0);
	}
	index_commit(index);
}

void
index_each_vanished(struct message_index *index, uint64_t mailbox,
    uint64_t after_modseq, void (*callback)(uint32_t uid, void *context),
    void *context)
{
	uint8_t key[20];
	MDB_val k = { sizeof(key), key }, v;
	MDB_txn *txn = read_begin(index);
	MDB_cursor *cursor;
	int rc;

	if (txn == NULL || mdb_cursor_open(txn, index->vanished, &cursor) != 0)
		return;
	index_put_big(
	    index_put_big(index_put_big(key, mailbox, 8), after_modseq + 1, 8),
	    0, 4);
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && k.mv_size == 20 && memcmp(k.mv_data, key, 8) == 0) {
		callback((uint32_t)index_get_big((uint8_t *)k.mv_data + 16, 4),
		    context);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	read_end(index, txn);
}
