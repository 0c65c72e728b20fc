/* See past.h. */
#include "snapd/past.h"

#include "common/memory.h"
#include "common/table.h"
#include "snapd/expunged.h"
#include "snapd/snapshot.h"

#include <stdlib.h>

static int
put_snapshot(struct buf *to, const struct snapshot *snapshot)
{
	char hex[2 * SNAPSHOT_ID_BYTES + 1];
	struct snapshot_record record = { .sequence = snapshot->sequence,
		.time = snapshot->time };
	uint8_t data[RECORD_SNAPSHOT_MAX];
	struct writer w;

	text_format_hex(snapshot->id, sizeof(snapshot->id), hex);
	if (snapshot->kind != SNAPSHOT_TIMER)
		record.id = text_make(hex, snapshot->digits);
	writer_init(&w, data, sizeof(data));
	record_put_snapshot(&w, &record);
	return w.failed ? -1 : buf_put(to, data, w.size);
}

int
past_read_snapshots(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct digest *digest = digest_new();
	struct snapshot_list list;
	struct account_row account;
	int found;

	found = row_find_account(t, reading->account, &account, error);
	if (found == 1 && snapshot_list_make(&list, t, digest, &reading->store,
			      &reading->retention, reading->now,
			      reading->account, error) != 0) {
		snapshot_list_clear(&list);
		found = -1;
	}
	digest_free(&digest);
	if (found != 1)
		return found < 0 ? -1 : error_set(error, ERROR_MISSING, "none");
	for (size_t i = 0; found >= 0 && i < list.count; i++)
		if (list.snapshots[i].sequence >= account.created)
			found =
			    put_snapshot(&reading->data, &list.snapshots[i]);
	snapshot_list_clear(&list);
	return found < 0 ? -1 : 0;
}

/* -- Expunged messages -- */

struct listing {
	struct reading *reading;
	struct transaction *transaction;
	struct table *told; /* mailboxes whose record is in the answer */
	struct mailbox_row mailbox;
	size_t shown;
	struct error *error;
};

/* Each mailbox before its first message. */
static int
tell_mailbox(struct listing *l)
{
	struct change_record change = { .kind = CHANGE_MAILBOX,
		.sequence = l->mailbox.born,
		.mailbox = l->mailbox.record };

	if (table_find_u64(l->told, change.mailbox.id) != NULL)
		return 0;
	table_put_u64(l->told, change.mailbox.id, l->told);
	return reading_put_change(&l->reading->data, &change);
}

static int
put_expunged(struct listing *l, const struct expunged *expunged)
{
	struct change_record change = { .kind = CHANGE_PAST,
		.sequence = expunged->died,
		.number = expunged->number };
	struct message_row row;
	char hex[40];
	int found = 1;

	if (expunged->mailbox != l->mailbox.record.id)
		found = row_find_mailbox(l->transaction, l->reading->account,
		    expunged->mailbox, &l->mailbox, l->error);
	if (found == 1)
		found = expunged_find_row(
		    l->transaction, expunged, &l->mailbox, &row, l->error);
	if (found != 1)
		return found;
	change.message = row.record;
	change.message.base = row_base(&row, hex);
	l->shown++;
	return tell_mailbox(l) == 0
		   ? reading_put_change(&l->reading->data, &change)
		   : -1;
}

/* From behind `after` on. */
static int
put_page(struct listing *l, uint32_t after)
{
	struct key from = { .size = 0 };
	struct expunged expunged;
	struct text key, value;
	struct cursor *cursor;
	size_t looked = 0;
	int got;

	key_put_u32(&from, l->reading->account);
	key_put_u32(&from, after == UINT32_MAX ? after : after + 1);
	cursor = cursor_open(l->transaction, DB_EXPUNGED, &from, l->error);
	if (cursor == NULL)
		return -1;
	while ((l->shown == 0 || looked++ < EXPUNGED_PAGE) &&
	       (got = cursor_next(cursor, &key, &value, l->error)) == 1 &&
	       key_u32_at(key, 0) == l->reading->account) {
		got = expunged_decode(key, value, &expunged, l->error);
		if (got == 0)
			got = put_expunged(l, &expunged);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

int
past_read_expunged(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct listing *l;
	uint32_t last, after = reading->after;
	int result;

	if (expunged_last(t, reading->account, &last, error) != 0)
		return -1;
	if (last > EXPUNGED_SHOWN && after < last - EXPUNGED_SHOWN)
		after = last - EXPUNGED_SHOWN;
	l = memory_new(1, sizeof(*l));
	l->reading = reading;
	l->transaction = t;
	l->told = table_new();
	l->error = error;
	result = put_page(l, after);
	table_free(&l->told);
	free(l);
	return result;
}

/* -- What vanished -- */

static int
put_vanished(struct reading *reading, const struct vanished_record *record)
{
	uint8_t data[RECORD_VANISHED_SIZE];
	struct writer w;

	if (record->first == 0)
		return 0;
	writer_init(&w, data, sizeof(data));
	record_put_vanished(&w, record);
	return w.failed ? -1 : buf_put(&reading->data, data, w.size);
}

/* One entry of account_log; runs of UIDs that died together are one record,
 * which is put when another one begins. 0 or -1. */
static int
add_vanished(struct reading *reading, struct text key, struct text value,
    struct vanished_record *run)
{
	struct vanished_record next = { .mailbox = key_u64_at(key, 12),
		.first = key_u32_at(key, 20),
		.last = key_u32_at(key, 20) };
	struct reader r;

	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	if (reader_get_u8(&r) != TOUCH_DIED)
		return 0;
	next.modseq = reader_get_u64(&r);
	if (r.failed || next.first == 0)
		return -1;
	if (run->first != 0 && run->mailbox == next.mailbox &&
	    run->modseq == next.modseq && run->last + 1 == next.first) {
		run->last = next.last;
		return 0;
	}
	if (put_vanished(reading, run) != 0)
		return -1;
	*run = next;
	return 0;
}

int
past_read_vanished(
    struct reading *reading, struct transaction *t, struct error *error)
{
	struct vanished_record run = { 0 };
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, reading->account);
	cursor = cursor_open(t, DB_ACCOUNT_LOG, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == reading->account) {
		got = add_vanished(reading, key, value, &run);
		if (got < 0)
			break;
	}
	cursor_close(&cursor);
	return got < 0 ? -1 : put_vanished(reading, &run);
}
