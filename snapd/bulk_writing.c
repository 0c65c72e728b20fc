/*
 * See bulk_writing.h.
 */
#include "snapd/bulk_writing.h"

#include "common/memory.h"
#include "common/table.h"
#include "snapd/seal_blocks.h"
#include "snapd/step.h"

#include <string.h>

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
bulk_writing_begin(struct sealing *sealing, struct bulk *list)
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
bulk_writing_place(struct bulk_writing **writing, struct error *error)
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
bulk_writing_drop(struct bulk_writing **writing)
{
	struct bulk *list = (*writing)->list;

	end_writing(writing);
	forget_places(list);
}

int
bulk_writing_commit(
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
