/*
 * When messages came into their mailboxes (SAVEDATE, RFC 8514), as the log of
 * the account has it: the time of the event that made a message's first row
 * there.  The log is never trimmed, so nothing more has to be kept for it.
 * Works in the reader thread.
 */
#ifndef SNAPD_SAVED_H
#define SNAPD_SAVED_H

#include "snapd/reading.h"

/* Saved records of events after reading->as_of into reading->data; 0 or -1. */
int saved_read(
    struct reading *reading, struct transaction *t, struct error *error);

#endif
