/*
 * What a reading does: see reading.h.
 */
#include "snapd/reading.h"

#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/behind.h"
#include "snapd/control_reading.h"
#include "snapd/journal.h"
#include "snapd/object_store.h"
#include "snapd/past.h"
#include "snapd/rows.h"
#include "snapd/saved.h"

#include <stdlib.h>
#include <string.h>

static int
put_message(struct buf *to, const struct message_row *row)
{
	uint8_t data[RECORD_MESSAGE_MAX];
	struct message_record record = row->record;
	struct writer w;
	char hex[40];

	record.base = row_base(row, hex);
	writer_init(&w, data, sizeof(data));
	record_put_message(&w, &record);
	return w.failed ? -1 : buf_put(to, data, w.size);
}

static int
read_messages(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct as_of as_of = { 0 };
	struct mailbox_row mailbox;
	struct message_row row;
	int got;

	got = row_find_mailbox(
	    t, reading->account, reading->mailbox, &mailbox, error);
	if (got != 1)
		return got < 0
			   ? -1
			   : error_set(error, ERROR_MISSING, "no such mailbox");
	as_of_start(&as_of, reading->mailbox, reading->as_of, 0);
	got = as_of_resume(&as_of, t, error);
	while (got >= 0 && (got = as_of_next(&as_of, &row, error)) == 1)
		got = put_message(&reading->data, &row);
	as_of_clear(&as_of);
	return got;
}

