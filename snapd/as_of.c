/*
 * See as_of.h.  Alive at S means: live with born <= S, or dead with
 * born <= S < died.
 */
#include "snapd/as_of.h"

#include "common/memory.h"
#include "common/event_form.h"

#include <stdlib.h>
#include <string.h>

uint64_t
as_of_last_sequence(struct transaction *t)
{
	struct key before = { .size = 0 };
	struct text key, value;

	key_put_u64(&before, UINT64_MAX);
	if (store_last_before(t, DB_LOG, &before, &key, &value, NULL) != 1)
		return 0;
	return key_u64_at(key, 0);
}

static int
find_event(struct transaction *t, uint64_t sequence, struct event_form *event,
    struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u64(&key, sequence);
	found = store_get(t, DB_LOG, &key, &value, error);
	if (found < 0)
		return -1;
	if (found == 0 || event_decode(value, event) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: an event is gone or malformed");
	return 0;
}

int
as_of_event_guard(struct transaction *t, uint64_t sequence, uint64_t *guard_us,
    struct error *error)
{
	struct event_form event;

	if (find_event(t, sequence, &event, error) != 0)
		return -1;
	*guard_us = event.guard_us;
	return 0;
}

int
as_of_event_time(struct transaction *t, uint64_t sequence, int64_t *time_us,
    struct error *error)
{
	struct event_form event;

	if (find_event(t, sequence, &event, error) != 0)
		return -1;
	*time_us = (int64_t)event.wall_us;
	return 0;
}

int
as_of_promises(struct transaction *t, uint64_t *guard_us,
    struct ratchet *ratchet, struct error *error)
{
	struct key state = { "state", 5 }, policy = { "policy", 6 };
	struct text value;
	struct reader r;
	int found;

	*guard_us = 0;
	memset(ratchet, 0, sizeof(*ratchet));
	found = store_get(t, DB_META, &state, &value, error);
	if (found == 1) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		reader_get_u64(&r);
		*guard_us = reader_get_u64(&r);
	}
	if (found >= 0)
		found = store_get(t, DB_META, &policy, &value, error);
	if (found == 1 && ratchet_decode(value, ratchet) != 0)
		return error_set(error, ERROR_DAMAGED, "store: policy");
	return found < 0 ? -1 : 0;
}

/* The last event at which one of the clocks had not passed `time_us`. */
static int
find_sequence(struct transaction *t, bool by_guard, uint64_t time_us,
    uint64_t *sequence, struct error *error)
{
	uint64_t low = 0, high = as_of_last_sequence(t), middle;
	struct event_form event;

	while (low < high) {
		middle = low + (high - low + 1) / 2;
		if (find_event(t, middle, &event, error) != 0)
			return -1;
		if ((by_guard ? event.guard_us : event.wall_us) <= time_us)
			low = middle;
		else
			high = middle - 1;
	}
	*sequence = low;
	return 0;
}

int
as_of_sequence_at(struct transaction *t, int64_t time_us, uint64_t *sequence,
    struct error *error)
{
	*sequence = 0;
	return time_us < 0 ? 0
			   : find_sequence(
				 t, false, (uint64_t)time_us, sequence, error);
}

int
as_of_sequence_at_guard(struct transaction *t, uint64_t guard_us,
    uint64_t *sequence, struct error *error)
{
	return find_sequence(t, true, guard_us, sequence, error);
}

int
as_of_mailbox(struct transaction *t, uint64_t sequence, struct mailbox_row *row,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	uint32_t uidnext = row->record.uidnext;
	uint64_t modseq = row->record.highest_modseq;
	uint64_t messages = row->record.message_count;
	uint64_t id = row->record.id;
	int got;

	if (row->born <= sequence)
		return 1;
	key_put_u64(&from, id);
	key_put_u64(&from, sequence + 1);
	cursor = cursor_open(t, DB_MAILBOX_OLD, &from, error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, error);
	if (got == 1 && key_u64_at(key, 0) == id)
		got = row_decode_mailbox(value, row, error) < 0 ? -1 : 1;
	else if (got == 1)
		got = 0;
	cursor_close(&cursor);
	row->record.uidnext = uidnext;
	row->record.highest_modseq = modseq;
	row->record.message_count = messages;
	return got == 1 ? row->born <= sequence : got;
}

