/* See restore_plan.h. */
#include "snapd/restore_plan.h"

#include "common/memory.h"
#include "snapd/as_of.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_TIMES = 1000,      /* that one message is brought back */
	MISSING_ROW_SIZE = 12, /* mailbox u64, UID u32 */
	MAX_MISSING = 8 << 20  /* files of one account: 96 MiB said by it */
};

/* -- Delivery ids -- */

/* `kind` has 8 bytes. */
static struct delivery_id
make_delivery(struct digest *digest, const char *kind, uint64_t target,
    const struct message_row *row, unsigned int number)
{
	struct key input = { .size = 0 };
	struct delivery_id delivery;
	struct hash hash;

	key_put_raw(&input, kind, 8);
	if (target != 0)
		key_put_u64(&input, target);
	key_put_u64(&input, row->record.mailbox);
	key_put_u32(&input, row->record.uid);
	key_put_u32(&input, number);
	key_put_raw(&input, row->delivery.bytes, sizeof(row->delivery.bytes));
	hash = digest_of(digest, input.bytes, input.size);
	memcpy(delivery.bytes, hash.bytes, sizeof(delivery.bytes));
	return delivery;
}

struct delivery_id
restore_moved_delivery(struct digest *digest, const struct message_row *row)
{
	return make_delivery(digest, "replaced", 0, row, 0);
}

/* Is the message that this delivery became still live?  1, 0, -1. */
static int
find_live(struct transaction *t, struct text value,
    const struct delivery_id *delivery, struct message_row *now,
    struct error *error)
{
	struct result_record result;
	int found;

	if (row_decode_filed(value, &result) != 1)
		return error_set(error, ERROR_DAMAGED, "store: delivery row");
	found = row_find_message(t, result.mailbox, result.uid, now, error);
	if (found != 1)
		return found;
	return memcmp(&now->delivery, delivery, sizeof(*delivery)) == 0;
}

int
restore_find_copy(struct transaction *t, struct digest *digest,
    uint32_t account, const struct message_row *row, uint64_t target,
    struct delivery_id *delivery, struct message_row *now, struct error *error)
{
	const char *kind = target == 0 ? "restored" : "copied to";
	unsigned int number;
	struct text value;
	struct key key;
	int found;

	for (number = 0; number < MAX_TIMES; number++) {
		*delivery = make_delivery(digest, kind, target, row, number);
		journal_delivery_key(&key, account, delivery);
		found = store_get(t, DB_DELIVERY, &key, &value, error);
		if (found != 1)
			return found < 0 ? -1 : 1;
		found = find_live(t, value, delivery, now, error);
		if (found != 0)
			return found < 0 ? -1 : 0;
	}
	return error_set(
	    error, ERROR_LIMIT, "brought back %d times before", MAX_TIMES);
}

int
restore_find_name(struct journal *journal, struct transaction *t,
    uint32_t account, struct text name, uint64_t *mailbox, struct error *error)
{
	struct text value;
	struct key key;
	int found;

	journal_name_key(journal, &key, account, name);
	found = store_get(t, DB_NAME, &key, &value, error);
	if (found == 1 && value.size != 9)
		return error_set(error, ERROR_DAMAGED, "store: name row");
	*mailbox = found == 1 ? key_u64_at(value, 1) : 0;
	return found;
}

/* -- Files -- */

