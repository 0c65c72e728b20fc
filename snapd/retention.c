/* See retention.h. */
#include "snapd/retention.h"

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
		/* No finer than snapshots are taken. */
		uint64_t every = retention->tiers[i].every_s;

		if (every < retention->every_s)
			every = retention->every_s;
		at =
		    next_of_tier(every, retention->tiers[i].span_s, now, after);
		if (at >= 0 && (best < 0 || at < best))
			best = at;
	}
	return best;
}
