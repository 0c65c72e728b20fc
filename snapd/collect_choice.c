/*
 * See collect_choice.h.
 */
#include "snapd/collect_choice.h"

#include "snapd/segment_form.h"

uint32_t
collect_goal(uint64_t values)
{
	uint64_t goal = values / SEGMENT_PARTS;

	if (goal < SEGMENT_MIN_VALUES)
		return SEGMENT_MIN_VALUES;
	return goal < SEGMENT_MAX_VALUES ? (uint32_t)goal : SEGMENT_MAX_VALUES;
}

/* Is it worth more than the bound itself?  What is dead may all lie in a
 * segment that cannot go. */
static bool
is_candidate(const struct segment_load *load)
{
	uint64_t bytes = load->live_bytes + load->dead_bytes;

	return load->may_go && !load->is_chosen &&
	       load->dead_bytes > bytes / COLLECT_GARBAGE;
}

static double
share_alive(const struct segment_load *load)
{
	return (double)load->live_bytes /
	       (double)(load->live_bytes + load->dead_bytes);
}

/* The one with the least that must be copied for what it gives back. */
static struct segment_load *
find_cheapest(struct segment_load *loads, size_t count)
{
	struct segment_load *best = NULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (is_candidate(&loads[i]) &&
		    (best == NULL ||
			share_alive(&loads[i]) < share_alive(best)))
			best = &loads[i];
	return best;
}

size_t
collect_choose(struct segment_load *loads, size_t count)
{
	uint64_t bytes = 0, dead = 0, copied = 0;
	struct segment_load *one;
	size_t i, chosen = 0;

	for (i = 0; i < count; i++) {
		bytes += loads[i].live_bytes + loads[i].dead_bytes;
		dead += loads[i].dead_bytes;
	}
	while ((one = find_cheapest(loads, count)) != NULL) {
		copied += one->live_bytes;
		if (one->live_bytes > 0 &&
		    (dead <= bytes / COLLECT_GARBAGE ||
			(chosen > 0 && copied > bytes / COLLECT_COPY)))
			break;
		one->is_chosen = true;
		dead -= one->dead_bytes;
		bytes -= one->dead_bytes;
		chosen++;
	}
	return chosen;
}
