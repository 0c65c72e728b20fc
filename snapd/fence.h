/*
 * What keeps a damaged store from being a loop of crashes.  LMDB trusts its
 * pages, so one bit in the head of a page may kill who reads it, again and
 * again.  Before the store is opened its beginning is checked; when it was
 * opened FENCE_STARTS times without a clean stop after the last one, all of its
 * pages and rows are, and with a finding it stays closed.
 *
 * An administrator who wants what is still there says so with snapctl
 * open-damaged: it is then opened once more, as if it had been stopped cleanly.
 *
 * The file `starts` beside the index: form u8 = 1, count u8; 255: to be opened
 * although it is damaged.
 */
#ifndef SNAPD_FENCE_H
#define SNAPD_FENCE_H

#include "common/error.h"

#include <stdbool.h>

enum {
	FENCE_STARTS = 2
};

/* Before the store is opened: 0, or -1 with the first finding (ERROR_DAMAGED).
 * `was_lifted`: that it is opened is an administrator's wish. */
int fence_enter(const char *path, bool *was_lifted, struct error *error);
/* Notes that wish for the next fence_enter. ERROR_EXISTS: nothing keeps the
 * store closed. ERROR_DAMAGED: its beginning is damaged, so that LMDB could not
 * open it. */
int fence_lift(const char *path, struct error *error);
/* After a clean stop. */
void fence_leave(const char *path);

#endif
