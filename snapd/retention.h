/*
 * Which instants are timer snapshots: the schedule of the settings.  They are
 * computed, not stored: the rows of any instant can be listed.  Pure.
 */
#ifndef SNAPD_RETENTION_H
#define SNAPD_RETENTION_H

#include <stddef.h>
#include <stdint.h>

enum {
	RETENTION_MAX_TIERS = 8
};

struct retention {
	uint64_t every_s; /* `snapshot every`; 0: no timer snapshots */
	size_t count;
	struct {
		uint64_t every_s;
		uint64_t span_s;
	} tiers[RETENTION_MAX_TIERS]; /* `keep`: none of them: 24 hours */
};

/* The first timer snapshot after `after` that is still listed at `now`, in
 * seconds since 1970, or -1. Instants are whole multiples of their interval. */
int64_t retention_next(
    const struct retention *retention, int64_t now, int64_t after);

#endif
