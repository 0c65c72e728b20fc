/*
 * See seal_bulk.h.
 */
#include "snapd/seal_bulk.h"

#include "common/memory.h"
#include "snapd/pieces.h"
#include "snapd/step.h"

#include <stdlib.h>
#include <string.h>

/* What a body is, and the next number. */
static void
look(struct bulk_body *body, struct journal *journal, uint32_t account,
    uint64_t number)
{
	body->object.account = account;
	body->object.blob = number;
	object_store_look(journal->digest, body->bytes, &body->object);
}

static uint64_t
look_at_pieces(struct bulk_body *body, struct journal *journal, uint64_t number)
{
	struct piece_span *spans;
	size_t i;

	body->piece_count = pieces_cut(body->bytes, &spans);
	if (body->piece_count == 0)
		return number;
	body->pieces = memory_new(body->piece_count, sizeof(*body->pieces));
	for (i = 0; i < body->piece_count; i++) {
		struct bulk_body *piece = &body->pieces[i];

		piece->bytes = text_make(
		    body->bytes.data + spans[i].offset, spans[i].size);
		piece->is_run = spans[i].is_run;
		look(piece, journal, body->object.account, number++);
	}
	free(spans);
	return number;
}

void
seal_bulk_begin(struct bulk *bulk, struct journal *journal)
{
	uint64_t number = journal->state.next_blob;
	size_t i;

	for (i = 0; i < bulk->count; i++) {
		look(&bulk->bodies[i], journal, bulk->account, number++);
		number = look_at_pieces(&bulk->bodies[i], journal, number);
	}
	/* Also for a round that is undone. */
	journal->committed.next_blob += number - journal->state.next_blob;
	journal->state.next_blob = number;
}

void
seal_bulk_clear(struct bulk *bulk)
{
	size_t i;

	seal_batch_clear(&bulk->placed);
	for (i = 0; i < bulk->count; i++)
		free(bulk->bodies[i].pieces);
	free(bulk->bodies);
	bulk->bodies = NULL;
	bulk->count = 0;
}

/* -- When they are written -- */

bool
seal_bulk_is_placed(const struct bulk_body *body)
{
	return body->item != NULL || seal_bulk_placed_bytes(body) > 0;
}

uint64_t
seal_bulk_placed_bytes(const struct bulk_body *body)
{
	uint64_t bytes = body->item != NULL ? body->bytes.size : 0;
	size_t i;

	for (i = 0; i < body->piece_count; i++)
		bytes += seal_bulk_placed_bytes(&body->pieces[i]);
	return bytes;
}

/* One without pieces. */
static int
add_one(struct journal *journal, struct bulk_body *body, struct error *error)
{
	const struct seal_item *item = body->item;

	if (item == NULL)
		return object_store_add(journal->batch, journal->digest,
		    &journal->state.next_blob, body->bytes, &body->object,
		    error);
	body->is_added = true;
	return object_store_add_placed(journal->batch, journal->digest,
	    item->places, item->count, &body->object, error);
}

static int
add_pieces(struct journal *journal, struct bulk_body *body, struct error *error)
{
	struct piece_ref *pieces =
	    memory_new(body->piece_count, sizeof(*pieces));
	int result = 0;
	size_t i;

	for (i = 0; i < body->piece_count && result == 0; i++) {
		result = add_one(journal, &body->pieces[i], error);
		pieces[i] = (struct piece_ref){ body->pieces[i].object.blob,
			body->pieces[i].object.size };
	}
	if (result == 0)
		result = object_store_add_pieced(journal->batch,
		    journal->digest, pieces, (uint32_t)body->piece_count,
		    &body->object, error);
	free(pieces);
	return result;
}

int
seal_bulk_add(
    struct journal *journal, struct bulk_body *body, struct error *error)
{
	int found = 0, result;

	if (body->piece_count > 0)
		found = object_store_find_same(
		    journal->batch, journal->digest, &body->object, error);
	if (found != 0)
		return found < 0 ? -1 : 0;
	result = body->piece_count > 0 ? add_pieces(journal, body, error)
				       : add_one(journal, body, error);
	step_reached(STEP_BULK_PLACED);
	return result;
}

/* What has a place and was not added. */
static int
disown_part(
    struct journal *journal, const struct bulk_body *body, struct error *error)
{
	const struct seal_item *item = body->item;
	size_t i;

	for (i = 0; i < body->piece_count; i++)
		if (disown_part(journal, &body->pieces[i], error) != 0)
			return -1;
	return item != NULL && !body->is_added
		   ? object_store_disown(
			 journal->batch, item->places, item->count, error)
		   : 0;
}

int
seal_bulk_know(struct journal *journal, struct bulk *bulk, struct error *error)
{
	int result = 0;
	size_t i;

	for (i = 0; i < bulk->count && result == 0; i++)
		result = disown_part(journal, &bulk->bodies[i], error);
	if (result == 0 && bulk->end.segment != 0)
		result = seal_batch_know(journal->batch, &bulk->end, error);
	bulk->is_known = true;
	step_reached(STEP_BULK_KNOWN);
	return result;
}

static void
take_back(struct bulk_body *body)
{
	size_t i;

	body->is_added = false;
	for (i = 0; i < body->piece_count; i++)
		take_back(&body->pieces[i]);
}

enum status
seal_bulk_disown(
    struct journal *journal, struct bulk *bulk, struct error *error)
{
	enum status status = STATUS_OK;
	size_t i;

	for (i = 0; i < bulk->count; i++)
		take_back(&bulk->bodies[i]);
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
