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
#include "snapd/as_of.h"
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
	found = recipient->account == ACCOUNT_SERVICE
		    ? 0 /* nobody's mailbox */
		    : row_find_account(
			  journal->batch, recipient->account, &account, error);
	if (found == 0 && journal->is_repeating) {
		log_alarm("accepted-lost", "account=%u", recipient->account);
		return 0;
	}
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
		&journal->state.next_blob, body, &object, error) != 0 ||
	    put_unfiled(journal, recipient, number, &delivery, time, form,
		sender, object.blob, error) != 0)
		return -1;
	allowance_spend(journal->allowance, recipient->account,
	    journal->state.guard_us, 1, body.size);
	return 1;
}

/* Has one of the recipients something left of today's allowance, or was this
 * accepted before?  A message to several is for all of them, or for none. */
static int
has_allowance(struct journal *journal, const struct delivery_id *base,
    struct text recipients, struct error *error)
{
	struct delivery_id delivery = *base;
	struct recipient_record recipient;
	struct text value;
	struct reader r;
	struct key key;
	uint16_t number = 0;
	int found;

	reader_init(&r, recipients.data, recipients.size);
	for (; record_get_recipient(&r, &recipient) == 1; number++) {
		if (journal->is_repeating ||
		    allowance_has(journal->allowance, recipient.account,
			journal->state.guard_us))
			return 1;
		delivery.bytes[16] = (uint8_t)(number >> 8);
		delivery.bytes[17] = (uint8_t)number;
		journal_delivery_key(&key, recipient.account, &delivery);
		found =
		    store_get(journal->batch, DB_DELIVERY, &key, &value, error);
		if (found != 0)
			return found;
	}
	/* Malformed, unless there was one. */
	return number == 0;
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

