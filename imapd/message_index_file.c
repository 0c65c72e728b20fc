/*
 * The environment of the index on disk: opened if it may be trusted, made anew
 * if not, marked as closed at the end.  See message_index.h for the file
 * `state`, which says so.
 */
#include "imapd/message_index_file.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "imapd/index_record.h"
#include "imapd/index_state.h"
#include "imapd/message_index_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_CRASHES = 2
};

/* Address space only: without MDB_WRITEMAP the file grows as it is filled, and
 * no transaction, however large, meets the end of the map. */
static const size_t map_bytes =
    sizeof(size_t) >= 8 ? (size_t)64 << 30 : (size_t)1 << 30;

void
index_broke(struct message_index *index, const char *what, int rc)
{
	if (!index->is_broken)
		log_error("index-broken", "call=%s error=\"%s\"", what,
		    mdb_strerror(rc));
	index->is_broken = true;
}

/* To make one is to write. */
static int
open_database(struct message_index *index, MDB_txn *txn, const char *name,
    unsigned int flags, MDB_dbi *dbi)
{
	int rc = mdb_dbi_open(txn, name, flags, dbi);

	if (rc != MDB_NOTFOUND)
		return rc;
	if (!index_mark_touched(index))
		return EIO;
	return mdb_dbi_open(txn, name, flags | MDB_CREATE, dbi);
}

static int
open_databases(struct message_index *index)
{
	const struct {
		MDB_dbi *dbi;
		const char *name;
		unsigned int flags;
	} databases[INDEX_DATABASES] = {
		{ &index->meta, "meta", 0 },
		{ &index->mailbox, "mailbox", 0 },
		{ &index->row, "row", MDB_DUPSORT | MDB_DUPFIXED },
		{ &index->count, "count", 0 },
		{ &index->uids, "uids", MDB_DUPSORT | MDB_DUPFIXED },
		{ &index->changed, "changed", MDB_DUPSORT | MDB_DUPFIXED },
		{ &index->file, "file", 0 },
		{ &index->name, "name", 0 },
		{ &index->vanished, "vanished", 0 },
		{ &index->saved, "saved", 0 },
		{ &index->content, "content", 0 },
		{ &index->parsed, "parsed", 0 },
		{ &index->unused, "unused", 0 },
		{ &index->subscribed, "subscribed", 0 },
	};
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < INDEX_DATABASES; i++) {
		rc = open_database(index, txn, databases[i].name,
		    databases[i].flags, databases[i].dbi);
		if (rc != 0) {
			mdb_txn_abort(txn);
			return rc;
		}
		index->all[i] = *databases[i].dbi;
	}
	return mdb_txn_commit(txn);
}

static int
open_place(struct message_index *index, struct index_place *place, MDB_dbi dbi)
{
	place->dbi = dbi;
	return mdb_cursor_open(index->reader, dbi, &place->cursor);
}

static int
open_reader(struct message_index *index)
{
	int rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &index->reader);

	if (rc == 0)
		rc = mdb_cursor_open(index->reader, index->row, &index->at_row);
	if (rc == 0)
		rc = open_place(index, &index->at_file, index->file);
	if (rc == 0)
		rc = open_place(index, &index->at_parsed, index->parsed);
	if (rc == 0)
		mdb_txn_reset(index->reader);
	return rc;
}

/* Rows are compared by UID alone, runs of UIDs by the last: so that one is
 * found by it. */
static int
compare_uids(const MDB_val *a, const MDB_val *b)
{
	return memcmp(a->mv_data, b->mv_data, 4);
}

