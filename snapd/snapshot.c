/*
 * The list of all snapshots: see snapshot.h.
 */
#include "snapd/snapshot.h"

#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/snapshot_parts.h"

#include <stdlib.h>
#include <string.h>

struct hash
snapshot_id(struct digest *digest, const struct store_id *store, uint32_t scope,
    uint64_t sequence)
{
	struct key input = { .size = 0 };

	key_put_raw(&input, store->bytes, sizeof(store->bytes));
	key_put_u32(&input, scope);
	key_put_u64(&input, sequence);
	return digest_of(digest, input.bytes, input.size);
}

static void
add(struct snapshot_list *list, struct digest *digest,
    const struct store_id *store, const struct snapshot *snapshot)
{
	struct snapshot *to;
	struct hash id;

	if (list->count == list->room) {
		list->room = list->room * 2 + 64;
		list->snapshots = memory_resize(
		    list->snapshots, list->room, sizeof(*list->snapshots));
	}
	to = &list->snapshots[list->count++];
	*to = *snapshot;
	to->digits = SNAPSHOT_ID_HEX;
	id = snapshot_id(digest, store, to->account, to->sequence);
	memcpy(to->id, id.bytes, sizeof(to->id));
}

static int
decode_mark(struct text value, struct mark *mark, struct error *error)
{
	return mark_decode(value, mark) == 0
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: malformed mark");
}

int
snapshot_read_mark(const struct snapshot_kept *kept, struct text key,
    struct text value, struct snapshot *snapshot, struct text *name,
    struct error *error)
{
	struct mark mark;

	if (decode_mark(value, &mark, error) != 0)
		return -1;
	*snapshot = (struct snapshot){ .sequence = key_u64_at(key, 0),
		.account = key_u32_at(key, 8),
		.kind = mark.kind,
		.time = (int64_t)(mark.wall_us / 1000000) };
	*name = mark.name;
	return pins_mark_until(&mark, kept->guard_us, kept->longest_s) >
		   kept->guard_us ||
	       pins_have(&kept->pins, snapshot->sequence);
}

int
snapshot_kept_read(struct snapshot_kept *kept, struct transaction *t,
    const struct retention *retention, struct error *error)
{
	struct ratchet ratchet;
	size_t i;

	if (as_of_promises(t, &kept->guard_us, &ratchet, error) != 0)
		return -1;
	for (i = 0; i < ratchet.count; i++)
		if (ratchet.entries[i].until_us > kept->guard_us)
			kept->policies[kept->count++] =
			    ratchet.entries[i].policy;
	if (kept->count == 0)
		kept->policies[kept->count++] = *retention;
	for (i = 0; i < kept->count; i++)
		if (kept->longest_s < retention_longest_s(&kept->policies[i]))
			kept->longest_s =
			    retention_longest_s(&kept->policies[i]);
	/* Without a policy nothing is let go. */
	if (ratchet.count == 0)
		kept->longest_s = (uint64_t)1 << 40;
	return pins_load_holds(&kept->pins, t, kept->guard_us, error);
}

bool
snapshot_concerns(const struct snapshot *mark, uint32_t account)
{
	return account == 0 || mark->account == 0 || mark->account == account;
}

static int
add_marks(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store, uint32_t account,
    const struct snapshot_kept *kept, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value, name;
	struct snapshot mark;
	struct cursor *cursor;
	int got = 0, found = 0;

	cursor = cursor_open(t, DB_MARK, &from, error);
	if (cursor == NULL)
		return -1;
	while (found >= 0 &&
	       (got = cursor_next(cursor, &key, &value, error)) == 1) {
		found =
		    snapshot_read_mark(kept, key, value, &mark, &name, error);
		if (found == 1 && snapshot_concerns(&mark, account))
			add(list, digest, store, &mark);
	}
	cursor_close(&cursor);
	return got < 0 || found < 0 ? -1 : 0;
}

/* How long ago, by the guard clock, the state of this sequence ended. */
static int
age_of(struct transaction *t, const struct snapshot_kept *kept,
    uint64_t sequence, uint64_t *age_us, struct error *error)
{
	uint64_t ended_us = kept->guard_us;

	if (sequence < as_of_last_sequence(t) &&
	    as_of_event_guard(t, sequence + 1, &ended_us, error) != 0)
		return -1;
	*age_us = ended_us < kept->guard_us ? kept->guard_us - ended_us : 0;
	return 0;
}

/* An instant at which nothing had changed since the one before is the same
 * snapshot. */
static int
add_timers(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct retention *retention, const struct snapshot_kept *kept,
    int64_t now, struct error *error)
{
	struct snapshot timer = { .kind = SNAPSHOT_TIMER };
	uint64_t sequence, age_us;
	int64_t at = 0;

	while ((at = retention_next(retention, now, at)) >= 0) {
		if (as_of_sequence_at(t, at * 1000000, &sequence, error) != 0 ||
		    age_of(t, kept, sequence, &age_us, error) != 0)
			return -1;
		if (sequence == timer.sequence ||
		    !retention_lists(retention, at, age_us))
			continue;
		timer.sequence = sequence;
		timer.time = at;
		add(list, digest, store, &timer);
	}
	return 0;
}

