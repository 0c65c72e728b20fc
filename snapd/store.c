/*
 * The index environment: see store.h.  Data comes from journal and the readers
 * and goes to LMDB in its default, fully synchronous mode.  Nothing here may
 * create an environment but store_create.
 */
#include "snapd/store.h"

#include "common/file.h"
#include "common/head.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/growth.h"
#include "snapd/segments.h"
#include "snapd/snapshot_names.h"
#include "snapd/store_room.h"
#include "snapd/touched_rows.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct store {
	MDB_env *env;
	MDB_dbi databases[DB_COUNT];
	struct store_id id;
	uint8_t secret[32];
	uint64_t page_size;
	uint64_t map_bytes;
	struct growth growth;
	struct store_room room;
	bool is_writing;             /* a write transaction is open */
	struct touched_rows touched; /* by the transaction that writes */
	struct segments *segments;
	struct snapshot_names *names;
};

struct transaction {
	struct store *store;
	MDB_txn *txn;
	bool is_write;
	bool is_nested;
	struct block *block; /* of a segment, that was read last */
};

struct cursor {
	struct transaction *transaction;
	MDB_cursor *cursor;
	enum database database;
	struct key from;
	bool is_started;
};

static int commit_fault, next_commit_fault;

void
store_set_commit_fault(int errno_value)
{
	commit_fault = errno_value;
}

void
store_set_next_commit_fault(int errno_value)
{
	next_commit_fault = errno_value;
}

/* What an LMDB return code means to us. */
static int
set_error(struct error *error, int rc, const char *what)
{
	enum error_code code = ERROR_SYSTEM;

	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC ||
	    rc == EDQUOT)
		code = ERROR_FULL;
	else if (rc == ENOENT)
		code = ERROR_MISSING;
	else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
		 rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
		 rc == MDB_PANIC)
		code = ERROR_DAMAGED;
	error_set(error, code, "store: %s: %s", what, mdb_strerror(rc));
	if (error != NULL && rc > 0)
		error->errno_value = rc;
	return -1;
}

static uint64_t
sum_of(
    enum database database, const MDB_val *key, const void *value, size_t size)
{
	return store_sum(database, text_make(key->mv_data, key->mv_size),
	    text_make(value, size));
}

/* ERROR_MISSING if only databases are missing that the store's version did not
 * have. */
static int
open_databases(
    struct store *store, MDB_txn *txn, unsigned int flags, struct error *error)
{
	int i, rc;

	for (i = 0; i < DB_COUNT; i++) {
		rc = mdb_dbi_open(
		    txn, database_name(i), flags, &store->databases[i]);
		if (rc == MDB_NOTFOUND && i >= DB_FIRST_ADDED)
			return error_set(error, ERROR_MISSING, "store: no %s",
			    database_name(i));
		if (rc != 0)
			return set_error(error,
			    rc == MDB_NOTFOUND ? MDB_INVALID : rc,
			    database_name(i));
	}
	return 0;
}

static int
open_environment(struct store *store, const char *path, size_t map_bytes,
    struct error *error)
{
	MDB_stat stat;
	int rc;

	rc = mdb_env_create(&store->env);
	if (rc != 0)
		return set_error(error, rc, "create environment");
	mdb_env_set_maxdbs(store->env, DB_COUNT + 4);
	mdb_env_set_mapsize(store->env, map_bytes);
	rc = mdb_env_open(store->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc != 0)
		return set_error(error, rc, path);
	mdb_env_stat(store->env, &stat);
	store->page_size = stat.ms_psize;
	store->map_bytes = map_bytes;
	return 0;
}

int
store_take_identity(struct transaction *transaction, struct error *error)
{
	struct store *store = transaction->store;
	struct key key = { "store_id", 8 }, secret = { "secret", 6 };
	struct text value;
	int found;

	found = store_get(transaction, DB_META, &key, &value, error);
	if (found == 1 && value.size == 1 + sizeof(store->id.bytes))
		memcpy(
		    store->id.bytes, value.data + 1, sizeof(store->id.bytes));
	else if (found >= 0)
		found = error_set(error, ERROR_DAMAGED, "store has no id");
	if (found == 1)
		found = store_get(transaction, DB_META, &secret, &value, error);
	if (found == 1 && value.size == 1 + sizeof(store->secret))
		memcpy(store->secret, value.data + 1, sizeof(store->secret));
	else if (found >= 0)
		found = error_set(error, ERROR_DAMAGED, "store has no secret");
	return found < 0 ? -1 : 0;
}

