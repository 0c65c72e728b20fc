/*
 * The requests that are one change each: mail that arrives, a new account, a
 * mark, a new mailbox.  Batches of a worker are in batch.c.
 *
 * unfiled value: form u8, blob u64, time i64, body form u8, delivery id 18,
 * sender text, recipient text.
 */
#include "snapd/journal.h"

#include "common/control_record.h"
#include "common/log.h"
#include "snapd/blob_use.h"
#include "snapd/hold.h"

#include <stdio.h>
#include <string.h>

static int
put_unfiled(struct journal *journal, const struct recipient_record *recipient,
    uint16_t number, const struct delivery_id *delivery, int64_t time,
    uint8_t form, struct text sender, uint64_t blob, struct error *error)
{
	struct key key = { .size = 0 };
	uint8_t data[1200];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, blob);
	writer_put_u64(&w, (uint64_t)time);
	writer_put_u8(&w, form);
	writer_put_raw(&w, delivery->bytes, sizeof(delivery->bytes));
	writer_put_text(&w, sender, 512);
	writer_put_text(&w, recipient->address, 512);
	if (w.failed)
		return error_set(error, ERROR_LIMIT, "address too long");
	key_put_u32(&key, recipient->account);
	key_put_u64(&key, journal_sequence(journal));
	key_put_u16(&key, number);
	if (blob_use_add(
		journal->batch, blob, journal_lock_us(journal), error) != 0 ||
	    store_put(journal->batch, DB_UNFILED, &key, text_make(data, w.size),
		error) != 0)
		return -1;
	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u8(&w, 0);
	writer_put_u64(&w, journal_sequence(journal));
	writer_put_u16(&w, number);
	journal_delivery_key(&key, recipient->account, delivery);
	return store_put(
	    journal->batch, DB_DELIVERY, &key, text_make(data, w.size), error);
}

/* 1 if something was added, 0 if the delivery was known. */
static int
accept_one(struct journal *journal, const struct recipient_record *recipient,
    uint16_t number, const struct delivery_id *base, uint8_t form, int64_t time,
    struct text sender, struct text body, struct error *error)
{
	struct object object = { .account = recipient->account };
	struct delivery_id delivery = *base;
	struct account_row account;
	struct text value;
	struct key key;
	int found;

	delivery.bytes[16] = (uint8_t)(number >> 8);
	delivery.bytes[17] = (uint8_t)number;
	found = row_find_account(
	    journal->batch, recipient->account, &account, error);
	if (found == 0)
		return error_set(
		    error, ERROR_MISSING, "no account %u", recipient->account);
	if (found < 0)
		return -1;
	journal_delivery_key(&key, recipient->account, &delivery);
	found = store_get(journal->batch, DB_DELIVERY, &key, &value, error);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (object_store_add(journal->batch, journal->digest,
		&journal->state.next_blob, form, body, &object, error) != 0 ||
	    put_unfiled(journal, recipient, number, &delivery, time, form,
		sender, object.blob, error) != 0)
		return -1;
	return 1;
}

static int
accept_all(struct journal *journal, const struct delivery_id *delivery,
    uint8_t form, int64_t time, struct text sender, struct text recipients,
    struct text body, struct error *error)
{
	struct recipient_record recipient;
	struct reader r;
	uint16_t number = 0;
	int got, added, total = 0;

	reader_init(&r, recipients.data, recipients.size);
	while ((got = record_get_recipient(&r, &recipient)) == 1) {
		if (number == JOURNAL_MAX_RECIPIENTS)
			return error_set(error, ERROR_LIMIT, "recipients");
		added = accept_one(journal, &recipient, number++, delivery,
		    form, time, sender, body, error);
		if (added < 0)
			return -1;
		total += added;
	}
	if (got < 0 || number == 0)
		return error_set(error, ERROR_INPUT, "malformed recipients");
	return total;
}

enum status
journal_accept(struct journal *journal, const struct delivery_id *delivery,
    uint8_t form, int64_t time, struct text sender, struct text recipients,
    struct text body, struct error *error)
{
	uint64_t next_blob = journal->state.next_blob;
	enum status status;
	char detail[40];
	int added;

	status =
	    journal_begin(journal, body.size + 1 + recipients.size * 4, error);
	if (status != STATUS_OK)
		return status;
	added = accept_all(
	    journal, delivery, form, time, sender, recipients, body, error);
	if (added <= 0) {
		journal_drop(journal);
		journal->state.next_blob = next_blob;
		return added == 0 ? STATUS_OK : journal_status_of(error);
	}
	text_format_hex(delivery->bytes, 16, detail);
	return journal_finish(
	    journal, EVENT_ACCEPT, ROLE_QUEUE, 0, detail, error);
}

static uint32_t
new_uidvalidity(const struct journal *journal, struct account_row *account)
{
	uint32_t now = (uint32_t)(journal->now_us / 1000000);

	if (now <= account->uidvalidity)
		now = account->uidvalidity + 1;
	account->uidvalidity = now;
	return now;
}

enum status
journal_make_mailbox(struct journal *journal, uint32_t account,
    struct text name, uint32_t special_use, struct mailbox_row *row,
    struct error *error)
{
	struct account_row owner;
	uint8_t number[9] = { 1 };
	struct key key, id = { .size = 0 };
	struct text value;
	int found;

