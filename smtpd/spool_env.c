/*
 * LMDB, in its default mode: synchronous, so that a commit is on disk.
 */
#include "smtpd/spool_env.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/table.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

enum {
	SUM_SIZE = 8,
	RESERVE_STEP = 8 << 20
};

struct spool_env {
	MDB_env *env;
	MDB_dbi tables[SPOOL_TABLES];
	MDB_txn *writing; /* or NULL */
	MDB_txn *reading; /* made once, renewed */
	bool is_reading;  /* it is of some state */
	mdb_filehandle_t fd;
	uint64_t page_size;
	uint64_t map_bytes;
	uint64_t reserved; /* bytes of the file that have their blocks */
	bool is_disk_full; /* the last step of that found no room */
	bool is_too_full;  /* the transaction found none in the map */
	uint64_t operations;
};

struct spool_cursor {
	struct spool_env *env;
	MDB_cursor *cursor;
	enum spool_table table;
	struct spool_key from;
	bool is_started;
};

static int commit_fault;

void
spool_env_set_fault(int errno_value)
{
	commit_fault = errno_value;
}

static const char *
table_name(enum spool_table table)
{
	static const char *const names[SPOOL_TABLES] = {
		[SPOOL_META] = "meta",
		[SPOOL_MESSAGE] = "message",
		[SPOOL_PARCEL] = "parcel",
		[SPOOL_RECIPIENT] = "recipient",
		[SPOOL_BODY] = "body",
		[SPOOL_DELIVERY] = "delivery",
		[SPOOL_GONE] = "gone",
		[SPOOL_REPORT] = "report",
		[SPOOL_SENT] = "sent",
		[SPOOL_UNDECIDED] = "undecided",
		[SPOOL_DRAFT] = "draft",
		[SPOOL_TLSRPT] = "tlsrpt",
		[SPOOL_POLICY] = "policy",
		[SPOOL_SENDER] = "sender",
		[SPOOL_SENDER_DUE] = "sender_due",
	};

	return names[table];
}

/* What a return code of LMDB's means to us. */
static int
set_error(struct error *error, int rc, const char *what)
{
	enum error_code code = ERROR_SYSTEM;

	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC ||
	    rc == EDQUOT)
		code = ERROR_FULL;
	else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
		 rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
		 rc == MDB_PANIC)
		code = ERROR_DAMAGED;
	error_set(error, code, "spool: %s: %s", what, mdb_strerror(rc));
	if (error != NULL && rc > 0)
		error->errno_value = rc;
	return -1;
}

/* -- Opening, and room -- */

static int
open_tables(struct spool_env *env, struct error *error)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->env, NULL, 0, &txn);

	for (int i = 0; rc == 0 && i < SPOOL_TABLES; i++)
		rc = mdb_dbi_open(
		    txn, table_name(i), MDB_CREATE, &env->tables[i]);
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : set_error(error, rc, "open");
}

static uint64_t
used_bytes(const struct spool_env *env)
{
	MDB_envinfo info;

	mdb_env_info(env->env, &info);
	return (info.me_last_pgno + 1) * env->page_size;
}

/* Has blocks behind the last page: as many as are kept, if the disk has
 * them. */
static void
reserve(struct spool_env *env)
{
	uint64_t wanted = used_bytes(env) + SPOOL_RESERVE_BYTES;
	uint64_t step;
	struct error error;

	if (wanted > env->map_bytes)
		wanted = env->map_bytes;
	env->is_disk_full = false;
	while (env->reserved < wanted && !env->is_disk_full) {
		step = wanted - env->reserved;
		step = step < RESERVE_STEP ? RESERVE_STEP : step;
		if (file_reserve(env->fd, (off_t)env->reserved, (off_t)step,
			&error) == -1 &&
		    error.code == ERROR_FULL)
			env->is_disk_full = true;
		else /* where there is no such call nothing can be known */
			env->reserved += step;
	}
}

static int
prepare(struct spool_env *env, struct error *error)
{
	MDB_stat stat;
	int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &env->reading);

	if (rc == 0) {
		mdb_txn_reset(env->reading);
		rc = mdb_env_get_fd(env->env, &env->fd);
	}
	if (rc != 0)
		return set_error(error, rc, "open");
	mdb_env_stat(env->env, &stat);
	env->page_size = stat.ms_psize;
	reserve(env);
	return 0;
}