static int
read_identity(struct store *store, struct error *error)
{
	struct transaction *transaction =
	    transaction_begin(store, false, error);
	int result;

	if (transaction == NULL)
		return -1;
	result = store_take_identity(transaction, error);
	transaction_abort(&transaction);
	return result;
}

static int
open_growth(struct store *store, struct error *error)
{
	mdb_filehandle_t fd;
	int rc = mdb_env_get_fd(store->env, &fd);

	if (rc != 0)
		return set_error(error, rc, "file");
	return growth_open(&store->growth, fd, store_used_bytes(store),
	    store->map_bytes, error);
}

/* The databases; those that are newer than the store are made. */
static int
open_all(struct store *store, unsigned int flags, struct error *error)
{
	unsigned int begin = flags == 0 ? MDB_RDONLY : 0;
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, begin, &txn);

	if (rc != 0)
		return set_error(error, rc, "begin");
	if (open_databases(store, txn, flags, error) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : set_error(error, rc, "open databases");
}

struct store *
store_open(const char *path, size_t map_bytes, struct error *error)
{
	struct store *store = memory_new(1, sizeof(*store));
	char index_path[4096];
	char data_path[4096];
	struct error missing = { .code = ERROR_NONE };
	int result;

	store->names = snapshot_names_new();
	snprintf(index_path, sizeof(index_path), "%s/index", path);
	snprintf(data_path, sizeof(data_path), "%s/index/data.mdb", path);
	if (access(data_path, F_OK) != 0) {
		error_set_errno(error, "%s", data_path);
		store_close(&store);
		return NULL;
	}
	if (open_environment(store, index_path, map_bytes, error) != 0) {
		store_close(&store);
		return NULL;
	}
	result = open_all(store, 0, &missing);
	if (result != 0 && missing.code == ERROR_MISSING)
		result = open_all(store, MDB_CREATE, error);
	else if (result != 0)
		*error = missing;
	if (result != 0 || read_identity(store, error) != 0 ||
	    open_growth(store, error) != 0)
		store_close(&store);
	return store;
}

void
store_close(struct store **store)
{
	if (*store == NULL)
		return;
	if ((*store)->env != NULL)
		mdb_env_close((*store)->env);
	snapshot_names_free(&(*store)->names);
	memory_free(store);
}

const struct store_id *
store_identity(const struct store *store)
{
	return &store->id;
}

const uint8_t *
store_secret(const struct transaction *transaction)
{
	return transaction->store->secret;
}

void
store_set_segments(struct store *store, struct segments *segments)
{
	store->segments = segments;
}

struct snapshot_names *
store_names(const struct transaction *transaction)
{
	return transaction->store->names;
}

struct segments *
store_segments(const struct transaction *transaction)
{
	return transaction->store->segments;
}

void
transaction_keep(struct transaction *transaction, struct block *block)
{
	block_release(&transaction->block);
	transaction->block = block;
}

static int
put_identity(struct store *store, MDB_txn *txn, struct error *error)
{
	struct transaction transaction = {
		.store = store, .txn = txn, .is_write = true
	};
	struct key key = { "store_id", 8 }, secret = { "secret", 6 };
	char value[1 + sizeof(store->id.bytes)] = { 1 };
	char secret_value[1 + sizeof(store->secret)] = { 1 };

	if (getrandom(store->id.bytes, sizeof(store->id.bytes), 0) !=
		(ssize_t)sizeof(store->id.bytes) ||
	    getrandom(secret_value + 1, sizeof(store->secret), 0) !=
		(ssize_t)sizeof(store->secret))
		return error_set_errno(error, "getrandom");
	memcpy(value + 1, store->id.bytes, sizeof(store->id.bytes));
	if (store_put(&transaction, DB_META, &key,
		text_make(value, sizeof(value)), error) != 0)
		return -1;
	return store_put(&transaction, DB_META, &secret,
	    text_make(secret_value, sizeof(secret_value)), error);
}

static int
put_signing_key(struct store *store, MDB_txn *txn, struct error *error)
{
	struct transaction transaction = {
		.store = store, .txn = txn, .is_write = true
	};
	struct key key = { "signing_key", 11 };
	uint8_t value[1 + sizeof(struct head_key)] = { 1 };
	struct head_key pair;
	int result;

	if (head_key_make(&pair, error) != 0)
		return -1;
	memcpy(value + 1, &pair, sizeof(pair));
	result = store_put(&transaction, DB_META, &key,
	    text_make(value, sizeof(value)), error);
	explicit_bzero(&pair, sizeof(pair));
	explicit_bzero(value, sizeof(value));
	return result;
}

