/*
 * Changes of messages: see batch_changes.h.  UIDs and MODSEQs are given here
 * and nowhere else.  A row that changes goes to `dead` as it was, and the new
 * one is born with this batch; a row of this very batch is replaced in place.
 */
#include "snapd/batch_changes.h"
#include "snapd/expunged.h"

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

static bool
are_flags_valid(
    const struct mailbox_row *mailbox, uint32_t flags, uint64_t keywords)
{
	unsigned int count = mailbox->record.keyword_count;

	return (flags & ~(uint32_t)FLAG_ALL) == 0 &&
	       (count == RECORD_MAX_KEYWORDS || keywords >> count == 0);
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

/* 1: `result` is what was decided before; 0: the delivery is not filed yet and
 * `value` is its row if there is one; -1. */
static int
find_delivery(struct change_context *context,
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

static enum status
put_mailbox(struct change_context *context, const struct mailbox_row *mailbox)
{
	return row_put_mailbox(
		   context->journal->batch, mailbox, context->error) == 0
		   ? STATUS_OK
		   : change_failed(context);
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

	found = find_delivery(context, &change->delivery, &result, &value);
	if (found == 1)
		return change_put_result(context, &result);
	if (found < 0)
		return change_failed(context);
	if (value.size == 0)
		return STATUS_MISSING;
	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	if (!are_flags_valid(&mailbox, change->flags, change->keywords))
		return STATUS_INVALID;
	row.record.flags = change->flags;
	row.record.keywords = change->keywords;
	if (take_unfiled(context, value, &row) != 0)
		return change_failed(context);
	status = change_add_message(context, &mailbox, &row, 0);
	return status == STATUS_OK ? put_mailbox(context, &mailbox) : status;
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

	found = find_delivery(context, &change->delivery, &result, &value);
	if (found == 1)
		return change_put_result(context, &result);
	if (found < 0)
		return change_failed(context);
	status = change_find_mailbox(context, change->mailbox, &mailbox);
	if (status != STATUS_OK)
		return status;
	if (value.size != 0 || change->form > FORM_EXACT ||
	    !are_flags_valid(&mailbox, change->flags, change->keywords) ||
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
	return status == STATUS_OK ? put_mailbox(context, &mailbox) : status;
}

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

static enum status
finish_part(struct change_context *context, const struct mailbox_row *mailbox)
{
	struct result_record result = { .mailbox = mailbox->record.id,
		.modseq = mailbox->record.highest_modseq,
		.born = journal_sequence(context->journal) };
	enum status status = put_mailbox(context, mailbox);

	return status == STATUS_OK ? change_put_result(context, &result)
				   : status;
}

static enum status
find_row(struct change_context *context, uint64_t mailbox, uint32_t uid,
    struct message_row *row)
{
	int found = row_find_message(
	    context->journal->batch, mailbox, uid, row, context->error);

	return found == 1   ? STATUS_OK
	       : found == 0 ? STATUS_MISSING
			    : change_failed(context);
}

static enum status
apply_flags(
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
		if (!are_flags_valid(&mailbox, flag.flags, flag.keywords))
			return STATUS_INVALID;
		status = find_row(context, change->mailbox, flag.uid, &row);
		if (status != STATUS_OK)
			return status;
		flag.flags |= row.record.flags & RECORD_MISSING;
		if (replace_row(
			context, &row, flag.flags, flag.keywords, modseq) != 0)
			return change_failed(context);
	}
	return got < 0 ? STATUS_INVALID : finish_part(context, &mailbox);
}

static enum status
kill_message(struct change_context *context, struct mailbox_row *mailbox,
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

static enum status
apply_expunge(
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
		status = find_row(
		    context, change->mailbox, reader_get_u32(&r), &row);
		if (status == STATUS_OK)
			status = kill_message(
			    context, &mailbox, &row, DEATH_EXPUNGE, modseq);
	}
	if (status != STATUS_OK || r.failed)
		return status != STATUS_OK ? status : STATUS_INVALID;
	return finish_part(context, &mailbox);
}

static enum status
apply_missing(
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
		status = find_row(
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
	return finish_part(context, &mailbox);
}

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

	found = find_delivery(context, &copy->delivery, &result, &value);
	if (found != 0)
		return found == 1 ? change_put_result(context, &result)
				  : change_failed(context);
	status = find_row(context, source->record.id, copy->uid, &from);
	if (status != STATUS_OK)
		return status;
	if (value.size != 0 || !are_flags_valid(target, 0, copy->keywords))
		return STATUS_INVALID;
	row = from;
	row.delivery = copy->delivery;
	row.record.base = text_make(NULL, 0);
	row.record.keywords = copy->keywords;
	status = add_known_body(context, target, &row);
	if (status == STATUS_OK && is_move)
		status = kill_message(context, source, &from, DEATH_MOVE,
		    change_modseq(context, source));
	return status;
}

static enum status
apply_copy(
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
	status = put_mailbox(context, target);
	if (status != STATUS_OK)
		return status;
	/* The worker has to know with what MODSEQ they left. */
	return change->is_move ? finish_part(context, source)
			       : put_mailbox(context, source);
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

	found = find_delivery(context, &recall->delivery, &result, &value);
	if (found != 0)
		return found == 1 ? change_put_result(context, &result)
				  : change_failed(context);
	if (value.size != 0 || recall->form > FORM_EXACT ||
	    !are_flags_valid(mailbox, recall->flags, recall->keywords))
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

static enum status
apply_recall(
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
	return put_mailbox(context, &mailbox);
}

/* -- For restore -- */

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
	if (!are_flags_valid(&mailbox, flags, keywords))
		return STATUS_INVALID;
	flags |= row->record.flags & RECORD_MISSING;
	if (replace_row(context, &changed, flags, keywords,
		change_modseq(context, &mailbox)) != 0)
		return change_failed(context);
	return put_mailbox(context, &mailbox);
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
		status = kill_message(context, &rows[0], from, DEATH_MOVE,
		    change_modseq(context, &rows[0]));
	if (status == STATUS_OK)
		status = put_mailbox(context, &rows[1]);
	return status == STATUS_OK ? put_mailbox(context, &rows[0]) : status;
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
		return apply_flags(context, &message->change_flags);
	case MESSAGE_change_copy:
		return apply_copy(context, &message->change_copy);
	case MESSAGE_change_recall:
		return apply_recall(context, &message->change_recall);
	case MESSAGE_change_expunge:
		return apply_expunge(context, &message->change_expunge);
	case MESSAGE_change_missing:
		return apply_missing(context, &message->change_missing);
	default:
		return change_mailbox_apply(context, message);
	}
}
