/*
 * What of a segment is there now, held for the verifier: see segment_env.h.
 */
#include "snapd/segment_env_parts.h"

#include "common/memory.h"

#include <string.h>
#include <unistd.h>

struct segment_hold {
	struct segment_env *env;
	MDB_txn *txn;
};

/* The meta page of this transaction, unless two more were committed since. */
static int
read_meta(struct segment_env *env, MDB_txn *txn, int fd,
    uint8_t meta[PAGE_META_SIZE], struct error *error)
{
	uint64_t id = mdb_txn_id(txn), found = 0;
	off_t offset = (off_t)((id & 1) * env->page_size);

	if (pread(fd, meta, PAGE_META_SIZE, offset) != PAGE_META_SIZE)
		return error_set_errno(error, "segment: read meta page");
	memcpy(&found, meta + PAGE_META_SIZE - sizeof(found), sizeof(found));
	return found == id
		   ? 0
		   : error_set(error, ERROR_BUSY, "segment %u is being written",
			 env->info.number);
}

struct segment_hold *
segment_env_hold(struct segment_env *env, uint8_t meta[PAGE_META_SIZE], int *fd,
    struct error *error)
{
	struct segment_hold *hold;
	mdb_filehandle_t data;
	MDB_txn *txn;
	int tries;

	if (mdb_env_get_fd(env->env, &data) != 0) {
		error_set(error, ERROR_SYSTEM, "segment: no descriptor");
		return NULL;
	}
	for (tries = 0; tries < 8; tries++) {
		txn = segment_env_begin(env, error);
		if (txn == NULL)
			return NULL;
		if (read_meta(env, txn, data, meta, error) == 0) {
			*fd = data;
			hold = memory_new(1, sizeof(*hold));
			hold->env = env;
			hold->txn = txn;
			atomic_fetch_add(&env->holds, 1);
			pthread_rwlock_unlock(&env->reading);
			return hold;
		}
		segment_env_end(env, txn);
	}
	return NULL;
}

void
segment_hold_free(struct segment_hold **hold)
{
	if (*hold == NULL)
		return;
	mdb_txn_abort((*hold)->txn);
	atomic_fetch_sub(&(*hold)->env->holds, 1);
	memory_free(hold);
}

bool
segment_env_is_held(const struct segment_env *env)
{
	return atomic_load(&env->holds) > 0;
}
