/*
 * See segment_env.h.
 */
#include "snapd/segment_env.h"

#include "common/file.h"
#include "common/memory.h"
#include "snapd/segment_env_parts.h"
#include "snapd/segment_folder.h"
#include "snapd/verify_segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VALUE_PAGES = (SEGMENT_VALUE_SIZE + 16) / 4096,
	/* Pages of the trees, and of the values that a commit replaces. */
	SPARE_PAGES = 3 * VALUE_PAGES,
	TREE_PAGES = 64, /* that any commit may write */
	KEY_PAGES = 4,   /* and one with a new key */
	LOCK_BYTES = 8192
};

static int commit_fault;

void
segment_env_set_fault(int errno_value)
{
	commit_fault = errno_value;
}

int
segment_env_error(struct error *error, const struct segment_info *info, int rc,
    const char *what)
{
	enum error_code code = ERROR_SYSTEM;

	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC ||
	    rc == EDQUOT)
		code = ERROR_FULL;
	else if (rc == ENOENT)
		code = ERROR_MISSING;
	else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
		 rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
		 rc == MDB_PANIC || rc == MDB_NOTFOUND)
		code = ERROR_DAMAGED;
	error_set(error, code, "segment %u: %s: %s", info->number, what,
	    mdb_strerror(rc));
	if (error != NULL && rc > 0)
		error->errno_value = rc;
	return -1;
}

/* -- Opening -- */

static struct segment_env *
new_env(void)
{
	struct segment_env *env = memory_new(1, sizeof(*env));

	pthread_rwlock_init(&env->reading, NULL);
	env->has_holes = true; /* perhaps, since the last start */
	return env;
}

static int
open_env(struct segment_env *env, const char *path, unsigned int flags,
    struct error *error)
{
	MDB_stat stat;
	int rc = mdb_env_create(&env->env);

	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "create");
	mdb_env_set_maxdbs(env->env, 3);
	mdb_env_set_mapsize(env->env, env->map_bytes);
	rc = mdb_env_open(
	    env->env, path, MDB_NOTLS | MDB_NORDAHEAD | flags, 0600);
	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "open");
	mdb_env_stat(env->env, &stat);
	env->page_size = stat.ms_psize;
	return 0;
}

static int
open_databases(struct segment_env *env, MDB_txn *txn, unsigned int flags,
    struct error *error)
{
	int rc = mdb_dbi_open(txn, "info", flags, &env->info_db);

	if (rc == 0)
		rc = mdb_dbi_open(txn, "key", flags, &env->key_db);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "value", flags, &env->value_db);
	return rc == 0 ? 0
		       : segment_env_error(error, &env->info, rc, "databases");
}

/* Values beside those of 1 MiB end with a sum, as in the index. */
static int
put_summed(struct segment_env *env, MDB_dbi dbi, enum segment_database kind,
    MDB_val key, struct text value, struct error *error)
{
	MDB_val v = { value.size + STORE_SUM_SIZE, NULL };
	uint64_t sum = store_sum(
	    (enum database)kind, text_make(key.mv_data, key.mv_size), value);
	int rc = mdb_put(env->write, dbi, &key, &v, MDB_RESERVE);

	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "put");
	memcpy(v.mv_data, value.data, value.size);
	memcpy((char *)v.mv_data + value.size, &sum, sizeof(sum));
	return 0;
}

static int
get_summed(struct segment_env *env, MDB_txn *txn, MDB_dbi dbi,
    enum segment_database kind, MDB_val key, struct text *value,
    struct error *error)
{
	uint64_t sum;
	MDB_val v;
	int rc = mdb_get(txn, dbi, &key, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "get");
	if (v.mv_size < STORE_SUM_SIZE)
		return segment_env_error(
		    error, &env->info, MDB_CORRUPTED, "sum");
	*value = text_make(v.mv_data, v.mv_size - STORE_SUM_SIZE);
	memcpy(&sum, (char *)v.mv_data + value->size, sizeof(sum));
	if (sum != store_sum((enum database)kind,
		       text_make(key.mv_data, key.mv_size), *value))
		return segment_env_error(
		    error, &env->info, MDB_CORRUPTED, "sum");
	return 1;
}

static MDB_val
info_key(void)
{
	static char name[] = "segment";

	return (MDB_val){ sizeof(name) - 1, name };
}

