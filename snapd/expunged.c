/*
 * Numbers of expunged messages: see expunged.h.
 *
 * expunged value: form u8, mailbox u64, died u64, uid u32. The row is in
 * DB_DEAD under these three, or in DB_LIVE if its mailbox was retired then.
 */
#include "snapd/expunged.h"

#include "common/codec.h"

/* So that UIDNEXT is one, too. */
#define LAST_NUMBER (UINT32_MAX - 2)

int
expunged_decode(struct text key, struct text value, struct expunged *expunged,
    struct error *error)
{
	struct reader r;

	if (key.size != 8)
		return error_set(
		    error, ERROR_DAMAGED, "store: malformed expunged key");
	expunged->number = key_u32_at(key, 4);
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	expunged->mailbox = reader_get_u64(&r);
	expunged->died = reader_get_u64(&r);
	expunged->uid = reader_get_u32(&r);
	return reader_done(&r) == 0 ? 0
				    : error_set(error, ERROR_DAMAGED,
					  "store: malformed expunged row");
}

static int
put(struct transaction *transaction, uint32_t account,
    const struct expunged *expunged, struct error *error)
{
	struct key key = { .size = 0 };
	uint8_t data[21];
	struct writer w;

	key_put_u32(&key, account);
	key_put_u32(&key, expunged->number);
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, expunged->mailbox);
	writer_put_u64(&w, expunged->died);
	writer_put_u32(&w, expunged->uid);
	return store_put(
	    transaction, DB_EXPUNGED, &key, text_make(data, w.size), error);
}

int
expunged_last(struct transaction *transaction, uint32_t account,
    uint32_t *number, struct error *error)
{
	struct key before = { .size = 0 };
	struct text key, value;
	int found;

	*number = 0;
	key_put_u32(&before, account);
	key_put_u32(&before, UINT32_MAX);
	found = store_last_before(
	    transaction, DB_EXPUNGED, &before, &key, &value, error);
	if (found == 1 && key_u32_at(key, 0) == account)
		*number = key_u32_at(key, 4);
	return found < 0 ? -1 : 0;
}

/* 1 if the oldest entry below `number` names nothing and was taken, 0 if it
 * stays, -1. */
static int
trim_one(struct transaction *transaction, uint32_t account, uint32_t number,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct expunged oldest = { .number = UINT32_MAX };
	struct mailbox_row mailbox;
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	int found;

	key_put_u32(&from, account);
	cursor = cursor_open(transaction, DB_EXPUNGED, &from, error);
	if (cursor == NULL)
		return -1;
	found = cursor_next(cursor, &key, &value, error);
	if (found == 1 && key_u32_at(key, 0) == account)
		found = expunged_decode(key, value, &oldest, error);
	cursor_close(&cursor);
	if (found < 0 || oldest.number >= number)
		return found < 0 ? -1 : 0;
	found = row_find_mailbox(
	    transaction, account, oldest.mailbox, &mailbox, error);
	if (found == 1)
		found = expunged_find_row(
		    transaction, &oldest, &mailbox, &row, error);
	if (found != 0)
		return found < 0 ? -1 : 0;
	key_put_u32(&from, oldest.number);
	return store_take(transaction, DB_EXPUNGED, &from, error) == 0 ? 1 : -1;
}

static int
trim(struct transaction *transaction, uint32_t account, uint32_t number,
    struct error *error)
{
	int taken = 1;

	for (int i = 0; i < 2 * EXPUNGED_TRIM && taken == 1; i++)
		taken = trim_one(transaction, account, number - 1, error);
	return taken < 0 ? -1 : 0;
}

int
expunged_add(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, uint64_t died, uint32_t uid, struct error *error)
{
	struct expunged expunged = {
		.mailbox = mailbox, .died = died, .uid = uid
	};

	if (expunged_last(transaction, account, &expunged.number, error) != 0)
		return -1;
	if (expunged.number >= LAST_NUMBER)
		return 0;
	expunged.number++;
	if (expunged.number % EXPUNGED_TRIM == 0 &&
	    trim(transaction, account, expunged.number, error) != 0)
		return -1;
	return put(transaction, account, &expunged, error);
}

