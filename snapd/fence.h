/*
 * What keeps a damaged store from being a loop of crashes.  LMDB trusts its
 * pages, so one bit in the head of a page may kill who reads it, again and
 * again.  Before the store is opened its beginning is checked; when it was
 * opened FENCE_STARTS times without a clean stop after the last one, all of its
 * pages and rows are, and with a finding it stays closed.
 *
 * The file `starts` beside the index: form u8 = 1, count u8.
 */
#ifndef SNAPD_FENCE_H
#define SNAPD_FENCE_H

#include "common/error.h"

enum {
	FENCE_STARTS = 2
};

/* Before the store is opened: 0, or -1 with the first finding
 * (ERROR_DAMAGED). */
int fence_enter(const char *path, struct error *error);
/* After a clean stop. */
void fence_leave(const char *path);

#endif
