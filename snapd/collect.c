/*
 * The collector: see sealing.h.  The segments that collect_choice.h names are
 * emptied in a pass: their live bodies are copied into the newest segment, and
 * the rows that they carry, as far as the index has them, go into the blocks of
 * this pass.  When the pass is complete nothing needs the segments any more;
 * they are said to be dropped, in the index and in the log, and their files go
 * away later, when no reader of before can be left.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "snapd/sealing.h"
#include "snapd/step.h"

#include <stdlib.h>

/* -- Which ones -- */

struct look {
	struct sealing *sealing;
	struct transaction *t;
	struct error *error;
};

static int
look_at(void *context, uint32_t number)
{
	struct look *look = context;
	struct sealing *sealing = look->sealing;
	struct segment_load *load;
	struct segment_use use;
	int found = segment_use_find(look->t, number, &use, look->error);

	if (found < 0)
		return -1;
	if (use.state == SEGMENT_DROPPED)
		return 0;
	sealing->loads = memory_resize(
	    sealing->loads, sealing->load_count + 1, sizeof(*sealing->loads));
	load = &sealing->loads[sealing->load_count++];
	*load = (struct segment_load){ .number = number,
		.values = use.values,
		.live_bytes = use.live_bytes,
		.dead_bytes = use.dead_bytes,
		.may_go = use.state == SEGMENT_FULL &&
			  table_find_u64(sealing->spared, number) == NULL };
	return 0;
}

int
sealing_look(struct sealing *sealing, struct error *error)
{
	struct look look = { .sealing = sealing, .error = error };
	uint64_t values = 0;
	int result;
	size_t i;

	sealing->load_count = 0;
	look.t = transaction_begin(sealing->store, false, error);
	if (look.t == NULL)
		return -1;
	result = segments_each(sealing->segments, look_at, &look);
	transaction_abort(&look.t);
	for (i = 0; i < sealing->load_count; i++)
		values += sealing->loads[i].values;
	segment_writer_set_goal(sealing->writer, collect_goal(values));
	return result;
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

/* Bodies of a block that still lie in this segment by the index. One that was
 * cut into several blocks is met in each, and is listed once. */
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
		found = object_store_lies_in(
		    t, entry.blob, block->at.segment, error);
		if (found == 1)
			found =
			    object_store_find(t, entry.blob, &object, error);
		if (found < 0)
			return -1;
		if (found == 1)
			list_put(list, &(struct sealing_body){ object.account,
					   object.blob, object.size });
	}
	return 0;
}

static int
visit_block(struct sealing *sealing, const struct block_at *at,
    int (*visit)(void *context, const struct block *block), void *context,
    struct error *error)
{
	struct block *block = segments_read(sealing->segments, at, error);
	int result = block != NULL ? visit(context, block) : -1;

	block_release(&block);
	return result;
}

int
sealing_each_block(struct sealing *sealing, uint32_t number, unsigned int kinds,
    int (*visit)(void *context, const struct block *block), void *context,
    struct error *error)
{
	struct block_at at = { .segment = number };
	struct segment_env *env =
	    segments_get(sealing->segments, number, error);
	struct block_head head;
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
			if (kinds & 1U << head.kind)
				result = visit_block(
				    sealing, &at, visit, context, error);
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

	return list_block(listing->t, block, &listing->list, listing->error);
}

int
sealing_empty(struct sealing *sealing, uint32_t number, struct error *error)
{
	struct listing listing = { .error = error };
	int result;

	listing.t = transaction_begin(sealing->store, false, error);
	if (listing.t == NULL)
		return -1;
	result = sealing_each_block(
	    sealing, number, 1U << BLOCK_BODIES, visit_bodies, &listing, error);
	transaction_abort(&listing.t);
	step_reached(STEP_COLLECT_LISTED);
	if (result == 0)
		result = sealing_copy(sealing, listing.list.bodies,
		    listing.list.count, number, error);
	free(listing.list.bodies);
	return result;
}

/* -- Its end -- */

/* Since when it is known to be dropped; the table has it from then on. */
static int64_t
dropped_since(struct sealing *sealing, uint32_t number)
{
	int64_t *since = table_find_u64(sealing->dropped, number);

	if (since == NULL) {
		since = memory_new(1, sizeof(*since));
		*since = clock_monotonic_us();
		table_put_u64(sealing->dropped, number, since);
	}
	return *since;
}

static int
finish_one(void *context, uint32_t number)
{
	struct look *look = context;
	struct sealing *sealing = look->sealing;
	struct segment_use use;
	int found = segment_use_find(look->t, number, &use, look->error);

	if (found != 1 || use.state != SEGMENT_DROPPED)
		return found < 0 ? -1 : 0;
	if (clock_monotonic_us() - dropped_since(sealing, number) <
		sealing->grace_us ||
	    segments_is_held(sealing->segments, number))
		return 0;
	free(table_remove_u64(sealing->dropped, number));
	return segments_drop(sealing->segments, number, look->error);
}

int
sealing_finish_dropped(struct sealing *sealing, struct error *error)
{
	struct look look = { .sealing = sealing, .error = error };
	int result;

	look.t = transaction_begin(sealing->store, false, error);
	if (look.t == NULL)
		return -1;
	result = segments_each(sealing->segments, finish_one, &look);
	transaction_abort(&look.t);
	return result;
}