static int
open_environment(struct message_index *index, struct error *error)
{
	char path[64];
	MDB_txn *txn;
	int rc;

	/* By descriptor: the worker's path is relative to its home. */
	snprintf(path, sizeof(path), "index");
	if (fchdir(index->home_fd) == -1)
		return error_set_errno(error, "home");
	rc = mdb_env_create(&index->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(index->env, 16);
	if (rc == 0)
		rc = mdb_env_set_mapsize(index->env, map_bytes);
	if (rc == 0)
		rc = mdb_env_open(
		    index->env, path, MDB_NOSYNC | MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = open_databases(index);
	if (rc == 0)
		rc = mdb_txn_begin(index->env, NULL, 0, &txn);
	if (rc == 0) {
		mdb_set_dupsort(txn, index->row, compare_uids);
		mdb_set_dupsort(txn, index->uids, compare_uids);
		rc = mdb_txn_commit(txn);
	}
	if (rc == 0)
		rc = open_reader(index);
	if (rc != 0)
		return error_set(
		    error, ERROR_DAMAGED, "index: %s", mdb_strerror(rc));
	return 0;
}

static void
close_place(struct index_place *place)
{
	if (place->cursor != NULL)
		mdb_cursor_close(place->cursor);
	place->cursor = NULL;
}

static void
close_environment(struct message_index *index)
{
	if (index->at_row != NULL)
		mdb_cursor_close(index->at_row);
	index->at_row = NULL;
	close_place(&index->at_file);
	close_place(&index->at_parsed);
	if (index->reader != NULL)
		mdb_txn_abort(index->reader);
	index->reader = NULL;
	index->is_reading = false;
	if (index->env != NULL)
		mdb_env_close(index->env);
	index->env = NULL;
}

static void
remove_files(int home_fd)
{
	struct error error;
	int fd = file_open_directory(home_fd, "index", &error);

	if (fd == -1)
		return;
	file_unlink(fd, "data.mdb", &error);
	file_unlink(fd, "lock.mdb", &error);
	close(fd);
}

/* The parses of an older form go, and nothing else does; they are made again in
 * the background. */
static void
drop_old_cache(struct message_index *index)
{
	MDB_dbi old;
	int rc;

	if (index->writer == NULL)
		return;
	rc = mdb_dbi_open(index->writer, "cache", 0, &old);
	if (rc == 0)
		rc = mdb_drop(index->writer, old, 1);
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_drop(index->writer, index->unused, 0);
	if (rc != 0)
		index_broke(index, "drop", rc);
	index->has_lost_cache = true;
}

/* One of an older form keeps its rows. */
static void
convert(
    struct message_index *index, uint8_t format, const struct index_meta *meta)
{
	index_begin(index);
	if (format == INDEX_FORMAT_BY_HASH)
		drop_old_cache(index);
	index_counts_make(index);
	index_put_meta(index, meta);
	index_commit(index);
	log_info("index-converted", "from=%d to=%d", format, INDEX_FORMAT);
}

static bool
has_format(struct message_index *index)
{
	struct index_meta meta;
	struct text value;

	if (!index_get_meta(index, &meta) ||
	    !index_get(index, index->meta, "account", 7, &value))
		return false;
	if (index_meta_format(value) != INDEX_FORMAT)
		convert(index, index_meta_format(value), &meta);
	return !index->is_broken;
}

static bool
is_data_there(int home_fd)
{
	struct stat info;

	return fstatat(home_fd, "index/data.mdb", &info, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISREG(info.st_mode) && info.st_size > 0;
}

/* The directory, the state and the environment; one that cannot be opened is
 * made anew, once. */
static int
prepare(struct message_index *index, bool *was_made, struct error *error)
{
	struct error ignored;
	int home_fd = index->home_fd;

	if (file_make_directory(home_fd, "index", 0700, error) == -1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	if (index_state_write(home_fd, &index->state, false, error) == -1)
		return -1;
	if (*was_made)
		remove_files(home_fd);
	if (open_environment(index, &ignored) == 0 &&
	    (*was_made || has_format(index)))
		return 0;
	close_environment(index);
	remove_files(home_fd);
	*was_made = true;
	return open_environment(index, error);
}

/* What the file of the last life says: whether the index is to be made anew. */
static bool
judge_state(struct message_index *index, bool *was_unclean)
{
	struct index_state last = { "", INDEX_NOT_CLEAN, 0 };
	struct index_state *now = &index->state;
	bool has_state = index_state_read(index->home_fd, &last) == 0;
	bool is_same_boot, is_new;

	index_state_boot(now->boot);
	is_same_boot = has_state && memcmp(last.boot, now->boot, 40) == 0;
	index->was_killed = has_state && last.touch != INDEX_CLEAN;
	/* Without one the power may have failed in its first life. */
	*was_unclean =
	    !has_state || (last.touch == INDEX_NOT_CLEAN && !is_same_boot);
	now->touch = has_state && last.touch != INDEX_NOT_CLEAN
			 ? INDEX_UNTOUCHED
			 : INDEX_NOT_CLEAN;
	now->crashes = index->was_killed ? (uint8_t)(last.crashes + 1) : 0;
	is_new = !has_state || *was_unclean || now->crashes > MAX_CRASHES ||
		 !is_data_there(index->home_fd);
	if (is_new)
		now->crashes = 0;
	return is_new;
}

bool
index_mark_touched(struct message_index *index)
{
	struct error error;

	if (index->state.touch == INDEX_NOT_CLEAN)
		return true;
	index->state.touch = INDEX_NOT_CLEAN;
	if (index_state_write(index->home_fd, &index->state, true, &error) == 0)
		return true;
	log_error("index-state", "error=\"%s\"", error.text);
	return false;
}

struct message_index *
index_open(int home_fd, bool *was_made, bool *was_unclean, struct error *error)
{
	struct message_index *index = memory_new(1, sizeof(*index));

	index->home_fd = home_fd;
	buf_init(&index->scratch, 16 * 1024 * 1024);
	*was_made = judge_state(index, was_unclean);
	if (prepare(index, was_made, error) == 0) {
		index_counts_load(index);
		return index;
	}
	close_environment(index);
	buf_clear(&index->scratch);
	free(index);
	return NULL;
}

void
index_abandon(struct message_index **index)
{
	if (*index == NULL)
		return;
	if ((*index)->writer != NULL)
		mdb_txn_abort((*index)->writer);
	close_environment(*index);
	buf_clear(&(*index)->scratch);
	memory_free(index);
}

void
index_close(struct message_index **index)
{
	struct index_state state = { "", INDEX_CLEAN, 0 };
	struct error error;
	int home_fd;
	bool is_good;

	if (*index == NULL)
		return;
	home_fd = (*index)->home_fd;
	index_state_boot(state.boot);
	/* What waited for room, once more. */
	index_begin(*index);
	index_commit(*index);
	index_room_give_back(*index);
	is_good = !(*index)->is_broken && (*index)->writer == NULL &&
		  mdb_env_sync((*index)->env, 1) == 0;
	index_abandon(index);
	if (is_good && index_state_write(home_fd, &state, false, &error) == -1)
		log_warning("index-close", "error=\"%s\"", error.text);
}

/* Setting the size maps the file anew, with none of its pages in this
 * process; LMDB permits it as long as no transaction runs. */
void
index_rest(struct message_index *index)
{
	int rc;

	index_settle(index);
	if (index->writer != NULL)
		return;
	index_read_end(index);
	buf_clear(&index->scratch);
	index_room_give_back(index);
	rc = mdb_env_set_mapsize(index->env, map_bytes);
	if (rc != 0)
		index_broke(index, "map", rc);
}

bool
index_was_killed(const struct message_index *index)
{
	return index->was_killed;
}

bool
index_has_lost_cache(const struct message_index *index)
{
	return index->has_lost_cache;
}

bool
index_is_broken(const struct message_index *index)
{
	return index->is_broken;
}
