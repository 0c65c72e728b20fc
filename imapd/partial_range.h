/*
 * A page of an ordered list (RFC 9394): "1:100" counts from its beginning,
 * "-1:-100" from its end.  Pure.
 */
#ifndef IMAPD_PARTIAL_RANGE_H
#define IMAPD_PARTIAL_RANGE_H

#include "imapd/imap_parser.h"

struct partial_range {
	bool is_given;
	bool is_from_end;
	uint32_t first; /* from 1; not above `last` */
	uint32_t last;
	struct text text; /* as the client wrote it */
};

/* 0, or -1 with parser->error. */
int partial_range_parse(
    struct imap_parser *parser, struct partial_range *range);

/* How many it may mean. */
size_t partial_range_size(const struct partial_range *range);
/* Which of `count` it means: from `*start` (0 is the first one) `*size` of
 * them. All of them if no range was given. */
void partial_range_cut(const struct partial_range *range, size_t count,
    size_t *start, size_t *size);

#endif
