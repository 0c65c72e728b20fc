/*
 * Sequence sets of clients, parsed, resolved against a mailbox and searched;
 * and sets of UIDs written for COPYUID, MODIFIED and VANISHED.  Pure.
 * RFC 3501 section 9, "sequence-set".
 */
#include "imapd/imap_set.h"

#include <stdlib.h>

/* One number or "*" at `*at`. */
static int
parse_number(struct text text, size_t *at, uint32_t *number)
{
	size_t start = *at;
	uint64_t value;

	if (*at < text.size && text.data[*at] == '*') {
		(*at)++;
		*number = IMAP_SET_STAR;
		return 0;
	}
	while (*at < text.size && text_is_digit(text.data[*at]))
		(*at)++;
	if (text_parse_number(text_make(text.data + start, *at - start),
		UINT32_MAX, &value) == -1 ||
	    value == 0)
		return -1;
	*number = (uint32_t)value;
	return 0;
}

static int
parse_range(struct text text, size_t *at, struct imap_range *range)
{
	if (parse_number(text, at, &range->first) == -1)
		return -1;
	range->last = range->first;
	if (*at == text.size || text.data[*at] != ':')
		return 0;
	(*at)++;
	return parse_number(text, at, &range->last);
}

/* Commas in the set bound the number of its ranges. */
static size_t
count_ranges(struct text text)
{
	size_t i, count = 1;

	for (i = 0; i < text.size; i++) {
		if (text.data[i] == ',')
			count++;
		else if (!text_is_digit(text.data[i]) && text.data[i] != ':' &&
			 text.data[i] != '*')
			break;
	}
	return count;
}

int
imap_set_parse(struct text text, size_t max_ranges, struct pool *pool,
    struct imap_set *set, size_t *size)
{
	size_t at = 0, count = count_ranges(text);

	set->count = 0;
	if (count > max_ranges)
		return -2;
	set->ranges = pool_alloc(pool, count, sizeof(*set->ranges));
	for (;;) {
		if (parse_range(text, &at, &set->ranges[set->count]) == -1)
			return -1;
		set->count++;
		if (at == text.size || text.data[at] != ',')
			break;
		at++;
	}
	*size = at;
	return 0;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct imap_range *left = a, *right = b;

	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return 0;
}

static void
resolve_range(struct imap_range *range, uint32_t maximum)
{
	uint32_t first = range->first, last = range->last;

	if (first == IMAP_SET_STAR)
		first = maximum;
	if (last == IMAP_SET_STAR)
		last = maximum;
	range->first = first < last ? first : last;
	range->last = first < last ? last : first;
}

void
imap_set_resolve(struct imap_set *set, uint32_t maximum)
{
	struct imap_range *to;
	size_t i, count = 0;

	if (set->count == 0)
		return;
	for (i = 0; i < set->count; i++)
		resolve_range(&set->ranges[i], maximum);
	qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
	for (i = 1; i < set->count; i++) {
		to = &set->ranges[count];
		if (set->ranges[i].first > to->last &&
		    set->ranges[i].first - to->last > 1)
			set->ranges[++count] = set->ranges[i];
		else if (set->ranges[i].last > to->last)
			to->last = set->ranges[i].last;
	}
	set->count = count + 1;
}

size_t
imap_set_find(const struct imap_set *set, uint32_t number)
{
	size_t low = 0, high = set->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (set->ranges[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
imap_set_has(const struct imap_set *set, uint32_t number)
{
	size_t at = imap_set_find(set, number);

	return at < set->count && set->ranges[at].first <= number;
}

uint32_t
imap_set_last(const struct imap_set *set)
{
	return set->count > 0 ? set->ranges[set->count - 1].last : 0;
}

static int
put_range(struct buf *to, const char *separator, const struct imap_range *range)
{
	if (buf_put_format(to, "%s%u", separator, range->first) == -1)
		return -1;
	return range->last == range->first
		   ? 0
		   : buf_put_format(to, ":%u", range->last);
}

int
imap_set_put_ranges(
    struct buf *to, const struct imap_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (put_range(to, i == 0 ? "" : ",", &ranges[i]) == -1)
			return -1;
	return 0;
}

int
imap_set_put(struct buf *to, const uint32_t *numbers, size_t count)
{
	size_t i, end;

	for (i = 0; i < count; i = end) {
		struct imap_range range = { numbers[i], numbers[i] };

		for (end = i + 1; end < count && numbers[end] == range.last + 1;
		     end++)
			range.last = numbers[end];
		if (put_range(to, i == 0 ? "" : ",", &range) == -1)
			return -1;
	}
	return 0;
}
