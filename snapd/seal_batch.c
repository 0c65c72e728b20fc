/*
 * See seal_batch.h.  A body's chunks are freed after its row says where it
 * lies, some at a time: a large one may be freed over many transactions.
 */
#include "snapd/seal_batch.h"

#include "common/clock.h"
#include "common/memory.h"
#include "snapd/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FREE_AT_ONCE = 64 /* chunks between two looks at the clock */
};

struct seal_item *
seal_batch_add(struct seal_batch *batch, enum seal_kind kind)
{
	struct seal_item *item;

	if (batch->count == batch->room) {
		batch->room = batch->room * 2 + 64;
		batch->items = memory_resize(
		    batch->items, batch->room, sizeof(*batch->items));
	}
	item = &batch->items[batch->count++];
	memset(item, 0, sizeof(*item));
	item->kind = (uint8_t)kind;
	return item;
}

void
seal_item_add(struct seal_item *item, const struct place *place)
{
	item->places = memory_resize(
	    item->places, item->count + 1U, sizeof(*item->places));
	item->places[item->count++] = *place;
}

void
seal_batch_clear(struct seal_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		free(batch->items[i].places);
	free(batch->items);
	memset(batch, 0, sizeof(*batch));
}

static struct key
sealed_key(void)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "sealed", 6);
	return key;
}

int
seal_batch_sealed(
    struct transaction *transaction, uint64_t *sequence, struct error *error)
{
	struct key key = sealed_key();
	struct text value;
	struct reader r;
	int found = store_get(transaction, DB_META, &key, &value, error);

	*sequence = 0;
	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	*sequence = reader_get_u64(&r);
	return reader_done(&r) == 0
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: malformed meta");
}

int
seal_batch_put_sealed(
    struct transaction *transaction, uint64_t sequence, struct error *error)
{
	struct key key = sealed_key();
	uint8_t data[9];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, sequence);
	return store_put(
	    transaction, DB_META, &key, text_make(data, w.size), error);
}

/* What a replay finds was on its way from the index, or from another
 * segment. */
static int
swap(struct transaction *t, const struct seal_item *item, struct error *error)
{
	struct object object;
	int found = 0;
	bool is_move = item->kind == SEAL_MOVE;

	if (item->kind == SEAL_FREE)
		return 0;
	if (item->kind == SEAL_REPLAYED)
		found = object_store_find(t, item->blob, &object, error);
	if (found < 0)
		return -1;
	is_move = is_move || (found == 1 && object.is_sealed);
	return is_move ? object_store_move(t, item->blob, &item->hash,
			     item->segment, item->places, item->count, error)
		       : object_store_seal(t, item->blob, &item->hash,
			     item->places, item->count, error);
}

/* 1 if the item is done, 0 if it must go on, -1. */
static int
apply_body(struct transaction *t, const struct seal_item *item,
    bool *is_swapped, struct error *error)
{
	int freed;

	if (!*is_swapped && swap(t, item, error) < 0)
		return -1;
	*is_swapped = true;
	step_reached(
	    item->kind == SEAL_MOVE ? STEP_COLLECT_MOVED : STEP_SEAL_PLACED);
	if (item->kind == SEAL_MOVE)
		return 1;
	freed = object_store_free(t, item->blob, FREE_AT_ONCE, error);
	step_reached(STEP_SEAL_FREED);
	return freed < 0 ? -1 : freed < FREE_AT_ONCE;
}

/* Only ever further: bulk may have been told of before what was written before
 * it. */
static void
know(struct segment_use *use, const struct block_at *end)
{
	uint32_t values = end->value + (end->block > 0);

	if (values < use->values ||
	    (values == use->values && end->block <= use->blocks))
		return;
	use->values = values;
	use->blocks = end->block;
}

int
seal_batch_know(
    struct transaction *t, const struct block_at *end, struct error *error)
{
	struct segment_use use;

