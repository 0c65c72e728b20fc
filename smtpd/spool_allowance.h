/*
 * How much an account has sent in the last day: recipients elsewhere, counted
 * by the hour, so that what was sent 24 hours ago counts no more.  Pure; the
 * spool keeps it on disk beside the mail, in the same commit.
 */
#ifndef SMTPD_SPOOL_ALLOWANCE_H
#define SMTPD_SPOOL_ALLOWANCE_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

enum {
	ALLOWANCE_HOURS = 24,
	ALLOWANCE_VALUE_SIZE = 1 + 8 + 4 * ALLOWANCE_HOURS
};

struct spool_allowance {
	int64_t hour;                     /* since 1970, of the newest count */
	uint32_t counts[ALLOWANCE_HOURS]; /* of hour h at h modulo 24 */
};

/* In the 24 hours up to `now`, in seconds since 1970. */
uint64_t spool_allowance_used(
    const struct spool_allowance *allowance, int64_t now);
void spool_allowance_add(
    struct spool_allowance *allowance, int64_t now, uint32_t count);

/* So many of those that were added at `then` were not sent after all. */
void spool_allowance_give_back(
    struct spool_allowance *allowance, int64_t then, uint32_t count);

/* The row's value: its size; 0 or -1 if it is none. */
size_t spool_allowance_put(
    uint8_t to[ALLOWANCE_VALUE_SIZE], const struct spool_allowance *allowance);
int spool_allowance_get(struct text value, struct spool_allowance *allowance);

#endif