int
store_create(int dir_fd, struct store_id *id, struct error *error)
{
	struct store *store;
	MDB_txn *txn;
	int rc;

	if (fchdir(dir_fd) != 0)
		return error_set_errno(error, "store directory");
	if (file_make_directory(dir_fd, "index", 0700, error) != 0)
		return -1;
	store = memory_new(1, sizeof(*store));
	if (open_environment(store, "index", 1 << 24, error) != 0) {
		store_close(&store);
		return -1;
	}
	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (rc == 0 && (open_databases(store, txn, MDB_CREATE, error) != 0 ||
			   put_identity(store, txn, error) != 0 ||
			   put_signing_key(store, txn, error) != 0)) {
		mdb_txn_abort(txn);
		store_close(&store);
		return -1;
	}
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	if (rc != 0)
		set_error(error, rc, "create");
	else
		rc = file_sync_directory(dir_fd, error);
	*id = store->id;
	store_close(&store);
	return rc == 0 ? 0 : -1;
}

struct store *
store_make(
    const char *path, const char *folder, size_t map_bytes, struct error *error)
{
	struct store *store = memory_new(1, sizeof(*store));
	char folder_path[4096];
	MDB_txn *txn;
	int rc;

	snprintf(folder_path, sizeof(folder_path), "%s/%s", path, folder);
	if (open_environment(store, folder_path, map_bytes, error) != 0) {
		store_close(&store);
		return NULL;
	}
	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (rc == 0 && open_databases(store, txn, MDB_CREATE, error) != 0) {
		mdb_txn_abort(txn);
		store_close(&store);
		return NULL;
	}
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	if (rc != 0) {
		set_error(error, rc, "create");
		store_close(&store);
	}
	return store;
}

uint64_t
store_used_bytes(const struct store *store)
{
	MDB_envinfo info;

	mdb_env_info(store->env, &info);
	return (info.me_last_pgno + 1) * store->page_size;
}

bool
store_has_room(struct store *store, uint64_t bytes)
{
	uint64_t reserve = STORE_RESERVE_BYTES, used = store_used_bytes(store);
	uint64_t ahead = growth_wanted(used, store->map_bytes) / 2;

	if (reserve > store->map_bytes / 4)
		reserve = store->map_bytes / 4;
	if (used + bytes + reserve <= store->map_bytes &&
	    (growth_reserve(&store->growth, used, bytes + ahead) ||
		growth_has_room(&store->growth, used, bytes)))
		return true;
	/* Not at the end, then; is there room between? */
	return store_room_free_pages(&store->room, store->env) *
		   store->page_size >=
	       bytes + reserve;
}

bool
store_grow(struct store *store, bool is_idle)
{
	bool was_full = store->growth.is_disk_full;
	uint64_t used = store_used_bytes(store), step;
	struct error error;

	if (store->is_writing)
		return false;
	step = growth_step(&store->growth, used, is_idle);
	if (step > 0 && growth_write(&store->growth, used, step, &error) != 0 &&
	    !was_full)
		log_alarm("store-cannot-grow", "error=\"%s\"", error.text);
	return growth_step(&store->growth, used, true) > 0;
}

bool
store_has_spare(const struct store *store)
{
	return growth_has_spare(&store->growth, store_used_bytes(store));
}

void
store_give_back(struct store *store)
{
	if (!store->is_writing)
		growth_give_back(&store->growth);
}

bool
store_disk_is_full(const struct store *store)
{
	return store->growth.is_disk_full;
}

struct transaction *
transaction_begin(struct store *store, bool is_write, struct error *error)
{
	struct transaction *transaction = memory_new(1, sizeof(*transaction));
	int rc;

	transaction->store = store;
	transaction->is_write = is_write;
	rc = mdb_txn_begin(
	    store->env, NULL, is_write ? 0 : MDB_RDONLY, &transaction->txn);
	if (rc != 0) {
		set_error(error, rc, "begin");
		memory_free(&transaction);
	} else if (is_write) {
		store->is_writing = true;
		touched_rows_begin(&store->touched, store->page_size);
	}
	return transaction;
}

struct transaction *
transaction_nest(struct transaction *parent, struct error *error)
{
	struct transaction *transaction = memory_new(1, sizeof(*transaction));
	int rc;

	transaction->store = parent->store;
	transaction->is_write = true;
	transaction->is_nested = true;
	rc = mdb_txn_begin(
	    parent->store->env, parent->txn, 0, &transaction->txn);
	if (rc != 0) {
		set_error(error, rc, "begin");
		memory_free(&transaction);
	}
	return transaction;
}