static int
compare_files(const void *a, const void *b)
{
	const struct restore_file *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

bool
restore_plan_is_missing(struct text rows)
{
	return rows.size % MISSING_ROW_SIZE == 0 &&
	       rows.size / MISSING_ROW_SIZE <= MAX_MISSING;
}

void
restore_plan_missing(struct restore_plan *plan, struct text rows)
{
	size_t count = rows.size / MISSING_ROW_SIZE;
	struct reader r;

	memory_free(&plan->missing);
	plan->missing_count = 0;
	if (count == 0)
		return;
	plan->missing = memory_new(count, sizeof(struct restore_file));
	plan->missing_count = count;
	reader_init(&r, rows.data, rows.size);
	for (size_t i = 0; i < count; i++) {
		plan->missing[i].mailbox = reader_get_u64(&r);
		plan->missing[i].uid = reader_get_u32(&r);
	}
	qsort(plan->missing, count, sizeof(struct restore_file), compare_files);
}

/* The files of a retired mailbox are gone. */
static bool
has_file(const struct restore_plan *plan, const struct message_row *now)
{
	struct restore_file file = { now->record.mailbox, now->record.uid };

	if (plan->is_retired || (now->record.flags & RECORD_MISSING) != 0)
		return false;
	return plan->missing_count == 0 ||
	       bsearch(&file, plan->missing, plan->missing_count, sizeof(file),
		   compare_files) == NULL;
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

static int
is_elsewhere(struct restore_plan *plan, struct transaction *t, uint32_t account,
    const struct message_row *row, struct error *error)
{
	if (plan->mode != MODE_MISSING || row->death != DEATH_MOVE)
		return 0;
	if (find_live_blobs(plan, t, account, error) != 0)
		return -1;
	return table_find_u64(plan->live_blobs, row->record.blob) != NULL;
}

/* -- The decision -- */

int
restore_plan_mailbox(struct restore_plan *plan, struct transaction *t,
    const struct mailbox_row *then, struct text target, struct error *error)
{
	static _Thread_local struct mailbox_row now;
	int found;

	found =
	    row_find_mailbox(t, then->account, then->record.id, &now, error);
	if (found != 1)
		return found < 0
			   ? -1
			   : error_set(error, ERROR_DAMAGED, "no mailbox");
	plan->is_retired = now.record.is_retired && plan->mode != MODE_COPY;
	plan->is_renamed = plan->mode == MODE_REWIND &&
			   !text_equal(now.record.name, then->record.name);
	plan->uidnext = now.record.uidnext;
	plan->sums = (struct control_plan){ .account = then->account,
		.mailbox = then->record.name };
	table_free(&plan->kept);
	plan->kept = table_new();
	plan->target = 0;
	return plan->mode == MODE_COPY &&
		       restore_find_name(plan->journal, t, then->account,
			   target, &plan->target, error) < 0
		   ? -1
		   : 0;
}

/* It is there: as `now`. */
static int
plan_there(struct restore_plan *plan, const struct message_row *row,
    const struct message_row *now)
{
	int what = RESTORE_NOTHING;

	if (!has_file(plan, now)) {
		what |= RESTORE_REFILL;
		plan->sums.refill++;
		plan->sums.bytes += row->record.stored_size;
	}
	if (plan->mode == MODE_REWIND &&
	    (((now->record.flags ^ row->record.flags) & FLAG_ALL) != 0 ||
		now->record.keywords != row->record.keywords)) {
		what |= RESTORE_CHANGE;
		plan->sums.change++;
	}
	return what;
}

int
restore_plan_message(struct restore_plan *plan, struct transaction *t,
    uint32_t account, const struct message_row *row, struct message_row *now,
    struct error *error)
{
	struct delivery_id delivery;
	int found = 0;

	if (plan->mode != MODE_COPY)
		found = row_find_message(
		    t, row->record.mailbox, row->record.uid, now, error);
	if (found == 0)
		found = is_elsewhere(plan, t, account, row, error);
	else if (found == 1)
		return plan_there(plan, row, now);
	if (found != 0)
		return found < 0 ? -1 : RESTORE_NOTHING;
	if (plan->mode != MODE_COPY || plan->target != 0) {
		found = restore_find_copy(t, plan->journal->digest, account,
		    row, plan->target, &delivery, now, error);
		if (found < 0)
			return -1;
		if (found == 0) {
			table_put_u64(plan->kept, now->record.uid, plan);
			return plan_there(plan, row, now);
		}
	}
	plan->sums.add++;
	plan->sums.bytes += row->record.stored_size;
	return RESTORE_ADD;
}

/* -- What came later -- */

int
restore_plan_newer(struct restore_plan *plan, struct transaction *t,
    uint64_t mailbox, uint32_t after, struct message_row *row,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox);
	key_put_u32(&from, after + 1);
	cursor = cursor_open(t, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		got = key_u64_at(key, 0) == mailbox &&
		      key_u32_at(key, 8) < plan->uidnext;
		if (got == 0 ||
		    table_find_u64(plan->kept, key_u32_at(key, 8)) == NULL)
			break;
	}
	if (got == 1)
		got = row_decode_live(key, value, row, error) == 0 ? 1 : -1;
	cursor_close(&cursor);
	plan->sums.move += got == 1;
	return got;
}

static bool
begins_with(struct text name, struct text level)
{
	return name.size > level.size &&
	       text_equal(text_make(name.data, level.size), level);
}

bool
restore_is_own_name(struct text name)
{
	return begins_with(name, TEXT(RESTORED "/")) ||
	       begins_with(name, TEXT(SUPERSEDED "/"));
}

/* 1: it is there now and was not then; 0; -1. */
static int
is_newer(struct transaction *t, uint64_t sequence, struct mailbox_row *row,
    struct error *error)
{
	struct text name = row->record.name;
	int was;

	if (row->record.is_retired || restore_is_own_name(name))
		return 0;
	was = as_of_mailbox(t, sequence, row, error);
	if (was < 0)
		return -1;
	return was == 0 || row->record.is_retired;
}

int
restore_plan_newer_mailbox(struct transaction *t, uint32_t account,
    uint64_t sequence, uint64_t after, struct mailbox_row *row,
    struct error *error)
{
	static _Thread_local struct mailbox_row then;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got, found = 0;

	key_put_u32(&from, account);
	key_put_u64(&from, after + 1);
	cursor = cursor_open(t, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return -1;
	while (found == 0 &&
	       (got = cursor_next(cursor, &key, &value, error)) != 0) {
		if (got == 1 && key_u32_at(key, 0) != account)
			break;
		if (got < 0 || row_decode_mailbox(value, &then, error) != 0)
			found = -1;
		else
			found = is_newer(t, sequence, &then, error);
	}
	if (found == 1)
		found = row_find_mailbox(
		    t, account, key_u64_at(key, 4), row, error);
	cursor_close(&cursor);
	return found;
}

void
restore_plan_clear(struct restore_plan *plan)
{
	table_free(&plan->live_blobs);
	table_free(&plan->kept);
	memory_free(&plan->missing);
	plan->missing_count = 0;
}
