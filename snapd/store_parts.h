/*
 * What the files of store.h know of each other: store.c opens and makes the
 * environment, store_transaction.c begins and commits, store_rows.c puts rows
 * and finds them.
 */
#ifndef SNAPD_STORE_PARTS_H
#define SNAPD_STORE_PARTS_H

#include "snapd/growth.h"
#include "snapd/store.h"
#include "snapd/store_room.h"
#include "snapd/touched_rows.h"

#include <lmdb.h>

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

/* -1 and what an LMDB return code means to us. */
int store_error(struct error *error, int rc, const char *what);

#endif
