/*
 * The items of STATUS, which LIST can return as well (RFC 5819).
 */
#ifndef IMAPD_STATUS_ITEMS_H
#define IMAPD_STATUS_ITEMS_H

#include "imapd/imap_command.h"

enum {
	STATUS_ITEM_MESSAGES = 1,
	STATUS_ITEM_RECENT = 2,
	STATUS_ITEM_UIDNEXT = 4,
	STATUS_ITEM_UIDVALIDITY = 8,
	STATUS_ITEM_UNSEEN = 16,
	STATUS_ITEM_HIGHESTMODSEQ = 32,
	STATUS_ITEM_SIZE = 64,
	STATUS_ITEM_DELETED = 128,
	STATUS_ITEM_APPENDLIMIT = 256,
	STATUS_ITEM_MAILBOXID = 512,
	STATUS_ITEM_DELETED_STORAGE = 1024,
	STATUS_ITEMS_COUNTED = STATUS_ITEM_RECENT | STATUS_ITEM_UNSEEN |
			       STATUS_ITEM_SIZE | STATUS_ITEM_DELETED |
			       STATUS_ITEM_DELETED_STORAGE
};

/* "(MESSAGES UNSEEN)" as bits; 0 or -1 with parser->error. */
int status_items_parse(struct imap_parser *parser, unsigned int *items);
/* "* STATUS name (...)" */
void status_items_put(struct imap_command *command,
    const struct mailbox_info *info, unsigned int items);
/* The same of what is known: nothing is looked at unless items say so of each
 * message. */
void status_items_tell(struct imap_command *command,
    const struct mailbox_info *info, unsigned int items);

#endif
