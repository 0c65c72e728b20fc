/*
 * Changes of mailboxes: see batch_changes.h.  A mailbox is retired, never
 * deleted; what it was called when is kept in DB_MAILBOX_OLD.  What is told by
 * UIDVALIDITY is in batch_identity.c.
 *
 * subscribed value: form u8, yes u8, name text.
 */
#include "snapd/batch_changes.h"
#include "snapd/expunged.h"

#include <stdio.h>
#include <string.h>

/* Levels separated by '/', none empty, no control bytes. */
bool
change_is_name(struct text name)
{
	struct text rest = name, level;
	size_t i;

	if (name.size == 0 || name.size > RECORD_MAX_NAME_SIZE ||
	    !text_is_utf8(name) || name.data[name.size - 1] == '/')
		return false;
	for (i = 0; i < name.size; i++)
		if ((unsigned char)name.data[i] < 32 || name.data[i] == 127)
			return false;
	while (text_next(&rest, '/', &level))
		if (level.size == 0)
			return false;
	return true;
}

static bool
is_inbox(const struct mailbox_row *row)
{
	return text_is_nocase(row->record.name, "INBOX");
}

int
change_renew_mailbox(struct change_context *context, struct mailbox_row *row)
{
	uint64_t now = journal_sequence(context->journal);

	if (row->born != now && row_keep_mailbox(context->journal->batch, row,
				    now, context->error) != 0)
		return -1;
	row->born = now;
	return 0;
}

static enum status
put_row(
    struct change_context *context, struct mailbox_row *row, uint64_t *modseq)
{
	*modseq = change_modseq(context, row);
	if (row_put_mailbox(context->journal->batch, row, context->error) != 0)
		return change_failed(context);
	journal_touch(
	    context->journal, row->record.id, 0, TOUCH_MAILBOX, *modseq);
	return STATUS_OK;
}

enum status
change_put_mailbox_only(struct change_context *context, struct mailbox_row *row)
{
	uint64_t modseq;

	return put_row(context, row, &modseq);
}

enum status
change_put_mailbox(struct change_context *context, struct mailbox_row *row)
{
	struct result_record result = { .mailbox = row->record.id };
	enum status status = put_row(context, row, &result.modseq);

	if (status != STATUS_OK)
		return status;
	result.uid = row->record.uidvalidity;
	result.born = journal_sequence(context->journal);
	return change_put_result(context, &result);
}

static enum status
apply_create(
    struct change_context *context, const struct message_change_create *change)
{
	struct result_record result = { 0 };
	struct mailbox_row row;
	enum status status;

	if (!change_is_name(change->name))
		return STATUS_INVALID;
	if (text_is_nocase(change->name, "INBOX"))
		return STATUS_EXISTS;
	status = journal_make_mailbox(context->journal, context->account,
	    change->name, change->special_use, &row, context->error);
	if (status != STATUS_OK)
		return status;
	result.mailbox = row.record.id;
	result.uid = row.record.uidvalidity;
	result.modseq = row.record.highest_modseq;
	result.born = row.born;
	return change_put_result(context, &result);
}

