/* See restore_plan.h. */
#include "snapd/restore_plan.h"

#include "snapd/journal.h"

#include <string.h>

enum {
	MAX_TIMES = 1000 /* that one message is brought back */
};

struct delivery_id
restore_delivery(
    struct digest *digest, const struct message_row *row, unsigned int number)
{
	struct key input = { .size = 0 };
	struct delivery_id delivery;
	struct hash hash;

	key_put_raw(&input, "restored", 8);
	key_put_u64(&input, row->record.mailbox);
	key_put_u32(&input, row->record.uid);
	key_put_u32(&input, number);
	key_put_raw(&input, row->delivery.bytes, sizeof(row->delivery.bytes));
	hash = digest_of(digest, input.bytes, input.size);
	memcpy(delivery.bytes, hash.bytes, sizeof(delivery.bytes));
	return delivery;
}

/* Is the message that this delivery became still live?  1, 0, -1. */
static int
is_live(struct transaction *t, struct text value,
    const struct delivery_id *delivery, struct error *error)
{
	struct result_record result;
	struct message_row row;
	struct reader r;
	int found;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	if (reader_get_u8(&r) == 0 || record_get_result(&r, &result) != 1)
		return error_set(error, ERROR_DAMAGED, "store: delivery row");
	found = row_find_message(t, result.mailbox, result.uid, &row, error);
	if (found != 1)
		return found;
	return memcmp(&row.delivery, delivery, sizeof(*delivery)) == 0;
}

int
restore_find_delivery(struct transaction *t, struct digest *digest,
    uint32_t account, const struct message_row *row,
    struct delivery_id *delivery, struct error *error)
{
	unsigned int number;
	struct text value;
	struct key key;
	int found;

	for (number = 0; number < MAX_TIMES; number++) {
		*delivery = restore_delivery(digest, row, number);
		journal_delivery_key(&key, account, delivery);
		found = store_get(t, DB_DELIVERY, &key, &value, error);
		if (found != 1)
			return found < 0 ? -1 : 1;
		found = is_live(t, value, delivery, error);
		if (found != 0)
			return found < 0 ? -1 : 0;
	}
	return error_set(
	    error, ERROR_LIMIT, "brought back %d times before", MAX_TIMES);
}

/* -- Moved is not lost, unless its copy was expunged, too -- */

static int
add_live_blobs(struct restore_plan *plan, struct transaction *t,
    uint64_t mailbox, struct error *error)
{
	struct key from = { .size = 0 };
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox);
	cursor = cursor_open(t, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u64_at(key, 0) == mailbox) {
		got = row_decode_live(key, value, &row, error);
		if (got < 0)
			break;
		table_put_u64(plan->live_blobs, row.record.blob, plan);
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
find_live_blobs(struct restore_plan *plan, struct transaction *t,
    uint32_t account, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	if (plan->live_blobs != NULL && plan->live_account == account)
		return 0;
	table_free(&plan->live_blobs);
	plan->live_blobs = table_new();
	plan->live_account = account;
	key_put_u32(&from, account);
	cursor = cursor_open(t, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == account) {
		static _Thread_local struct mailbox_row row;

		got = row_decode_mailbox(value, &row, error);
		if (got == 0 && !row.record.is_retired)
			got = add_live_blobs(plan, t, row.record.id, error);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

/* -- The decision -- */

int
restore_plan_mailbox(struct restore_plan *plan, struct transaction *t,
    const struct mailbox_row *then, struct error *error)
{
	static _Thread_local struct mailbox_row now;
	int found;

	found =
	    row_find_mailbox(t, then->account, then->record.id, &now, error);
	if (found != 1)
		return found < 0
			   ? -1
			   : error_set(error, ERROR_DAMAGED, "no mailbox");
	plan->is_retired = now.record.is_retired;
	plan->sums = (struct control_plan){ .account = then->account,
		.mailbox = then->record.name };
	return 0;
}

static int
is_lost(struct restore_plan *plan, struct transaction *t, uint32_t account,
    const struct message_row *row, struct error *error)
{
	struct delivery_id delivery;

	if (row->death == DEATH_MOVE) {
		if (find_live_blobs(plan, t, account, error) != 0)
			return -1;
		if (table_find_u64(plan->live_blobs, row->record.blob) != NULL)
			return 0;
	}
	return restore_find_delivery(
	    t, plan->digest, account, row, &delivery, error);
}

int
restore_plan_message(struct restore_plan *plan, struct transaction *t,
    uint32_t account, const struct message_row *row, struct error *error)
{
	struct message_row now;
	int found, lost;

	found = row_find_message(
	    t, row->record.mailbox, row->record.uid, &now, error);
	if (found < 0)
		return -1;
	if (found == 1) {
		/* The files of a retired mailbox are gone. */
		if (!plan->is_retired &&
		    (now.record.flags & RECORD_MISSING) == 0)
			return RESTORE_NOTHING;
		plan->sums.refill++;
		plan->sums.bytes += row->record.stored_size;
		return RESTORE_REFILL;
	}
	lost = is_lost(plan, t, account, row, error);
	if (lost != 1)
		return lost < 0 ? -1 : RESTORE_NOTHING;
	plan->sums.add++;
	plan->sums.bytes += row->record.stored_size;
	return RESTORE_ADD;
}

void
restore_plan_clear(struct restore_plan *plan)
{
	table_free(&plan->live_blobs);
}
