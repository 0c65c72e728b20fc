/*
 * The policies in force.  A ratchet: a policy that keeps more is in force at
 * once; the one that it replaces goes only if nothing is lost by it, and else
 * stays in force for its own minimum, counted from the change by the guard
 * clock.  While there are several, a row must satisfy all of them.  So whoever
 * shortens a policy gains nothing before the time that he would have had to
 * wait for anyway, and raising it is never a way of lowering it.  Pure.
 */
#ifndef SNAPD_RATCHET_H
#define SNAPD_RATCHET_H

#include "common/text.h"
#include "snapd/retention.h"

struct ratchet {
	uint64_t changes; /* that were made, ever */
	/* What the configuration last said: it counts when it says something
	 * else, and not at each start. */
	bool has_configured;
	struct retention configured;
	/* The oldest first; the last one has no end. */
	size_t count;
	struct {
		struct retention policy;
		uint64_t until_us; /* by the guard clock */
	} entries[RETENTION_MAX_POLICIES];
};

enum ratchet_change {
	RATCHET_SAME,   /* it is in force */
	RATCHET_RAISED, /* in force at once, and nothing else is */
	RATCHET_WAITS,  /* what it shortens is in force for a while */
	RATCHET_FULL    /* too many changes are waiting: refused */
};

enum {
	RATCHET_MAX_SIZE = 2000 /* encoded */
};

/* Does `policy` keep every row at least as long as `other` does? */
bool ratchet_covers(
    const struct retention *policy, const struct retention *other);

bool ratchet_is_same(const struct retention *a, const struct retention *b);

/* What ratchet_set would say. */
enum ratchet_change ratchet_try(
    const struct ratchet *ratchet, const struct retention *policy);
enum ratchet_change ratchet_set(
    struct ratchet *ratchet, const struct retention *policy, uint64_t now_us);

/* Lets go of policies whose time has passed: true if there was one. */
bool ratchet_settle(struct ratchet *ratchet, uint64_t now_us);

/* The one that stays; the ratchet must not be empty. */
const struct retention *ratchet_policy(const struct ratchet *ratchet);
/* The longest minimum of all that are in force. */
uint64_t ratchet_minimum_s(const struct ratchet *ratchet);

/* The size; `to` has RATCHET_MAX_SIZE bytes. 0, or -1 if malformed. */
size_t ratchet_encode(const struct ratchet *ratchet, uint8_t *to);
int ratchet_decode(struct text value, struct ratchet *ratchet);

#endif
