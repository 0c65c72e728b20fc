/* See changed.h. */
#include "snapd/changed.h"

#include "common/event_form.h"
#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/event_row.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	const struct change_at *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int
add(struct changed *changed, struct text key, struct text value,
    struct error *error)
{
	struct change_at change = { key_u64_at(key, 12), key_u64_at(key, 4),
		key_u32_at(key, 20), false };
	struct event_entry entry;

	if (change.uid == 0)
		return 0;
	if (event_entry_decode(value, &entry) != 0)
		return error_set(error, ERROR_DAMAGED, "store: entry");
	change.ended_a_row = (entry.rows & EVENT_HAS_DEAD) != 0;
	if (changed->count == CHANGED_MAX) {
		changed->is_too_many = true;
		return 0;
	}
	if (changed->count == changed->room) {
		changed->room = changed->room * 2 + 64;
		changed->changes = memory_resize(
		    changed->changes, changed->room, sizeof(*changed->changes));
	}
	changed->changes[changed->count++] = change;
	return 0;
}

static int
scan(struct changed *changed, struct transaction *t, struct error *error)
{
	struct text key, value;
	struct cursor *cursor;
	struct key from;
	int got = 0;

	event_entry_key(&from, changed->account, changed->looked + 1, 0, 0);
	cursor = cursor_open(t, DB_ACCOUNT_LOG, &from, error);
	if (cursor == NULL)
		return -1;
	while (!changed->is_too_many &&
	       (got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == changed->account)
		if (add(changed, key, value, error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

int
changed_read(struct changed *changed, struct transaction *t, uint32_t account,
    uint64_t after, struct error *error)
{
	uint64_t last = as_of_last_sequence(t);
	size_t before;

	if (changed->account != account || changed->after != after ||
	    changed->looked == 0) {
		changed->account = account;
		changed->after = changed->looked = after;
		changed->is_too_many = false;
		changed->count = 0;
	}
	before = changed->count;
	if (changed->is_too_many || changed->looked == last)
		return 0;
	if (scan(changed, t, error) != 0)
		return -1;
	changed->looked = last;
	if (changed->count > before)
		qsort(changed->changes, changed->count,
		    sizeof(*changed->changes), compare);
	return 0;
}

const struct change_at *
changed_next(const struct changed *changed, uint64_t mailbox, uint32_t uid,
    size_t *count)
{
	struct change_at wanted = { mailbox, UINT64_MAX, uid, false };
	size_t low = 0, high = changed->count, middle, end;
	const struct change_at *first;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(&changed->changes[middle], &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == changed->count || changed->changes[low].mailbox != mailbox)
		return NULL;
	first = &changed->changes[low];
	for (end = low + 1;
	     end < changed->count && changed->changes[end].mailbox == mailbox &&
	     changed->changes[end].uid == first->uid;
	     end++)
		;
	*count = end - low;
	return first;
}

/* The row that the change ended: as give_dead of as_of.c, it may have been
 * forgotten. */
static int
find_dead(const struct change_at *change, struct transaction *t,
    struct message_row *row, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	if (!change->ended_a_row)
		return 0;
	key_put_u64(&key, change->mailbox);
	key_put_u64(&key, change->sequence);
	key_put_u32(&key, change->uid);
	found = store_get(t, DB_DEAD, &key, &value, error);
	if (found == 1 && row_decode_dead(text_make(key.bytes, key.size), value,
			      row, error) != 0)
		return -1;
	return found;
}

int
changed_row(const struct change_at *changes, size_t count,
    struct transaction *t, uint64_t sequence, struct message_row *row,
    struct error *error)
{
	size_t i = 0;
	int found;

	while (i < count && changes[i].sequence <= sequence)
		i++;
	/* The next change ended what was there then, if anything was. */
	if (i < count)
		found = find_dead(&changes[i], t, row, error);
	else
		found = row_find_message(
		    t, changes->mailbox, changes->uid, row, error);
	return found == 1 ? row->record.born <= sequence : found;
}

void
changed_clear(struct changed *changed)
{
	free(changed->changes);
	*changed = (struct changed){ 0 };
}
