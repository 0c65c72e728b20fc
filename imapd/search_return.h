/*
 * What a SEARCH or SORT is to answer with: the options of RETURN (RFC 4731,
 * RFC 5182, RFC 5267 3, RFC 9394) and the ESEARCH response.  Pure.
 */
#ifndef IMAPD_SEARCH_RETURN_H
#define IMAPD_SEARCH_RETURN_H

#include "common/buf.h"
#include "imapd/partial_range.h"

struct search_return {
	bool is_given; /* RETURN (...): the answer is ESEARCH */
	bool is_min, is_max, is_all, is_count;
	bool is_save;
	struct partial_range partial;
};

/* "RETURN (...) " if it stands there; 0, or -1 with parser->error. */
int search_return_parse(
    struct imap_parser *parser, struct search_return *options);

/* Nothing but to save what is found was asked for: no response. */
bool search_return_is_quiet(const struct search_return *options);

/* Only the ends of what is found matter (RFC 4731 3.2, RFC 5182 2.4). */
bool search_return_is_ends(const struct search_return *options);

/* "* ESEARCH ..." with a line end. `found` are message numbers, or UIDs, in the
 * order that was asked for; `modseq` is left out if 0. */
void search_return_put(const struct search_return *options, struct text tag,
    bool is_uid, const uint32_t *found, size_t count, uint64_t modseq,
    struct buf *out);

#endif