static enum status
free_name(struct change_context *context, const struct mailbox_row *row)
{
	struct key key;

	journal_name_key(
	    context->journal, &key, context->account, row->record.name);
	return store_take(
		   context->journal->batch, DB_NAME, &key, context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
}

static enum status
take_name(struct change_context *context, uint64_t mailbox, struct text name)
{
	struct key key, id = { .size = 0 };
	uint8_t number[9] = { 1 };
	struct text value;
	int found;

	journal_name_key(context->journal, &key, context->account, name);
	found = store_get(
	    context->journal->batch, DB_NAME, &key, &value, context->error);
	if (found != 0)
		return found == 1 ? STATUS_EXISTS : change_failed(context);
	key_put_u64(&id, mailbox);
	memcpy(number + 1, id.bytes, 8);
	return store_put(context->journal->batch, DB_NAME, &key,
		   text_make(number, sizeof(number)), context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
}

enum status
change_rename(
    struct change_context *context, uint64_t mailbox, struct text name)
{
	struct mailbox_row row;
	enum status status;

	status = change_find_mailbox(context, mailbox, &row);
	if (status != STATUS_OK)
		return status;
	if (is_inbox(&row) || text_is_nocase(name, "INBOX"))
		return STATUS_REFUSED;
	if (change_renew_mailbox(context, &row) != 0)
		return change_failed(context);
	status = take_name(context, row.record.id, name);
	if (status == STATUS_OK)
		status = free_name(context, &row);
	row.record.name = name;
	if (status == STATUS_OK)
		status = change_leave_name(context, &row);
	return status == STATUS_OK ? change_put_mailbox(context, &row) : status;
}

static enum status
apply_rename(
    struct change_context *context, const struct message_change_rename *change)
{
	if (!change_is_name(change->name))
		return STATUS_INVALID;
	return change_rename(context, change->mailbox, change->name);
}

static enum status
apply_retire(
    struct change_context *context, const struct message_change_retire *change)
{
	struct mailbox_row row;
	enum status status;

	status = change_find_mailbox(context, change->mailbox, &row);
	if (status != STATUS_OK)
		return status;
	if (is_inbox(&row))
		return STATUS_REFUSED;
	if (change_renew_mailbox(context, &row) != 0 ||
	    expunged_add_mailbox(context->journal->batch, context->account,
		row.record.id, row.born, context->error) != 0)
		return change_failed(context);
	row.record.is_retired = 1;
	status = free_name(context, &row);
	return status == STATUS_OK ? change_put_mailbox(context, &row) : status;
}

enum status
change_subscribe(
    struct change_context *context, struct text name, bool is_subscribed)
{
	struct journal *journal = context->journal;
	uint8_t data[RECORD_MAX_NAME_SIZE + 16];
	struct writer w;
	struct key key;

	journal_name_key(journal, &key, context->account, name);
	key_put_u64(&key, journal_sequence(journal));
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u8(&w, is_subscribed);
	writer_put_text(&w, name, RECORD_MAX_NAME_SIZE);
	if (store_put(journal->batch, DB_SUBSCRIBED, &key,
		text_make(data, w.size), context->error) != 0)
		return change_failed(context);
	/* No mailbox: the entry says only that subscriptions changed. */
	journal_touch(journal, 0, 0, TOUCH_SUBSCRIBED, 0);
	return STATUS_OK;
}

static enum status
apply_subscribe(struct change_context *context,
    const struct message_change_subscribe *change)
{
	if (!change_is_name(change->name) || change->is_subscribed > 1)
		return STATUS_INVALID;
	return change_subscribe(
	    context, change->name, change->is_subscribed != 0);
}

static enum status
apply_keyword(
    struct change_context *context, const struct message_change_keyword *change)
{
	struct mailbox_record *record;
	struct mailbox_row row;
	enum status status;

	status = change_find_mailbox(context, change->mailbox, &row);
	if (status != STATUS_OK)
		return status;
	record = &row.record;
	if (change->number >= RECORD_MAX_KEYWORDS)
		return STATUS_LIMIT;
	if (change->name.size == 0 || change->number > record->keyword_count ||
	    (change->number < record->keyword_count &&
		!text_equal(record->keywords[change->number], change->name)))
		return STATUS_INVALID;
	if (change_renew_mailbox(context, &row) != 0)
		return change_failed(context);
	if (change->number == record->keyword_count)
		record->keywords[record->keyword_count++] = change->name;
	return change_put_mailbox(context, &row);
}

static int
find_keyword(const struct mailbox_record *record, struct text name)
{
	for (unsigned int i = 0; i < record->keyword_count; i++)
		if (text_equal(record->keywords[i], name))
			return (int)i;
	return -1;
}

enum status
change_carry_keywords(struct change_context *context,
    const struct mailbox_row *from, struct mailbox_row *to, uint64_t *keywords)
{
	struct mailbox_record *record = &to->record;
	unsigned int count = record->keyword_count;
	uint64_t mapped = 0;

	for (unsigned int i = 0; i < from->record.keyword_count; i++) {
		struct text name = from->record.keywords[i];
		int number = find_keyword(record, name);

		if ((*keywords >> i & 1) == 0)
			continue;
		if (number < 0 && record->keyword_count < RECORD_MAX_KEYWORDS) {
			if (record->keyword_count == count &&
			    change_renew_mailbox(context, to) != 0)
				return change_failed(context);
			number = record->keyword_count++;
			record->keywords[number] = name;
		}
		if (number >= 0)
			mapped |= UINT64_C(1) << number;
	}
	*keywords = mapped;
	return record->keyword_count == count ? STATUS_OK
					      : change_put_mailbox(context, to);
}

/* Takes the name, or the first free one of "<name> (restored)", "<name>
 * (restored 2)" and so on, which `storage` holds. */
static enum status
take_free_name(struct change_context *context, struct mailbox_row *row,
    char storage[RECORD_MAX_NAME_SIZE + 1])
{
	struct text name = row->record.name;
	enum status status =
	    take_name(context, row->record.id, row->record.name);
	int number;

	if (name.size > RECORD_MAX_NAME_SIZE - 20)
		name.size = RECORD_MAX_NAME_SIZE - 20;
	while (!text_is_utf8(name))
		name.size--;
	for (number = 1; status == STATUS_EXISTS && number < 1000; number++) {
		if (number == 1)
			snprintf(storage, RECORD_MAX_NAME_SIZE,
			    "%.*s (restored)", TEXT_FMT(name));
		else
			snprintf(storage, RECORD_MAX_NAME_SIZE,
			    "%.*s (restored %d)", TEXT_FMT(name), number);
		row->record.name = text_of(storage);
		status = take_name(context, row->record.id, row->record.name);
	}
	return status;
}

enum status
change_bring_back(struct change_context *context, uint64_t mailbox)
{
	char storage[RECORD_MAX_NAME_SIZE + 1];
	struct mailbox_row row;
	enum status status;
	struct text name;
	int found;

	found = row_find_mailbox(context->journal->batch, context->account,
	    mailbox, &row, context->error);
	if (found != 1)
		return found == 0 ? STATUS_MISSING : change_failed(context);
	if (!row.record.is_retired)
		return STATUS_OK;
	if (change_renew_mailbox(context, &row) != 0)
		return change_failed(context);
	row.record.is_retired = 0;
	name = row.record.name;
	status = take_free_name(context, &row, storage);
	if (status == STATUS_OK && !text_equal(row.record.name, name))
		status = change_leave_name(context, &row);
	return status == STATUS_OK ? change_put_mailbox(context, &row) : status;
}

enum status
change_mailbox_apply(
    struct change_context *context, const struct message *message)
{
	switch ((int)message->type) {
	case MESSAGE_change_create:
		return apply_create(context, &message->change_create);
	case MESSAGE_change_rename:
		return apply_rename(context, &message->change_rename);
	case MESSAGE_change_retire:
		return apply_retire(context, &message->change_retire);
	case MESSAGE_change_subscribe:
		return apply_subscribe(context, &message->change_subscribe);
	case MESSAGE_change_keyword:
		return apply_keyword(context, &message->change_keyword);
	case MESSAGE_change_identity:
		return change_identity_apply(
		    context, &message->change_identity);
	default:
		return STATUS_INVALID;
	}
}
