/*
 * See seal_bulk.h.
 */
#include "snapd/seal_bulk.h"

#include "common/memory.h"
#include "common/table.h"
#include "snapd/pieces.h"
#include "snapd/seal_blocks.h"
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

/* -- In the thread -- */

/*
 * All that may be written: bodies, and pieces of those that are new. Runs of
 * base64 come last, since they pack in another way, and what stands before them
 * in a block helps no text.  The order is the same each time.
 */
struct part_walk {
	struct bulk *bulk;
	bool are_runs;
	size_t body;
	size_t part; /* 0: the body itself, then its pieces */
};

static struct bulk_body *
next_part(struct part_walk *walk)
{
	for (; walk->body < walk->bulk->count; walk->body++, walk->part = 0) {
		struct bulk_body *body = &walk->bulk->bodies[walk->body];

		while (walk->part <= body->piece_count) {
			size_t at = walk->part++;

			if (at == 0 && !walk->are_runs)
				return body;
			if (at > 0 && body->is_new &&
			    body->pieces[at - 1].is_run == walk->are_runs)
				return &body->pieces[at - 1];
		}
	}
	return NULL;
}

struct bulk_writing {
	struct sealing *sealing;
	struct bulk *list;
	struct part_walk walk; /* at what comes next; without a bulk: the end */
	struct bulk_body *tried; /* before that: found, and not yet added */
	struct transaction *t;   /* NULL: none could be had */
	struct digest *digest;
	struct table *seen; /* account and hash of what comes in this list */
	struct seal_blocks *blocks;
	int result;
	struct error error;
};

/* Is it the first of its content, in this list and in the account? */
static int
is_new(struct bulk_writing *w, struct object *object)
{
	uint8_t key[4 + sizeof(object->hash.bytes)];
	int found;

	memcpy(key, &object->account, 4);
	memcpy(key + 4, object->hash.bytes, sizeof(object->hash.bytes));
	if (table_put(w->seen, key, sizeof(key), object) != NULL)
		return 0;
	found = object_store_has(w->t, w->digest, object, &w->error);
	return found < 0 ? -1 : found == 0;
}

static void
go_on_with(struct bulk_writing *w, struct bulk *bulk, bool are_runs)
{
	w->walk = (struct part_walk){ .bulk = bulk, .are_runs = are_runs };
	if (bulk != NULL)
		seal_blocks_go_on(w->blocks, &bulk->placed);
}

/* The next that is to be written; NULL: there is none, or it failed. */
static struct bulk_body *
find_part(struct bulk_writing *w)
{
	struct bulk_body *part;
	int result;

	while (w->walk.bulk != NULL) {
		part = next_part(&w->walk);
		if (part == NULL) {
			go_on_with(w, w->walk.bulk->next, w->walk.are_runs);
			continue;
		}
		result = is_new(w, &part->object);
		part->is_new = result == 1;
		if (result == 1 && part->piece_count == 0)
			return part;
		w->result = result < 0 ? -1 : 0;
		if (result < 0)
			break;
	}
	return NULL;
}

/* Up to the end of the list. */
static void
write_parts(struct bulk_writing *w)
{
	struct bulk_body *part = w->tried;

	if (part == NULL && w->result == 0)
		part = find_part(w);
	for (; part != NULL && w->result == 0; part = find_part(w))
		w->result = seal_blocks_add(
		    w->blocks, &part->object, part->bytes.data, &w->error);
	w->tried = NULL;
}

/* What is packed without waiting. */
static void
write_ahead(struct bulk_writing *w)
{
	struct bulk_body *part;
	int added = 1;

	while (added == 1 && w->result == 0 && (part = find_part(w)) != NULL) {
		added = seal_blocks_try(
		    w->blocks, &part->object, part->bytes.data, &w->error);
		w->tried = added == 0 ? part : NULL;
		w->result = added < 0 ? -1 : 0;
	}
}

