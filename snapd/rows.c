/*
 * Interval rows: see rows.h.  Forms of the values, after the form byte, which
 * is 1 but for account:
 *
 * account  counter u64, uidvalidity u32, created u64, name text; form 2:
 *          shared uidvalidity u32
 * mailbox  account u32, born u64, id u64, uidvalidity u32, uidnext u32,
 *          highest modseq u64, messages u64, special use u32, retired u8,
 *          name text, keyword count u8, keywords text each
 * live     born u64, modseq u64, internaldate i64, size u64, file size u64,
 *          flags u32, keywords u64, blob u64, body form u8, SHA-256 32,
 *          delivery id 18, Maildir base text (empty: hex of the delivery id)
 * dead     death u8, guard clock of the death u64, then the live form
 */
#include "snapd/rows.h"

#include <string.h>

enum {
	ACCOUNT_FORM = 2,
	MAX_ROW = 700
};

static int
damaged(struct error *error, const char *what)
{
	return error_set(error, ERROR_DAMAGED, "store: malformed %s row", what);
}

static void
account_key(struct key *key, uint32_t account)
{
	key->size = 0;
	key_put_u32(key, account);
}

int
row_find_account(struct transaction *transaction, uint32_t account,
    struct account_row *row, struct error *error)
{
	struct text value;
	struct reader r;
	struct key key;
	uint8_t form;
	int found;

	account_key(&key, account);
	found = store_get(transaction, DB_ACCOUNT, &key, &value, error);
	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	form = reader_get_u8(&r);
	row->counter = reader_get_u64(&r);
	row->uidvalidity = reader_get_u32(&r);
	row->created = reader_get_u64(&r);
	if (text_copy(reader_get_text(&r, sizeof(row->name)), row->name,
		sizeof(row->name)) != 0)
		return damaged(error, "account");
	row->shared = form < ACCOUNT_FORM ? 0 : reader_get_u32(&r);
	if (reader_done(&r) != 0)
		return damaged(error, "account");
	return 1;
}

int
row_put_account(struct transaction *transaction, uint32_t account,
    const struct account_row *row, struct error *error)
{
	uint8_t data[MAX_ROW];
	struct writer w;
	struct key key;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, ACCOUNT_FORM);
	writer_put_u64(&w, row->counter);
	writer_put_u32(&w, row->uidvalidity);
	writer_put_u64(&w, row->created);
	writer_put_text(&w, text_of(row->name), sizeof(row->name));
	writer_put_u32(&w, row->shared);
	account_key(&key, account);
	return store_put(
	    transaction, DB_ACCOUNT, &key, text_make(data, w.size), error);
}

int
row_decode_mailbox(
    struct text value, struct mailbox_row *row, struct error *error)
{
	struct mailbox_record *record = &row->record;
	struct reader r;
	unsigned int i;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	row->account = reader_get_u32(&r);
	row->born = reader_get_u64(&r);
	record->id = reader_get_u64(&r);
	record->uidvalidity = reader_get_u32(&r);
	record->uidnext = reader_get_u32(&r);
	record->highest_modseq = reader_get_u64(&r);
	record->message_count = reader_get_u64(&r);
	record->special_use = reader_get_u32(&r);
	record->is_retired = reader_get_u8(&r);
	record->name = reader_get_text(&r, RECORD_MAX_NAME_SIZE);
	record->keyword_count = reader_get_u8(&r);
	if (record->keyword_count > RECORD_MAX_KEYWORDS)
		return damaged(error, "mailbox");
	for (i = 0; i < record->keyword_count; i++)
		record->keywords[i] =
		    reader_get_text(&r, RECORD_MAX_KEYWORD_SIZE);
	return reader_done(&r) == 0 ? 0 : damaged(error, "mailbox");
}

