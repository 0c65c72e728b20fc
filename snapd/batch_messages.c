/*
 * Messages that come into a mailbox: filed or appended; see
 * batch_changes.h.  UIDs are given here and nowhere else.
 */
#include "snapd/batch_changes.h"

#include "snapd/blob_use.h"
#include "snapd/seal_bulk.h"

#include <string.h>

enum status
change_failed(const struct change_context *context)
{
	enum status status = journal_status_of(context->error);

	return status == STATUS_OK ? STATUS_DAMAGED : status;
}

enum status
change_find_mailbox(
    struct change_context *context, uint64_t id, struct mailbox_row *row)
{
	int found = row_find_mailbox(
	    context->journal->batch, context->account, id, row, context->error);

	if (found < 0)
		return change_failed(context);
	return found == 0 || row->record.is_retired ? STATUS_MISSING
						    : STATUS_OK;
}

uint64_t
change_modseq(struct change_context *context, struct mailbox_row *row)
{
	struct journal *journal = context->journal;
	size_t i;

	for (i = 0; i < journal->touched_count; i++)
		if (journal->touched[i].mailbox == row->record.id)
			return row->record.highest_modseq;
	return ++row->record.highest_modseq;
}

enum status
change_put_result(
    struct change_context *context, const struct result_record *result)
{
	uint8_t data[RECORD_RESULT_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_result(&w, result);
	return buf_put(context->results, data, w.size) == 0 ? STATUS_OK
							    : STATUS_LIMIT;
}

bool
change_are_flags_valid(
    const struct mailbox_row *mailbox, uint32_t flags, uint64_t keywords)
{
	unsigned int count = mailbox->record.keyword_count;

	return (flags & ~(uint32_t)FLAG_ALL) == 0 &&
	       (count == RECORD_MAX_KEYWORDS || keywords >> count == 0);
}

enum status
change_put_row(
    struct change_context *context, const struct mailbox_row *mailbox)
{
	return row_put_mailbox(
		   context->journal->batch, mailbox, context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
}

enum status
change_finish_part(
    struct change_context *context, const struct mailbox_row *mailbox)
{
	struct result_record result = { .mailbox = mailbox->record.id,
		.modseq = mailbox->record.highest_modseq,
		.born = journal_sequence(context->journal) };
	enum status status = change_put_row(context, mailbox);

	return status == STATUS_OK ? change_put_result(context, &result)
				   : status;
}

/* Size and SHA-256 of what was filed; of bytes that expired they are zeros. */
static int
find_bytes(struct change_context *context, struct result_record *result)
{
	struct object object;
	int found = object_store_find(
	    context->journal->batch, result->blob, &object, context->error);

	if (found == 1) {
		result->size = object.wire_size;
		result->hash = object.hash;
	}
	return found < 0 ? -1 : 1;
}

int
change_find_delivery(struct change_context *context,
    const struct delivery_id *delivery, struct result_record *result,
    struct text *value)
{
	struct key key;
	int found;

	journal_delivery_key(&key, context->account, delivery);
	found = store_get(
	    context->journal->batch, DB_DELIVERY, &key, value, context->error);
	if (found != 1) {
		value->size = 0;
		return found;
	}
	found = row_decode_filed(*value, result);
	if (found < 0)
		return error_set(context->error, ERROR_DAMAGED, "delivery row");
	return found == 1 ? find_bytes(context, result) : 0;
}

static int
put_delivery(struct change_context *context, const struct delivery_id *delivery,
    const struct result_record *result)
{
	uint8_t data[ROW_FILED_SIZE];
	struct key key;

	row_encode_filed(result, data);
	journal_delivery_key(&key, context->account, delivery);
	return store_put(context->journal->batch, DB_DELIVERY, &key,
	    text_make(data, sizeof(data)), context->error);
}

enum status
change_add_message(struct change_context *context, struct mailbox_row *mailbox,
    struct message_row *row, uint32_t uid)
{
	struct journal *journal = context->journal;
	struct message_record *record = &row->record;
	struct result_record result;

	if (uid == 0)
		uid = mailbox->record.uidnext;
	if (uid < mailbox->record.uidnext || uid == UINT32_MAX)
		return uid == UINT32_MAX ? STATUS_LIMIT : STATUS_INVALID;
	record->mailbox = mailbox->record.id;
	record->uid = uid;
	record->modseq = change_modseq(context, mailbox);
	record->born = journal_sequence(journal);
	mailbox->record.uidnext = uid + 1;
	mailbox->record.message_count++;
	result = (struct result_record){ record->mailbox, uid, record->modseq,
		record->born, record->blob, record->size, record->hash };
	if (row_put_message(journal->batch, row, context->error) != 0 ||
	    put_delivery(context, &row->delivery, &result) != 0)
		return change_failed(context);
	journal_touch(
	    journal, record->mailbox, uid, TOUCH_BORN, record->modseq);
	return change_put_result(context, &result);
}

int
change_refer(struct change_context *context, const struct message_row *row)
{
	return blob_use_add_again(context->journal->batch, row->record.blob,
	    journal_lock_us(context->journal), context->error);
}

/* Reads the unfiled row that `value` (of DB_DELIVERY) names, takes it away. */
static int
take_unfiled(
    struct change_context *context, struct text value, struct message_row *row)
{
	struct transaction *batch = context->journal->batch;
	struct key key = { .size = 0 };
	struct object object;
	struct text unfiled;
	struct reader r;

