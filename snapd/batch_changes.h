/*
 * The changes of a batch, one function a row of messages.def, on the batch
 * that journal has open.  Each appends its result records, and leaves the
 * store to be dropped by the caller if it fails.
 */
#ifndef SNAPD_BATCH_CHANGES_H
#define SNAPD_BATCH_CHANGES_H

#include "snapd/journal.h"

struct change_context {
	struct journal *journal;
	uint32_t account;
	struct buf *results;
	struct error *error;
	struct text body; /* of change_append, if has_body */
	bool has_body;
};

enum status change_apply(
    struct change_context *context, const struct message *message);

/* For batch_messages.c and batch_mailboxes.c. */
enum status change_mailbox_apply(
    struct change_context *context, const struct message *message);

/* The mailbox of this account that is not retired, else STATUS_MISSING. */
enum status change_find_mailbox(
    struct change_context *context, uint64_t id, struct mailbox_row *row);
/* The MODSEQ of this batch in the mailbox: raised once a batch. */
uint64_t change_modseq(struct change_context *context, struct mailbox_row *row);
enum status change_put_result(
    struct change_context *context, const struct result_record *result);
enum status change_failed(const struct change_context *context);

#endif
