/*
 * The spool's environment of LMDB: its tables, its one write transaction and
 * the room it has.  The only file of smtpd that includes lmdb.h.  Every value
 * but a chunk ends with 8 bytes of SipHash over table, key and value, put and
 * checked here (LMDB has no checksums).
 *
 * Blocks are reserved ahead of the last page, so that a disk that is full
 * refuses mail, and never the row that says that mail has gone.
 */
#ifndef SMTPD_SPOOL_ENV_H
#define SMTPD_SPOOL_ENV_H

#include "common/error.h"
#include "smtpd/spool_form.h"

#include <stdbool.h>

enum {
	SPOOL_RESERVE_BYTES = 32 << 20 /* for what is not new mail */
};

struct spool_env;
struct spool_cursor;

/* Opens the environment in the folder `path`, made if it is empty. */
struct spool_env *spool_env_open(
    const char *path, uint64_t map_bytes, struct error *error);
void spool_env_close(struct spool_env **env);

/* Would `bytes` of new mail leave the reserve as it is? */
bool spool_env_has_room(struct spool_env *env, uint64_t bytes);

/* Begins the write transaction; reading sees it from then on. */
int spool_env_begin(struct spool_env *env, struct error *error);
/* Durable when it returns 0. ERROR_FULL: nothing was changed. Any other error:
 * the disk failed, and the process must end without an answer. */
int spool_env_commit(struct spool_env *env, struct error *error);
void spool_env_abort(struct spool_env *env);
/* The state that is read outside of a transaction is the newest again; texts
 * that were read are gone. Called before each waiting of the loop. */
void spool_env_rest(struct spool_env *env);

/* 1 and the value (valid until the next write or rest), 0 if there is none, -1
 * and error: ERROR_DAMAGED if its sum is wrong. */
int spool_env_get(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct text *value, struct error *error);
/* In the write transaction only. */
int spool_env_put(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct text value, struct error *error);
int spool_env_remove(struct spool_env *env, enum spool_table table,
    const struct spool_key *key, struct error *error);

uint64_t spool_env_count(struct spool_env *env, enum spool_table table);

/* Rows from the first one >= `from` on, in order; next as get. No row of that
 * table may be written while it is open, nor a rest be made. */
struct spool_cursor *spool_cursor_open(struct spool_env *env,
    enum spool_table table, const struct spool_key *from, struct error *error);
int spool_cursor_next(struct spool_cursor *cursor, struct text *key,
    struct text *value, struct error *error);
void spool_cursor_close(struct spool_cursor **cursor);
/* Calls so far, for a test that counts what an operation costs. */
uint64_t spool_env_operations(const struct spool_env *env);
/* Tests only: the next commit fails with this errno; 0: none. */
void spool_env_set_fault(int errno_value);

#endif
