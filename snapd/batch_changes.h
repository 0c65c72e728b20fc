/*
 * The changes of a batch, one function a row of messages.def, on the batch
 * that journal has open.  Each appends its result records, and leaves the
 * store to be dropped by the caller if it fails.
 */
#ifndef SNAPD_BATCH_CHANGES_H
#define SNAPD_BATCH_CHANGES_H

#include "snapd/journal.h"

struct bulk_body;

struct change_context {
	struct journal *journal;
	uint32_t account;
	struct buf *results;
	struct error *error;
	struct text body; /* of change_append, if has_body */
	bool has_body;
	struct bulk_body *placed; /* the same that lies somewhere; or NULL */
};

enum status change_apply(
    struct change_context *context, const struct message *message);

/* For restore, which adds as a batch does. */

/* A new message in the mailbox: UID (0: the next) and MODSEQ are given, its
 * rows are put; the caller puts the mailbox. */
enum status change_add_message(struct change_context *context,
    struct mailbox_row *mailbox, struct message_row *row, uint32_t uid);
/* A row more of a body that is there: before change_add_message. 0 or -1. */
int change_refer(struct change_context *context, const struct message_row *row);
/* A retired mailbox is listed again: under its name, or as "<name>
 * (restored)" if that is taken. */
enum status change_bring_back(struct change_context *context, uint64_t mailbox);
enum status change_subscribe(
    struct change_context *context, struct text name, bool is_subscribed);
/* A live row gets these flags and keywords of its mailbox. */
enum status change_set_flags(struct change_context *context,
    const struct message_row *row, uint32_t flags, uint64_t keywords);
/* A live row leaves for the target mailbox, as `delivery`, with all that it
 * has. */
enum status change_move_message(struct change_context *context,
    const struct message_row *from, uint64_t target,
    const struct delivery_id *delivery);
/* `keywords` of `from` in the numbers of `to`, which gets the names it lacks;
 * those that it has no room for are left out. The caller puts the mailbox. */
enum status change_carry_keywords(struct change_context *context,
    const struct mailbox_row *from, struct mailbox_row *to, uint64_t *keywords);
/* STATUS_EXISTS if the name is taken. */
enum status change_rename(
    struct change_context *context, uint64_t mailbox, struct text name);
/* Could a mailbox be called so? */
bool change_is_name(struct text name);

/* For the other files of batches: batch_messages.c, batch_copies.c,
 * batch_flags.c, batch_mailboxes.c and batch_identity.c. */
enum status change_mailbox_apply(
    struct change_context *context, const struct message *message);

/* The mailbox of this account that is not retired, else STATUS_MISSING. */
enum status change_find_mailbox(
    struct change_context *context, uint64_t id, struct mailbox_row *row);
/* The MODSEQ of this batch in the mailbox: raised once a batch. */
uint64_t change_modseq(struct change_context *context, struct mailbox_row *row);
/* Keeps the form of the mailbox that ends, once a batch; then the row is this
 * batch's. */
int change_renew_mailbox(
    struct change_context *context, struct mailbox_row *row);
/* Puts it, with its entry in the account's log and (not _only) its result,
 * unless the change is about another mailbox. */
enum status change_put_mailbox_only(
    struct change_context *context, struct mailbox_row *row);
enum status change_put_mailbox(
    struct change_context *context, struct mailbox_row *row);
enum status change_identity_apply(struct change_context *context,
    const struct message_change_identity *change);
/* The row, which is not put yet, was renewed and has another name: a
 * UIDVALIDITY that is not its own alone stays behind. */
enum status change_leave_name(
    struct change_context *context, struct mailbox_row *row);
enum status change_put_result(
    struct change_context *context, const struct result_record *result);
enum status change_failed(const struct change_context *context);
/* Flags that there are, keywords that the mailbox has. */
bool change_are_flags_valid(
    const struct mailbox_row *mailbox, uint32_t flags, uint64_t keywords);
enum status change_put_row(
    struct change_context *context, const struct mailbox_row *mailbox);
/* Puts the mailbox, and the result of a part that changed its messages. */
enum status change_finish_part(
    struct change_context *context, const struct mailbox_row *mailbox);
/* STATUS_MISSING if it is not live. */
enum status change_find_row(struct change_context *context, uint64_t mailbox,
    uint32_t uid, struct message_row *row);
/* The caller puts the mailbox. */
enum status change_kill_message(struct change_context *context,
    struct mailbox_row *mailbox, const struct message_row *row,
    enum death death, uint64_t modseq);
/* 1: `result` is what was decided before; 0: the delivery is not filed yet and
 * `value` is its row if there is one; -1. */
int change_find_delivery(struct change_context *context,
    const struct delivery_id *delivery, struct result_record *result,
    struct text *value);
enum status change_copy_apply(
    struct change_context *context, const struct message_change_copy *change);
enum status change_recall_apply(
    struct change_context *context, const struct message_change_recall *change);
enum status change_flags_apply(
    struct change_context *context, const struct message_change_flags *change);
enum status change_expunge_apply(struct change_context *context,
    const struct message_change_expunge *change);
enum status change_missing_apply(struct change_context *context,
    const struct message_change_missing *change);

#endif