int
expunged_add_mailbox(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, uint64_t died, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox);
	cursor = cursor_open(transaction, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	/* What is put goes into another database than the cursor's. */
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u64_at(key, 0) == mailbox)
		if (expunged_add(transaction, account, mailbox, died,
			key_u32_at(key, 8), error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
leap_account(struct transaction *transaction, uint32_t account, uint32_t count,
    struct error *error)
{
	struct expunged none = { 0 };

	if (expunged_last(transaction, account, &none.number, error) != 0)
		return -1;
	none.number = none.number < LAST_NUMBER - count ? none.number + count
							: LAST_NUMBER;
	return put(transaction, account, &none, error);
}

int
expunged_leap(struct transaction *transaction, uint32_t account, uint32_t count,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	if (account != 0)
		return leap_account(transaction, account, count, error);
	cursor = cursor_open(transaction, DB_ACCOUNT, &from, error);
	if (cursor == NULL)
		return -1;
	/* What is put goes into another database than the cursor's. */
	while ((got = cursor_next(cursor, &key, &value, error)) == 1)
		if (leap_account(
			transaction, key_u32_at(key, 0), count, error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got;
}

int
expunged_find_row(struct transaction *transaction,
    const struct expunged *expunged, const struct mailbox_row *mailbox,
    struct message_row *row, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u64(&key, expunged->mailbox);
	key_put_u64(&key, expunged->died);
	key_put_u32(&key, expunged->uid);
	found = store_get(transaction, DB_DEAD, &key, &value, error);
	if (found == 1)
		return row_decode_dead(text_make(key.bytes, key.size), value,
			   row, error) == 0
			   ? 1
			   : -1;
	if (found == 0 && mailbox->record.is_retired &&
	    mailbox->born == expunged->died)
		return row_find_message(
		    transaction, expunged->mailbox, expunged->uid, row, error);
	return found;
}

/* -- Numbers of before there were numbers -- */

/* What an entry of account_log says died then. */
static int
fill_entry(struct transaction *transaction, struct text key, struct text value,
    struct error *error)
{
	struct expunged expunged = { .mailbox = key_u64_at(key, 12),
		.died = key_u64_at(key, 4),
		.uid = key_u32_at(key, 20) };
	uint32_t account = key_u32_at(key, 0);
	static struct mailbox_row mailbox;
	struct message_row row = { .death = DEATH_MOVE };
	uint8_t what = value.size > 1 ? (uint8_t)value.data[1] : 0;
	int found;

	if (what != TOUCH_DIED && what != TOUCH_MAILBOX)
		return 0;
	found = row_find_mailbox(
	    transaction, account, expunged.mailbox, &mailbox, error);
	if (found == 1 && what == TOUCH_MAILBOX)
		return mailbox.record.is_retired &&
			       mailbox.born == expunged.died
			   ? expunged_add_mailbox(transaction, account,
				 expunged.mailbox, expunged.died, error)
			   : 0;
	if (found == 1)
		found = expunged_find_row(
		    transaction, &expunged, &mailbox, &row, error);
	if (found != 1 || row.death == DEATH_MOVE)
		return found < 0 ? -1 : 0;
	return expunged_add(transaction, account, expunged.mailbox,
	    expunged.died, expunged.uid, error);
}

static int
fill(struct transaction *transaction, struct error *error)
{
	/* No account has the number 0: the work is done. */
	const struct expunged done = { .number = 1 };
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	if (put(transaction, 0, &done, error) != 0)
		return -1;
	cursor = cursor_open(transaction, DB_ACCOUNT_LOG, &from, error);
	if (cursor == NULL)
		return -1;
	/* What is put goes into another database than the cursor's. */
	while ((got = cursor_next(cursor, &key, &value, error)) == 1)
		if (key.size != 24 ||
		    fill_entry(transaction, key, value, error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got;
}

int
expunged_fill(struct store *store, struct error *error)
{
	struct transaction *transaction = transaction_begin(store, true, error);

	if (transaction == NULL)
		return -1;
	if (store_count(transaction, DB_EXPUNGED) > 0) {
		transaction_abort(&transaction);
		return 0;
	}
	if (fill(transaction, error) != 0) {
		transaction_abort(&transaction);
		return -1;
	}
	return transaction_commit(&transaction, error);
}
