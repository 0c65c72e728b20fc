/*
 * What the files of segment_env.h know of each other: segment_env.c opens,
 * reads and writes, segment_hold.c keeps a transaction for the verifier,
 * segment_finish.c gives back what nothing uses.
 */
#ifndef SNAPD_SEGMENT_ENV_PARTS_H
#define SNAPD_SEGMENT_ENV_PARTS_H

#include "snapd/segment_env.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

struct segment_env {
	MDB_env *env;
	MDB_dbi info_db, key_db, value_db;
	MDB_txn *write; /* the writer's; NULL: nothing to commit */
	struct segment_info info;
	uint64_t map_bytes;
	_Atomic uint64_t limit_bytes; /* not more than these */
	uint32_t page_size;
	uint32_t put;      /* values since the last commit */
	uint32_t put_keys; /* and keys */
	atomic_uint holds;
	bool is_finished; /* the writer's */
	bool has_holes;   /* where commits will write; the writer's */
	/* Held by who reads, but for holds; finishing waits until nobody
	 * does. */
	pthread_rwlock_t reading;
};

/* -1 and what LMDB says. */
int segment_env_error(struct error *error, const struct segment_info *info,
    int rc, const char *what);

/* A transaction that reads, NULL: it is ended in the same thread, soon. */
MDB_txn *segment_env_begin(struct segment_env *env, struct error *error);
void segment_env_end(struct segment_env *env, MDB_txn *txn);

/* For reading only, while nobody does. After an error it is as it was. */
int segment_env_reopen(
    struct segment_env *env, const char *path, struct error *error);

#endif
