/*
 * See uid_ranges.h.
 */
#include "imapd/uid_ranges.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

void
uid_ranges_clear(struct uid_ranges *uids)
{
	free(uids->ranges);
	memset(uids, 0, sizeof(*uids));
}

static void
grow(struct uid_ranges *uids)
{
	if (uids->range_count < uids->capacity)
		return;
	uids->capacity = uids->capacity * 2 + 4;
	uids->ranges =
	    memory_resize(uids->ranges, uids->capacity, sizeof(*uids->ranges));
}

/* -- Finding -- */

/* The range of a number that there is. */
static const struct uid_range *
range_of(struct uid_ranges *uids, size_t number)
{
	size_t low = 0, high = uids->range_count - 1;
	const struct uid_range *at = &uids->ranges[uids->at];

	for (size_t i = uids->at; i <= high && i <= uids->at + 1; i++, at++)
		if (number > at->before && number - at->before <= at->count) {
			uids->at = i;
			return at;
		}
	while (low < high) {
		size_t middle = high - (high - low) / 2;

		if (uids->ranges[middle].before < number)
			low = middle;
		else
			high = middle - 1;
	}
	uids->at = low;
	return &uids->ranges[low];
}

uint32_t
uid_ranges_uid(struct uid_ranges *uids, size_t number)
{
	const struct uid_range *range;

	if (number == 0 || number > uids->count)
		return 0;
	range = range_of(uids, number);
	return range->first + (uint32_t)(number - 1 - range->before);
}

static uint32_t
last_of(const struct uid_range *range)
{
	return range->first + (range->count - 1);
}

/* The first range that ends at `uid` or above; range_count: there is none. */
static size_t
range_from(struct uid_ranges *uids, uint32_t uid)
{
	size_t low = 0, high = uids->range_count;

	for (size_t i = uids->at; i < high && i <= uids->at + 1; i++)
		if (uid <= last_of(&uids->ranges[i]) &&
		    (i == 0 || uid > last_of(&uids->ranges[i - 1])))
			return i;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (last_of(&uids->ranges[middle]) < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
uid_ranges_number_from(struct uid_ranges *uids, uint32_t uid)
{
	size_t at = range_from(uids, uid);
	const struct uid_range *range;

	if (at == uids->range_count)
		return uids->count + 1;
	uids->at = at;
	range = &uids->ranges[at];
	return uid <= range->first
		   ? range->before + (size_t)1
		   : range->before + (size_t)1 + (uid - range->first);
}

size_t
uid_ranges_number(struct uid_ranges *uids, uint32_t uid)
{
	size_t number = uid_ranges_number_from(uids, uid);

	return number <= uids->count && uid_ranges_uid(uids, number) == uid
		   ? number
		   : 0;
}

size_t
uid_ranges_run(struct uid_ranges *uids, size_t number)
{
	const struct uid_range *range = range_of(uids, number);

	return range->before + (size_t)range->count - (number - 1);
}

/* -- Changing -- */

void
uid_ranges_append(struct uid_ranges *uids, uint32_t uid, uint32_t count)
{
	struct uid_range *last = uids->range_count == 0
				     ? NULL
				     : &uids->ranges[uids->range_count - 1];

	if (last != NULL && uid - last->first == last->count) {
		last->count += count;
	} else {
		grow(uids);
		uids->ranges[uids->range_count++] =
		    (struct uid_range){ uid, count, (uint32_t)uids->count };
	}
	uids->count += count;
}

void
uid_ranges_copy(
    struct uid_ranges *to, const struct uid_ranges *from, size_t count)
{
	size_t n = from->range_count;

	while (n > 0 && from->ranges[n - 1].before >= count)
		n--;
	if (n == 0)
		return;
	to->ranges = memory_resize(NULL, n, sizeof(*to->ranges));
	memcpy(to->ranges, from->ranges, n * sizeof(*to->ranges));
	to->capacity = to->range_count = n;
	to->count = count;
	to->ranges[n - 1].count = (uint32_t)(count - to->ranges[n - 1].before);
}

void
uid_ranges_append_from(
    struct uid_ranges *to, struct uid_ranges *from, uint32_t uid)
{
	for (size_t i = range_from(from, uid); i < from->range_count; i++) {
		const struct uid_range *range = &from->ranges[i];
		uint32_t skipped = uid > range->first ? uid - range->first : 0;

		uid_ranges_append(
		    to, range->first + skipped, range->count - skipped);
	}
}

/* The range ends before its UID at `at`; those behind that one are a range of
 * their own. */
static void
split(struct uid_ranges *uids, size_t index, uint32_t at)
{
	struct uid_range *range;

	grow(uids);
	range = &uids->ranges[index];
	memmove(range + 1, range, (uids->range_count - index) * sizeof(*range));
	uids->range_count++;
	range[0].count = at;
	range[1].first += at + 1;
	range[1].count -= at + 1;
	range[1].before += at;
}

void
uid_ranges_remove(struct uid_ranges *uids, size_t number)
{
	size_t index = (size_t)(range_of(uids, number) - uids->ranges);
	struct uid_range *range = &uids->ranges[index];
	uint32_t at = (uint32_t)(number - 1 - range->before);
	size_t behind = index + 1;

	if (range->count == 1) {
		uids->range_count--;
		memmove(range, range + 1,
		    (uids->range_count - index) * sizeof(*range));
		behind = index;
	} else if (at == 0) {
		range->first++;
		range->count--;
	} else if (at == range->count - 1) {
		range->count--;
	} else {
		split(uids, index, at);
		behind = index + 2;
	}
	for (; behind < uids->range_count; behind++)
		uids->ranges[behind].before--;
	uids->count--;
	uids->at = 0;
}
