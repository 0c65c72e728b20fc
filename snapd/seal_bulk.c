/*
 * See seal_bulk.h.
 */
#include "snapd/seal_bulk.h"

#include "common/memory.h"
#include "common/table.h"
#include "snapd/seal_blocks.h"
#include "snapd/step.h"

#include <stdlib.h>
#include <string.h>

void
seal_bulk_begin(struct bulk *bulk, struct journal *journal)
{
	size_t i;

	for (i = 0; i < bulk->count; i++) {
		struct bulk_body *body = &bulk->bodies[i];

		body->object.account = bulk->account;
		body->object.blob = journal->state.next_blob + i;
		object_store_look(journal->digest, body->bytes, &body->object);
	}
	/* Also for a round that is undone. */
	journal->state.next_blob += bulk->count;
	journal->committed.next_blob += bulk->count;
}

void
seal_bulk_clear(struct bulk *bulk)
{
	seal_batch_clear(&bulk->placed);
	free(bulk->bodies);
	bulk->bodies = NULL;
	bulk->count = 0;
}

/* -- In the thread -- */

/* Is it the first of its content, in this bulk and in the account? */
static int
is_new(struct transaction *t, struct digest *digest, struct table *seen,
    struct object *object, struct error *error)
{
	int found;

	if (table_put(seen, object->hash.bytes, sizeof(object->hash.bytes),
		object) != NULL)
		return 0;
	found = object_store_has(t, digest, object, error);
	return found < 0 ? -1 : found == 0;
}

static int
write_new(struct seal_blocks *blocks, struct bulk *bulk, struct transaction *t,
    struct error *error)
{
	struct digest *digest = digest_new();
	struct table *seen = table_new();
	int result = 0;
	size_t i;

	for (i = 0; i < bulk->count && result == 0; i++) {
		struct bulk_body *body = &bulk->bodies[i];

		result = is_new(t, digest, seen, &body->object, error);
		if (result == 1)
			result = seal_blocks_add(
			    blocks, &body->object, body->bytes.data, error);
	}
	table_free(&seen);
	digest_free(&digest);
	return result == 0 ? seal_blocks_flush(blocks, error) : -1;
}

/* Items are in the order of bodies, of which some have none. */
static void
find_items(struct bulk *bulk)
{
	size_t i, at = 0;

	for (i = 0; i < bulk->count && at < bulk->placed.count; i++)
		if (bulk->placed.items[at].blob == bulk->bodies[i].object.blob)
			bulk->bodies[i].item = &bulk->placed.items[at++];
}

static int
write_bulk(struct sealing *sealing, struct bulk *bulk, struct error *error)
{
	struct transaction *t = transaction_begin(sealing->store, false, error);
	struct seal_blocks *blocks;
	int result;

	if (t == NULL)
		return -1;
	blocks = seal_blocks_new(sealing, &bulk->placed, 0);
	result = write_new(blocks, bulk, t, error);
	seal_blocks_free(&blocks);
	transaction_abort(&t);
	if (result == 0)
		find_items(bulk);
	return result;
}

static void
forget_places(struct bulk *list)
{
	struct bulk *bulk;
	size_t i;

	for (bulk = list; bulk != NULL; bulk = bulk->next) {
		for (i = 0; i < bulk->count; i++)
			bulk->bodies[i].item = NULL;
		seal_batch_clear(&bulk->placed);
	}
}

int
sealing_bulk(struct sealing *sealing, struct bulk *list, struct error *error)
{
	struct bulk *bulk, *last = NULL;
	int result = 0;

	for (bulk = list; bulk != NULL && result == 0; bulk = bulk->next) {
		result = write_bulk(sealing, bulk, error);
		if (bulk->placed.count > 0)
			last = bulk;
	}
	if (result == 0 && last != NULL)
		result = segment_writer_commit(sealing->writer, error);
	if (result != 0)
		forget_places(list);
	else if (last != NULL)
		last->end = segment_writer_end(sealing->writer);
	if (result == 0 && last != NULL)
		step_reached(STEP_BULK_WRITTEN);
	return result;
}

/* -- In the loop -- */

int
seal_bulk_add(
    struct journal *journal, struct bulk_body *body, struct error *error)
{
	const struct seal_item *item = body->item;
	int result = object_store_add_placed(journal->batch, journal->digest,
	    item->places, item->count, &body->object, error);

	body->is_added = true;
	step_reached(STEP_BULK_PLACED);
	return result;
}

int
seal_bulk_know(struct journal *journal, struct bulk *bulk, struct error *error)
{
	int result = 0;
	size_t i;

	for (i = 0; i < bulk->count && result == 0; i++) {
		const struct seal_item *item = bulk->bodies[i].item;

		if (item != NULL && !bulk->bodies[i].is_added)
			result = object_store_disown(
			    journal->batch, item->places, item->count, error);
	}
	if (result == 0 && bulk->end.segment != 0)
		result = seal_batch_know(journal->batch, &bulk->end, error);
	bulk->is_known = true;
	step_reached(STEP_BULK_KNOWN);
	return result;
}

enum status
seal_bulk_disown(
    struct journal *journal, struct bulk *bulk, struct error *error)
{
	enum status status = STATUS_OK;
	size_t i;

	for (i = 0; i < bulk->count; i++)
		bulk->bodies[i].is_added = false;
	if (bulk->placed.count > 0)
		status = journal_begin(journal, 0, error);
	if (bulk->placed.count == 0 || status != STATUS_OK)
		return status;
	if (seal_bulk_know(journal, bulk, error) == 0) {
		step_reached(STEP_BULK_DISOWNED);
		return journal_keep(journal, error);
	}
	journal_drop(journal);
	return journal_status_of(error);
}
