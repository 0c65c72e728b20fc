/*
 * Rows of bodies that are there: copied, moved, and recalled from a snapshot;
 * see batch_changes.h.
 */
#include "snapd/batch_changes.h"

/* A row more of a body that is there, whose blob the row names. */
static enum status
add_known_body(struct change_context *context, struct mailbox_row *mailbox,
    struct message_row *row)
{
	if (change_refer(context, row) != 0)
		return change_failed(context);
	return change_add_message(context, mailbox, row, 0);
}

static enum status
copy_one(struct change_context *context, const struct copy_record *copy,
    struct mailbox_row *source, struct mailbox_row *target, bool is_move)
{
	struct message_row row, from;
	struct result_record result;
	enum status status;
	struct text value;
	int found;

	found = change_find_delivery(context, &copy->delivery, &result, &value);
	if (found != 0)
		return found == 1 ? change_put_result(context, &result)
				  : change_failed(context);
	status = change_find_row(context, source->record.id, copy->uid, &from);
	if (status != STATUS_OK)
		return status;
	if (value.size != 0 ||
	    !change_are_flags_valid(target, 0, copy->keywords))
		return STATUS_INVALID;
	row = from;
	row.delivery = copy->delivery;
	row.record.base = text_make(NULL, 0);
	row.record.keywords = copy->keywords;
	status = add_known_body(context, target, &row);
	if (status == STATUS_OK && is_move)
		status = change_kill_message(context, source, &from, DEATH_MOVE,
		    change_modseq(context, source));
	return status;
}

enum status
change_copy_apply(
    struct change_context *context, const struct message_change_copy *change)
{
	struct mailbox_row rows[2];
	struct mailbox_row *source = &rows[0], *target = &rows[1];
	struct copy_record copy;
	enum status status;
	struct reader r;
	int got = 0;

	status = change_find_mailbox(context, change->source, source);
	if (change->source == change->target)
		target = source;
	else if (status == STATUS_OK)
		status = change_find_mailbox(context, change->target, target);
	reader_init(&r, change->records.data, change->records.size);
	while (status == STATUS_OK && (got = record_get_copy(&r, &copy)) == 1)
		status = copy_one(
		    context, &copy, source, target, change->is_move != 0);
	if (status != STATUS_OK || got < 0)
		return status != STATUS_OK ? status : STATUS_INVALID;
	status = change_put_row(context, target);
	if (status != STATUS_OK)
		return status;
	/* The worker has to know with what MODSEQ they left. */
	return change->is_move ? change_finish_part(context, source)
			       : change_put_row(context, source);
}

/* The bytes of a blob of this account: that of another is not there. */
static enum status
find_own_blob(
    struct change_context *context, uint64_t blob, struct object *object)
{
	int found = object_store_find(
	    context->journal->batch, blob, object, context->error);

	if (found < 0)
		return change_failed(context);
	return found == 1 && object->account == context->account
		   ? STATUS_OK
		   : STATUS_MISSING;
}

static enum status
recall_one(struct change_context *context, const struct recall_record *recall,
    struct mailbox_row *mailbox)
{
	struct message_row row = { .delivery = recall->delivery };
	struct result_record result;
	struct object object;
	enum status status;
	struct text value;
	int found;

	found =
	    change_find_delivery(context, &recall->delivery, &result, &value);
	if (found != 0)
		return found == 1 ? change_put_result(context, &result)
				  : change_failed(context);
	if (value.size != 0 || recall->form > FORM_EXACT ||
	    !change_are_flags_valid(mailbox, recall->flags, recall->keywords))
		return STATUS_INVALID;
	status = find_own_blob(context, recall->blob, &object);
	if (status != STATUS_OK)
		return status;
	row.record.internaldate = recall->internaldate;
	row.record.flags = recall->flags;
	row.record.keywords = recall->keywords;
	row.record.form = recall->form;
	row.record.blob = recall->blob;
	row.record.size = object.wire_size;
	row.record.stored_size = object.size;
	row.record.hash = object.hash;
	return add_known_body(context, mailbox, &row);
}

enum status
change_recall_apply(
    struct change_context *context, const struct message_change_recall *change)
{
	struct recall_record recall;
	struct mailbox_row mailbox;
	enum status status;
	struct reader r;
	int got = 0;

	status = change_find_mailbox(context, change->mailbox, &mailbox);
	reader_init(&r, change->records.data, change->records.size);
	while (
	    status == STATUS_OK && (got = record_get_recall(&r, &recall)) == 1)
		status = recall_one(context, &recall, &mailbox);
	if (status != STATUS_OK || got < 0)
		return status != STATUS_OK ? status : STATUS_INVALID;
	return change_put_row(context, &mailbox);
}

enum status
change_move_message(struct change_context *context,
    const struct message_row *from, uint64_t target,
    const struct delivery_id *delivery)
{
	struct message_row row = *from;
	struct mailbox_row rows[2];
	enum status status;

	status = change_find_mailbox(context, from->record.mailbox, &rows[0]);
	if (status == STATUS_OK)
		status = change_find_mailbox(context, target, &rows[1]);
	if (status != STATUS_OK)
		return status;
	row.delivery = *delivery;
	row.record.base = text_make(NULL, 0);
	row.record.flags &= FLAG_ALL;
	status = change_carry_keywords(
	    context, &rows[0], &rows[1], &row.record.keywords);
	if (status == STATUS_OK)
		status = add_known_body(context, &rows[1], &row);
	if (status == STATUS_OK)
		status = change_kill_message(context, &rows[0], from,
		    DEATH_MOVE, change_modseq(context, &rows[0]));
	if (status == STATUS_OK)
		status = change_put_row(context, &rows[1]);
	return status == STATUS_OK ? change_put_row(context, &rows[0]) : status;
}
