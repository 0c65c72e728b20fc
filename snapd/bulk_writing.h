/*
 * A list of bulk (seal_bulk.h) on its way into the newest segment, in the
 * sealer's thread: begun, placed, committed.  The next list may be begun, and
 * no more, before this one is committed: its first blocks are packed while this
 * one waits for the disk.
 */
#ifndef SNAPD_BULK_WRITING_H
#define SNAPD_BULK_WRITING_H

#include "snapd/seal_bulk.h"

struct bulk_writing;

/* What fails shows when they are placed. */
struct bulk_writing *bulk_writing_begin(
    struct sealing *sealing, struct bulk *list);
/* Each body has its place, or none of them: then -1. */
int bulk_writing_place(struct bulk_writing **writing, struct error *error);
/* Instead: none has a place. */
void bulk_writing_drop(struct bulk_writing **writing);
/* Durable if it gives 0; else none of them has a place. */
int bulk_writing_commit(
    struct sealing *sealing, struct bulk *list, struct error *error);

#endif
