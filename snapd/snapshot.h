/*
 * What a snapshot is called: its id.  Pure.
 */
#ifndef SNAPD_SNAPSHOT_H
#define SNAPD_SNAPSHOT_H

#include "snapd/digest.h"

#include <stdint.h>

enum {
	SNAPSHOT_ID_HEX = 8, /* digits shown unless that is ambiguous */
	SNAPSHOT_ID_HEX_MAX = 64
};

/* The whole id: SHA-256(store id, scope, sequence), numbers big-endian; scope
 * is the account or 0. */
struct hash snapshot_id(struct digest *digest, const struct store_id *store,
    uint32_t scope, uint64_t sequence);

#endif
