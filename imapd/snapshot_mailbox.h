/*
 * The past as mailboxes: what the store keeps of the account, to be opened like
 * any mailbox but never changed.  Rows and bytes come from the store; parses
 * from the index, where they lie by content.  Restoring is mailbox_copy out of
 * such a view.
 *
 * A call answers by its callback, which may come before it returns, and never
 * after snapshot_cancel with its context.  STATUS_UNAVAILABLE: the store is
 * away.
 */
#ifndef IMAPD_SNAPSHOT_MAILBOX_H
#define IMAPD_SNAPSHOT_MAILBOX_H

#include "imapd/mailbox.h"
#include "imapd/snapshot_name.h"

struct snapshot_tree {
	uint64_t sequence;
	char name[SNAPSHOT_TREE_SIZE];
};

/* The points in time that are kept, oldest first. */
typedef void snapshot_trees_listed(enum status status,
    const struct snapshot_tree *trees, size_t count, void *context);
void snapshot_list_trees(
    struct account_store *account, snapshot_trees_listed *done, void *context);

/* The names of the mailboxes that there were, in order of their bytes. */
typedef void snapshot_names_listed(
    enum status status, const struct text *names, size_t count, void *context);
void snapshot_list_names(struct account_store *account, uint64_t sequence,
    snapshot_names_listed *done, void *context);

/*
 * Opens "Snapshots/..." read-only; the view is the callback's. UIDVALIDITY,
 * UIDs and MODSEQs in a tree are those of the mailbox; among the deleted mail
 * UIDs are numbers in the order of the deletions, and so are MODSEQs.
 * STATUS_MISSING: no such snapshot, no such mailbox in it.
 */
typedef void snapshot_opened(
    enum status status, struct mailbox_view *view, void *context);
void snapshot_open(struct account_store *account, struct text name,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context);

/* Such a view goes on where it was, with the same numbers, whatever was deleted
 * or forgotten since; what the store has forgotten looks expunged. `memory` is
 * valid until then. STATUS_MISSING: the mailbox is another one. */
void snapshot_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *handler_context,
    snapshot_opened *done, void *context);

/* Whoever asked with this context is not called any more. */
void snapshot_cancel(struct account_store *account, void *context);

#endif
