/*
 * The collector: see sealing.h.  A full segment of whose bodies less than half
 * is alive is emptied in a pass: its live bodies are copied into the newest
 * segment, and the rows that it carries, as far as the index has them, go into
 * the blocks of this pass.  When the pass is complete nothing needs the segment
 * any more; it is said to be dropped, in the index and in the log, and its files
 * go away later, when no reader of before can be left.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "snapd/sealing.h"
#include "snapd/step.h"

#include <stdlib.h>

enum {
	GRACE_S = 60 /* that a reader of an older index may take */
};

/* -- Which one -- */

struct choice {
	struct sealing *sealing;
	struct transaction *t;
	uint32_t chosen;
	struct error *error;
};

static int
look_at(void *context, uint32_t number)
{
	struct choice *choice = context;
	struct segment_use use;
	int found = segment_use_find(choice->t, number, &use, choice->error);

	if (found < 0)
		return -1;
	if (found == 0 || use.state != SEGMENT_FULL ||
	    number == choice->sealing->spared ||
	    use.live_bytes >= use.dead_bytes)
		return 0;
	choice->chosen = number;
	return 1;
}

int
sealing_choose(struct sealing *sealing, uint32_t *number, struct error *error)
{
	struct choice choice = { .sealing = sealing, .error = error };
	int result;

	*number = 0;
	choice.t = transaction_begin(sealing->store, false, error);
	if (choice.t == NULL)
		return -1;
	result = segments_each(sealing->segments, look_at, &choice);
	transaction_abort(&choice.t);
	*number = choice.chosen;
	return result < 0 ? -1 : 0;
}

/* -- Its bodies -- */

struct list {
	struct sealing_body *bodies;
	size_t count;
	size_t room;
};

static void
list_put(struct list *list, const struct sealing_body *body)
{
	if (list->count == list->room) {
		list->room = list->room * 2 + 256;
		list->bodies = memory_resize(
		    list->bodies, list->room, sizeof(*list->bodies));
	}
	list->bodies[list->count++] = *body;
}

/* Bodies of a block that lie in this segment by the index. One that was cut
 * into several blocks is met in each, and is listed once. */
static int
list_block(struct transaction *t, const struct block *block, struct list *list,
    struct error *error)
{
	struct block_entry entry;
	struct object object;
	uint32_t count, i;
	int found;

	if (block_entries(block->raw, &count) != 0)
		return error_set(error, ERROR_DAMAGED, "malformed block");
	for (i = 0; i < count; i++) {
		if (block_entry_get(block->raw, i, &entry) != 0)
			return error_set(
			    error, ERROR_DAMAGED, "malformed block");
		if (list->count > 0 &&
		    list->bodies[list->count - 1].blob == entry.blob)
			continue;
		found = object_store_find(t, entry.blob, &object, error);
		if (found < 0)
			return -1;
		if (found == 1 && object.is_sealed)
			list_put(list, &(struct sealing_body){ object.account,
					   object.blob, object.size });
	}
	return 0;
}

int
sealing_each_block(struct sealing *sealing, uint32_t number,
    int (*visit)(void *context, const struct block *block), void *context,
    struct error *error)
{
	struct block_at at = { .segment = number };
	struct segment_env *env =
	    segments_get(sealing->segments, number, error);
	struct block_head head;
	struct block *block;
	uint32_t values;
	size_t offset;
	int found, result = 0;

	if (env == NULL || segment_env_values(env, &values, error) != 0)
		return -1;
	for (; at.value < values && result == 0; at.value++, at.block = 0) {
		found = segment_env_value(env, at.value, sealing->value, error);
		if (found < 0)
			return -1;
		while (result == 0 && found == 1 &&
		       (found = block_find(sealing->value, at.block, &head,
			    &offset, error)) == 1) {
			block = segments_read(sealing->segments, &at, error);
			result = block != NULL ? visit(context, block) : -1;
			block_release(&block);
			at.block++;
		}
		if (found < 0)
			return -1;
	}
	return result;
}

struct listing {
	struct transaction *t;
	struct list list;
	struct error *error;
};

static int
visit_bodies(void *context, const struct block *block)
{
	struct listing *listing = context;

	return block->head.kind == BLOCK_BODIES
		   ? list_block(
			 listing->t, block, &listing->list, listing->error)
		   : 0;
}

int
sealing_empty(struct sealing *sealing, uint32_t number, struct error *error)
{
	struct listing listing = { .error = error };
	int result;

	listing.t = transaction_begin(sealing->store, false, error);
	if (listing.t == NULL)
		return -1;
	result =
	    sealing_each_block(sealing, number, visit_bodies, &listing, error);
	transaction_abort(&listing.t);
	step_reached(STEP_COLLECT_LISTED);
	if (result == 0)
		result = sealing_copy(sealing, listing.list.bodies,
		    listing.list.count, number, error);
	free(listing.list.bodies);
	return result;
}

/* -- Its end -- */

struct dropping {
	struct sealing *sealing;
	struct transaction *t;
	uint32_t found;
	struct error *error;
};

static int
look_for_dropped(void *context, uint32_t number)
{
	struct dropping *dropping = context;
	struct segment_use use;
	int found =
	    segment_use_find(dropping->t, number, &use, dropping->error);

	if (found == 1 && use.state == SEGMENT_DROPPED)
		dropping->found = number;
	return found < 0 ? -1 : dropping->found != 0;
}

int
sealing_finish_dropped(struct sealing *sealing, struct error *error)
{
	struct dropping dropping = { .sealing = sealing, .error = error };
	int64_t now_us = clock_monotonic_us();
	int result;

	dropping.t = transaction_begin(sealing->store, false, error);
	if (dropping.t == NULL)
		return -1;
	result = segments_each(sealing->segments, look_for_dropped, &dropping);
	transaction_abort(&dropping.t);
	if (result < 0 || dropping.found == 0)
		return result < 0 ? -1 : 0;
	if (sealing->dropped != dropping.found) {
		sealing->dropped = dropping.found;
		sealing->dropped_us = now_us;
	}
	if (now_us - sealing->dropped_us < (int64_t)GRACE_S * 1000000 ||
	    segments_is_held(sealing->segments, dropping.found))
		return 0;
	return segments_drop(sealing->segments, dropping.found, error);
}
