/*
 * Fills values of the newest segment with blocks, goes on in a value that is
 * not full, and begins the next segment when one is.  Used by one thread.  What
 * was added is nowhere until segment_writer_commit gives 0.
 */
#ifndef SNAPD_SEGMENT_WRITER_H
#define SNAPD_SEGMENT_WRITER_H

#include "snapd/segments.h"

struct segment_writer;

/* Continues where the newest segment ends. */
struct segment_writer *segment_writer_new(
    struct segments *segments, struct error *error);
/* Drops what was not committed. */
void segment_writer_free(struct segment_writer **writer);

/* The next segment is begun after so many values, or when this one has all that
 * it may; at once if it has twice as many. */
void segment_writer_set_goal(struct segment_writer *writer, uint32_t values);

/* Bytes that are left of the present value. */
size_t segment_writer_room(const struct segment_writer *writer);

/*
 * Seals what was packed under the account's key, which is made if it has none;
 * head has kind, account, pass, first and last.  1 and where it is; 0 if it
 * does not fit into the rest of the value and may not begin a new one; -1:
 * ERROR_FULL if the disk is full. After an error the writer can only be freed.
 */
int segment_writer_add(struct segment_writer *writer, struct block_head *head,
    const struct packed_block *packed, bool may_begin, struct block_at *at,
    struct error *error);

/* Values since the last commit. */
uint32_t segment_writer_pending(const struct segment_writer *writer);
/* Durable when it returns 0. */
int segment_writer_commit(struct segment_writer *writer, struct error *error);

/* Behind the last block. */
struct block_at segment_writer_end(const struct segment_writer *writer);

#endif
