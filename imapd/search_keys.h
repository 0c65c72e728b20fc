/*
 * The keys of SEARCH (RFC 3501 6.4.4, RFC 5032, RFC 7162 3.1.5) as a tree.
 * Pure.
 */
#ifndef IMAPD_SEARCH_KEYS_H
#define IMAPD_SEARCH_KEYS_H

#include "common/charset.h"
#include "imapd/imap_parser.h"
#include "imapd/search_return.h"

enum search_kind {
	SEARCH_ALL,
	SEARCH_AND, /* of `child` and its siblings */
	SEARCH_OR,
	SEARCH_NOT,
	SEARCH_FLAG,    /* number: FLAG_ bit; is_unset */
	SEARCH_KEYWORD, /* text; is_unset */
	SEARCH_RECENT,  /* is_unset: OLD */
	SEARCH_NEW,     /* recent and not seen */
	SEARCH_SET,     /* message numbers */
	SEARCH_UID,     /* set */
	SEARCH_LARGER,  /* number */
	SEARCH_SMALLER, /* number */
	SEARCH_MODSEQ,  /* number: at least */
	SEARCH_BEFORE,  /* day, of INTERNALDATE */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SAVEDBEFORE, /* day, of when it came here */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	SEARCH_SAVEDATESUPPORTED,
	SEARCH_OLDER, /* number: seconds before now */
	SEARCH_YOUNGER,
	SEARCH_EMAILID, /* text */
	SEARCH_THREADID,
	SEARCH_SENTBEFORE, /* day, of the Date field; from here on the body */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* field, text */
	SEARCH_BODY,   /* text */
	SEARCH_TEXT    /* text */
};

struct search_key {
	enum search_kind kind;
	bool is_unset;
	uint64_t number;
	int64_t day; /* since 1970-01-01 */
	struct imap_set set;
	struct text field;
	struct text text; /* folded for comparison where it is searched for */
	struct search_key *child;
	struct search_key *next;
};

struct search_request {
	struct search_return options;
	const struct charset *charset; /* of its texts; NULL: UTF-8 */
	bool has_modseq;
	bool has_email_id;
	bool has_saved;
	struct search_key *root;
};

/* "RETURN (...) CHARSET x keys"; 0, -1 with parser->error, or -2 for a charset
 * that is not known. */
int search_keys_parse(
    struct imap_parser *parser, struct search_request *request);
/* Parts of it: "x ", and the keys, into a zeroed request. */
int search_keys_parse_charset(
    struct imap_parser *parser, struct search_request *request);
int search_keys_parse_keys(
    struct imap_parser *parser, struct search_request *request);

/* Some key looks at more than the row. */
bool search_keys_need_body(const struct search_key *key);

#endif