static size_t
encode_mailbox(const struct mailbox_row *row, uint8_t *data)
{
	const struct mailbox_record *record = &row->record;
	struct writer w;
	unsigned int i;

	writer_init(&w, data, RECORD_MAILBOX_MAX);
	writer_put_u8(&w, 1);
	writer_put_u32(&w, row->account);
	writer_put_u64(&w, row->born);
	writer_put_u64(&w, record->id);
	writer_put_u32(&w, record->uidvalidity);
	writer_put_u32(&w, record->uidnext);
	writer_put_u64(&w, record->highest_modseq);
	writer_put_u64(&w, record->message_count);
	writer_put_u32(&w, record->special_use);
	writer_put_u8(&w, record->is_retired);
	writer_put_text(&w, record->name, RECORD_MAX_NAME_SIZE);
	writer_put_u8(&w, record->keyword_count);
	for (i = 0; i < record->keyword_count; i++)
		writer_put_text(
		    &w, record->keywords[i], RECORD_MAX_KEYWORD_SIZE);
	return w.size;
}

int
row_find_mailbox(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, struct mailbox_row *row, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u32(&key, account);
	key_put_u64(&key, mailbox);
	found = store_get(transaction, DB_MAILBOX, &key, &value, error);
	if (found != 1)
		return found;
	if (value.size > sizeof(row->storage))
		return damaged(error, "mailbox");
	memcpy(row->storage, value.data, value.size);
	return row_decode_mailbox(
		   text_make(row->storage, value.size), row, error) == 0
		   ? 1
		   : -1;
}

int
row_put_mailbox(struct transaction *transaction, const struct mailbox_row *row,
    struct error *error)
{
	uint8_t data[RECORD_MAILBOX_MAX];
	struct key key = { .size = 0 };
	size_t size = encode_mailbox(row, data);

	key_put_u32(&key, row->account);
	key_put_u64(&key, row->record.id);
	return store_put(
	    transaction, DB_MAILBOX, &key, text_make(data, size), error);
}

int
row_keep_mailbox(struct transaction *transaction, const struct mailbox_row *row,
    uint64_t died, struct error *error)
{
	uint8_t data[RECORD_MAILBOX_MAX];
	struct key key = { .size = 0 };
	size_t size = encode_mailbox(row, data);

	key_put_u64(&key, row->record.id);
	key_put_u64(&key, died);
	return store_put(
	    transaction, DB_MAILBOX_OLD, &key, text_make(data, size), error);
}

static int
decode_message(struct reader *r, struct message_row *row, struct error *error)
{
	struct message_record *record = &row->record;

	reader_get_u8(r);
	record->born = reader_get_u64(r);
	record->modseq = reader_get_u64(r);
	record->internaldate = (int64_t)reader_get_u64(r);
	record->size = reader_get_u64(r);
	record->stored_size = reader_get_u64(r);
	record->flags = reader_get_u32(r);
	record->keywords = reader_get_u64(r);
	record->blob = reader_get_u64(r);
	record->form = reader_get_u8(r);
	reader_get_raw(r, record->hash.bytes, sizeof(record->hash.bytes));
	reader_get_raw(r, row->delivery.bytes, sizeof(row->delivery.bytes));
	record->base = reader_get_text(r, RECORD_MAX_BASE_SIZE);
	return reader_done(r) == 0 ? 0 : damaged(error, "message");
}

static void
encode_message(struct writer *w, const struct message_row *row)
{
	const struct message_record *record = &row->record;

	writer_put_u8(w, 1);
	writer_put_u64(w, record->born);
	writer_put_u64(w, record->modseq);
	writer_put_u64(w, (uint64_t)record->internaldate);
	writer_put_u64(w, record->size);
	writer_put_u64(w, record->stored_size);
	writer_put_u32(w, record->flags);
	writer_put_u64(w, record->keywords);
	writer_put_u64(w, record->blob);
	writer_put_u8(w, record->form);
	writer_put_raw(w, record->hash.bytes, sizeof(record->hash.bytes));
	writer_put_raw(w, row->delivery.bytes, sizeof(row->delivery.bytes));
	writer_put_text(w, record->base, RECORD_MAX_BASE_SIZE);
}

int
row_decode_live(struct text key, struct text value, struct message_row *row,
    struct error *error)
{
	struct reader r;

	if (key.size != 12)
		return damaged(error, "message");
	row->record.mailbox = key_u64_at(key, 0);
	row->record.uid = key_u32_at(key, 8);
	row->died = 0;
	reader_init(&r, value.data, value.size);
	return decode_message(&r, row, error);
}