/* -- Messages of a mailbox -- */

void
as_of_start(
    struct as_of *as_of, uint64_t mailbox, uint64_t sequence, uint32_t after)
{
	as_of->mailbox = mailbox;
	as_of->sequence = sequence;
	as_of->scanned = sequence;
	as_of->after = after;
	as_of->count = 0;
	as_of->next = 0;
	as_of->names_damage = false;
}

static int
compare_dead(const void *a, const void *b)
{
	const struct as_of_dead *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->died < y->died ? -1 : x->died > y->died;
}

/* Of each UID the row that was alive then, if there is one, with the last
 * word on how the UID ended. */
static void
settle_dead(struct as_of *as_of)
{
	struct as_of_dead *dead = as_of->dead;
	size_t i, kept = 0;

	if (as_of->count > 1)
		qsort(dead, as_of->count, sizeof(*dead), compare_dead);
	for (i = 0; i < as_of->count; i++) {
		if (kept > 0 && dead[kept - 1].uid == dead[i].uid)
			dead[kept - 1].last_death = dead[i].last_death;
		else if (dead[i].is_alive)
			dead[kept++] = dead[i];
	}
	as_of->count = kept;
}

static void
add_dead(struct as_of *as_of, const struct message_row *row)
{
	if (row->record.uid <= as_of->after)
		return;
	if (as_of->count == as_of->room) {
		as_of->room = as_of->room * 2 + 64;
		as_of->dead = memory_resize(
		    as_of->dead, as_of->room, sizeof(*as_of->dead));
	}
	as_of->dead[as_of->count++] =
	    (struct as_of_dead){ row->died, row->record.uid,
		    row->record.born <= as_of->sequence, (uint8_t)row->death };
}

/* Whether it can be read or not: it is none of this mailbox. */
static bool
is_of_another(const struct as_of *as_of, struct text key, struct error *error)
{
	if (key.size < 8 || key_u64_at(key, 0) == as_of->mailbox)
		return false;
	error->code = ERROR_NONE;
	return true;
}

/* Is it a row of the mailbox, with a key of that size, that only cannot be
 * read? */
static bool
is_named(const struct as_of *as_of, struct text key, size_t size,
    const struct error *error)
{
	return as_of->names_damage && error->code == ERROR_DAMAGED &&
	       key.size == size && key_u64_at(key, 0) == as_of->mailbox;
}

/* The next row behind the cursor that is of the mailbox: 1, 0, -1. When a
 * damaged one was born is not known: it counts as alive. */
static int
next_dead(struct as_of *as_of, struct cursor *cursor, struct message_row *row,
    struct error *error)
{
	struct text key = { NULL, 0 }, value;
	int got = cursor_next(cursor, &key, &value, error);

	if (is_of_another(as_of, key, error))
		return 0;
	if (got == 1 && row_decode_dead(key, value, row, error) != 0)
		got = -1;
	if (got >= 0 || !is_named(as_of, key, 20, error))
		return got;
	error->code = ERROR_NONE;
	*row = (struct message_row){ .record = { .uid = key_u32_at(key, 16) },
		.died = key_u64_at(key, 8),
		.death = DEATH_EXPUNGE };
	return 1;
}

/* Those that died since the last look. */
static int
scan_dead(struct as_of *as_of, struct transaction *t, struct error *error)
{
	struct key from = { .size = 0 };
	struct message_row row;
	struct cursor *cursor;
	int got;

	if (as_of->next > 0)
		memmove(as_of->dead, as_of->dead + as_of->next,
		    (as_of->count - as_of->next) * sizeof(*as_of->dead));
	as_of->count -= as_of->next;
	as_of->next = 0;
	key_put_u64(&from, as_of->mailbox);
	key_put_u64(&from, as_of->scanned + 1);
	cursor = cursor_open(t, DB_DEAD, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = next_dead(as_of, cursor, &row, error)) == 1) {
		as_of->scanned = row.died;
		add_dead(as_of, &row);
	}
	cursor_close(&cursor);
	settle_dead(as_of);
	return got < 0 ? -1 : 0;
}