	reader_init(&r, value.data, value.size);
	reader_get_u16(&r);
	key_put_u32(&key, context->account);
	key_put_u64(&key, reader_get_u64(&r));
	key_put_u16(&key, reader_get_u16(&r));
	if (store_get(batch, DB_UNFILED, &key, &unfiled, context->error) != 1)
		return -1;
	reader_init(&r, unfiled.data, unfiled.size);
	reader_get_u8(&r);
	row->record.blob = reader_get_u64(&r);
	row->record.internaldate = (int64_t)reader_get_u64(&r);
	row->record.form = reader_get_u8(&r);
	if (object_store_find(
		batch, row->record.blob, &object, context->error) != 1)
		return -1;
	row->record.size = object.wire_size;
	row->record.stored_size = object.size;
	row->record.hash = object.hash;
	return store_take(batch, DB_UNFILED, &key, context->error);
}

static enum status
apply_file(
    struct change_context *context, const struct message_change_file *change)
{
	struct message_row row = { .delivery = change->delivery };
	struct mailbox_row mailbox;
	struct result_record result;
	enum status status;
	struct text value;
	int found;

	found =
	    change_find_delivery(context, &change->delivery, &result, &value);
	if (found == 1)
		return change_put_result(context, &result);
	if (found < 0)
		return change_failed(context);
	if (value.size == 0)
		return STATUS_MISSING;
	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	if (!change_are_flags_valid(&mailbox, change->flags, change->keywords))
		return STATUS_INVALID;
	row.record.flags = change->flags;
	row.record.keywords = change->keywords;
	if (take_unfiled(context, value, &row) != 0)
		return change_failed(context);
	status = change_add_message(context, &mailbox, &row, 0);
	return status == STATUS_OK ? change_put_row(context, &mailbox) : status;
}

/* Staged, unless it is there already. */
static int
add_object(struct change_context *context,
    const struct message_change_append *change, struct object *object)
{
	struct journal *journal = context->journal;

	if (context->placed == NULL)
		return object_store_add(journal->batch, journal->digest,
		    &journal->state.next_blob,
		    context->has_body ? context->body : change->data, object,
		    context->error);
	if (seal_bulk_add(journal, context->placed, context->error) != 0)
		return -1;
	*object = context->placed->object;
	return 0;
}

static int
store_body(struct change_context *context,
    const struct message_change_append *change, struct message_row *row)
{
	struct journal *journal = context->journal;
	struct object object = { .account = context->account };

	if (add_object(context, change, &object) != 0 ||
	    blob_use_add(journal->batch, object.blob, journal_lock_us(journal),
		context->error) != 0)
		return -1;
	row->record.blob = object.blob;
	row->record.size = object.wire_size;
	row->record.stored_size = object.size;
	row->record.hash = object.hash;
	return 0;
}

static enum status
apply_append(
    struct change_context *context, const struct message_change_append *change)
{
	struct message_row row = { .delivery = change->delivery };
	struct mailbox_row mailbox;
	struct result_record result;
	enum status status;
	struct text value;
	int found;

	found =
	    change_find_delivery(context, &change->delivery, &result, &value);
	if (found == 1)
		return change_put_result(context, &result);
	if (found < 0)
		return change_failed(context);
	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	if (value.size != 0 || change->form > FORM_EXACT ||
	    !change_are_flags_valid(
		&mailbox, change->flags, change->keywords) ||
	    memchr(change->base.data ? change->base.data : "", '/',
		change->base.size) != NULL)
		return STATUS_INVALID;
	row.record.internaldate = change->internaldate;
	row.record.flags = change->flags;
	row.record.keywords = change->keywords;
	row.record.form = change->form;
	row.record.base = change->base;
	if (store_body(context, change, &row) != 0)
		return change_failed(context);
	status = change_add_message(context, &mailbox, &row, change->uid);
	return status == STATUS_OK ? change_put_row(context, &mailbox) : status;
}

enum status
change_apply(struct change_context *context, const struct message *message)
{
	switch ((int)message->type) {
	case MESSAGE_change_file:
		return apply_file(context, &message->change_file);
	case MESSAGE_change_append:
		return apply_append(context, &message->change_append);
	case MESSAGE_change_flags:
		return change_flags_apply(context, &message->change_flags);
	case MESSAGE_change_copy:
		return change_copy_apply(context, &message->change_copy);
	case MESSAGE_change_recall:
		return change_recall_apply(context, &message->change_recall);
	case MESSAGE_change_expunge:
		return change_expunge_apply(context, &message->change_expunge);
	case MESSAGE_change_missing:
		return change_missing_apply(context, &message->change_missing);
	default:
		return change_mailbox_apply(context, message);
	}
}
