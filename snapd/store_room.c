/* See store_room.h. */
#include "snapd/store_room.h"

#include <string.h>

/* A record of LMDB's free list is a count and as many page numbers. */
static uint64_t
count_free(MDB_txn *txn)
{
	MDB_cursor *cursor;
	uint64_t pages = 0;
	MDB_val key, value;
	size_t count;

	if (mdb_cursor_open(txn, 0, &cursor) != 0)
		return 0;
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		memcpy(&count, value.mv_data, sizeof(count));
		pages += count;
	}
	mdb_cursor_close(cursor);
	return pages;
}

uint64_t
store_room_free_pages(struct store_room *room, MDB_env *env)
{
	MDB_envinfo info;
	MDB_txn *txn;

	mdb_env_info(env, &info);
	if (room->counted_at == info.me_last_txnid)
		return room->free_pages;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	room->counted_at = info.me_last_txnid;
	room->free_pages = count_free(txn);
	mdb_txn_abort(txn);
	return room->free_pages;
}
