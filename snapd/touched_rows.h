/*
 * How much the commit of a transaction may write, by the rows that it puts and
 * takes: so many blocks are reserved before it.  It is more than it takes, and
 * hardly ever less.
 */
#ifndef SNAPD_TOUCHED_ROWS_H
#define SNAPD_TOUCHED_ROWS_H

#include "snapd/store_form.h"

struct touched_rows {
	uint64_t bytes;
	size_t page_size;
	struct key last[DB_COUNT]; /* in each database */
};

void touched_rows_begin(struct touched_rows *rows, size_t page_size);
/* `size` is the value's; 0: it is taken. */
void touched_rows_add(struct touched_rows *rows, enum database database,
    const struct key *key, size_t size);

#endif
