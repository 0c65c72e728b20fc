/*
 * Was the store put back to an older state behind our back?  A small file
 * beside the index says which file the index was when we stopped, and how far
 * it had come.  On a sign that it is another one every counter leaps, so that
 * no UID or MODSEQ that was given out in the lost time means anything else.
 */
#ifndef SNAPD_WITNESS_H
#define SNAPD_WITNESS_H

#include "snapd/journal.h"

enum {
	LEAP_UIDNEXT = 1 << 20
};
#define LEAP_MODSEQ ((uint64_t)1 << 40)

/* At start, before anything is served: 1 and `why` on a sign, 0, or -1. Then
 * the file says that the store is in use. */
int witness_check(const char *path, const struct journal *journal,
    char why[100], struct error *error);
/* After a clean stop: the store is closed. */
int witness_write(const char *path, const struct store_id *store,
    uint64_t sequence, struct error *error);

/* A mark of the state as it was found, leaps, a new incarnation. Committed by
 * the caller. */
enum status journal_leap(
    struct journal *journal, const char *why, struct error *error);

#endif
