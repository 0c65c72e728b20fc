/*
 * The index environment of the snapshot store: an LMDB environment in the
 * folder `index`, its databases, its transactions.  Behind this header alone,
 * and segment_env.h, is lmdb.h.  Every value but a chunk ends with 8 bytes of
 * SipHash over database, key and value, put and checked here, so that a flipped
 * bit is found when it is read (LMDB has no checksums).
 *
 * It never creates anything unless store_create is called, and that is called
 * by setup alone.
 */
#ifndef SNAPD_STORE_H
#define SNAPD_STORE_H

#include "common/error.h"
#include "common/messages.h"
#include "common/text.h"
#include "snapd/store_form.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct transaction;
struct cursor;
struct segments;
struct snapshot_names;
struct block;

/* Makes an empty store in the directory: ERROR_EXISTS if there is one. Changes
 * into the directory and stays there (LMDB opens by path). */
int store_create(int dir_fd, struct store_id *id, struct error *error);

/* For a rebuild: an empty index in `folder` of `path`, which is there, without
 * an identity until rows give it one. */
struct store *store_make(const char *path, const char *folder, size_t map_bytes,
    struct error *error);
int store_take_identity(struct transaction *transaction, struct error *error);

/* Opens the store in directory `path` for map_bytes at most. ERROR_MISSING if
 * there is none. */
struct store *store_open(
    const char *path, size_t map_bytes, struct error *error);
void store_close(struct store **store);
const struct store_id *store_identity(const struct store *store);
/* 32 random bytes that never leave the store: the key of DB_HASH. */
const uint8_t *store_secret(const struct transaction *transaction);

/* The segments beside the index, for object_store.c; NULL: none. They stay the
 * caller's and are set before any thread begins. */
void store_set_segments(struct store *store, struct segments *segments);
struct segments *store_segments(const struct transaction *transaction);
/* Names of its snapshots, for snapshot_find.c: the store's. */
struct snapshot_names *store_names(const struct transaction *transaction);
/* The transaction holds the block until it is given another one, or ends. */
void transaction_keep(struct transaction *transaction, struct block *block);

/* Would `bytes` more leave the reserve untouched, of the map and of what was
 * written ahead if the disk is full; or is there so much between? */
bool store_has_room(struct store *store, uint64_t bytes);

/* Makes the file longer ahead of its use (growth.h), by a step at most and not
 * while a write transaction is open. True: there is more to do when idle. */
bool store_grow(struct store *store, bool is_idle);
bool store_disk_is_full(const struct store *store);
/* More blocks are reserved than it shall keep; gives them back, unless a write
 * transaction is open. */
bool store_has_spare(const struct store *store);
void store_give_back(struct store *store);

/* Bytes of the file that hold something or once did: it never shrinks. */
uint64_t store_used_bytes(const struct store *store);

/* One write transaction at a time (one thread); reading ones in any thread,
 * each used by one at a time. Nested: write into write. NULL and error. */
struct transaction *transaction_begin(
    struct store *store, bool is_write, struct error *error);
struct transaction *transaction_nest(
    struct transaction *parent, struct error *error);
/* Durable when it returns 0. ERROR_FULL: nothing was changed. Any other error:
 * the disk failed, and the process must end without an answer. */
int transaction_commit(struct transaction **transaction, struct error *error);
void transaction_abort(struct transaction **transaction);

/* The meta page of a reading transaction, as the file holds it: to be called
 * in the thread that writes, before the next commit. */
int transaction_read_meta(struct transaction *transaction, uint8_t *to,
    size_t size, struct error *error);

/* 1 and the value (valid until the next write or the end), 0 if there is none,
 * -1 and error: ERROR_DAMAGED if its sum is wrong. */
int store_get(struct transaction *transaction, enum database database,
    const struct key *key, struct text *value, struct error *error);
typedef int store_put_call(struct transaction *transaction,
    enum database database, const struct key *key, struct text value,
    struct error *error);
store_put_call store_put;
/* The same for a key that is there. */
store_put_call store_put_over;
/* Takes a row out of its place, to be put elsewhere by the caller. */
int store_take(struct transaction *transaction, enum database database,
    const struct key *key, struct error *error);

/* How many entries there are. */
uint64_t store_count(struct transaction *transaction, enum database database);

/* Entries from the first one >= `from` on, in order. Next: as store_get; at
 * ERROR_DAMAGED `key` is set as well, and the next call goes on behind it. The
 * cursor ends before its transaction does. */
struct cursor *cursor_open(struct transaction *transaction,
    enum database database, const struct key *from, struct error *error);
int cursor_next(struct cursor *cursor, struct text *key, struct text *value,
    struct error *error);
/* The last entry before `before` (1, 0 or -1). */
int store_last_before(struct transaction *transaction, enum database database,
    const struct key *before, struct text *key, struct text *value,
    struct error *error);
void cursor_close(struct cursor **cursor);

/* Whether the commit of the open write transaction, as far as it has come,
 * finds its blocks: they are reserved. */
bool store_is_assured(struct store *store);

/* Tests only: the next commits fail with this errno; 0: none. */
void store_set_commit_fault(int errno_value);
/* Only the next one. */
void store_set_next_commit_fault(int errno_value);

#endif