/* A state that is held is a snapshot, whatever else it is. */
static int
add_holds(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store, uint32_t account,
    const struct snapshot_kept *kept, struct error *error)
{
	struct snapshot held = { .kind = SNAPSHOT_NAMED };
	size_t i;

	for (i = 0; i < kept->pins.count; i++) {
		const struct retention_pin *pin = &kept->pins.pins[i];

		if (pin->kind != PIN_HOLD ||
		    (account != 0 && pin->account != 0 &&
			pin->account != account))
			continue;
		held.sequence = pin->sequence;
		if (held.sequence > 0 &&
		    as_of_event_time(t, held.sequence, &held.time, error) != 0)
			return -1;
		held.time /= 1000000;
		add(list, digest, store, &held);
	}
	return 0;
}

int
snapshot_add_computed(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct snapshot_kept *kept, int64_t now, uint32_t account,
    struct error *error)
{
	int result = add_holds(list, t, digest, store, account, kept, error);
	size_t i;

	for (i = 0; i < kept->count && result == 0; i++)
		result = add_timers(list, t, digest, store, &kept->policies[i],
		    kept, now, error);
	return result;
}

static int
add_all(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct retention *retention, int64_t now, uint32_t account,
    struct error *error)
{
	struct snapshot_kept kept = { 0 };
	int result = snapshot_kept_read(&kept, t, retention, error);

	if (result == 0)
		result =
		    add_marks(list, t, digest, store, account, &kept, error);
	if (result == 0)
		result = snapshot_add_computed(
		    list, t, digest, store, &kept, now, account, error);
	pins_clear(&kept.pins);
	return result;
}

static int
compare_sequence(const void *a, const void *b)
{
	const struct snapshot *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	if (x->account != y->account)
		return x->account < y->account ? -1 : 1;
	return (int)y->kind - (int)x->kind;
}

static int
compare_id(const void *a, const void *b)
{
	return memcmp(((const struct snapshot *)a)->id,
	    ((const struct snapshot *)b)->id, SNAPSHOT_ID_BYTES);
}

static unsigned int
nibble(const struct snapshot *snapshot, unsigned int i)
{
	return i % 2 == 0 ? snapshot->id[i / 2] >> 4 : snapshot->id[i / 2] & 15;
}

/* As many digits as tell neighbours in the order of ids apart. */
static void
settle_digits(struct snapshot_list *list)
{
	unsigned int same;
	size_t i;

	for (i = 1; i < list->count; i++) {
		struct snapshot *a = &list->snapshots[i - 1], *b = a + 1;

		for (same = 0; same < SNAPSHOT_ID_BYTES * 2 &&
			       nibble(a, same) == nibble(b, same);
		     same++)
			continue;
		if (same == SNAPSHOT_ID_BYTES * 2)
			continue; /* the same scope and sequence */
		if (a->digits < same + 1)
			a->digits = (uint8_t)(same + 1);
		if (b->digits < same + 1)
			b->digits = (uint8_t)(same + 1);
	}
}

int
snapshot_list_make(struct snapshot_list *list, struct transaction *t,
    struct digest *digest, const struct store_id *store,
    const struct retention *retention, int64_t now, uint32_t account,
    struct error *error)
{
	size_t i, kept = 0;

	*list = (struct snapshot_list){ 0 };
	if (add_all(list, t, digest, store, retention, now, account, error) !=
	    0)
		return -1;
	if (list->count == 0)
		return 0;
	qsort(
	    list->snapshots, list->count, sizeof(struct snapshot), compare_id);
	settle_digits(list);
	qsort(list->snapshots, list->count, sizeof(struct snapshot),
	    compare_sequence);
	/* A mark at a timer's sequence says all of it. */
	for (i = 0; i < list->count; i++)
		if (i == 0 || compare_id(&list->snapshots[kept - 1],
				  &list->snapshots[i]) != 0)
			list->snapshots[kept++] = list->snapshots[i];
	list->count = kept;
	return 0;
}

void
snapshot_list_clear(struct snapshot_list *list)
{
	free(list->snapshots);
	*list = (struct snapshot_list){ 0 };
}

int
snapshot_texts(struct transaction *t, const struct snapshot *snapshot,
    struct text *name, struct text *why, struct error *error)
{
	struct key key = { .size = 0 };
	struct mark mark;
	struct text value;
	int found;

	*name = *why = text_make(NULL, 0);
	if (snapshot->kind == SNAPSHOT_TIMER)
		return 0;
	key_put_u64(&key, snapshot->sequence);
	key_put_u32(&key, snapshot->account);
	found = store_get(t, DB_MARK, &key, &value, error);
	if (found != 1)
		return found;
	if (decode_mark(value, &mark, error) != 0)
		return -1;
	*name = mark.name;
	*why = mark.why;
	return 0;
}
