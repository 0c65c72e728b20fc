/*
 * A foreign Maildir++ as a whole: which folders it has, what they are called
 * here, and which of them can be taken.  Says what it finds in lines of fields
 * separated by tabs, which cmd_import.c reads with the same distrust as
 * everything of this process:
 *
 *   mailbox NAME STATE MESSAGES BYTES UIDVALIDITY
 *   left FOLDER COUNT WHY EXAMPLE
 *   failed FOLDER WHY
 *   subscriptions COUNT
 */
#ifndef FIRNMAIL_IMPORT_TREE_H
#define FIRNMAIL_IMPORT_TREE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/table.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdio.h>

/* In the account's home; imapd's worker looks for the latter two. */
#define IMPORT_DIRECTORY     "import"
#define IMPORT_RUNNING       "import/running"
#define IMPORT_SUBSCRIPTIONS "import/subscriptions"

/* What the store knows of a mailbox of the account. */
struct import_known {
	uint32_t uidvalidity;
	bool is_used; /* had a message */
};

struct import_tree {
	int source_fd;
	int home_fd;
	bool is_dovecot;
	bool is_dry_run;
	const char *into;    /* everything goes beneath; "": as it is called */
	struct table *known; /* struct import_known by name */
	FILE *to;
	/* Found. */
	uint64_t used;   /* mailboxes that have other mail already */
	uint64_t failed; /* and those that could not be taken */
};

/* The name here of a folder ("" for INBOX) there, and its folder: 0, or -1 if
 * there is none. Pure. */
int import_name(
    const char *folder, const char *into, struct buf *name, struct buf *target);
/* The next name of Dovecot's subscriptions file: 1, 0 at the end, -1 one that
 * is passed over. Pure. */
int import_next_subscription(
    struct text *rest, bool *is_tabbed, const char *into, struct buf *name);

/* 0, or -1: the source or the home cannot be worked with. */
int import_tree_run(struct import_tree *tree, struct error *error);

#endif