static void
transaction_free(struct transaction **transaction)
{
	/* Readers belong to other threads: they touch nothing of the store. */
	if ((*transaction)->is_write && !(*transaction)->is_nested)
		(*transaction)->store->is_writing = false;
	block_release(&(*transaction)->block);
	memory_free(transaction);
}

bool
store_is_assured(struct store *store)
{
	return store->touched.bytes < GROWTH_MAX &&
	       growth_reserve(&store->growth, store_used_bytes(store),
		   store->touched.bytes);
}

/* Of pages that found no room LMDB says EIO, as of a disk that failed: they are
 * told apart by whether the blocks were there before. Without them nothing is
 * lost: the meta page comes last, and the next commit writes all of its own. */
static int
commit_write(struct store *store, MDB_txn *txn)
{
	uint64_t used = store_used_bytes(store), bytes = store->touched.bytes;
	bool is_assured = growth_reserve(
	    &store->growth, used, bytes < GROWTH_MAX ? bytes : GROWTH_MAX);
	int rc = next_commit_fault != 0 ? next_commit_fault : commit_fault;

	next_commit_fault = 0;
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (rc == EIO && !is_assured && store->growth.is_disk_full)
		rc = ENOSPC;
	/* One that may need more than is asked for: it wrote up to the end. */
	if (rc == EIO && is_assured && bytes > GROWTH_MAX &&
	    growth_met_the_end(&store->growth))
		rc = ENOSPC;
	return rc;
}

int
transaction_commit(struct transaction **transaction, struct error *error)
{
	struct transaction *t = *transaction;
	int rc = t->is_write && !t->is_nested ? commit_write(t->store, t->txn)
					      : mdb_txn_commit(t->txn);

	transaction_free(transaction);
	return rc == 0 ? 0 : set_error(error, rc, "commit");
}

void
transaction_abort(struct transaction **transaction)
{
	if (*transaction == NULL)
		return;
	mdb_txn_abort((*transaction)->txn);
	transaction_free(transaction);
}

int
transaction_read_meta(struct transaction *transaction, uint8_t *to, size_t size,
    struct error *error)
{
	uint64_t id = mdb_txn_id(transaction->txn), found = 0;
	off_t offset = (off_t)((id & 1) * transaction->store->page_size);
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(transaction->store->env, &fd) != 0 ||
	    pread(fd, to, size, offset) != (ssize_t)size)
		return error_set_errno(error, "store: read meta page");
	memcpy(&found, to + size - sizeof(found), sizeof(found));
	if (found != id)
		return error_set(error, ERROR_DAMAGED,
		    "store: the meta page is of transaction %llu, not %llu",
		    (unsigned long long)found, (unsigned long long)id);
	return 0;
}

static int
check_sum(const struct transaction *transaction, enum database database,
    const MDB_val *key, const MDB_val *data, struct text *value,
    struct error *error)
{
	uint64_t sum, expected;
	size_t size = data->mv_size;

	if (database == DB_CHUNK) {
		*value = text_make(data->mv_data, size);
		return 1;
	}
	if (size >= STORE_SUM_SIZE) {
		size -= STORE_SUM_SIZE;
		memcpy(
		    &sum, (const char *)data->mv_data + size, STORE_SUM_SIZE);
		expected = sum_of(database, key, data->mv_data, size);
		*value = text_make(data->mv_data, size);
		if (sum == expected)
			return 1;
	}
	return error_set(error, ERROR_DAMAGED, "store: wrong sum in %s",
	    database_name(database));
}

int
store_get(struct transaction *transaction, enum database database,
    const struct key *key, struct text *value, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes };
	MDB_val v;
	int rc;

	rc = mdb_get(
	    transaction->txn, transaction->store->databases[database], &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return set_error(error, rc, database_name(database));
	return check_sum(transaction, database, &k, &v, value, error);
}

/* Keys of these rise: most are put behind all others. */
static bool
is_rising(enum database database)
{
	switch ((int)database) {
	case DB_LIVE:
	case DB_LOG:
	case DB_ACCOUNT_LOG:
	case DB_BLOB:
	case DB_BLOB_USE:
	case DB_CHUNK:
		return true;
	default:
		return false;
	}
}

/* LMDB splits a full page in the middle, so that keys which come in order leave
 * each page half empty; unless it is told that one is the last. */
