/*
 * The index environment: see store.h.  Opened, made and made longer here;
 * nothing may create one but store_create.
 */
#include "snapd/store.h"

#include "common/file.h"
#include "common/head.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/snapshot_names.h"
#include "snapd/store_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int
store_error(struct error *error, int rc, const char *what)
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
			return store_error(error,
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
		return store_error(error, rc, "create environment");
	mdb_env_set_maxdbs(store->env, DB_COUNT + 4);
	mdb_env_set_mapsize(store->env, map_bytes);
	rc = mdb_env_open(store->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc != 0)
		return store_error(error, rc, path);
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
		return store_error(error, rc, "file");
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
		return store_error(error, rc, "begin");
	if (open_databases(store, txn, flags, error) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(error, rc, "open databases");
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
		store_error(error, rc, "create");
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
		store_error(error, rc, "create");
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
