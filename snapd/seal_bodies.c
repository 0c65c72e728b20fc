/*
 * Bodies into blocks: see sealing.h.  Bodies of one account go together, in the
 * order in which they came, into blocks of SEALING_BLOCK bytes; a small body is
 * never cut, a large one is cut into blocks of its own.  A block that does not
 * fit into the rest of its value is halved, so that little of a value is empty.
 */
#include "common/memory.h"
#include "snapd/sealing.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_PARTS = 1024,    /* of a block */
	MIN_ROOM = 24 << 10, /* of a value that is gone on with */
	MIN_PART = 16 << 10  /* that is halved */
};

struct part {
	struct object object;
	uint64_t offset;
	uint32_t length;
	bool is_gone;
};

struct block_parts {
	struct sealing *sealing;
	uint32_t from; /* segment that they are moved out of; 0: staged */
	struct part parts[MAX_PARTS];
	size_t count;
	size_t bytes;
};

/* -- Which are staged -- */

static int
by_account(const void *a, const void *b)
{
	const struct sealing_body *x = a, *y = b;

	if (x->account != y->account)
		return x->account < y->account ? -1 : 1;
	return x->blob < y->blob ? -1 : x->blob > y->blob;
}

/* One body whose chunks begin at or after `blob`: 1, 0 or -1. */
static int
next_staged(struct transaction *t, uint64_t blob, struct object *object,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, blob);
	cursor = cursor_open(t, DB_CHUNK, &from, error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, error);
	blob = got == 1 ? key_u64_at(key, 0) : 0;
	cursor_close(&cursor);
	if (got != 1)
		return got;
	got = object_store_find(t, blob, object, error);
	/* Of a blob that is gone only chunks are left: they are freed too. */
	if (got == 0)
		*object = (struct object){ .blob = blob, .is_sealed = true };
	return got < 0 ? -1 : 1;
}

int
sealing_list(struct sealing *sealing, struct transaction *t, uint64_t *from,
    struct sealing_body **list, size_t *count, struct error *error)
{
	struct object object;
	int got = 1;

	*list = memory_new(SEALING_LIST, sizeof(**list));
	*count = 0;
	while (*count < SEALING_LIST &&
	       (got = next_staged(t, *from, &object, error)) == 1) {
		*from = object.blob + 1;
		if (object.is_sealed)
			seal_batch_add(&sealing->batch, SEAL_FREE)->blob =
			    object.blob;
		else
			(*list)[(*count)++] =
			    (struct sealing_body){ object.account, object.blob,
				    object.size };
	}
	if (got < 0)
		memory_free(list);
	else
		qsort(*list, *count, sizeof(**list), by_account);
	return got < 0 ? -1 : 0;
}

int
sealing_bodies(struct sealing *sealing, struct error *error)
{
	size_t count = SEALING_LIST;
	struct sealing_body *list;
	struct transaction *t;
	uint64_t from = 0;
	int result = 0;

	while (result == 0 && count == SEALING_LIST &&
	       !sealing->is_stopping(sealing->context)) {
		t = transaction_begin(sealing->store, false, error);
		if (t == NULL)
			return -1;
		result = sealing_list(sealing, t, &from, &list, &count, error);
		transaction_abort(&t);
		if (result != 0)
			return -1;
		result = sealing_copy(sealing, list, count, 0, error);
		free(list);
	}
	return result;
}

/* -- Blocks -- */

/* Appends a part's bytes: 1, 0 if the body is gone meanwhile, -1. */
static int
read_part(struct sealing *sealing, struct transaction *t, struct part *part,
    struct error *error)
{
	uint64_t offset = part->offset, end = offset + part->length;
	struct object object;
	struct text bytes;
	int got = object_store_find(t, part->object.blob, &object, error);

