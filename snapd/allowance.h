/*
 * How much one account may add to the store in a day: changes and bytes.  What
 * is beyond it waits until the next day, so that whoever has taken an account
 * over fills neither disk nor log; nothing that is there goes for it.  A day is
 * one of the guard clock.
 *
 * It is counted in memory, and on disk ahead of that, by a 64th of the limit: a
 * restart gives nobody a fresh allowance, and costs him a 64th at most.
 *
 * allowance key: account u32. value: form u8 = 1, day u64, changes u64, bytes
 * u64 that count as spent.
 */
#ifndef SNAPD_ALLOWANCE_H
#define SNAPD_ALLOWANCE_H

#include "snapd/store.h"

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

/* What was spent on the day of guard_us before the store was opened. 0 or -1
 * and error. */
int allowance_load(struct allowance *allowance, struct transaction *transaction,
    uint64_t guard_us, struct error *error);
/* Puts what has to be known after a restart: with each commit, whose outcome
 * allowance_saved is told. 0 or -1 and error. */
int allowance_save(struct allowance *allowance, struct transaction *transaction,
    struct error *error);
void allowance_saved(struct allowance *allowance, bool is_durable);

/* Is anything left for the account today? */
bool allowance_has(
    struct allowance *allowance, uint32_t account, uint64_t guard_us);
void allowance_spend(struct allowance *allowance, uint32_t account,
    uint64_t guard_us, uint64_t changes, uint64_t bytes);

#endif