static int
make(const char *path, const struct segment_info *info, struct error *error)
{
	struct segment_env *env = new_env();
	uint8_t data[SEGMENT_INFO_SIZE];
	char new_path[SEGMENT_MAX_PATH];
	size_t size = segment_info_encode(info, data);
	int result;

	env->info = *info;
	env->map_bytes = 1 << 20;
	segment_folder_path(new_path, path, "new", 0);
	result = open_env(env, new_path, 0, error);
	if (result == 0 && mdb_txn_begin(env->env, NULL, 0, &env->write) != 0)
		result = segment_env_error(error, info, EIO, "begin");
	if (result == 0)
		result = open_databases(env, env->write, MDB_CREATE, error);
	if (result == 0)
		result = put_summed(env, env->info_db, SEGMENT_INFO, info_key(),
		    text_make(data, size), error);
	if (result == 0)
		result = segment_env_commit(env, error);
	segment_env_close(&env);
	return result;
}

/* LMDB maps its lock file and writes into it; one that it makes itself has no
 * blocks, and that on a full disk ends the process. */
static int
make_lock(int folder, struct error *error)
{
	static const char zeros[LOCK_BYTES];
	int fd = file_create(folder, "new/lock.mdb", 0600, error), result;

	if (fd == -1)
		return -1;
	result = file_write_all(fd, zeros, sizeof(zeros), error);
	close(fd);
	return result;
}

int
segment_env_create(
    const char *path, const struct segment_info *info, struct error *error)
{
	int folder, result;
	char name[16];

	if (info->number == 1 && segment_folder_make(path, error) != 0)
		return -1;
	folder = segment_folder_open(path, error);
	if (folder == -1)
		return -1;
	snprintf(name, sizeof(name), "%u", info->number);
	result = segment_folder_remove(folder, "new", error);
	if (result == 0)
		result = file_make_directory(folder, "new", 0700, error);
	if (result == 0)
		result = make_lock(folder, error);
	if (result == 0)
		result = make(path, info, error);
	if (result == 0)
		result = file_rename_new(folder, "new", folder, name, error);
	if (result == 0)
		result = file_sync_directory(folder, error);
	close(folder);
	return result;
}

/* LMDB follows whatever a page says: the walker looks first. */
static int
look_before(
    const char *path, uint32_t number, uint64_t *size, struct error *error)
{
	int fd = segment_folder_file(path, number), result;
	struct error why = { .code = ERROR_NONE };

	if (fd == -1)
		return error_set(error, ERROR_MISSING,
		    "segment %u: there is no data.mdb", number);
	*size = (uint64_t)lseek(fd, 0, SEEK_END);
	result = verify_segment_before_open(fd, &why);
	close(fd);
	return result == 0 ? 0
			   : error_set(error, ERROR_DAMAGED, "segment %u: %s",
				 number, why.text);
}

static int
read_info(
    struct segment_env *env, const struct store_id *store, struct error *error)
{
	uint32_t number = env->info.number;
	struct text value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);
	int found;

	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "begin");
	if (open_databases(env, txn, 0, error) != 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	found = get_summed(
	    env, txn, env->info_db, SEGMENT_INFO, info_key(), &value, error);
	if (found == 1 && segment_info_decode(value, &env->info) != 0)
		found = 0;
	/* A commit of a transaction that reads keeps its handles. */
	rc = mdb_txn_commit(txn);
	if (found < 0)
		return -1;
	if (found == 0 || rc != 0 || env->info.number != number ||
	    (store != NULL &&
		memcmp(&env->info.store, store, sizeof(*store)) != 0)) {
		env->info.number = number;
		return error_set(error, ERROR_DAMAGED,
		    "segment %u: is not that of this store", number);
	}
	return 0;
}

struct segment_env *
segment_env_open(const char *path, uint32_t number,
    const struct store_id *store, uint64_t map_bytes, bool is_full,
    struct error *error)
{
	struct segment_env *env = new_env();
	char env_path[SEGMENT_MAX_PATH];
	uint64_t size = 0;
	int result;

	env->info.number = number;
	segment_folder_path(env_path, path, NULL, number);
	result = look_before(path, number, &size, error);
	/* The map may be smaller than the file: it was larger once. */
	env->map_bytes = size > map_bytes ? size : map_bytes;
	atomic_store(&env->limit_bytes, env->map_bytes);
	if (result == 0)
		result = open_env(env, env_path,
		    is_full ? MDB_RDONLY | MDB_NOLOCK : 0, error);
	if (result == 0)
		result = read_info(env, store, error);
	if (result != 0)
		segment_env_close(&env);
	return env;
}