	while (got == 1 && offset < end) {
		got = object_store_part(t, &object, offset, &bytes, error);
		if (got != 1)
			return got < 0 ? -1 : 0;
		if (bytes.size > end - offset)
			bytes.size = (size_t)(end - offset);
		if (buf_put(&sealing->raw, bytes.data, bytes.size) != 0)
			return error_set(error, ERROR_LIMIT, "a block");
		offset += bytes.size;
	}
	return got;
}

static void
drop_gone(struct part *parts, size_t *count)
{
	size_t i, kept = 0;

	for (i = 0; i < *count; i++)
		if (!parts[i].is_gone)
			parts[kept++] = parts[i];
	*count = kept;
}

/* The list of parts goes before their bytes. */
static void
put_list(struct sealing *sealing, const struct part *parts, size_t count)
{
	size_t room = 4 + count * BLOCK_ENTRY_SIZE, i;
	struct writer w;

	buf_reset(&sealing->raw);
	writer_init(&w, buf_reserve(&sealing->raw, room), room);
	writer_put_u32(&w, (uint32_t)count);
	for (i = 0; i < count; i++) {
		const struct object *object = &parts[i].object;
		struct block_entry entry = { object->blob, object->size,
			object->wire_size, object->hash, parts[i].offset,
			parts[i].length };

		block_entry_put(&w, &entry);
	}
	buf_added(&sealing->raw, room);
}

/* 1, or 0 and what is gone was dropped, to be begun again. */
static int
try_build(struct sealing *sealing, struct transaction *t, struct part *parts,
    size_t *count, struct error *error)
{
	size_t before = *count, i;
	int got = 1;

	put_list(sealing, parts, *count);
	for (i = 0; i < *count && got >= 0; i++) {
		got = read_part(sealing, t, &parts[i], error);
		/* What is damaged stays where it is, for the verifier. */
		parts[i].is_gone =
		    got == 0 || (got < 0 && error->code == ERROR_DAMAGED);
		if (parts[i].is_gone)
			got = 0;
	}
	drop_gone(parts, count);
	return got < 0 ? -1 : *count == before;
}

static int
build(struct sealing *sealing, struct part *parts, size_t *count,
    struct error *error)
{
	struct transaction *t = transaction_begin(sealing->store, false, error);
	int built = t != NULL ? 0 : -1;

	while (built == 0)
		built = try_build(sealing, t, parts, count, error);
	transaction_abort(&t);
	return built < 0 ? -1 : 0;
}

static void
note_places(struct block_parts *block, const struct part *parts, size_t count,
    const struct block_at *at)
{
	struct seal_batch *batch = &block->sealing->batch;
	struct place place = { .at = *at };
	struct seal_item *item;
	size_t i;

	place.offset = (uint32_t)(4 + count * BLOCK_ENTRY_SIZE);
	for (i = 0; i < count; i++) {
		if (parts[i].offset == 0) {
			item = seal_batch_add(
			    batch, block->from != 0 ? SEAL_MOVE : SEAL_BODY);
			item->blob = parts[i].object.blob;
			item->hash = parts[i].object.hash;
			item->segment = block->from;
		} else {
			item = &batch->items[batch->count - 1];
		}
		place.length = parts[i].length;
		seal_item_add(item, &place);
		place.offset += parts[i].length;
	}
}

static int emit(struct block_parts *block, struct part *parts, size_t count,
    struct error *error);

/* The two halves; one part is cut in the middle. */
static int
emit_halves(struct block_parts *block, struct part *parts, size_t count,
    struct error *error)
{
	struct part halves[2];

	if (count > 1)
		return emit(block, parts, count / 2, error) == 0
			   ? emit(block, parts + count / 2, count - count / 2,
				 error)
			   : -1;
	halves[0] = halves[1] = parts[0];
	halves[0].length /= 2;
	halves[1].offset += halves[0].length;
	halves[1].length -= halves[0].length;
	return emit(block, &halves[0], 1, error) == 0
		   ? emit(block, &halves[1], 1, error)
		   : -1;
}