struct spool_env *
spool_env_open(const char *path, uint64_t map_bytes, struct error *error)
{
	struct spool_env *env = memory_new(1, sizeof(*env));
	int rc = mdb_env_create(&env->env);

	env->map_bytes = map_bytes;
	if (rc == 0)
		rc = mdb_env_set_maxdbs(env->env, SPOOL_TABLES + 4);
	if (rc == 0)
		rc = mdb_env_set_mapsize(env->env, map_bytes);
	if (rc == 0)
		rc = mdb_env_open(
		    env->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc != 0)
		set_error(error, rc, path);
	if (rc != 0 || open_tables(env, error) == -1 ||
	    prepare(env, error) == -1)
		spool_env_close(&env);
	return env;
}

void
spool_env_close(struct spool_env **pointer)
{
	struct spool_env *env = *pointer;

	if (env == NULL)
		return;
	spool_env_abort(env);
	if (env->reading != NULL)
		mdb_txn_abort(env->reading);
	if (env->env != NULL)
		mdb_env_close(env->env);
	memory_free(pointer);
}

static MDB_txn *
current(struct spool_env *env)
{
	if (env->writing != NULL)
		return env->writing;
	if (!env->is_reading)
		env->is_reading = mdb_txn_renew(env->reading) == 0;
	return env->is_reading ? env->reading : NULL;
}

/* Pages between the others that are free again: LMDB's own table 0 has lists
 * of them, each with its length in front. */
static uint64_t
free_bytes(struct spool_env *env)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	uint64_t pages = 0;
	size_t count;
	MDB_txn *txn = current(env);

	if (txn == NULL || mdb_cursor_open(txn, 0, &cursor) != 0)
		return 0;
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		memcpy(&count, value.mv_data, sizeof(count));
		pages += count;
	}
	mdb_cursor_close(cursor);
	return pages * env->page_size;
}

bool
spool_env_has_room(struct spool_env *env, uint64_t bytes)
{
	uint64_t used = used_bytes(env), least = SPOOL_RESERVE_BYTES / 2;

	if (used + bytes + least <= env->map_bytes) {
		if (env->reserved < used + bytes + least)
			reserve(env);
		if (env->reserved >= used + bytes + least)
			return true;
		if (!env->is_disk_full)
			return true;
	}
	/* Not behind the last page, then; is there room between? */
	return free_bytes(env) >= bytes + least;
}

/* -- Transactions -- */

void
spool_env_rest(struct spool_env *env)
{
	if (env->is_reading)
		mdb_txn_reset(env->reading);
	env->is_reading = false;
}

int
spool_env_begin(struct spool_env *env, struct error *error)
{
	int rc;

	spool_env_rest(env);
	rc = mdb_txn_begin(env->env, NULL, 0, &env->writing);
	if (rc != 0)
		env->writing = NULL;
	return rc == 0 ? 0 : set_error(error, rc, "begin");
}

/* Of pages that found no room LMDB says EIO, as of a disk that failed. Nothing
 * is lost then: the meta page comes last. */
int
spool_env_commit(struct spool_env *env, struct error *error)
{
	int rc = env->is_too_full ? MDB_MAP_FULL : commit_fault;

	env->is_too_full = false;
	if (rc != 0)
		mdb_txn_abort(env->writing);
	else
		rc = mdb_txn_commit(env->writing);
	env->writing = NULL;
	if (rc == EIO && env->is_disk_full)
		rc = ENOSPC;
	if (rc != 0)
		return set_error(error, rc, "commit");
	if (env->reserved < used_bytes(env) + SPOOL_RESERVE_BYTES / 2)
		reserve(env);
	return 0;
}

void
spool_env_abort(struct spool_env *env)
{
	if (env->writing != NULL)
		mdb_txn_abort(env->writing);
	env->writing = NULL;
	env->is_too_full = false;
}

/* -- Rows -- */

static uint64_t
sum_of(
    enum spool_table table, const MDB_val *key, const void *value, size_t size)
{
	static const uint8_t secret[16] = "firnmail spool";
	uint64_t part[2];

	part[0] = table_siphash(secret, key->mv_data, key->mv_size);
	part[1] = table_siphash(secret, value, size) + (uint64_t)table;
	return table_siphash(secret, part, sizeof(part));
}

