/*
 * Rows of the index environment: see store.h.  Each value but a chunk ends with
 * its sum, put and checked here.
 */
#include "snapd/store_parts.h"

#include "common/memory.h"

#include <string.h>

struct cursor {
	struct transaction *transaction;
	MDB_cursor *cursor;
	enum database database;
	struct key from;
	bool is_started;
};

static uint64_t
sum_of(
    enum database database, const MDB_val *key, const void *value, size_t size)
{
	return store_sum(database, text_make(key->mv_data, key->mv_size),
	    text_make(value, size));
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
		return store_error(error, rc, database_name(database));
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
		return store_error(error, rc, database_name(database));
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
		   : store_error(error, rc, database_name(database));
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
		store_error(error, rc, database_name(database));
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
		return store_error(error, rc, database_name(cursor->database));
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
			 : store_error(error, rc, database_name(database));
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