int
as_of_resume(struct as_of *as_of, struct transaction *t, struct error *error)
{
	struct key from = { .size = 0 };

	if (scan_dead(as_of, t, error) != 0)
		return -1;
	key_put_u64(&from, as_of->mailbox);
	key_put_u32(&from, as_of->after + 1);
	as_of->transaction = t;
	as_of->has_live = false;
	as_of->cursor = cursor_open(t, DB_LIVE, &from, error);
	return as_of->cursor != NULL ? 0 : -1;
}

/* It is told when its turn comes. */
static void
hide_damage(struct as_of *as_of, uint32_t uid, struct error *error)
{
	as_of->live.record.uid = uid;
	as_of->damage = *error;
	error->code = ERROR_NONE;
}

/* The next live row that was there, into as_of->live. */
static int
look_live(struct as_of *as_of, struct error *error)
{
	struct text key = { NULL, 0 }, value;
	int got = 1;

	while (!as_of->has_live && as_of->cursor != NULL) {
		got = cursor_next(as_of->cursor, &key, &value, error);
		if (is_of_another(as_of, key, error))
			got = 0;
		if (got == 0)
			cursor_close(&as_of->cursor);
		if (got == 1 &&
		    row_decode_live(key, value, &as_of->live, error) != 0)
			got = -1;
		as_of->is_damaged = got < 0 && is_named(as_of, key, 12, error);
		if (got != 1 && !as_of->is_damaged)
			return got;
		as_of->has_live = as_of->is_damaged ||
				  as_of->live.record.born <= as_of->sequence;
		if (as_of->is_damaged)
			hide_damage(as_of, key_u32_at(key, 8), error);
	}
	return as_of->has_live;
}

enum {
	GIVE_DAMAGED = 2, /* as as_of_next */
	GIVE_GONE
};

/* 1 and the row, or one of these, or -1. */
static int
give_dead(struct as_of *as_of, struct message_row *row, struct error *error)
{
	const struct as_of_dead *dead = &as_of->dead[as_of->next++];
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u64(&key, as_of->mailbox);
	key_put_u64(&key, dead->died);
	key_put_u32(&key, dead->uid);
	found = store_get(as_of->transaction, DB_DEAD, &key, &value, error);
	as_of->after = dead->uid;
	/* Forgotten between two steps: this is no snapshot that is kept. */
	if (found == 0)
		return GIVE_GONE;
	if (found == 1 && row_decode_dead(text_make(key.bytes, key.size), value,
			      row, error) != 0)
		found = -1;
	row->record.uid = dead->uid;
	if (found < 0)
		return as_of->names_damage && error->code == ERROR_DAMAGED
			   ? GIVE_DAMAGED
			   : -1;
	row->death = dead->last_death;
	return 1;
}

int
as_of_next(struct as_of *as_of, struct message_row *row, struct error *error)
{
	int live = look_live(as_of, error), dead = GIVE_GONE;

	if (live < 0)
		return -1;
	while (dead == GIVE_GONE && as_of->next < as_of->count &&
	       (live == 0 ||
		   as_of->dead[as_of->next].uid < as_of->live.record.uid))
		dead = give_dead(as_of, row, error);
	if (dead != GIVE_GONE || live == 0)
		return dead == GIVE_GONE ? 0 : dead;
	as_of->has_live = false;
	as_of->after = as_of->live.record.uid;
	if (as_of->is_damaged) {
		row->record.uid = as_of->live.record.uid;
		*error = as_of->damage;
		return GIVE_DAMAGED;
	}
	row->record = as_of->live.record;
	row->delivery = as_of->live.delivery;
	row->died = 0;
	return 1;
}

void
as_of_pause(struct as_of *as_of)
{
	cursor_close(&as_of->cursor);
	as_of->transaction = NULL;
	as_of->has_live = false;
}

void
as_of_clear(struct as_of *as_of)
{
	as_of_pause(as_of);
	free(as_of->dead);
	memset(as_of, 0, sizeof(*as_of));
}
