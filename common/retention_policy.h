/*
 * The policy of `keep`: what people write, what travels and what is kept on
 * disk.  What it means is in snapd/retention.h.  Pure.
 */
#ifndef COMMON_RETENTION_POLICY_H
#define COMMON_RETENTION_POLICY_H

#include "common/codec.h"
#include "common/error.h"

enum {
	RETENTION_MAX_TIERS = 8,
	RETENTION_TEXT_SIZE = 500,                           /* with its NUL */
	RETENTION_POLICY_MAX = 17 + 16 * RETENTION_MAX_TIERS /* encoded */
};

struct retention {
	uint64_t every_s; /* `snapshot every`; 0: no timer snapshots */
	uint64_t minimum_s;
	size_t count;
	struct {
		uint64_t every_s;
		uint64_t span_s;
	} tiers[RETENTION_MAX_TIERS]; /* `keep`: none of them: 24 hours */
};

/* "15m for 24h, 1d for 90d minimum 30d": all but every_s. */
int retention_policy_parse(
    struct text text, struct retention *policy, struct error *error);
void retention_policy_format(
    const struct retention *policy, char to[RETENTION_TEXT_SIZE]);

/* every u64, minimum u64, count u8, and of each tier every u64, span u64. */
void retention_policy_put(
    struct writer *writer, const struct retention *policy);
void retention_policy_get(struct reader *reader, struct retention *policy);

#endif
