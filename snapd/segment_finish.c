/*
 * The end of a segment that is full: see segment_env.h.  A value that is
 * written again while it fills up leaves its old pages behind, which the next
 * one takes; in a segment that is full there is none, and in the newest none
 * for a while when a pass is over.  LMDB lists such pages in a tree of its own,
 * by the transaction that has freed them.
 */
#include "snapd/segment_env_parts.h"

#include "common/file.h"
#include "snapd/segment_folder.h"

#include <unistd.h>

/* Pages that follow each other, in a list that descends. */
static int
punch_list(
    struct segment_env *env, int fd, const size_t *list, struct error *error)
{
	size_t i, end, count = list[0];
	int result = 0;

	for (i = 1; i <= count && result == 0; i = end) {
		for (end = i + 1;
		     end <= count && list[end] == list[end - 1] - 1; end++)
			continue;
		result =
		    file_punch(fd, (off_t)list[end - 1] * (off_t)env->page_size,
			(off_t)(end - i) * (off_t)env->page_size, error);
	}
	return result;
}

static int
punch_free(struct segment_env *env, MDB_txn *txn, int fd, struct error *error)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, 0, &cursor), result = 0;

	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "free pages");
	while (
	    result == 0 && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		result = punch_list(env, fd, v.mv_data, error);
	mdb_cursor_close(cursor);
	return result;
}

/* With nobody reading: what the newest transaction does not use is of none. And
 * commits have reserved more than they took. */
static int
give_back(struct segment_env *env, int fd, struct error *error)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, &txn), result;

	if (rc != 0)
		return segment_env_error(error, &env->info, rc, "begin");
	result = file_give_back(fd, error);
	if (result == 0)
		result = punch_free(env, txn, fd, error);
	mdb_txn_abort(txn);
	return result;
}

/* It may be open for reading only, since the last start. */
static int
finish(struct segment_env *env, const char *path, struct error *error)
{
	int fd = segment_folder_file_to_trim(path, env->info.number);
	int result = fd != -1 ? give_back(env, fd, error)
			      : error_set_errno(error, "segment");

	if (fd != -1)
		close(fd);
	return segment_env_reopen(env, path, error) == 0 ? result : -1;
}

int
segment_env_finish(
    struct segment_env *env, const char *path, struct error *error)
{
	int result;

	if (env->is_finished)
		return 0;
	pthread_rwlock_wrlock(&env->reading);
	if (atomic_load(&env->holds) > 0)
		result = error_set(error, ERROR_BUSY,
		    "segment %u is being verified", env->info.number);
	else
		result = finish(env, path, error);
	pthread_rwlock_unlock(&env->reading);
	env->is_finished = result == 0 || error->code != ERROR_BUSY;
	return result;
}

int
segment_env_trim(struct segment_env *env, const char *path, struct error *error)
{
	int fd, result = 0;

	if (env->write != NULL || atomic_load(&env->holds) > 0)
		return 0;
	fd = segment_folder_file_to_trim(path, env->info.number);
	if (fd == -1)
		return error_set_errno(error, "segment");
	pthread_rwlock_wrlock(&env->reading);
	env->has_holes = true;
	if (atomic_load(&env->holds) == 0)
		result = give_back(env, fd, error);
	pthread_rwlock_unlock(&env->reading);
	close(fd);
	return result;
}

bool
segment_env_is_finished(const struct segment_env *env)
{
	return env->is_finished;
}