	if (segment_use_find(t, end->segment, &use, error) < 0)
		return -1;
	know(&use, end);
	return segment_use_put(t, end->segment, &use, error);
}

/* The state, once, and what the event says of it: "" if it was so before. */
static int
apply_state(struct transaction *t, const struct seal_item *item, char *detail,
    size_t room, struct error *error)
{
	uint8_t state =
	    item->kind == SEAL_FULL ? SEGMENT_FULL : SEGMENT_DROPPED;
	struct segment_use use;
	char hex[65];

	if (segment_use_find(t, item->segment, &use, error) < 0)
		return -1;
	if (use.state >= state ||
	    (state == SEGMENT_DROPPED && use.live_bytes > 0))
		return 0;
	use.state = state;
	if (state == SEGMENT_FULL) {
		use.hash = item->hash;
		know(&use, &item->end);
	}
	text_format_hex(use.hash.bytes, sizeof(use.hash.bytes), hex);
	snprintf(detail, room, "segment %u %s, sha256 %s", item->segment,
	    state == SEGMENT_FULL ? "full" : "dropped", hex);
	return segment_use_put(t, item->segment, &use, error);
}

/* As apply_body. */
static int
apply_item(struct transaction *t, const struct seal_item *item,
    bool *is_swapped, char *detail, size_t room, struct error *error)
{
	int result = 0;

	switch (item->kind) {
	case SEAL_BODY:
	case SEAL_REPLAYED:
	case SEAL_MOVE:
	case SEAL_FREE:
		return apply_body(t, item, is_swapped, error);
	case SEAL_KNOWN:
		result = seal_batch_know(t, &item->end, error);
		step_reached(STEP_SEAL_KNOWN);
		break;
	case SEAL_FULL:
	case SEAL_DROPPED:
		result = apply_state(t, item, detail, room, error);
		step_reached(item->kind == SEAL_FULL ? STEP_SEAL_FULL
						     : STEP_COLLECT_DROPPED);
		break;
	case SEAL_PASS:
		result = seal_batch_put_sealed(t, item->sequence, error);
		step_reached(STEP_SEAL_PASSED);
		break;
	default:
		break;
	}
	return result == 0 ? 1 : -1;
}

/* What has an event ends the slice: there is one event for each. */
static int
apply_slice(struct seal_batch *batch, struct transaction *t, int64_t budget_us,
    char *detail, size_t room, struct error *error)
{
	int64_t start = clock_monotonic_us();
	struct seal_progress at = batch->committed;
	int done;

	while (at.done < batch->count && detail[0] == '\0') {
		done = apply_item(t, &batch->items[at.done], &at.is_swapped,
		    detail, room, error);
		if (done < 0)
			return -1;
		if (done == 1)
			at = (struct seal_progress){ at.done + 1, false };
		if (clock_monotonic_us() - start >= budget_us)
			break;
	}
	batch->applied = at;
	return 0;
}

int
seal_batch_apply(struct seal_batch *batch, struct journal *journal,
    int64_t budget_us, struct error *error)
{
	char detail[120] = "";

	batch->applied = batch->committed;
	if (journal_begin(journal, 0, error) != STATUS_OK)
		return -1;
	if (apply_slice(batch, journal->batch, budget_us, detail,
		sizeof(detail), error) != 0) {
		journal_drop(journal);
		return -1;
	}
	if (detail[0] == '\0')
		return journal_keep(journal, error) == STATUS_OK ? 0 : -1;
	return journal_finish(journal, EVENT_SEGMENT, ROLE_SNAPD, 0, detail,
		   error) == STATUS_OK
		   ? 0
		   : -1;
}

void
seal_batch_committed(struct seal_batch *batch, bool is_kept)
{
	if (is_kept) {
		batch->committed = batch->applied;
		step_reached(STEP_SEAL_KEPT);
	}
	batch->applied = batch->committed;
}
