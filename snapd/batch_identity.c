/*
 * A mailbox's UIDVALIDITY.  What a program remembers of a message is the name
 * of its mailbox, a UIDVALIDITY and a UID, and those three never come to mean
 * another message (P5).
 *
 * What snapd gives itself no other mailbox of the account has or had.  Another
 * server's may be the same for several: Cyrus makes it of the clock, and what
 * was made in one second keeps it on the way over Dovecot to here.  Each has it
 * as long as it keeps its name.  One that takes another name leaves it behind,
 * lest a third one comes to that name with it; so does each whose UIDVALIDITY
 * is not above the highest that was ever shared, which costs a program one
 * download and nobody a list of all names.
 */
#include "snapd/batch_changes.h"

/* What of the others stands against a UIDVALIDITY. */
struct others {
	const struct mailbox_row *self;
	uint32_t uidvalidity;
	bool
	    is_of_name; /* UIDs were given under it in a mailbox of that name */
	bool is_shared; /* one of them has it, or had */
	uint64_t yielding; /* this one has it from snapd and never used it */
};

static bool
was_never_used(const struct mailbox_record *record)
{
	return record->message_count == 0 && record->uidnext == 1;
}

static void
note_form(struct others *others, const struct mailbox_record *form)
{
	if (form->uidvalidity != others->uidvalidity)
		return;
	others->is_shared = true;
	others->is_of_name |= !was_never_used(form) &&
			      text_equal(form->name, others->self->record.name);
}

/* What a mailbox was before: other names, another UIDVALIDITY. */
static int
look_back(struct change_context *context, struct others *others,
    uint64_t mailbox, bool *is_own)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct mailbox_row row;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox);
	cursor = cursor_open(
	    context->journal->batch, DB_MAILBOX_OLD, &from, context->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, context->error)) == 1 &&
	       key_u64_at(key, 0) == mailbox) {
		if (row_decode_mailbox(value, &row, context->error) < 0) {
			got = -1;
			break;
		}
		note_form(others, &row.record);
		*is_own &= row.record.uidvalidity == others->uidvalidity;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* One that has another value now can have left this one only if it was ever
 * shared. */
static int
look_at(struct change_context *context, struct others *others,
    const struct mailbox_record *record, const struct account_row *account)
{
	bool has_it = record->uidvalidity == others->uidvalidity;
	bool is_own = has_it && was_never_used(record);

	if (!has_it && others->uidvalidity > account->shared)
		return 0;
	if (look_back(context, others, record->id, &is_own) != 0)
		return -1;
	if (is_own)
		others->yielding = record->id;
	else
		note_form(others, record);
	return 0;
}

/* All others of the account, retired ones too. */
static int
look_at_others(struct change_context *context, struct others *others,
    const struct account_row *account)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct mailbox_row row;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, context->account);
	cursor = cursor_open(
	    context->journal->batch, DB_MAILBOX, &from, context->error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, context->error)) == 1 &&
	       key_u32_at(key, 0) == context->account) {
		if (row_decode_mailbox(value, &row, context->error) < 0 ||
		    (row.record.id != others->self->record.id &&
			look_at(context, others, &row.record, account) != 0)) {
			got = -1;
			break;
		}
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* Another one for a mailbox that was renewed. */
static enum status
give_new(struct change_context *context, struct mailbox_row *row,
    struct account_row *account)
{
	row->record.uidvalidity =
	    journal_new_uidvalidity(context->journal, account);
	if (row->record.uidvalidity == 0)
		return STATUS_LIMIT;
	return row_put_account(context->journal->batch, context->account,
		   account, context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
}

/* A mailbox that only ever was empty loses nothing with it. */
static enum status
yield(struct change_context *context, uint64_t mailbox,
    struct account_row *account)
{
	struct mailbox_row row;
	enum status status;

	if (row_find_mailbox(context->journal->batch, context->account, mailbox,
		&row, context->error) != 1 ||
	    change_renew_mailbox(context, &row) != 0)
		return change_failed(context);
	status = give_new(context, &row, account);
	return status == STATUS_OK ? change_put_mailbox_only(context, &row)
				   : status;
}

/* The account's highest UIDVALIDITY is above all that it ever had. */
static int
note_account(struct change_context *context, struct account_row *account,
    const struct others *others)
{
	if (account->uidvalidity < others->uidvalidity)
		account->uidvalidity = others->uidvalidity;
	if (others->is_shared && account->shared < others->uidvalidity)
		account->shared = others->uidvalidity;
	return row_put_account(
	    context->journal->batch, context->account, account, context->error);
}

/* STATUS_OK: it is the mailbox's from now on. */
static enum status
take_uidvalidity(struct change_context *context, const struct mailbox_row *row,
    uint32_t uidvalidity)
{
	struct others others = { .self = row, .uidvalidity = uidvalidity };
	struct account_row account;

	if (!was_never_used(&row->record))
		return STATUS_REFUSED;
	if (row_find_account(context->journal->batch, context->account,
		&account, context->error) != 1 ||
	    look_at_others(context, &others, &account) != 0)
		return change_failed(context);
	if (others.is_of_name)
		return STATUS_REFUSED;
	if (note_account(context, &account, &others) != 0)
		return change_failed(context);
	return others.yielding == 0 ? STATUS_OK
				    : yield(context, others.yielding, &account);
}

/* UIDNEXT may always rise; UIDVALIDITY is replaced only where no UID was ever
 * given out. */
enum status
change_identity_apply(struct change_context *context,
    const struct message_change_identity *change)
{
	struct mailbox_row row;
	enum status status;

	status = change_find_mailbox(context, change->mailbox, &row);
	if (status != STATUS_OK)
		return status;
	if (change->uidvalidity == 0 || change->uidnext < row.record.uidnext)
		return STATUS_REFUSED;
	if (change->uidvalidity != row.record.uidvalidity)
		status = take_uidvalidity(context, &row, change->uidvalidity);
	if (status != STATUS_OK)
		return status;
	if (change_renew_mailbox(context, &row) != 0)
		return change_failed(context);
	row.record.uidvalidity = change->uidvalidity;
	row.record.uidnext = change->uidnext;
	return change_put_mailbox(context, &row);
}

enum status
change_leave_name(struct change_context *context, struct mailbox_row *row)
{
	struct account_row account;

	if (row_find_account(context->journal->batch, context->account,
		&account, context->error) != 1)
		return change_failed(context);
	return row->record.uidvalidity > account.shared
		   ? STATUS_OK
		   : give_new(context, row, &account);
}
