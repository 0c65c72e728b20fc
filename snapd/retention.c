/* See retention.h. */
#include "snapd/retention.h"

#define SECOND UINT64_C(1000000)

/* No finer than snapshots are taken. */
static uint64_t
interval_of(const struct retention *retention, size_t tier)
{
	uint64_t every_s = retention->tiers[tier].every_s;

	return every_s < retention->every_s ? retention->every_s : every_s;
}

/* -- Which instants there are -- */

static int64_t
next_of_tier(uint64_t every_s, uint64_t span_s, int64_t now, int64_t after)
{
	int64_t every = (int64_t)every_s;
	int64_t oldest = span_s < (uint64_t)now ? now - (int64_t)span_s : 0;
	int64_t at;

	if (every <= 0)
		return -1;
	if (after < oldest - 1)
		after = oldest - 1;
	at = (after / every + 1) * every;
	return at <= now ? at : -1;
}

int64_t
retention_next(const struct retention *retention, int64_t now, int64_t after)
{
	int64_t best = -1, at;
	size_t i;

	if (retention->every_s == 0 || now <= 0)
		return -1;
	if (after < 0)
		after = 0;
	if (retention->count == 0)
		return next_of_tier(retention->every_s, 86400, now, after);
	for (i = 0; i < retention->count; i++) {
		at = next_of_tier(interval_of(retention, i),
		    retention->tiers[i].span_s, now, after);
		if (at >= 0 && (best < 0 || at < best))
			best = at;
	}
	return best;
}

bool
retention_lists(
    const struct retention *retention, int64_t instant, uint64_t age_us)
{
	size_t i;

	if (retention->count == 0)
		return age_us < 86400 * SECOND;
	for (i = 0; i < retention->count; i++)
		if ((uint64_t)instant % interval_of(retention, i) == 0 &&
		    age_us < retention->tiers[i].span_s * SECOND)
			return true;
	return false;
}

uint64_t
retention_longest_s(const struct retention *retention)
{
	uint64_t longest_s = retention->minimum_s;
	size_t i;

	for (i = 0; i < retention->count; i++)
		if (longest_s < retention->tiers[i].span_s)
			longest_s = retention->tiers[i].span_s;
	return longest_s;
}

/* -- The rule -- */

static uint64_t
later(uint64_t time_us, uint64_t span_s)
{
	if (span_s > (RETENTION_NEVER - time_us) / SECOND)
		return RETENTION_NEVER;
	return time_us + span_s * SECOND;
}

static void
keep_until(struct retention_answer *answer, enum retention_reason reason,
    uint64_t until_us)
{
	if (until_us <= answer->free_us)
		return;
	answer->free_us = until_us;
	answer->reason = reason;
}

/* Is a multiple of `every_us` in [from, to)? */
static bool
has_multiple(uint64_t from_us, uint64_t to_us, uint64_t every_us)
{
	if (to_us <= from_us)
		return false;
	return (from_us + every_us - 1) / every_us * every_us < to_us;
}

static bool
was_seen(const struct retention_row *row, uint64_t every_s)
{
	uint64_t every_us = every_s * SECOND;

	if (every_us == 0)
		return false;
	return row->died_wall_us < row->born_wall_us ||
	       has_multiple(row->born_wall_us, row->died_wall_us, every_us) ||
	       has_multiple(row->born_guard_us, row->died_guard_us, every_us);
}

static void
ask_policy(const struct retention *policy, const struct retention_row *row,
    bool is_erased, struct retention_answer *answer)
{
	size_t i;

	keep_until(answer, RETENTION_MINIMUM,
	    later(row->died_guard_us, policy->minimum_s));
	if (policy->every_s == 0 || is_erased)
		return;
	if (policy->count == 0 && was_seen(row, policy->every_s))
		keep_until(answer, RETENTION_SNAPSHOT,
		    later(row->died_guard_us, 86400));
	for (i = 0; i < policy->count; i++)
		if (was_seen(row, interval_of(policy, i)))
			keep_until(answer, RETENTION_SNAPSHOT,
			    later(row->died_guard_us, policy->tiers[i].span_s));
}

static bool
is_in_scope(const struct retention_pin *pin, const struct retention_row *row)
{
	return (pin->account == 0 || pin->account == row->account) &&
	       (pin->mailbox == 0 || pin->mailbox == row->mailbox) &&
	       (pin->uid == 0 || pin->uid == row->uid);
}

/* Rows that were born after it are behind us. */
static bool
sees(const struct retention_pin *pin, const struct retention_row *row)
{
	uint64_t from = pin->from > 0 ? pin->from : pin->sequence;

	return row->died > from;
}

/* The first pin whose state is not older than the row. */
static size_t
first_pin(const struct retention_promises *promises, uint64_t born)
{
	size_t low = 0, high = promises->pin_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (promises->pins[middle].sequence < born)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
ask_pins(const struct retention_promises *promises,
    const struct retention_row *row, bool is_erased,
    struct retention_answer *answer)
{
	static const enum retention_reason reasons[] = {
		[PIN_MARK] = RETENTION_MARK,
		[PIN_HOLD] = RETENTION_HOLD,
		[PIN_ALARM] = RETENTION_ALARM,
	};
	const struct retention_pin *pin;
	size_t i;

	for (i = first_pin(promises, row->born); i < promises->pin_count; i++) {
		pin = &promises->pins[i];
		if (pin->sequence >= row->died &&
		    pin->sequence - row->died >= promises->pin_width)
			break;
		if (sees(pin, row) && is_in_scope(pin, row) &&
		    !(pin->kind == PIN_MARK && is_erased))
			keep_until(answer, reasons[pin->kind], pin->until_us);
	}
}

static bool
is_erased(const struct retention_promises *promises, uint32_t account)
{
	size_t i;

	for (i = 0; i < promises->erased_count; i++)
		if (promises->erased[i] == account)
			return true;
	return false;
}

struct retention_answer
retention_ask(
    const struct retention_promises *promises, const struct retention_row *row)
{
	struct retention_answer answer = { .reason = RETENTION_FREE };
	bool erased = is_erased(promises, row->account);
	size_t i;

	if (row->died == 0)
		return (
		    struct retention_answer){ RETENTION_LIVE, RETENTION_NEVER };
	/* Without any policy nobody knows what was promised. */
	if (promises->policy_count == 0)
		keep_until(&answer, RETENTION_MINIMUM, RETENTION_NEVER);
	for (i = 0; i < promises->policy_count; i++)
		ask_policy(&promises->policies[i], row, erased, &answer);
	keep_until(&answer, RETENTION_LOCK, row->locked_until_us);
	ask_pins(promises, row, erased, &answer);
	if (row->was_missing && !erased)
		keep_until(&answer, RETENTION_MISSING, RETENTION_NEVER);
	if (answer.free_us <= promises->now_us)
		answer.reason = RETENTION_FREE;
	return answer;
}
