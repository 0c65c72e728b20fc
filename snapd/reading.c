/*
 * What a reading does: see reading.h.  As of S means live rows with born <= S
 * and dead ones with born <= S < died.
 */
#include "snapd/reading.h"

#include "common/memory.h"
#include "snapd/journal.h"
#include "snapd/object_store.h"
#include "snapd/rows.h"

#include <stdlib.h>
#include <string.h>

/* Dead rows that were alive at S, to be merged by UID. */
struct revenants {
	struct {
		uint32_t uid;
		size_t offset;
		size_t size;
	} * rows;
	size_t count;
	size_t room;
	struct buf records;
};

static uint64_t
last_sequence(struct transaction *t)
{
	struct key before = { .size = 0 };
	struct text key, value;

	key_put_u64(&before, UINT64_MAX);
	if (store_last_before(t, DB_LOG, &before, &key, &value, NULL) != 1)
		return 0;
	return key_u64_at(key, 0);
}

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
compare_uid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
find_revenants(struct transaction *t, uint64_t mailbox, uint64_t as_of,
    struct revenants *found, struct error *error)
{
	struct key from = { .size = 0 };
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	size_t before;
	int got;

	key_put_u64(&from, mailbox);
	key_put_u64(&from, as_of + 1);
	cursor = cursor_open(t, DB_DEAD, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u64_at(key, 0) == mailbox) {
		got = row_decode_dead(key, value, &row, error);
		if (got < 0)
			break;
		if (row.record.born > as_of)
			continue;
		before = found->records.size;
		got = put_message(&found->records, &row);
		if (got < 0)
			break;
		if (found->count == found->room) {
			found->room = found->room * 2 + 64;
			found->rows = memory_resize(
			    found->rows, found->room, sizeof(*found->rows));
		}
		found->rows[found->count].uid = row.record.uid;
		found->rows[found->count].offset = before;
		found->rows[found->count++].size = found->records.size - before;
	}
	cursor_close(&cursor);
	if (found->count > 1)
		qsort(found->rows, found->count, sizeof(*found->rows),
		    compare_uid);
	return got < 0 ? -1 : 0;
}

static int
put_revenants(struct buf *to, const struct revenants *found, size_t *next,
    uint64_t below_uid)
{
	for (; *next < found->count && found->rows[*next].uid < below_uid;
	     (*next)++)
		if (buf_put(to, found->records.data + found->rows[*next].offset,
			found->rows[*next].size) != 0)
			return -1;
	return 0;
}

