/*
 * Messages that change where they are, or leave: see batch_changes.h.  A row
 * that changes goes to `dead` as it was, and the new one is born with this
 * batch; a row of this very batch is replaced in place.
 */
#include "snapd/batch_changes.h"
#include "snapd/expunged.h"

static int
kill_row(struct change_context *context, const struct message_row *row,
    enum death death)
{
	struct journal *journal = context->journal;

	return row_kill_message(journal->batch, row, death,
	    journal_sequence(journal), journal->state.guard_us, context->error);
}

/* The row as it was dies, unless it is of this batch; the new one is put over
 * it. */
static int
replace_row(struct change_context *context, struct message_row *row,
    uint32_t flags, uint64_t keywords, uint64_t modseq)
{
	struct journal *journal = context->journal;
	uint64_t now = journal_sequence(journal);

	if (row->record.born != now &&
	    (row_bury_message(journal->batch, row, DEATH_STORE, now,
		 journal->state.guard_us, context->error) != 0 ||
		change_refer(context, row) != 0))
		return -1;
	row->record.flags = flags;
	row->record.keywords = keywords;
	row->record.modseq = modseq;
	row->record.born = now;
	journal_touch(
	    journal, row->record.mailbox, row->record.uid, TOUCH_BORN, modseq);
	return row_put_message_over(journal->batch, row, context->error);
}

enum status
change_find_row(struct change_context *context, uint64_t mailbox, uint32_t uid,
    struct message_row *row)
{
	int found = row_find_message(
	    context->journal->batch, mailbox, uid, row, context->error);

	return found == 1   ? STATUS_OK
	       : found == 0 ? STATUS_MISSING
			    : change_failed(context);
}

enum status
change_flags_apply(
    struct change_context *context, const struct message_change_flags *change)
{
	struct mailbox_row mailbox;
	struct flag_record flag;
	struct message_row row;
	enum status status;
	uint64_t modseq;
	struct reader r;
	int got;

	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	modseq = change_modseq(context, &mailbox);
	reader_init(&r, change->records.data, change->records.size);
	while ((got = record_get_flags(&r, &flag)) == 1) {
		if (!change_are_flags_valid(
			&mailbox, flag.flags, flag.keywords))
			return STATUS_INVALID;
		status =
		    change_find_row(context, change->mailbox, flag.uid, &row);
		if (status != STATUS_OK)
			return status;
		flag.flags |= row.record.flags & RECORD_MISSING;
		if (replace_row(
			context, &row, flag.flags, flag.keywords, modseq) != 0)
			return change_failed(context);
	}
	return got < 0 ? STATUS_INVALID : change_finish_part(context, &mailbox);
}

enum status
change_kill_message(struct change_context *context, struct mailbox_row *mailbox,
    const struct message_row *row, enum death death, uint64_t modseq)
{
	struct journal *journal = context->journal;

	if (kill_row(context, row, death) != 0 ||
	    (death != DEATH_MOVE &&
		expunged_add(journal->batch, context->account,
		    row->record.mailbox, journal_sequence(journal),
		    row->record.uid, context->error) != 0))
		return change_failed(context);
	mailbox->record.message_count--;
	journal_touch(
	    journal, row->record.mailbox, row->record.uid, TOUCH_DIED, modseq);
	return STATUS_OK;
}

enum status
change_expunge_apply(
    struct change_context *context, const struct message_change_expunge *change)
{
	struct mailbox_row mailbox;
	struct message_row row;
	enum status status;
	uint64_t modseq;
	struct reader r;

	status = change_find_mailbox(context, change->mailbox, &mailbox);
	modseq = status == STATUS_OK ? change_modseq(context, &mailbox) : 0;
	reader_init(&r, change->uids.data, change->uids.size);
	while (status == STATUS_OK && r.size > 0 && !r.failed) {
		status = change_find_row(
		    context, change->mailbox, reader_get_u32(&r), &row);
		if (status == STATUS_OK)
			status = change_kill_message(
			    context, &mailbox, &row, DEATH_EXPUNGE, modseq);
	}
	if (status != STATUS_OK || r.failed)
		return status != STATUS_OK ? status : STATUS_INVALID;
	return change_finish_part(context, &mailbox);
}

enum status
change_missing_apply(
    struct change_context *context, const struct message_change_missing *change)
{
	struct mailbox_row mailbox;
	struct message_row row;
	enum status status;
	uint32_t flags;
	struct reader r;

	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status == STATUS_OK)
		change_modseq(context, &mailbox);
	reader_init(&r, change->uids.data, change->uids.size);
	while (status == STATUS_OK && r.size > 0 && !r.failed) {
		status = change_find_row(
		    context, change->mailbox, reader_get_u32(&r), &row);
		flags = row.record.flags & ~(uint32_t)RECORD_MISSING;
		if (change->is_missing)
			flags |= RECORD_MISSING;
		/* Clients never see it: the row keeps its own MODSEQ. */
		if (status == STATUS_OK &&
		    replace_row(context, &row, flags, row.record.keywords,
			row.record.modseq) != 0)
			status = change_failed(context);
	}
	if (status != STATUS_OK || r.failed)
		return status != STATUS_OK ? status : STATUS_INVALID;
	return change_finish_part(context, &mailbox);
}

enum status
change_set_flags(struct change_context *context, const struct message_row *row,
    uint32_t flags, uint64_t keywords)
{
	struct message_row changed = *row;
	struct mailbox_row mailbox;
	enum status status;

	status = change_find_mailbox(context, row->record.mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	if (!change_are_flags_valid(&mailbox, flags, keywords))
		return STATUS_INVALID;
	flags |= row->record.flags & RECORD_MISSING;
	if (replace_row(context, &changed, flags, keywords,
		change_modseq(context, &mailbox)) != 0)
		return change_failed(context);
	return change_put_row(context, &mailbox);
}
