/*
 * See qresync_request.h.
 */
#include "imapd/qresync_request.h"

/* A set without "*": of UIDs that the client has. */
static int
parse_known(struct imap_parser *parser, struct imap_set *set)
{
	if (imap_parse_set(parser, set) == -1)
		return -1;
	if (set->is_saved)
		return imap_parse_error(
		    parser, "\"$\" is no set of known UIDs");
	for (size_t i = 0; i < set->count; i++)
		if (set->ranges[i].first == IMAP_SET_STAR ||
		    set->ranges[i].last == IMAP_SET_STAR)
			return imap_parse_error(
			    parser, "\"*\" is not a known UID");
	imap_set_resolve(set, UINT32_MAX);
	return 0;
}

static int
parse_match_data(struct imap_parser *parser)
{
	struct imap_set numbers, uids;

	if (parser->has_no_numbers)
		return imap_parse_error(parser, IMAP_UID_REQUIRED);
	if (parse_known(parser, &numbers) == -1 ||
	    imap_parse_space(parser) == -1 || parse_known(parser, &uids) == -1)
		return -1;
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

int
qresync_parse(struct imap_parser *parser, struct qresync_request *request)
{
	uint64_t uidvalidity;

	if (imap_parse_space(parser) == -1)
		return -1;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "QRESYNC needs a list");
	if (imap_parse_number(parser, UINT32_MAX, &uidvalidity) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    imap_parse_number(parser, INT64_MAX, &request->modseq) == -1)
		return -1;
	request->uidvalidity = (uint32_t)uidvalidity;
	request->is_known = false;
	if (imap_parse_skip(parser, ' ') && !imap_parse_next_is(parser, '(')) {
		if (parse_known(parser, &request->known) == -1)
			return -1;
		request->is_known = true;
		(void)imap_parse_skip(parser, ' ');
	}
	if (imap_parse_skip(parser, '(') && parse_match_data(parser) == -1)
		return -1;
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}
