/*
 * Snapshots: marks, which are stored, and timer snapshots, which are computed
 * from the schedule.  Both are a sequence with a name or an id by which people
 * find it.
 */
#ifndef SNAPD_SNAPSHOT_H
#define SNAPD_SNAPSHOT_H

#include "common/control_record.h"
#include "common/digest.h"
#include "snapd/retention.h"
#include "snapd/store.h"

#include <stdint.h>

enum {
	SNAPSHOT_ID_HEX = 8,   /* digits shown unless that is ambiguous */
	SNAPSHOT_ID_BYTES = 16 /* of an id that are looked at */
};

struct snapshot {
	uint64_t sequence;
	int64_t time; /* seconds since 1970 */
	uint32_t account;
	uint8_t kind;   /* enum control_snapshot_kind */
	uint8_t digits; /* that make the id unambiguous, 8 or more */
	uint8_t id[SNAPSHOT_ID_BYTES];
};

/* By sequence, the oldest first: 40 bytes a snapshot. */
struct snapshot_list {
	struct snapshot *snapshots;
	size_t count;
	size_t room;
};

struct snapshot_point {
	uint8_t kind; /* enum control_point_kind */
	int64_t time;
	char name[CONTROL_MAX_NAME + 1];
};

/* SHA-256(store id, scope, sequence), numbers big-endian; scope is the account
 * of a mark, or 0. */
struct hash snapshot_id(struct digest *digest, const struct store_id *store,
    uint32_t scope, uint64_t sequence);

/* All that concern `account` (0: all accounts). */
int snapshot_list_make(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct retention *retention, int64_t now, uint32_t account,
    struct error *error);
void snapshot_list_clear(struct snapshot_list *list);

/* The name and the text of a mark; empty for a timer snapshot. They live as
 * long as the transaction. */
int snapshot_texts(struct transaction *t, const struct snapshot *snapshot,
    struct text *name, struct text *why, struct error *error);

/* Who looks for a snapshot: now (seconds since 1970), for this account (0:
 * all); what the configuration keeps. */
struct snapshot_view {
	struct digest *digest;
	struct store_id store;
	struct retention retention;
	int64_t now;
	uint32_t account;
};

/* The sequence of a point: ERROR_MISSING if there is none, ERROR_LIMIT if it
 * could be several. `latest` without any snapshot is now. A name is that of the
 * newest mark which has it; else it is an id. */
int snapshot_find(struct transaction *t, const struct snapshot_view *view,
    const struct snapshot_point *point, uint64_t *sequence,
    struct error *error);

#endif
