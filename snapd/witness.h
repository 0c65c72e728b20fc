/*
 * Was the store put back to an older state behind our back?  A small file
 * beside the index says which file the index was when we stopped, and how far
 * it had come.  On a sign that it is another one the whole store leaps
 * (leap.h).
 */
#ifndef SNAPD_WITNESS_H
#define SNAPD_WITNESS_H

#include "snapd/journal.h"

/* At start, before anything is served: 1 and `why` on a sign, 0, or -1. Then
 * the file says that the store is in use. */
int witness_check(const char *path, const struct journal *journal,
    char why[100], struct error *error);
/* After a clean stop: the store is closed. */
int witness_write(const char *path, const struct store_id *store,
    uint64_t sequence, struct error *error);

#endif
