/*
 * One segment: an LMDB environment in `segment/<number>/`, with what
 * segment_form.h says.  The second place here that includes lmdb.h, because a
 * segment is another environment with other rules than the index: values of one
 * size only, so that each takes the place of another and nothing fragments; one
 * thread writes (the sealer), any may read; and a full one is opened for
 * reading, without locks, and is never written again.
 *
 * A segment is made in `segment/new` and renamed when it has its info row, so
 * that whatever has a number is whole.
 */
#ifndef SNAPD_SEGMENT_ENV_H
#define SNAPD_SEGMENT_ENV_H

#include "common/buf.h"
#include "snapd/account_key.h"
#include "snapd/page_walker.h"
#include "snapd/segment_form.h"

struct segment_env;

/* Makes an empty one; `path` is the store's folder. Durable. */
int segment_env_create(
    const char *path, const struct segment_info *info, struct error *error);
/* What it says of itself. */
int segment_env_peek(const char *path, uint32_t number,
    struct segment_info *info, struct error *error);

/* Of at most map_bytes. ERROR_MISSING, ERROR_DAMAGED (also if it is not what
 * its number says, or of another store). */
struct segment_env *segment_env_open(const char *path, uint32_t number,
    const struct store_id *store, uint64_t map_bytes, bool is_full,
    struct error *error);
void segment_env_close(struct segment_env **env);

/* How many values there are: their numbers are below. */
int segment_env_values(
    struct segment_env *env, uint32_t *values, struct error *error);
/* Copies a block out: 1, 0 if there is none, -1. */
int segment_env_block(struct segment_env *env, uint32_t value, uint16_t block,
    struct block_head *head, struct buf *to, struct error *error);
/* The whole value into `to` (SEGMENT_VALUE_SIZE bytes): 1, 0 or -1. */
int segment_env_value(
    struct segment_env *env, uint32_t value, uint8_t *to, struct error *error);
/* The wrapped key of an account: 1 and `row` (ACCOUNT_KEY_ROW), 0, -1. The
 * writer sees what it has put and not committed. */
int segment_env_key(struct segment_env *env, uint32_t account, bool is_writer,
    uint8_t *row, struct error *error);

/* Writing: what was put is there, and durable, after a commit that gives 0.
 * ERROR_FULL: the disk is full, nothing of it is there. Any other error: as in
 * store.h, the process must end. */
bool segment_env_has_room(const struct segment_env *env, uint32_t values);
/* It is full earlier than it was opened for; in any thread. */
void segment_env_limit(struct segment_env *env, uint64_t bytes);
int segment_env_put(struct segment_env *env, uint32_t value,
    const uint8_t *bytes, struct error *error);
int segment_env_put_key(struct segment_env *env, uint32_t account,
    const uint8_t *row, struct error *error);
int segment_env_commit(struct segment_env *env, struct error *error);
void segment_env_drop(struct segment_env *env);

/* One that is full, and of which nothing waits for a commit: it is opened anew
 * for reading, which takes less memory, and blocks of pages that nothing uses
 * are the file system's again; its size stays. ERROR_BUSY: it is held. Any
 * other error, as of a file system that cannot: no harm is done. */
int segment_env_finish(
    struct segment_env *env, const char *path, struct error *error);

/* The same of one that is still written: the next commit reserves those blocks
 * again. Nothing is done while it is held, or something waits for a commit. */
int segment_env_trim(
    struct segment_env *env, const char *path, struct error *error);

/* It was done with this one since it was opened. */
bool segment_env_is_finished(const struct segment_env *env);

/* Holds what is there now for the verifier: its meta page, and a descriptor
 * that stays the environment's. */
struct segment_hold;
struct segment_hold *segment_env_hold(struct segment_env *env,
    uint8_t meta[PAGE_META_SIZE], int *fd, struct error *error);
void segment_hold_free(struct segment_hold **hold);
bool segment_env_is_held(const struct segment_env *env);

/* Tests only: as store_set_commit_fault. */
void segment_env_set_fault(int errno_value);

#endif