	got = has_allowance(journal, delivery, recipients, error);
	if (got != 1)
		return got < 0 ? -1
			       : error_set(error, ERROR_FULL,
				     "the allowance of today is used up");
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

/* Within the round's transaction, so that none is overlooked; the answer waits
 * for its commit, as all do. */
enum status
journal_find_delivery(struct journal *journal, uint32_t account,
    const struct delivery_id *delivery, struct error *error)
{
	struct transaction *t = journal->round;
	struct text value;
	struct key key;
	int found;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return journal_status_of(error);
	journal_delivery_key(&key, account, delivery);
	found = store_get(t, DB_DELIVERY, &key, &value, error);
	if (t != journal->round)
		transaction_abort(&t);
	if (found < 0)
		return journal_status_of(error);
	return found == 1 ? STATUS_OK : STATUS_MISSING;
}

uint32_t
journal_new_uidvalidity(
    const struct journal *journal, struct account_row *account)
{
	uint32_t now = (uint32_t)(journal->now_us / 1000000);

	if (account->uidvalidity == UINT32_MAX)
		return 0;
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
	row->record.uidvalidity = journal_new_uidvalidity(journal, &owner);
	if (row->record.uidvalidity == 0)
		return STATUS_LIMIT;
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

	if (account == 0 || account >= ACCOUNT_SERVICE ||
	    text_copy(name, row.name, sizeof(row.name)) != 0)
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

/* An alarm keeps what it is about until an administrator releases it: what the
 * states since `from` showed. */
static int
put_alarm_hold(struct journal *journal, uint32_t account, uint64_t from,
    struct text why, struct error *error)
{
	struct hold hold = { .number = journal_sequence(journal),
		.pin = { .sequence = journal_sequence(journal),
		    .from = from,
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
	return store_put(
	    journal->batch, DB_MARK, &key, text_make(data, size), error);
}

/* `span_us` before it that an alarm holds, too. */
static int
put_mark_and_hold(struct journal *journal, uint8_t kind, uint32_t account,
    struct text name, struct text why, uint64_t span_us, struct error *error)
{
	struct hash root =
	    merkle_log_root(&journal->state.merkle, journal->digest);
	uint64_t now_us = journal->state.guard_us;
	uint64_t from = journal_sequence(journal);

	if (put_mark(journal, kind, account, name, why, &root, error) != 0)
		return -1;
	if (kind != SNAPSHOT_ALARM)
		return 0;
	if (span_us > 0 &&
	    as_of_sequence_at_guard(journal->batch,
		span_us < now_us ? now_us - span_us : 0, &from, error) != 0)
		return -1;
	/* The state of before the first event showed nothing. */
	return put_alarm_hold(
	    journal, account, from > 0 ? from : 1, why, error);
}

static enum status
put_marked(struct journal *journal, uint8_t kind, uint32_t account,
    struct text name, struct text why, uint64_t span_us, uint64_t *sequence,
    struct error *error)
{
	enum status status;

	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	*sequence = journal_sequence(journal);
	if (put_mark_and_hold(
		journal, kind, account, name, why, span_us, error) != 0) {
		journal_drop(journal);
		return journal_status_of(error);
	}
	journal->is_head_due = true;
	journal->promises++;
	return journal_finish(journal, EVENT_MARK,
	    kind == SNAPSHOT_ALARM ? ROLE_SNAPD : ROLE_SNAPCTL, account, "mark",
	    error);
}

enum status
journal_mark(struct journal *journal, uint8_t kind, uint32_t account,
    struct text name, struct text why, uint64_t *sequence, struct error *error)
{
	return put_marked(
	    journal, kind, account, name, why, 0, sequence, error);
}

/* Whoever makes alarms without end makes one of a kind that counts. */
enum alarm_kind {
	ALARM_LOSS,
	ALARM_ATTACK,
	ALARM_DAMAGE
};

static bool
is_alarm_due(struct journal *journal, uint32_t account, enum alarm_kind kind)
{
	uintptr_t now = (uintptr_t)(journal->state.guard_us / 60000000) + 1;
	uint64_t key = (uint64_t)kind << 32 | account;
	uintptr_t last = (uintptr_t)table_find_u64(journal->alarms, key);

	if (last != 0 && now < last + JOURNAL_ALARM_MINUTES)
		return false;
	table_put_u64(journal->alarms, key, (void *)now);
	return true;
}

void
journal_mark_loss(struct journal *journal, uint32_t account, const char *why)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t sequence;

	if (!is_alarm_due(journal, account, ALARM_LOSS))
		return;
	log_alarm("bulk-loss", "account=%u why=\"%s\"", account, why);
	if (put_marked(journal, SNAPSHOT_ALARM, account, TEXT("before-loss"),
		text_of(why), 0, &sequence, &error) != STATUS_OK)
		log_alarm("bulk-loss-mark", "error=\"%s\"", error.text);
}

void
journal_mark_attack(struct journal *journal, uint32_t account, const char *why)
{
	const uint64_t span_us = UINT64_C(3600000000) * JOURNAL_ALARM_HOURS;
	struct error error = { .code = ERROR_NONE };
	uint64_t sequence;

	log_alarm("alarm", "why=\"%s\"", why);
	if (is_alarm_due(journal, account, ALARM_ATTACK) &&
	    put_marked(journal, SNAPSHOT_ALARM, account, TEXT("alarm"),
		text_of(why), span_us, &sequence, &error) != STATUS_OK)
		log_alarm("alarm-mark", "error=\"%s\"", error.text);
}

void
journal_mark_damage(struct journal *journal, uint32_t account, const char *name,
    const char *why)
{
	const uint64_t span_us = UINT64_C(3600000000) * JOURNAL_ALARM_HOURS;
	struct error error = { .code = ERROR_NONE };
	uint64_t sequence;

	if (is_alarm_due(journal, account, ALARM_DAMAGE) &&
	    put_marked(journal, SNAPSHOT_ALARM, account, text_of(name),
		text_of(why), span_us, &sequence, &error) != STATUS_OK)
		log_alarm("damage-mark", "error=\"%s\"", error.text);
}
