/*
 * See message_index_room.h.  The number of pages is a bound: of each call the
 * way down to its page, and no more than all pages that there are.
 */
#include "imapd/message_index_room.h"

#include "common/file.h"
#include "common/log.h"

enum {
	TOUCHED_PAGES = 8, /* by one call, splits and all */
	COMMIT_PAGES = 16, /* roots and the free list */
	/* Ahead, so that few commits have to ask: an eighth of what there
	 * is. */
	RESERVE_MIN_BYTES = 64 << 10,
	RESERVE_MAX_BYTES = 1 << 20
};

void
index_room_touch(struct message_index *index, size_t size)
{
	index->touched_pages += TOUCHED_PAGES + size / 4096;
	index->page.rows = NULL;
}

/* All pages of the databases as the transaction sees them. */
static uint64_t
count_pages(const struct message_index *index)
{
	uint64_t pages = 0;
	MDB_stat stat;

	for (size_t i = 0; i < INDEX_DATABASES; i++)
		if (mdb_stat(index->writer, index->all[i], &stat) == 0)
			pages += stat.ms_branch_pages + stat.ms_leaf_pages +
				 stat.ms_overflow_pages;
	return pages;
}

static int
reserve(struct message_index *index, uint64_t from, uint64_t end,
    struct error *error)
{
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(index->env, &fd) != 0)
		return error_set(error, ERROR_SYSTEM, "index: no descriptor");
	if (file_reserve(fd, (off_t)from, (off_t)(end - from), error) != 0)
		return -1;
	index->reserved = end;
	return 0;
}

static uint64_t
ahead(uint64_t used)
{
	if (used / 8 < RESERVE_MIN_BYTES)
		return RESERVE_MIN_BYTES;
	return used / 8 < RESERVE_MAX_BYTES ? used / 8 : RESERVE_MAX_BYTES;
}

static bool
has_room(struct message_index *index, struct error *error)
{
	uint64_t pages = index->touched_pages, used, end, all;
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(index->env, &info);
	mdb_env_stat(index->env, &stat);
	used = (info.me_last_pgno + 1) * stat.ms_psize;
	end = used + (pages + COMMIT_PAGES) * stat.ms_psize;
	if (end <= index->reserved)
		return true;
	all = count_pages(index);
	if (pages > all)
		end = used + (all + COMMIT_PAGES) * stat.ms_psize;
	if (end <= index->reserved)
		return true;
	if (index->reserved > used)
		used = index->reserved;
	if (reserve(index, used, end + ahead(used), error) == 0 ||
	    reserve(index, used, end, error) == 0)
		return true;
	/* A file system that reserves nothing is tried as it is. */
	return error->code != ERROR_FULL;
}

bool
index_room_take(struct message_index *index)
{
	struct error error = { .code = ERROR_NONE };
	bool was_held = index->is_held;

	index->is_held = !has_room(index, &error);
	if (index->is_held && !was_held)
		log_warning("index-held", "error=\"%s\"", error.text);
	if (!index->is_held)
		index->touched_pages = 0;
	return !index->is_held;
}

void
index_room_give_back(struct message_index *index)
{
	struct error ignored;
	mdb_filehandle_t fd;

	if (index->reserved == 0 || index->is_held ||
	    mdb_env_get_fd(index->env, &fd) != 0)
		return;
	(void)file_give_back(fd, &ignored);
	index->reserved = 0;
}
