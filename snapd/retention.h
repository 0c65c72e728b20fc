/*
 * What the store promises to keep, and until when: the policy of `keep`, and
 * the one rule by which a dead row may be forgotten.  Pure: rows, clocks and
 * promises in, an answer out.
 *
 * A row may be forgotten only if all of these hold: it is dead; no kept
 * snapshot sees it; the minimum age since its death has passed; its lock has
 * passed; no hold and no alarm is on it; it was not found missing.  Never by
 * count, and never because the disk is full.
 *
 * Ages are those of the guard clock, which moving the host's clock does not
 * advance.  Instants of timer snapshots are multiples of their interval by the
 * wall clock, because people look for them there.  That clock can be moved, so
 * that multiples by the guard clock count, too, and a row whose wall clock ran
 * backwards counts as seen.  A tier that saw a row keeps it until its span
 * after the row's death: at most one interval longer than it would have to.
 */
#ifndef SNAPD_RETENTION_H
#define SNAPD_RETENTION_H

#include "common/retention_policy.h"

enum {
	RETENTION_MAX_POLICIES = 8,
	RETENTION_MAX_ERASED = 64 /* accounts at a time */
};

#define RETENTION_NEVER UINT64_MAX

/* The first timer snapshot after `after` that is still listed at `now`, in
 * seconds since 1970, or -1. Instants are whole multiples of their interval. */
int64_t retention_next(
    const struct retention *retention, int64_t now, int64_t after);

/* May an instant be listed whose state ended `age_us` ago by the guard clock?
 * No tier that has it as an instant must have let rows of it go. */
bool retention_lists(
    const struct retention *retention, int64_t instant, uint64_t age_us);

/* How long a named snapshot is kept: the longest span, or the minimum. */
uint64_t retention_longest_s(const struct retention *retention);

/* -- The rule -- */

struct retention_row {
	uint32_t account;
	uint64_t mailbox;
	uint32_t uid;
	uint64_t born; /* sequences */
	uint64_t died; /* 0: live */
	uint64_t born_wall_us;
	uint64_t died_wall_us;
	uint64_t born_guard_us;
	uint64_t died_guard_us;
	uint64_t locked_until_us; /* of its body */
	bool was_missing; /* its file was gone when it died of something else */
};

enum retention_pin_kind {
	PIN_MARK, /* a named snapshot */
	PIN_HOLD,
	PIN_ALARM
};

/* What keeps all rows that a state from `from` to `sequence` sees in its scope,
 * until `until_us` by the guard clock. */
struct retention_pin {
	uint64_t sequence;
	uint64_t from;     /* `sequence`, or an earlier one; 0 is the former */
	uint64_t until_us; /* RETENTION_NEVER: until somebody ends it */
	uint64_t mailbox;  /* 0: all of the account */
	uint32_t account;  /* 0: all */
	uint32_t uid;      /* 0: all of the mailbox */
	enum retention_pin_kind kind;
};

struct retention_promises {
	uint64_t now_us; /* guard clock */
	/* All of them hold at once. */
	size_t policy_count;
	struct retention policies[RETENTION_MAX_POLICIES];
	const struct retention_pin *pins; /* by sequence, the lowest first */
	size_t pin_count;
	uint64_t pin_width; /* sequences of the one that has most */
	/* Accounts for which timer and named snapshots keep nothing any more:
	 * erased by law. Ascending. */
	const uint32_t *erased;
	size_t erased_count;
};

/* Why a row must stay; of several the one that lasts longest. */
enum retention_reason {
	RETENTION_FREE,
	RETENTION_LIVE,
	RETENTION_MINIMUM,
	RETENTION_SNAPSHOT, /* a timer snapshot sees it */
	RETENTION_MARK,
	RETENTION_LOCK,
	RETENTION_HOLD,
	RETENTION_ALARM,
	RETENTION_MISSING
};

struct retention_answer {
	enum retention_reason reason;
	uint64_t free_us; /* by the guard clock, if nothing else is promised */
};

struct retention_answer retention_ask(
    const struct retention_promises *promises, const struct retention_row *row);

#endif
