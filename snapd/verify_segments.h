/*
 * Segments, for verify.c: their pages, the sum of every block, and as many
 * blocks as were asked for opened, unpacked and each body in them hashed and
 * compared with the index.  Damage is named by segment, value and block, and by
 * the bodies that cannot be read any more.
 */
#ifndef SNAPD_VERIFY_SEGMENTS_H
#define SNAPD_VERIFY_SEGMENTS_H

#include "snapd/verify_rows.h"

/* A place that a row of DB_BLOB says. */
struct text;
struct blob_form;
void verify_note_places(
    struct verify *v, uint64_t blob, const struct blob_form *form);
void verify_segment_use(struct verify *v, struct text key, struct text value);

/* After all rows. */
void verify_segments(struct verify *v);
void verify_segments_free(struct verify *v);

/* Only what tells whether LMDB may open it: both meta pages and the top of each
 * tree. 0, or -1 and the first finding (ERROR_DAMAGED). */
int verify_segment_before_open(int fd, struct error *error);

#endif