static void
flush(struct bulk_writing *w)
{
	if (w->result == 0)
		w->result = seal_blocks_flush(w->blocks, &w->error);
}

struct bulk_writing *
sealing_bulk_begin(struct sealing *sealing, struct bulk *list)
{
	struct bulk_writing *w = memory_new(1, sizeof(*w));

	w->sealing = sealing;
	w->list = list;
	w->t = transaction_begin(sealing->store, false, &w->error);
	w->result = w->t == NULL ? -1 : 0;
	w->digest = digest_new();
	w->seen = table_new();
	w->blocks = seal_blocks_new(sealing, NULL, 0);
	go_on_with(w, list, false);
	if (w->result == 0)
		write_ahead(w);
	return w;
}

static void
end_writing(struct bulk_writing **writing)
{
	struct bulk_writing *w = *writing;

	seal_blocks_free(&w->blocks);
	table_free(&w->seen);
	digest_free(&w->digest);
	if (w->t != NULL)
		transaction_abort(&w->t);
	memory_free(writing);
}

/* Items are in the order in which parts were visited, some of which have
 * none. */
static void
match_items(struct bulk *bulk, bool are_runs, size_t *at)
{
	struct part_walk walk = { .bulk = bulk, .are_runs = are_runs };
	const struct seal_batch *placed = &bulk->placed;
	struct bulk_body *part;

	while ((part = next_part(&walk)) != NULL)
		if (*at < placed->count &&
		    placed->items[*at].blob == part->object.blob)
			part->item = &placed->items[(*at)++];
}

/* All of the list is in the writer, up to here. */
static void
note_places(struct bulk *list, const struct segment_writer *writer)
{
	struct bulk *bulk, *last = NULL;

	for (bulk = list; bulk != NULL; bulk = bulk->next) {
		size_t at = 0;

		match_items(bulk, false, &at);
		match_items(bulk, true, &at);
		if (bulk->placed.count > 0)
			last = bulk;
	}
	if (last != NULL)
		last->end = segment_writer_end(writer);
}

static void
forget_places(struct bulk *list)
{
	struct bulk_body *part;
	struct bulk *bulk;
	int are_runs;

	for (bulk = list; bulk != NULL; bulk = bulk->next) {
		for (are_runs = 0; are_runs < 2; are_runs++) {
			struct part_walk walk = { .bulk = bulk,
				.are_runs = are_runs == 1 };

			while ((part = next_part(&walk)) != NULL)
				part->item = NULL;
		}
		seal_batch_clear(&bulk->placed);
		memset(&bulk->end, 0, sizeof(bulk->end));
	}
}

int
sealing_bulk_place(struct bulk_writing **writing, struct error *error)
{
	struct bulk_writing *w = *writing;
	struct bulk *list = w->list;
	int result;

	/* A block may hold what several of the list brought. */
	write_parts(w);
	flush(w);
	go_on_with(w, list, true);
	write_parts(w);
	flush(w);
	result = w->result;
	if (result == 0)
		note_places(list, w->sealing->writer);
	else
		*error = w->error;
	end_writing(writing);
	if (result != 0)
		forget_places(list);
	return result;
}

void
sealing_bulk_drop(struct bulk_writing **writing)
{
	struct bulk *list = (*writing)->list;

	end_writing(writing);
	forget_places(list);
}

int
sealing_bulk_commit(
    struct sealing *sealing, struct bulk *list, struct error *error)
{
	bool is_placed = false;
	struct bulk *bulk;

	for (bulk = list; bulk != NULL; bulk = bulk->next)
		is_placed |= bulk->end.segment != 0;
	if (!is_placed)
		return 0;
	if (segment_writer_commit(sealing->writer, error) != 0) {
		forget_places(list);
		return -1;
	}
	step_reached(STEP_BULK_WRITTEN);
	return 0;
}

/* -- In the loop -- */

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