	found = row_find_account(journal->batch, account, &owner, error);
	if (found == 1) {
		journal_name_key(journal, &key, account, name);
		found = store_get(journal->batch, DB_NAME, &key, &value, error);
		if (found == 1)
			return STATUS_EXISTS;
	} else if (found == 0) {
		return STATUS_MISSING;
	}
	if (found < 0)
		return journal_status_of(error);
	memset(row, 0, sizeof(*row));
	row->account = account;
	row->born = journal_sequence(journal);
	row->record.id = journal->state.next_mailbox++;
	row->record.uidvalidity = new_uidvalidity(journal, &owner);
	row->record.uidnext = 1;
	row->record.highest_modseq = 1;
	row->record.special_use = special_use;
	row->record.name = name;
	key_put_u64(&id, row->record.id);
	memcpy(number + 1, id.bytes, 8);
	if (row_put_account(journal->batch, account, &owner, error) != 0 ||
	    row_put_mailbox(journal->batch, row, error) != 0 ||
	    store_put(journal->batch, DB_NAME, &key,
		text_make(number, sizeof(number)), error) != 0)
		return journal_status_of(error);
	journal_touch(journal, row->record.id, 0, TOUCH_MAILBOX, 1);
	return STATUS_OK;
}

enum status
journal_create_account(struct journal *journal, uint32_t account,
    struct text name, struct error *error)
{
	struct account_row row = { .created = journal_sequence(journal) };
	struct mailbox_row inbox;
	enum status status;
	int found;

	if (account == 0 || text_copy(name, row.name, sizeof(row.name)) != 0)
		return STATUS_INVALID;
	status = journal_begin(journal, 4096, error);
	if (status != STATUS_OK)
		return status;
	found = row_find_account(
	    journal->batch, account, &(struct account_row){ 0 }, error);
	if (found == 1)
		status = STATUS_EXISTS;
	else if (found < 0 ||
		 row_put_account(journal->batch, account, &row, error) != 0)
		status = journal_status_of(error);
	else
		status = journal_make_mailbox(
		    journal, account, TEXT("INBOX"), 0, &inbox, error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	return journal_finish(
	    journal, EVENT_ACCOUNT, ROLE_SNAPCTL, account, row.name, error);
}

/* An alarm keeps what it is about until an administrator releases it. */
static int
put_alarm_hold(struct journal *journal, uint32_t account, struct text why,
    struct error *error)
{
	struct hold hold = { .number = journal_sequence(journal),
		.pin = { .sequence = journal_sequence(journal),
		    .until_us = RETENTION_NEVER,
		    .account = account,
		    .kind = PIN_ALARM },
		.wall_us = (uint64_t)journal->now_us,
		.tag = TEXT("alarm"),
		.why = why };

	return hold_put(journal->batch, &hold, error);
}

static int
put_mark(struct journal *journal, uint8_t kind, uint32_t account,
    struct text name, struct text why, const struct hash *root,
    struct error *error)
{
	struct mark mark = { .kind = kind,
		.wall_us = (uint64_t)journal->now_us,
		.guard_us = journal->state.guard_us,
		.root = *root,
		.name = name,
		.why = why };
	struct key key = { .size = 0 };
	uint8_t data[MARK_MAX_SIZE];
	size_t size = mark_encode(&mark, data);

	if (size == 0)
		return error_set(error, ERROR_LIMIT, "name or text too long");
	key_put_u64(&key, journal_sequence(journal));
	key_put_u32(&key, account);
	if (store_put(journal->batch, DB_MARK, &key, text_make(data, size),
		error) != 0)
		return -1;
	return kind == SNAPSHOT_ALARM
		   ? put_alarm_hold(journal, account, why, error)
		   : 0;
}

enum status
journal_mark(struct journal *journal, uint8_t kind, uint32_t account,
    struct text name, struct text why, uint64_t *sequence, struct error *error)
{
	struct hash root =
	    merkle_log_root(&journal->state.merkle, journal->digest);
	enum status status;

	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	*sequence = journal_sequence(journal);
	if (put_mark(journal, kind, account, name, why, &root, error) != 0) {
		journal_drop(journal);
		return journal_status_of(error);
	}
	journal->is_head_due = true;
	journal->promises++;
	return journal_finish(
	    journal, EVENT_MARK, ROLE_SNAPCTL, account, "mark", error);
}

void
journal_mark_loss(struct journal *journal, uint32_t account, const char *why)
{
	uintptr_t now = (uintptr_t)(journal->state.guard_us / 60000000) + 1;
	uintptr_t last =
	    (uintptr_t)table_find_u64(journal->loss_marks, account);
	struct error error = { .code = ERROR_NONE };
	uint64_t sequence;

	if (last != 0 && now < last + JOURNAL_LOSS_MINUTES)
		return;
	table_put_u64(journal->loss_marks, account, (void *)now);
	log_alarm("bulk-loss", "account=%u why=\"%s\"", account, why);
	if (journal_mark(journal, SNAPSHOT_ALARM, account, TEXT("before-loss"),
		text_of(why), &sequence, &error) != STATUS_OK)
		log_alarm("bulk-loss-mark", "error=\"%s\"", error.text);
}
