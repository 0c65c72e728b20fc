/*
 * What a worker may see of its account's past: the points in time that are
 * kept, and the messages that were expunged.  Works in the reader thread; the
 * mailboxes and messages of a point in time are listings like those of now.
 */
#ifndef SNAPD_PAST_H
#define SNAPD_PAST_H

#include "snapd/reading.h"

/* Into reading->data; 0 or -1. */
int past_read_snapshots(
    struct reading *reading, struct transaction *t, struct error *error);
int past_read_expunged(
    struct reading *reading, struct transaction *t, struct error *error);
int past_read_vanished(
    struct reading *reading, struct transaction *t, struct error *error);

#endif
