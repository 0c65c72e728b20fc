/*
 * Does a message match the keys of a SEARCH?  Pure: what is known of it goes
 * in; three answers come out, since a body is read only where it decides.
 */
#ifndef IMAPD_SEARCH_MATCH_H
#define IMAPD_SEARCH_MATCH_H

#include "common/mime_parser.h"
#include "imapd/mailbox.h"
#include "imapd/message_cache.h"
#include "imapd/search_keys.h"

enum search_result {
	SEARCH_NO,
	SEARCH_YES,
	SEARCH_UNKNOWN /* the body decides */
};

struct search_subject {
	const struct mailbox_row *row;
	const struct mailbox_info *info; /* keyword names */
	size_t number;
	bool is_recent;
	int64_t now;                       /* seconds since 1970 */
	int64_t saved;                     /* as here, if it is asked for */
	bool has_saved;                    /* the mailbox has such times */
	const char *email_id;              /* if one is looked for */
	const struct message_cache *cache; /* NULL: not looked up */
	const struct mime_part *root;      /* NULL: not read */
	struct text stored;                /* all bytes, if read */
	struct pool *pool; /* for decoding, cleared by the caller */
};

enum search_result search_match(
    const struct search_key *key, const struct search_subject *subject);

#endif
