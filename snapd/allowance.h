/*
 * How much one account may add to the store in a day: changes and bytes.  What
 * is beyond it waits until the next day, so that whoever has taken an account
 * over fills neither disk nor log; nothing that is there goes for it.  A day is
 * one of the guard clock.  Kept in memory: a restart begins anew.
 */
#ifndef SNAPD_ALLOWANCE_H
#define SNAPD_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

struct allowance;

/* Of each account; 0: without a limit. */
struct allowance_limits {
	uint64_t changes;
	uint64_t bytes;
};

struct allowance *allowance_new(void);
void allowance_free(struct allowance **allowance);
void allowance_configure(
    struct allowance *allowance, const struct allowance_limits *limits);

/* Is anything left for the account today? */
bool allowance_has(
    struct allowance *allowance, uint32_t account, uint64_t guard_us);
void allowance_spend(struct allowance *allowance, uint32_t account,
    uint64_t guard_us, uint64_t changes, uint64_t bytes);

#endif
