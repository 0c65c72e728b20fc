/*
 * Brings index, keys and segments together: at the start of snapd, and when a
 * store is made.
 */
#ifndef SNAPD_SEGMENTS_OPEN_H
#define SNAPD_SEGMENTS_OPEN_H

#include "snapd/segments.h"
#include "snapd/store.h"

#define SEGMENT_BYTES (UINT64_C(64) << 30)

/* The store's segments, set in it; ERROR_BUSY if another process has them. A
 * store that was made before there were any gets its key here; without the key
 * of one that has segments: ERROR_MISSING. Segments that were dropped and are
 * still there are taken away. segment_bytes 0: SEGMENT_BYTES. */
struct segments *segments_open(struct store *store, const char *path,
    uint64_t segment_bytes, struct error *error);

/* Without an index, for a rebuild: whose store the segments are is what they
 * say. ERROR_MISSING if there are none. */
struct segments *segments_open_alone(
    const char *path, struct store_id *store, struct error *error);
/* The store's folder as a descriptor. */
int segments_open_folder(const char *path, struct error *error);

/* Puts the store's lost file `key` back, from the box in a segment:
 * ERROR_EXISTS if it is there, ERROR_REFUSED with another key. */
int segments_recover_key(const char *path,
    const uint8_t recovery[RECOVERY_KEY_SIZE], struct error *error);

/* Makes an empty store with its keys, in this process's present folder; the
 * private half of the recovery key is the caller's to show, once. */
int segments_create_store(int dir_fd, struct store_id *id,
    uint8_t recovery[RECOVERY_KEY_SIZE], struct error *error);

#endif
