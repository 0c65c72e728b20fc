/*
 * Marks by name and by the beginning of their id, in memory: 24 bytes a mark,
 * and 512 KiB.  Marks are only ever added, so that each look reads those that
 * came since the last one, and a snapshot is found in the same time however
 * many there are.  The first look after a start reads all.
 */
#ifndef SNAPD_SNAPSHOT_NAMES_H
#define SNAPD_SNAPSHOT_NAMES_H

#include "common/digest.h"
#include "snapd/store.h"

struct snapshot_names;

struct snapshot_names *snapshot_names_new(void);
void snapshot_names_free(struct snapshot_names **names);

/* Whoever uses it has it to himself, with what the transaction sees. -1: he has
 * not. */
int snapshot_names_begin(struct snapshot_names *names, struct transaction *t,
    struct digest *digest, const struct store_id *store, struct error *error);
void snapshot_names_end(struct snapshot_names *names);

/* Marks in question, the newest first: where they begin, and what follows one;
 * 0 at the end. Those of this name, of an id with these first two bytes, or
 * all; some are others. */
enum snapshot_names_by {
	SNAPSHOT_BY_NAME,
	SNAPSHOT_BY_ID,
	SNAPSHOT_BY_AGE
};

uint32_t snapshot_names_first(const struct snapshot_names *names,
    enum snapshot_names_by by, struct text name, const uint8_t id[2]);
uint32_t snapshot_names_next(
    const struct snapshot_names *names, enum snapshot_names_by by, uint32_t at);
/* The key of its row. */
struct key snapshot_names_key(struct snapshot_names *names, uint32_t at);

/* Tests only: how many keys were given out since the last begin. */
uint64_t snapshot_names_looked(const struct snapshot_names *names);

#endif
