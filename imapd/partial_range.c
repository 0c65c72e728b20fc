/*
 * See partial_range.h.
 */
#include "imapd/partial_range.h"

static int
parse_end(struct imap_parser *parser, bool is_from_end, uint32_t *end)
{
	uint64_t number;

	if ((is_from_end && !imap_parse_skip(parser, '-')) ||
	    imap_parse_number(parser, UINT32_MAX, &number) == -1 || number == 0)
		return imap_parse_error(parser, "Invalid partial range");
	*end = (uint32_t)number;
	return 0;
}

int
partial_range_parse(struct imap_parser *parser, struct partial_range *range)
{
	struct text start = parser->rest;
	uint32_t first, last;

	if (range->is_given)
		return imap_parse_error(parser, "PARTIAL may be given once");
	range->is_given = true;
	range->is_from_end = imap_parse_next_is(parser, '-');
	if (parse_end(parser, range->is_from_end, &first) == -1)
		return -1;
	if (!imap_parse_skip(parser, ':'))
		return imap_parse_error(parser, "Invalid partial range");
	if (parse_end(parser, range->is_from_end, &last) == -1)
		return -1;
	range->first = first < last ? first : last;
	range->last = first < last ? last : first;
	range->text = text_make(start.data, start.size - parser->rest.size);
	return 0;
}

size_t
partial_range_size(const struct partial_range *range)
{
	return (size_t)range->last - range->first + 1;
}

void
partial_range_cut(const struct partial_range *range, size_t count,
    size_t *start, size_t *size)
{
	size_t end;

	*start = 0;
	*size = count;
	if (!range->is_given)
		return;
	*size = 0;
	if (range->first > count)
		return;
	end = range->last < count ? range->last : count;
	*size = end - range->first + 1;
	*start = range->is_from_end ? count - end : range->first - 1;
}
