/*
 * What a client wants to be told of (RFC 5465): groups of mailboxes, each with
 * its events.  Pure.
 */
#ifndef IMAPD_NOTIFY_REQUEST_H
#define IMAPD_NOTIFY_REQUEST_H

#include "imapd/account_store.h"
#include "imapd/fetch_items.h"
#include "imapd/imap_parser.h"

#include <stdbool.h>

enum {
	NOTIFY_MAX_GROUPS = 32,
	NOTIFY_MAX_NAMES = 1000 /* of mailboxes, in all groups */
};

enum notify_filter {
	NOTIFY_SELECTED,
	NOTIFY_SELECTED_DELAYED,
	NOTIFY_PERSONAL, /* also inboxes: any mailbox can get mail */
	NOTIFY_SUBSCRIBED,
	NOTIFY_SUBTREE,
	NOTIFY_MAILBOXES
};

struct notify_group {
	enum notify_filter filter;
	unsigned int events; /* of enum happening */
	size_t name_count;
	struct text *names;
};

struct notify_request {
	bool is_none;
	bool wants_status;
	bool has_fetch; /* of new messages of the selected mailbox: */
	struct fetch_items fetch;
	size_t group_count;
	struct notify_group groups[NOTIFY_MAX_GROUPS];
	size_t name_count;
};

/* "NONE" or "SET ...". 0, -1 with parser->error, or -2 for an event that is not
 * supported. Everything is in the parser's pool, or in its text. */
int notify_request_parse(
    struct imap_parser *parser, struct notify_request *request);

/* Of the first group that the mailbox is in; 0: nothing is wanted. */
unsigned int notify_request_events(
    const struct notify_request *request, struct text name, bool is_subscribed);
/* The group of the selected mailbox, or NULL. */
const struct notify_group *notify_request_selected(
    const struct notify_request *request);

#endif