static int
emit(struct block_parts *block, struct part *parts, size_t count,
    struct error *error)
{
	struct sealing *sealing = block->sealing;
	bool may_begin = segment_writer_room(sealing->writer) < MIN_ROOM ||
			 (count == 1 && parts[0].length < MIN_PART);
	struct block_head head = { .kind = BLOCK_BODIES };
	struct block_at at;
	int added;

	if (build(sealing, parts, &count, error) != 0)
		return -1;
	if (count == 0)
		return 0;
	head.account = parts[0].object.account;
	head.first = parts[0].object.blob;
	head.last = parts[count - 1].object.blob;
	added = segment_writer_add(sealing->writer, &head,
	    text_make(sealing->raw.data, sealing->raw.size), may_begin, &at,
	    error);
	if (added == 0)
		return emit_halves(block, parts, count, error);
	if (added == 1)
		note_places(block, parts, count, &at);
	return added == 1 ? 0 : -1;
}

static int
flush(struct block_parts *block, struct error *error)
{
	int result = 0;

	if (block->count > 0)
		result = emit(block, block->parts, block->count, error);
	block->count = 0;
	block->bytes = 0;
	if (result == 0 &&
	    segment_writer_pending(block->sealing->writer) >= SEALING_COMMIT)
		result = segment_writer_commit(block->sealing->writer, error);
	return result;
}

static int
add_part(struct block_parts *block, const struct object *object,
    uint64_t offset, uint64_t length, struct error *error)
{
	if ((block->count == MAX_PARTS ||
		block->bytes + length > SEALING_BLOCK) &&
	    flush(block, error) != 0)
		return -1;
	block->parts[block->count++] = (struct part){
		.object = *object, .offset = offset, .length = (uint32_t)length
	};
	block->bytes += length;
	return 0;
}

/* In parts of at most a block; the index is told when one is whole. */
static int
add_body(
    struct block_parts *block, const struct object *object, struct error *error)
{
	uint64_t offset = 0, length;

	do {
		length = object->size - offset;
		if (length > SEALING_BLOCK)
			length = SEALING_BLOCK;
		if (add_part(block, object, offset, length, error) != 0)
			return -1;
		offset += length;
	} while (offset < object->size);
	return 0;
}

static int
hand_if_due(struct block_parts *block, struct error *error)
{
	struct sealing *sealing = block->sealing;

	if (sealing->batch.count < MAX_PARTS)
		return 0;
	return flush(block, error) == 0 ? sealing_hand(sealing, error) : -1;
}

static int
copy_one(struct block_parts *block, const struct sealing_body *body,
    struct error *error)
{
	struct transaction *t =
	    transaction_begin(block->sealing->store, false, error);
	struct object object;
	int found;

	if (t == NULL)
		return -1;
	found = object_store_find(t, body->blob, &object, error);
	transaction_abort(&t);
	if (found != 1 || object.is_sealed != (block->from != 0))
		return found < 0 ? -1 : 0;
	return add_body(block, &object, error) == 0 ? hand_if_due(block, error)
						    : -1;
}

int
sealing_copy(struct sealing *sealing, const struct sealing_body *bodies,
    size_t count, uint32_t from, struct error *error)
{
	struct block_parts *block = memory_new(1, sizeof(*block));
	int result = 0;
	size_t i;

	block->sealing = sealing;
	block->from = from;
	for (i = 0; i < count && result == 0; i++) {
		if (sealing->is_stopping(sealing->context))
			break;
		/* A block is of one account. */
		if (i > 0 && bodies[i].account != bodies[i - 1].account)
			result = flush(block, error);
		if (result == 0)
			result = copy_one(block, &bodies[i], error);
	}
	if (result == 0)
		result = flush(block, error);
	if (result == 0)
		result = sealing_hand(sealing, error);
	free(block);
	return result;
}
