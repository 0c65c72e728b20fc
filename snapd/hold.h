/*
 * Holds: what an administrator, or an alarm, keeps beyond the policy.  A hold
 * keeps every row that the state of a sequence sees in a scope.  It ends only
 * some time after it was released, when the minimum of the policy has passed:
 * whoever releases it by mistake, or with bad intent, can be answered.
 *
 * hold key: the sequence of its event. value: form u8 = 1, kind u8 (enum
 * retention_pin_kind), held sequence u64, first one of those that are held u64
 * (0: the same), account u32, mailbox u64, uid u32, wall clock u64, until u64
 * (guard clock; all ones: not released), tag text, why text.
 */
#ifndef SNAPD_HOLD_H
#define SNAPD_HOLD_H

#include "snapd/mark.h"
#include "snapd/retention.h"
#include "snapd/store.h"

struct hold {
	uint64_t number; /* its key */
	struct retention_pin pin;
	uint64_t wall_us;
	struct text tag; /* they live as long as the value */
	struct text why;
};

/* Under its number; one that is there is replaced. 0 or -1. */
int hold_put(struct transaction *transaction, const struct hold *hold,
    struct error *error);
/* 0, or -1 and ERROR_DAMAGED. */
int hold_decode(
    struct text key, struct text value, struct hold *hold, struct error *error);

/* Everything that keeps something at `now_us`, by sequence: holds that are not
 * over, and marks that are not older than `longest_s`. */
struct pins {
	struct retention_pin *pins;
	size_t count;
	size_t room;
	uint64_t width; /* sequences of the one that has most */
};

/* Loads it anew, of zeros or of a load before; the caller clears it. 0 or -1:
 * what one of them keeps is not known then, and nothing may be forgotten. */
int pins_load(struct pins *pins, struct transaction *transaction,
    uint64_t now_us, uint64_t longest_s, struct error *error);
/* Holds alone; a mark keeps its state until this instant of the guard clock. */
int pins_load_holds(struct pins *pins, struct transaction *transaction,
    uint64_t now_us, struct error *error);
uint64_t pins_mark_until(
    const struct mark *mark, uint64_t now_us, uint64_t longest_s);
void pins_clear(struct pins *pins);

/* Does one of them keep the state of this sequence, in whatever scope? */
bool pins_have(const struct pins *pins, uint64_t sequence);

#endif