static int
list_live(struct transaction *t, uint64_t mailbox, uint64_t as_of,
    const struct revenants *found, struct buf *to, struct error *error)
{
	struct key from = { .size = 0 };
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	size_t next = 0;
	int got;

	key_put_u64(&from, mailbox);
	cursor = cursor_open(t, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u64_at(key, 0) == mailbox) {
		got = row_decode_live(key, value, &row, error);
		if (got == 0)
			got = put_revenants(to, found, &next, row.record.uid);
		if (got == 0 && row.record.born <= as_of)
			got = put_message(to, &row);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : put_revenants(to, found, &next, UINT64_MAX);
}

static int
read_messages(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct revenants found = { 0 };
	struct mailbox_row mailbox;
	int got;

	got = row_find_mailbox(
	    t, reading->account, reading->mailbox, &mailbox, error);
	if (got != 1)
		return got < 0
			   ? -1
			   : error_set(error, ERROR_MISSING, "no such mailbox");
	buf_init(&found.records, READING_MAX_BYTES);
	got = 0;
	if (reading->as_of < reading->sequence)
		got = find_revenants(
		    t, reading->mailbox, reading->as_of, &found, error);
	if (got == 0)
		got = list_live(t, reading->mailbox, reading->as_of, &found,
		    &reading->data, error);
	buf_clear(&found.records);
	free(found.rows);
	return got;
}

static int
put_change(struct buf *to, const struct change_record *change)
{
	uint8_t data[RECORD_CHANGE_MAX];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_change(&w, change);
	return w.failed ? -1 : buf_put(to, data, w.size);
}

/* The mailbox's form as of S into `row`: 1, 0 if it was not there, -1. */
static int
mailbox_as_of(struct transaction *t, uint64_t as_of, struct mailbox_row *row,
    struct error *error)
{
	struct mailbox_record now = row->record;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	if (row->born <= as_of)
		return 1;
	key_put_u64(&from, row->record.id);
	key_put_u64(&from, as_of + 1);
	cursor = cursor_open(t, DB_MAILBOX_OLD, &from, error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, error);
	if (got == 1 && key_u64_at(key, 0) == now.id)
		got = row_decode_mailbox(value, row, error) < 0 ? -1 : 1;
	else if (got == 1)
		got = 0;
	cursor_close(&cursor);
	/* Counters are those of now: they never go back. */
	row->record.uidnext = now.uidnext;
	row->record.highest_modseq = now.highest_modseq;
	row->record.message_count = now.message_count;
	return got == 1 && row->born <= as_of ? 1 : got < 0 ? -1 : 0;
}

static int
list_subscriptions(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct change_record change = { .kind = CHANGE_SUBSCRIBE };
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	struct reader r;
	int got;

	key_put_u32(&from, reading->account);
	cursor = cursor_open(t, DB_SUBSCRIBED, &from, error);
	if (cursor == NULL)
		return -1;
	/* Each name's versions by age: the reader keeps the last one. */
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		change.sequence = key_u64_at(key, 36);
		if (change.sequence > reading->as_of)
			continue;
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		change.is_subscribed = reader_get_u8(&r);
		change.name = reader_get_text(&r, RECORD_MAX_NAME_SIZE);
		if (put_change(&reading->data, &change) != 0)
			break;
	}
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
			got = mailbox_as_of(t, reading->as_of, &row, error);
		if (got < 0)
			break;
		if (got == 0 || row.record.is_retired)
			continue;
		change.sequence = row.born;
		change.mailbox = row.record;
		if (put_change(&reading->data, &change) != 0)
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
		return put_change(&reading->data, &change);
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
		return put_change(&reading->data, &change);
	}
	if (what != TOUCH_MAILBOX)
		return 0;
	got = row_find_mailbox(
	    t, reading->account, change.message.mailbox, &mailbox, error);
	if (got != 1)
		return got;
	change.kind = CHANGE_MAILBOX;
	change.mailbox = mailbox.record;
	return put_change(&reading->data, &change);
}

static int
read_changes(
    struct reading *reading, struct transaction *t, struct error *error)
{
	bool is_subscription_changed = false;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

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

static int
read_object(struct reading *reading, struct transaction *t,
    const struct object *object, struct error *error)
{
	struct digest *digest;
	uint8_t *to;
	int result;

	/* A blob of another account does not exist for this one. */
	if (object->account != reading->account)
		return error_set(error, ERROR_MISSING, "no such blob");
	to = buf_reserve(&reading->data, object->size + 1);
	if (to == NULL)
		return error_set(error, ERROR_LIMIT, "blob too large");
	digest = digest_new();
	result = object_store_read(t, digest, object, to, error);
	digest_free(&digest);
	if (result == 0)
		buf_added(&reading->data, object->size);
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
	case READ_UNFILED_BODY:
		return read_unfiled_body(reading, t, error);
	case READ_UNFILED_ACCOUNTS:
		return read_unfiled_accounts(reading, t, error);
	}
	return error_set(error, ERROR_INPUT, "no such reading");
}

void
reading_run(struct reading *reading, struct store *store)
{
	struct error error = { .code = ERROR_NONE };
	struct transaction *t;

	buf_init(&reading->data,
	    reading->kind == READ_UNFILED_ACCOUNTS ? 40000 : READING_MAX_BYTES);
	buf_init(&reading->envelope, 2000);
	t = transaction_begin(store, false, &error);
	if (t == NULL) {
		reading->status = journal_status_of(&error);
		return;
	}
	reading->sequence = last_sequence(t);
	if (reading->kind != READ_CHANGES &&
	    (reading->as_of == 0 || reading->as_of > reading->sequence))
		reading->as_of = reading->sequence;
	reading->status = STATUS_OK;
	if (run_kind(reading, t, &error) != 0) {
		reading->status = journal_status_of(&error);
		if (reading->status == STATUS_OK)
			reading->status = STATUS_LIMIT;
		buf_clear(&reading->data);
	}
	transaction_abort(&t);
}

void
reading_free(struct reading **reading)
{
	if (*reading == NULL)
		return;
	buf_clear(&(*reading)->data);
	buf_clear(&(*reading)->envelope);
	memory_free(reading);
}
