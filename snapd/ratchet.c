/*
 * See ratchet.h.  Encoded: form u8 = 1, changes u64, has configured u8,
 * configured, count u8, then of each entry its policy and until u64; policies
 * as in common/retention_policy.h.
 */
#include "snapd/ratchet.h"

#include "common/codec.h"

#include <string.h>

/* -- Which of two keeps more -- */

struct tier {
	uint64_t every_s;
	uint64_t span_s;
};

static size_t
count_tiers(const struct retention *policy)
{
	if (policy->every_s == 0)
		return 0;
	return policy->count == 0 ? 1 : policy->count;
}

static struct tier
tier_of(const struct retention *policy, size_t i)
{
	struct tier tier = { policy->every_s, 86400 };

	if (policy->count == 0)
		return tier;
	tier.span_s = policy->tiers[i].span_s;
	if (tier.every_s < policy->tiers[i].every_s)
		tier.every_s = policy->tiers[i].every_s;
	return tier;
}

static bool
has_tier(const struct retention *policy, struct tier wanted)
{
	size_t i;

	for (i = 0; i < count_tiers(policy); i++) {
		struct tier tier = tier_of(policy, i);

		/* Each of its instants is one of ours. */
		if (wanted.every_s % tier.every_s == 0 &&
		    tier.span_s >= wanted.span_s)
			return true;
	}
	return false;
}

bool
ratchet_covers(const struct retention *policy, const struct retention *other)
{
	size_t i;

	if (policy->minimum_s < other->minimum_s)
		return false;
	for (i = 0; i < count_tiers(other); i++)
		if (!has_tier(policy, tier_of(other, i)))
			return false;
	return true;
}

bool
ratchet_is_same(const struct retention *a, const struct retention *b)
{
	size_t i;

	if (a->every_s != b->every_s || a->minimum_s != b->minimum_s ||
	    a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (a->tiers[i].every_s != b->tiers[i].every_s ||
		    a->tiers[i].span_s != b->tiers[i].span_s)
			return false;
	return true;
}

/* -- Changes -- */

static void
take_entry(struct ratchet *ratchet, size_t i)
{
	ratchet->count--;
	memmove(&ratchet->entries[i], &ratchet->entries[i + 1],
	    (ratchet->count - i) * sizeof(ratchet->entries[0]));
}

enum ratchet_change
ratchet_try(const struct ratchet *ratchet, const struct retention *policy)
{
	size_t i, left = 0;

	if (ratchet->count > 0 &&
	    ratchet_is_same(ratchet_policy(ratchet), policy))
		return RATCHET_SAME;
	for (i = 0; i < ratchet->count; i++)
		left += !ratchet_covers(policy, &ratchet->entries[i].policy);
	if (left == RETENTION_MAX_POLICIES)
		return RATCHET_FULL;
	return left == 0 ? RATCHET_RAISED : RATCHET_WAITS;
}

enum ratchet_change
ratchet_set(
    struct ratchet *ratchet, const struct retention *policy, uint64_t now_us)
{
	enum ratchet_change change = ratchet_try(ratchet, policy);
	size_t i = 0;

	if (change == RATCHET_SAME || change == RATCHET_FULL)
		return change;
	while (i < ratchet->count) {
		if (ratchet_covers(policy, &ratchet->entries[i].policy)) {
			take_entry(ratchet, i);
			continue;
		}
		if (ratchet->entries[i].until_us == RETENTION_NEVER)
			ratchet->entries[i].until_us =
			    now_us +
			    ratchet->entries[i].policy.minimum_s * 1000000;
		i++;
	}
	ratchet->entries[i].policy = *policy;
	ratchet->entries[i].until_us = RETENTION_NEVER;
	ratchet->count++;
	ratchet->changes++;
	return change;
}

bool
ratchet_settle(struct ratchet *ratchet, uint64_t now_us)
{
	size_t i = 0, before = ratchet->count;

	while (i < ratchet->count)
		if (ratchet->entries[i].until_us <= now_us)
			take_entry(ratchet, i);
		else
			i++;
	return ratchet->count != before;
}

const struct retention *
ratchet_policy(const struct ratchet *ratchet)
{
	return &ratchet->entries[ratchet->count - 1].policy;
}

uint64_t
ratchet_minimum_s(const struct ratchet *ratchet)
{
	uint64_t minimum_s = 0;
	size_t i;

	for (i = 0; i < ratchet->count; i++)
		if (minimum_s < ratchet->entries[i].policy.minimum_s)
			minimum_s = ratchet->entries[i].policy.minimum_s;
	return minimum_s;
}

/* -- On disk -- */

size_t
ratchet_encode(const struct ratchet *ratchet, uint8_t *to)
{
	struct writer w;
	size_t i;

	writer_init(&w, to, RATCHET_MAX_SIZE);
	writer_put_u8(&w, 1);
	writer_put_u64(&w, ratchet->changes);
	writer_put_u8(&w, ratchet->has_configured);
	retention_policy_put(&w, &ratchet->configured);
	writer_put_u8(&w, (uint8_t)ratchet->count);
	for (i = 0; i < ratchet->count; i++) {
		retention_policy_put(&w, &ratchet->entries[i].policy);
		writer_put_u64(&w, ratchet->entries[i].until_us);
	}
	return w.size;
}

int
ratchet_decode(struct text value, struct ratchet *ratchet)
{
	struct reader r;
	size_t i;

	memset(ratchet, 0, sizeof(*ratchet));
	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 1)
		return -1;
	ratchet->changes = reader_get_u64(&r);
	ratchet->has_configured = reader_get_u8(&r) != 0;
	retention_policy_get(&r, &ratchet->configured);
	ratchet->count = reader_get_u8(&r);
	if (ratchet->count == 0 || ratchet->count > RETENTION_MAX_POLICIES)
		return -1;
	for (i = 0; i < ratchet->count; i++) {
		retention_policy_get(&r, &ratchet->entries[i].policy);
		ratchet->entries[i].until_us = reader_get_u64(&r);
	}
	return reader_done(&r);
}