int
row_decode_dead(struct text key, struct text value, struct message_row *row,
    struct error *error)
{
	struct reader r;

	if (key.size != 20)
		return damaged(error, "dead message");
	row->record.mailbox = key_u64_at(key, 0);
	row->died = key_u64_at(key, 8);
	row->record.uid = key_u32_at(key, 16);
	reader_init(&r, value.data, value.size);
	row->death = reader_get_u8(&r);
	row->died_guard_us = reader_get_u64(&r);
	return decode_message(&r, row, error);
}

static void
live_key(struct key *key, uint64_t mailbox, uint32_t uid)
{
	key->size = 0;
	key_put_u64(key, mailbox);
	key_put_u32(key, uid);
}

int
row_find_message(struct transaction *transaction, uint64_t mailbox,
    uint32_t uid, struct message_row *row, struct error *error)
{
	struct text value;
	struct key key;
	int found;

	live_key(&key, mailbox, uid);
	found = store_get(transaction, DB_LIVE, &key, &value, error);
	if (found != 1)
		return found;
	if (value.size > sizeof(row->storage))
		return damaged(error, "message");
	memcpy(row->storage, value.data, value.size);
	return row_decode_live(text_make(key.bytes, key.size),
		   text_make(row->storage, value.size), row, error) == 0
		   ? 1
		   : -1;
}

static int
put_live(struct transaction *transaction, const struct message_row *row,
    store_put_call *put, struct error *error)
{
	uint8_t data[MAX_ROW];
	struct writer w;
	struct key key;

	writer_init(&w, data, sizeof(data));
	encode_message(&w, row);
	live_key(&key, row->record.mailbox, row->record.uid);
	return put(transaction, DB_LIVE, &key, text_make(data, w.size), error);
}

int
row_put_message(struct transaction *transaction, const struct message_row *row,
    struct error *error)
{
	return put_live(transaction, row, store_put, error);
}

int
row_put_message_over(struct transaction *transaction,
    const struct message_row *row, struct error *error)
{
	return put_live(transaction, row, store_put_over, error);
}

int
row_bury_message(struct transaction *transaction, const struct message_row *row,
    enum death death, uint64_t died, uint64_t guard_us, struct error *error)
{
	struct key key;
	uint8_t data[MAX_ROW];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, (uint8_t)death);
	writer_put_u64(&w, guard_us);
	encode_message(&w, row);
	key.size = 0;
	key_put_u64(&key, row->record.mailbox);
	key_put_u64(&key, died);
	key_put_u32(&key, row->record.uid);
	return store_put(
	    transaction, DB_DEAD, &key, text_make(data, w.size), error);
}

int
row_kill_message(struct transaction *transaction, const struct message_row *row,
    enum death death, uint64_t died, uint64_t guard_us, struct error *error)
{
	struct key live;

	if (row_bury_message(transaction, row, death, died, guard_us, error) !=
	    0)
		return -1;
	live_key(&live, row->record.mailbox, row->record.uid);
	return store_take(transaction, DB_LIVE, &live, error);
}

struct text
row_base(const struct message_row *row, char *hex)
{
	if (row->record.base.size > 0)
		return row->record.base;
	text_format_hex(row->delivery.bytes, sizeof(row->delivery.bytes), hex);
	return text_of(hex);
}

void
row_encode_filed(const struct result_record *result, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, ROW_FILED_SIZE);
	writer_put_u8(&w, 1);
	writer_put_u8(&w, 1);
	writer_put_u64(&w, result->mailbox);
	writer_put_u32(&w, result->uid);
	writer_put_u64(&w, result->modseq);
	writer_put_u64(&w, result->born);
	writer_put_u64(&w, result->blob);
}

int
row_decode_filed(struct text value, struct result_record *result)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	if (reader_get_u8(&r) == 0)
		return r.failed ? -1 : 0;
	*result = (struct result_record){ .mailbox = reader_get_u64(&r) };
	result->uid = reader_get_u32(&r);
	result->modseq = reader_get_u64(&r);
	result->born = reader_get_u64(&r);
	result->blob = reader_get_u64(&r);
	return reader_done(&r) == 0 ? 1 : -1;
}
