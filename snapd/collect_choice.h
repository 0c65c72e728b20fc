/*
 * Which segments the collector empties, and how large a segment becomes: pure,
 * over what the index counts of each.  docs/segments says what this bounds and
 * what it costs.
 *
 * Of all bytes of bodies at most one in COLLECT_GARBAGE is dead; what is more
 * is collected where it costs least, in the full segments with the lowest share
 * of live bytes.  So that whole segments die where the oldest bodies go first,
 * one is about one SEGMENT_PARTS-th of the store, which is less than that
 * bound.
 */
#ifndef SNAPD_COLLECT_CHOICE_H
#define SNAPD_COLLECT_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COLLECT_GARBAGE = 25, /* 4 % */
	COLLECT_COPY = 8,     /* of a store, that one pass copies at most */
	SEGMENT_PARTS = 32,   /* of a store */
	SEGMENT_MIN_VALUES =
	    8, /* of a segment; its most is SEGMENT_MAX_VALUES */
};

struct segment_load {
	uint32_t number;
	uint32_t values;
	uint64_t live_bytes;
	uint64_t dead_bytes;
	bool may_go; /* it is full, and not known to be damaged */
	bool is_chosen;
};

/* Marks those that are to be emptied now: how many. All those of which nothing
 * is alive; then, until the bound holds, the ones of which least is, as many as
 * a pass may copy, at least one. */
size_t collect_choose(struct segment_load *loads, size_t count);

/* Values after which the next segment is begun, in a store of so many. */
uint32_t collect_goal(uint64_t values);

#endif