void
segment_env_close(struct segment_env **env)
{
	if (*env == NULL)
		return;
	segment_env_drop(*env);
	if ((*env)->env != NULL)
		mdb_env_close((*env)->env);
	pthread_rwlock_destroy(&(*env)->reading);
	memory_free(env);
}

int
segment_env_reopen(
    struct segment_env *env, const char *path, struct error *error)
{
	struct segment_env *again = segment_env_open(
	    path, env->info.number, &env->info.store, 0, true, error);
	MDB_env *before = env->env;

	if (again == NULL)
		return -1;
	env->env = again->env;
	env->info_db = again->info_db;
	env->key_db = again->key_db;
	env->value_db = again->value_db;
	again->env = before;
	segment_env_close(&again);
	return 0;
}

int
segment_env_peek(const char *path, uint32_t number, struct segment_info *info,
    struct error *error)
{
	struct segment_env *env =
	    segment_env_open(path, number, NULL, 0, true, error);

	if (env == NULL)
		return -1;
	*info = env->info;
	segment_env_close(&env);
	return 0;
}

/* -- Reading -- */

MDB_txn *
segment_env_begin(struct segment_env *env, struct error *error)
{
	MDB_txn *txn = NULL;
	int rc;

	pthread_rwlock_rdlock(&env->reading);
	rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn);
	if (rc == 0)
		return txn;
	pthread_rwlock_unlock(&env->reading);
	segment_env_error(error, &env->info, rc, "begin");
	return NULL;
}

void
segment_env_end(struct segment_env *env, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	pthread_rwlock_unlock(&env->reading);
}

static void
key_of(struct key *key, uint32_t number)
{
	key->size = 0;
	key_put_u32(key, number);
}

int
segment_env_values(
    struct segment_env *env, uint32_t *values, struct error *error)
{
	MDB_txn *txn = segment_env_begin(env, error);
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	if (txn == NULL)
		return -1;
	rc = mdb_cursor_open(txn, env->value_db, &cursor);
	if (rc == 0) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
		mdb_cursor_close(cursor);
	}
	*values = 0;
	if (rc == 0)
		*values = key_u32_at(text_make(k.mv_data, k.mv_size), 0) + 1;
	segment_env_end(env, txn);
	return rc == 0 || rc == MDB_NOTFOUND
		   ? 0
		   : segment_env_error(error, &env->info, rc, "values");
}

/* 1 and the value, of the right size and wholly within the map. */
static int
find_value(struct segment_env *env, MDB_txn *txn, uint32_t number,
    const uint8_t **value, struct error *error)
{
	struct key key;
	MDB_val k, v;
	int rc;

	key_of(&key, number);
	k = (MDB_val){ key.size, key.bytes };
	rc = mdb_get(txn, env->value_db, &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && v.mv_size != SEGMENT_VALUE_SIZE)
		rc = MDB_CORRUPTED;
	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "value");
	*value = v.mv_data;
	return 1;
}

int
segment_env_block(struct segment_env *env, uint32_t value, uint16_t block,
    struct block_head *head, struct buf *to, struct error *error)
{
	MDB_txn *txn = segment_env_begin(env, error);
	const uint8_t *bytes;
	struct error why;
	size_t offset;
	int found;

	if (txn == NULL)
		return -1;
	found = find_value(env, txn, value, &bytes, error);
	if (found == 1) {
		found = block_find(bytes, block, head, &offset, &why);
		if (found == 1)
			buf_put(to, bytes + offset, block_size(head));
		else if (found < 0)
			error_set(error, ERROR_DAMAGED,
			    "segment %u: value %u: %s", env->info.number, value,
			    why.text);
	}
	segment_env_end(env, txn);
	return found;
}

int
segment_env_value(
    struct segment_env *env, uint32_t value, uint8_t *to, struct error *error)
{
	MDB_txn *txn = segment_env_begin(env, error);
	const uint8_t *bytes;
	int found;

	if (txn == NULL)
		return -1;
	found = find_value(env, txn, value, &bytes, error);
	if (found == 1)
		memcpy(to, bytes, SEGMENT_VALUE_SIZE);
	segment_env_end(env, txn);
	return found;
}

