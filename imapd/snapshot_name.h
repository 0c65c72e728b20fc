/*
 * Names in the namespace of the past:
 *
 *   Snapshots                                     no mailbox
 *   Snapshots/Deleted mail
 *   Snapshots/2026-11-22 14:00:00 UTC             no mailbox: a tree of them
 *   Snapshots/2026-11-22 14:00:00 UTC/INBOX
 *   Snapshots/2026-11-22 14:07:31 UTC 1a2b3c4d    a mark, with its id
 *
 * A live mailbox of such a name, made by another program, comes first.  Pure.
 */
#ifndef IMAPD_SNAPSHOT_NAME_H
#define IMAPD_SNAPSHOT_NAME_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_ROOT         "Snapshots"
#define SNAPSHOT_DELETED_MAIL "Snapshots/Deleted mail"

enum {
	SNAPSHOT_TREE_SIZE = 80 /* of a tree's name with its NUL */
};

/* The root, or anything below it. */
bool snapshot_name_is(struct text name);

/* "Snapshots/<tree>/<mailbox>" apart; false if there is no mailbox in it. */
bool snapshot_name_split(
    struct text name, struct text *tree, struct text *mailbox);

/* The tree's name below the root: time in seconds since 1970, and the id if the
 * snapshot has one. */
void snapshot_name_format(
    int64_t time, struct text id, char name[SNAPSHOT_TREE_SIZE]);

/* A pattern of LIST shows the namespace only if it spells out its root. */
bool snapshot_name_is_asked(struct text pattern);

#endif
