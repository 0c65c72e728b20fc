/*
 * How much of each segment is used, in the index (DB_SEGMENT_USE): put by who
 * swaps places, so that it is never another than the rows of DB_BLOB say.
 * The form of its rows is in segment_form.h.
 */
#ifndef SNAPD_SEGMENT_USE_H
#define SNAPD_SEGMENT_USE_H

#include "snapd/segment_form.h"
#include "snapd/store.h"

/* 1, 0 (and an open one with nothing in it) or -1. */
int segment_use_find(struct transaction *transaction, uint32_t segment,
    struct segment_use *use, struct error *error);
int segment_use_put(struct transaction *transaction, uint32_t segment,
    const struct segment_use *use, struct error *error);

/* More live and more dead bytes; each may be less. */
int segment_use_add(struct transaction *transaction, uint32_t segment,
    int64_t live, int64_t dead, struct error *error);

#endif