int
segment_env_key(struct segment_env *env, uint32_t account, bool is_writer,
    uint8_t *row, struct error *error)
{
	bool is_in_write = is_writer && env->write != NULL;
	MDB_txn *txn = is_in_write ? env->write : segment_env_begin(env, error);
	struct text value;
	struct key key;
	int found;

	if (txn == NULL)
		return -1;
	key_of(&key, account);
	found = get_summed(env, txn, env->key_db, SEGMENT_KEY,
	    (MDB_val){ key.size, key.bytes }, &value, error);
	if (found == 1 && value.size != ACCOUNT_KEY_ROW)
		found =
		    segment_env_error(error, &env->info, MDB_CORRUPTED, "key");
	if (found == 1)
		memcpy(row, value.data, ACCOUNT_KEY_ROW);
	if (!is_in_write)
		segment_env_end(env, txn);
	return found;
}

/* -- Writing -- */

bool
segment_env_has_room(const struct segment_env *env, uint32_t values)
{
	uint64_t pages = (uint64_t)(values + env->put) * VALUE_PAGES;
	MDB_envinfo info;

	mdb_env_info(env->env, &info);
	return (info.me_last_pgno + 1 + pages + SPARE_PAGES) * env->page_size <=
	       atomic_load(&env->limit_bytes);
}

void
segment_env_limit(struct segment_env *env, uint64_t bytes)
{
	atomic_store(
	    &env->limit_bytes, bytes < env->map_bytes ? bytes : env->map_bytes);
}

static int
begin_write(struct segment_env *env, struct error *error)
{
	int rc;

	if (env->write != NULL)
		return 0;
	rc = mdb_txn_begin(env->env, NULL, 0, &env->write);
	return rc == 0 ? 0 : segment_env_error(error, &env->info, rc, "begin");
}

int
segment_env_put(struct segment_env *env, uint32_t value, const uint8_t *bytes,
    struct error *error)
{
	MDB_val v = { SEGMENT_VALUE_SIZE, NULL }, k;
	struct key key;
	int rc;

	if (begin_write(env, error) != 0)
		return -1;
	key_of(&key, value);
	k = (MDB_val){ key.size, key.bytes };
	rc = mdb_put(env->write, env->value_db, &k, &v, MDB_RESERVE);
	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "put");
	memcpy(v.mv_data, bytes, SEGMENT_VALUE_SIZE);
	env->put++;
	return 0;
}

int
segment_env_put_key(struct segment_env *env, uint32_t account,
    const uint8_t *row, struct error *error)
{
	struct key key;

	if (begin_write(env, error) != 0)
		return -1;
	key_of(&key, account);
	env->put_keys++;
	return put_summed(env, env->key_db, SEGMENT_KEY,
	    (MDB_val){ key.size, key.bytes }, text_make(row, ACCOUNT_KEY_ROW),
	    error);
}

/* False: the disk is full. A file system that reserves none is tried as it
 * is. */
static bool
can_reserve(int fd, uint64_t offset, uint64_t size)
{
	struct error why;

	return file_reserve(fd, (off_t)offset, (off_t)size, &why) == 0 ||
	       why.code != ERROR_FULL;
}

/* Blocks for all that a commit may write, behind the last page and in holes
 * before it: LMDB says of a full disk that it failed. */
static int
reserve(struct segment_env *env, struct error *error)
{
	uint64_t pages = (uint64_t)env->put * VALUE_PAGES +
			 (uint64_t)env->put_keys * KEY_PAGES + TREE_PAGES;
	mdb_filehandle_t fd;
	MDB_envinfo info;
	uint64_t end;

	mdb_env_info(env->env, &info);
	end = (info.me_last_pgno + 1) * env->page_size;
	if (mdb_env_get_fd(env->env, &fd) != 0)
		return 0;
	if ((env->has_holes && !can_reserve(fd, 0, end)) ||
	    !can_reserve(fd, end, pages * env->page_size))
		return segment_env_error(error, &env->info, ENOSPC, "commit");
	env->has_holes = false;
	return 0;
}

int
segment_env_commit(struct segment_env *env, struct error *error)
{
	MDB_txn *txn = env->write;
	int rc = 0;

	if (txn == NULL)
		return 0;
	if (reserve(env, error) != 0) {
		segment_env_drop(env);
		return -1;
	}
	env->write = NULL;
	env->put = env->put_keys = 0;
	if (commit_fault != 0) {
		rc = commit_fault;
		mdb_txn_abort(txn);
	} else {
		rc = mdb_txn_commit(txn);
	}
	return rc == 0 ? 0 : segment_env_error(error, &env->info, rc, "commit");
}

void
segment_env_drop(struct segment_env *env)
{
	if (env->write != NULL)
		mdb_txn_abort(env->write);
	env->write = NULL;
	env->put = env->put_keys = 0;
}