static int
check_sum(enum spool_table table, const MDB_val *key, const MDB_val *data,
    struct text *value, struct error *error)
{
	size_t size = data->mv_size;
	uint64_t sum;

	*value = text_make(data->mv_data, size);
	if (table == SPOOL_BODY)
		return 1;
	if (size >= SUM_SIZE) {
		value->size = size - SUM_SIZE;
		memcpy(&sum, value->data + value->size, SUM_SIZE);
		if (sum == sum_of(table, key, value->data, value->size))
			return 1;
	}
	return error_set(
	    error, ERROR_DAMAGED, "spool: wrong sum in %s", table_name(table));
}

int
spool_env_get(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct text *value, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes }, v;
	MDB_txn *txn = current(env);
	int rc = txn == NULL ? MDB_BAD_TXN
			     : mdb_get(txn, env->tables[table], &k, &v);

	env->operations++;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return set_error(error, rc, table_name(table));
	return check_sum(table, &k, &v, value, error);
}

/* After that LMDB takes nothing more in this transaction, nor commits it. */
static int
note_full(
    struct spool_env *env, int rc, enum spool_table table, struct error *error)
{
	env->is_too_full = rc == MDB_MAP_FULL || rc == MDB_TXN_FULL;
	return set_error(error, rc, table_name(table));
}

int
spool_env_put(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct text value, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes };
	MDB_val v = { value.size, NULL };
	uint64_t sum;
	int rc;

	env->operations++;
	if (table != SPOOL_BODY)
		v.mv_size += SUM_SIZE;
	sum =
	    table == SPOOL_BODY ? 0 : sum_of(table, &k, value.data, value.size);
	rc = mdb_put(env->writing, env->tables[table], &k, &v, MDB_RESERVE);
	if (rc != 0)
		return note_full(env, rc, table, error);
	if (value.size > 0)
		memcpy(v.mv_data, value.data, value.size);
	if (table != SPOOL_BODY)
		memcpy((char *)v.mv_data + value.size, &sum, SUM_SIZE);
	return 0;
}

int
spool_env_remove(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct error *error)
{
	MDB_val k = { key->size, (void *)(uintptr_t)key->bytes };
	int rc = mdb_del(env->writing, env->tables[table], &k, NULL);

	env->operations++;
	return rc == 0 || rc == MDB_NOTFOUND ? 0
					     : note_full(env, rc, table, error);
}

uint64_t
spool_env_count(struct spool_env *env, enum spool_table table)
{
	MDB_stat stat = { .ms_entries = 0 };
	MDB_txn *txn = current(env);

	if (txn != NULL)
		mdb_stat(txn, env->tables[table], &stat);
	return stat.ms_entries;
}

uint64_t
spool_env_operations(const struct spool_env *env)
{
	return env->operations;
}

/* -- Cursors -- */

struct spool_cursor *
spool_cursor_open(struct spool_env *env, enum spool_table table,
    const struct spool_key *from, struct error *error)
{
	struct spool_cursor *cursor = memory_new(1, sizeof(*cursor));
	MDB_txn *txn = current(env);
	int rc = txn == NULL ? MDB_BAD_TXN
			     : mdb_cursor_open(
				   txn, env->tables[table], &cursor->cursor);

	cursor->env = env;
	cursor->table = table;
	cursor->from = *from;
	if (rc != 0) {
		set_error(error, rc, table_name(table));
		memory_free(&cursor);
	}
	return cursor;
}

int
spool_cursor_next(struct spool_cursor *cursor, struct text *key,
    struct text *value, struct error *error)
{
	MDB_val k = { cursor->from.size, cursor->from.bytes }, v;
	MDB_cursor_op op = MDB_NEXT;
	int rc;

	if (!cursor->is_started)
		op = cursor->from.size > 0 ? MDB_SET_RANGE : MDB_FIRST;
	cursor->is_started = true;
	cursor->env->operations++;
	rc = mdb_cursor_get(cursor->cursor, &k, &v, op);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return set_error(error, rc, table_name(cursor->table));
	*key = text_make(k.mv_data, k.mv_size);
	return check_sum(cursor->table, &k, &v, value, error);
}

void
spool_cursor_close(struct spool_cursor **cursor)
{
	if (*cursor == NULL)
		return;
	mdb_cursor_close((*cursor)->cursor);
	memory_free(cursor);
}