static int
put(struct transaction *transaction, enum database database, MDB_val *key,
    MDB_val *value, bool is_new)
{
	MDB_dbi dbi = transaction->store->databases[database];
	int rc = MDB_KEYEXIST;

	if (is_new && is_rising(database))
		rc = mdb_put(transaction->txn, dbi, key, value,
		    MDB_RESERVE | MDB_APPEND);
	return rc == MDB_KEYEXIST
		   ? mdb_put(transaction->txn, dbi, key, value, MDB_RESERVE)
		   : rc;
}

static int
put_with_sum(struct transaction *transaction, enum database database,
    const struct key *key, struct text value, bool is_new, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes };
	MDB_val v = { value.size, NULL };
	uint64_t sum;
	int rc;

	if (database != DB_CHUNK)
		v.mv_size += STORE_SUM_SIZE;
	sum = database == DB_CHUNK
		  ? 0
		  : sum_of(database, &k, value.data, value.size);
	touched_rows_add(
	    &transaction->store->touched, database, key, v.mv_size);
	rc = put(transaction, database, &k, &v, is_new);
	if (rc != 0)
		return set_error(error, rc, database_name(database));
	memcpy(v.mv_data, value.data, value.size);
	if (database != DB_CHUNK)
		memcpy((char *)v.mv_data + value.size, &sum, STORE_SUM_SIZE);
	return 0;
}

int
store_put(struct transaction *transaction, enum database database,
    const struct key *key, struct text value, struct error *error)
{
	return put_with_sum(transaction, database, key, value, true, error);
}

int
store_put_over(struct transaction *transaction, enum database database,
    const struct key *key, struct text value, struct error *error)
{
	return put_with_sum(transaction, database, key, value, false, error);
}

int
store_take(struct transaction *transaction, enum database database,
    const struct key *key, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes };
	int rc;

	touched_rows_add(&transaction->store->touched, database, key, 0);
	rc = mdb_del(transaction->txn, transaction->store->databases[database],
	    &k, NULL);
	return rc == 0 || rc == MDB_NOTFOUND
		   ? 0
		   : set_error(error, rc, database_name(database));
}

uint64_t
store_count(struct transaction *transaction, enum database database)
{
	MDB_stat stat = { .ms_entries = 0 };

	mdb_stat(
	    transaction->txn, transaction->store->databases[database], &stat);
	return stat.ms_entries;
}

struct cursor *
cursor_open(struct transaction *transaction, enum database database,
    const struct key *from, struct error *error)
{
	struct cursor *cursor = memory_new(1, sizeof(*cursor));
	int rc;

	cursor->transaction = transaction;
	cursor->database = database;
	cursor->from = *from;
	rc = mdb_cursor_open(transaction->txn,
	    transaction->store->databases[database], &cursor->cursor);
	if (rc != 0) {
		set_error(error, rc, database_name(database));
		memory_free(&cursor);
	}
	return cursor;
}

int
cursor_next(struct cursor *cursor, struct text *key, struct text *value,
    struct error *error)
{
	MDB_val k = { cursor->from.size, cursor->from.bytes };
	MDB_val v;
	MDB_cursor_op op = MDB_NEXT;
	int rc;

	if (!cursor->is_started)
		op = cursor->from.size > 0 ? MDB_SET_RANGE : MDB_FIRST;
	cursor->is_started = true;
	rc = mdb_cursor_get(cursor->cursor, &k, &v, op);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return set_error(error, rc, database_name(cursor->database));
	*key = text_make(k.mv_data, k.mv_size);
	return check_sum(
	    cursor->transaction, cursor->database, &k, &v, value, error);
}

int
store_last_before(struct transaction *transaction, enum database database,
    const struct key *before, struct text *key, struct text *value,
    struct error *error)
{
	struct cursor *cursor;
	MDB_val k = { before->size, (void *)(uintptr_t)before->bytes };
	MDB_val v;
	int rc;

	cursor = cursor_open(transaction, database, before, error);
	if (cursor == NULL)
		return -1;
	rc = mdb_cursor_get(cursor->cursor, &k, &v, MDB_SET_RANGE);
	rc = mdb_cursor_get(
	    cursor->cursor, &k, &v, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	if (rc == 0) {
		*key = text_make(k.mv_data, k.mv_size);
		rc = check_sum(transaction, database, &k, &v, value, error);
	} else {
		rc = rc == MDB_NOTFOUND
			 ? 0
			 : set_error(error, rc, database_name(database));
	}
	cursor_close(&cursor);
	return rc;
}

void
cursor_close(struct cursor **cursor)
{
	if (*cursor == NULL)
		return;
	mdb_cursor_close((*cursor)->cursor);
	memory_free(cursor);
}
