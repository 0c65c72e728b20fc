/*
 * Pages of the index environment that hold nothing any more: LMDB's file never
 * shrinks, so that what expiry made free is room for what comes.
 */
#ifndef SNAPD_STORE_ROOM_H
#define SNAPD_STORE_ROOM_H

#include <lmdb.h>
#include <stdint.h>

struct store_room {
	uint64_t counted_at; /* transaction of free_pages */
	uint64_t free_pages;
};

/* As of the last commit: counted once for each. */
uint64_t store_room_free_pages(struct store_room *room, MDB_env *env);

#endif