int
reading_put_change(struct buf *to, const struct change_record *change)
{
	uint8_t data[RECORD_CHANGE_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_change(&w, change);
	return w.failed ? -1 : buf_put(to, data, w.size);
}

/* Each name's versions stand side by side by age: the last one counts, and the
 * others would be news to who keeps subscriptions. */
static int
list_subscriptions(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct change_record change = { .kind = CHANGE_SUBSCRIBE };
	struct text key, value, last = { NULL, 0 };
	struct key from = { .size = 0 };
	struct cursor *cursor;
	struct reader r;
	int got;

	key_put_u32(&from, reading->account);
	cursor = cursor_open(t, DB_SUBSCRIBED, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		struct text hashed = text_make(key.data, 36);

		if (key_u64_at(key, 36) > reading->as_of)
			continue;
		if (last.size > 0 && !text_equal(hashed, last) &&
		    reading_put_change(&reading->data, &change) != 0)
			break;
		last = hashed;
		change.sequence = key_u64_at(key, 36);
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		change.is_subscribed = reader_get_u8(&r);
		change.name = reader_get_text(&r, RECORD_MAX_NAME_SIZE);
	}
	if (got != 1 && last.size > 0)
		(void)reading_put_change(&reading->data, &change);
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
read_mailboxes(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct change_record change = { .kind = CHANGE_MAILBOX };
	struct key from = { .size = 0 };
	struct mailbox_row row;
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, reading->account);
	cursor = cursor_open(t, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		got = row_decode_mailbox(value, &row, error);
		if (got == 0)
			got = as_of_mailbox(t, reading->as_of, &row, error);
		if (got < 0)
			break;
		if (got == 0 || row.record.is_retired)
			continue;
		change.sequence = row.born;
		change.mailbox = row.record;
		if (reading_put_change(&reading->data, &change) != 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : list_subscriptions(reading, t, error);
}

/* One entry of account_log as the state that the row has now. */
static int
put_touched(struct reading *reading, struct transaction *t, struct text key,
    struct text value, struct error *error)
{
	struct change_record change = { .sequence = key_u64_at(key, 4) };
	struct mailbox_row mailbox;
	struct message_row row;
	uint32_t uid = key_u32_at(key, 20);
	char hex[40];
	struct reader r;
	uint8_t what;
	int got;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	what = reader_get_u8(&r);
	change.message.mailbox = key_u64_at(key, 12);
	change.message.uid = uid;
	change.message.modseq = reader_get_u64(&r);
	if (what == TOUCH_DIED) {
		change.kind = CHANGE_EXPUNGE;
		return reading_put_change(&reading->data, &change);
	}
	if (what == TOUCH_BORN) {
		got = row_find_message(
		    t, change.message.mailbox, uid, &row, error);
		/* A later entry tells what became of it. */
		if (got != 1 || row.record.born != change.sequence)
			return got < 0 ? -1 : 0;
		change.kind = CHANGE_MESSAGE;
		change.message = row.record;
		change.message.base = row_base(&row, hex);
		return reading_put_change(&reading->data, &change);
	}
	if (what != TOUCH_MAILBOX)
		return 0;
	got = row_find_mailbox(
	    t, reading->account, change.message.mailbox, &mailbox, error);
	if (got != 1)
		return got;
	change.kind = CHANGE_MAILBOX;
	change.mailbox = mailbox.record;
	return reading_put_change(&reading->data, &change);
}

static int
read_changes(
    struct reading *reading, struct transaction *t, struct error *error)
{
	bool is_subscription_changed = false;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	uint64_t behind;
	int got;

	got = behind_find(t, reading->account, &behind, error);
	if (got < 0)
		return -1;
	if (got == 1 && behind < reading->as_of)
		reading->as_of = behind;
	key_put_u32(&from, reading->account);
	key_put_u64(&from, reading->as_of + 1);
	cursor = cursor_open(t, DB_ACCOUNT_LOG, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		if (key_u64_at(key, 12) == 0)
			is_subscription_changed = true;
		got = put_touched(reading, t, key, value, error);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	if (got < 0)
		return -1;
	reading->as_of = reading->sequence;
	return is_subscription_changed ? list_subscriptions(reading, t, error)
				       : 0;
}

/* Decodes an unfiled value; texts point into it. */
static int
decode_unfiled(struct transaction *t, struct text value,
    struct unfiled_record *record, struct object *object, struct error *error)
{
	struct reader r;
	int got;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	record->blob = reader_get_u64(&r);
	record->time = (int64_t)reader_get_u64(&r);
	record->form = reader_get_u8(&r);
	reader_get_raw(
	    &r, record->delivery.bytes, sizeof(record->delivery.bytes));
	record->sender = reader_get_text(&r, 512);
	record->address = reader_get_text(&r, 512);
	if (reader_done(&r) != 0)
		return error_set(error, ERROR_DAMAGED, "unfiled row");
	got = object_store_find(t, record->blob, object, error);
	if (got != 1)
		return got < 0 ? -1
			       : error_set(error, ERROR_DAMAGED,
				     "unfiled without body");
	record->size = object->wire_size;
	record->stored_size = object->size;
	return 0;
}

static int
put_unfiled(struct buf *to, const struct unfiled_record *record)
{
	uint8_t data[2000];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_unfiled(&w, record);
	return w.failed ? -1 : buf_put(to, data, w.size);
}

static int
read_unfiled(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct key from = { .size = 0 };
	struct unfiled_record record;
	struct text key, value;
	struct cursor *cursor;
	struct object object;
	int got;

	key_put_u32(&from, reading->account);
	cursor = cursor_open(t, DB_UNFILED, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		got = decode_unfiled(t, value, &record, &object, error);
		if (got == 0)
			got = put_unfiled(&reading->data, &record);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

int
reading_put_object(struct reading *reading, struct transaction *t,
    struct digest *digest, const struct object *object, struct error *error)
{
	uint8_t *to;
	int result;

	/* A blob of another account does not exist for this one. */
	if (object->account != reading->account)
		return error_set(error, ERROR_MISSING, "no such blob");
	to = buf_reserve(&reading->data, object->size + 1);
	if (to == NULL)
		return error_set(error, ERROR_LIMIT, "blob too large");
	result = object_store_read(t, digest, object, to, error);
	if (result == 0)
		buf_added(&reading->data, object->size);
	return result;
}

static int
read_object(struct reading *reading, struct transaction *t,
    const struct object *object, struct error *error)
{
	struct digest *digest = digest_new();
	int result = reading_put_object(reading, t, digest, object, error);

	digest_free(&digest);
	return result;
}

static int
read_blob(struct reading *reading, struct transaction *t, struct error *error)
{
	struct object object;
	int got;

	got = object_store_find(t, reading->blob, &object, error);
	if (got != 1)
		return got < 0
			   ? -1
			   : error_set(error, ERROR_MISSING, "no such blob");
	return read_object(reading, t, &object, error);
}

static int
read_unfiled_body(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct unfiled_record record;
	struct key key, unfiled = { .size = 0 };
	struct object object;
	struct text value;
	struct reader r;
	int got;

	journal_delivery_key(&key, reading->account, &reading->delivery);
	got = store_get(t, DB_DELIVERY, &key, &value, error);
	if (got != 1)
		return got < 0 ? -1 : error_set(error, ERROR_MISSING, "none");
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	if (reader_get_u8(&r) != 0)
		return error_set(error, ERROR_EXISTS, "filed before");
	key_put_u32(&unfiled, reading->account);
	key_put_u64(&unfiled, reader_get_u64(&r));
	key_put_u16(&unfiled, reader_get_u16(&r));
	got = store_get(t, DB_UNFILED, &unfiled, &value, error);
	if (got != 1)
		return got < 0 ? -1 : error_set(error, ERROR_DAMAGED, "gone");
	if (decode_unfiled(t, value, &record, &object, error) != 0 ||
	    put_unfiled(&reading->envelope, &record) != 0)
		return -1;
	return read_object(reading, t, &object, error);
}

static int
read_unfiled_accounts(
    struct reading *reading, struct transaction *t, struct error *error)
{
	uint64_t account = (uint64_t)reading->after + 1;
	struct text key, value;
	struct cursor *cursor;
	int got = 1;

	while (got == 1 && account <= UINT32_MAX) {
		struct key from = { .size = 0 };
		struct writer w;
		uint8_t data[4];

		key_put_u32(&from, (uint32_t)account);
		cursor = cursor_open(t, DB_UNFILED, &from, error);
		if (cursor == NULL)
			return -1;
		got = cursor_next(cursor, &key, &value, error);
		account = got == 1 ? (uint64_t)key_u32_at(key, 0) + 1 : account;
		cursor_close(&cursor);
		writer_init(&w, data, sizeof(data));
		writer_put_u32(&w, (uint32_t)(account - 1));
		if (got == 1 && buf_put(&reading->data, data, 4) != 0)
			return 0; /* full: the asker asks for the rest */
	}
	return got < 0 ? -1 : 0;
}

static int
run_kind(struct reading *reading, struct transaction *t, struct error *error)
{
	switch (reading->kind) {
	case READ_MAILBOXES:
		return read_mailboxes(reading, t, error);
	case READ_MESSAGES:
		return read_messages(reading, t, error);
	case READ_CHANGES:
		return read_changes(reading, t, error);
	case READ_UNFILED:
		return read_unfiled(reading, t, error);
	case READ_BLOB:
		return read_blob(reading, t, error);
	case READ_BLOBS:
		return reading_put_bodies(reading, t, error);
	case READ_UNFILED_BODY:
		return read_unfiled_body(reading, t, error);
	case READ_UNFILED_ACCOUNTS:
		return read_unfiled_accounts(reading, t, error);
	case READ_SNAPSHOTS:
		return past_read_snapshots(reading, t, error);
	case READ_EXPUNGED:
		return past_read_expunged(reading, t, error);
	case READ_VANISHED:
		return past_read_vanished(reading, t, error);
	case READ_SAVED:
		return saved_read(reading, t, error);
	case READ_CONTROL:
		break;
	}
	return error_set(error, ERROR_INPUT, "no such reading");
}

static void
init_answer(struct reading *reading)
{
	buf_init(&reading->data,
	    reading->kind == READ_UNFILED_ACCOUNTS ? 40000 : READING_MAX_BYTES);
	buf_init(&reading->envelope, 2000);
}

static void
answer_from(struct reading *reading, struct transaction *t)
{
	struct error error = { .code = ERROR_NONE };

	reading->sequence = as_of_last_sequence(t);
	if (reading->kind != READ_CHANGES && reading->kind != READ_SAVED &&
	    (reading->as_of == 0 || reading->as_of > reading->sequence))
		reading->as_of = reading->sequence;
	reading->status = STATUS_OK;
	if (run_kind(reading, t, &error) == 0)
		return;
	reading->status = journal_status_of(&error);
	if (reading->status == STATUS_OK)
		reading->status = STATUS_LIMIT;
	buf_clear(&reading->data);
}

void
reading_run_in(struct reading *reading, struct transaction *t)
{
	init_answer(reading);
	answer_from(reading, t);
}

void
reading_run(struct reading *reading, struct store *store)
{
	struct error error = { .code = ERROR_NONE };
	struct transaction *t;

	if (reading->kind == READ_CONTROL) {
		control_job_step(reading->control, store);
		return;
	}
	init_answer(reading);
	t = transaction_begin(store, false, &error);
	if (t == NULL) {
		reading->status = journal_status_of(&error);
		return;
	}
	answer_from(reading, t);
	transaction_abort(&t);
}

void
reading_free(struct reading **reading)
{
	if (*reading == NULL)
		return;
	buf_clear(&(*reading)->data);
	buf_clear(&(*reading)->envelope);
	control_job_free(&(*reading)->control);
	memory_free(reading);
}
