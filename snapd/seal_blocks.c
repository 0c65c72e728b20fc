/*
 * See seal_blocks.h.  A block is made as large as it may be to fit into the rest of
 * its value, by how small and large bodies packed before: what is large is mostly
 * an attachment, which packs much worse.  One that does not fit is cut, so that
 * little of a value is empty.
 */
#include "snapd/seal_blocks.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_PARTS = 1024,    /* of a block */
	MIN_ROOM = 8 << 10,  /* of a value that is gone on with */
	MIN_PART = 16 << 10, /* that is cut */
	FIT_OF = 24,         /* one of so many parts stays free */
	LARGE = 64 << 10     /* bytes of a large body */
};

struct part {
	struct object object;
	const char *bytes; /* of the whole body; NULL: the index has them */
	uint64_t offset;
	uint32_t length;
	bool is_gone;
	struct seal_batch *places;
};

struct seal_blocks {
	struct sealing *sealing;
	struct seal_batch *places;
	uint32_t from;
	struct part parts[MAX_PARTS];
	size_t count;
	uint64_t bytes;
	uint64_t packed; /* that they will be, about */
	size_t room;     /* that this may be */
};

struct seal_blocks *
seal_blocks_new(
    struct sealing *sealing, struct seal_batch *places, uint32_t from)
{
	struct seal_blocks *blocks = memory_new(1, sizeof(*blocks));

	blocks->sealing = sealing;
	blocks->places = places;
	blocks->from = from;
	return blocks;
}

void
seal_blocks_go_on(struct seal_blocks *blocks, struct seal_batch *places)
{
	blocks->places = places;
}

void
seal_blocks_free(struct seal_blocks **blocks)
{
	memory_free(blocks);
}

/* Appends a part's bytes: 1, 0 if the body is gone meanwhile, -1. */
static int
read_stored(struct sealing *sealing, struct transaction *t, struct part *part,
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

static int
read_part(struct sealing *sealing, struct transaction *t, struct part *part,
    struct error *error)
{
	if (part->bytes == NULL)
		return read_stored(sealing, t, part, error);
	if (buf_put(&sealing->raw, part->bytes + part->offset, part->length) !=
	    0)
		return error_set(error, ERROR_LIMIT, "a block");
	return 1;
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
note_places(struct seal_blocks *blocks, const struct part *parts, size_t count,
    const struct block_at *at)
{
	struct place place = { .at = *at };
	struct seal_item *item;
	size_t i;

	place.offset = (uint32_t)(4 + count * BLOCK_ENTRY_SIZE);
	for (i = 0; i < count; i++) {
		struct seal_batch *batch = parts[i].places;

		if (parts[i].offset == 0) {
			item = seal_batch_add(
			    batch, blocks->from != 0 ? SEAL_MOVE : SEAL_BODY);
			item->blob = parts[i].object.blob;
			item->hash = parts[i].object.hash;
			item->segment = blocks->from;
		} else {
			item = &batch->items[batch->count - 1];
		}
		place.length = parts[i].length;
		seal_item_add(item, &place);
		place.offset += parts[i].length;
	}
}

/* What a part will be when it is packed, as others of its kind were. */
static uint64_t
packed_size(const struct sealing *sealing, const struct part *part)
{
	const struct packing *last = &sealing->last[part->object.size >= LARGE];

	return last->raw == 0
		   ? part->length
		   : (uint64_t)part->length * last->packed / last->raw;
}

/* How a block packed, of which nearly all is of one kind. */
static void
note_packing(struct sealing *sealing, const struct part *parts, size_t count,
    const struct block_head *head)
{
	uint64_t large = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (parts[i].object.size >= LARGE)
			large += parts[i].length;
	if (large <= head->raw_size / 16 || large >= head->raw_size / 16 * 15)
		sealing->last[large > head->raw_size / 2] =
		    (struct packing){ head->raw_size, head->packed_size };
}

/* Of the rest of a value: what a block fills to be sure that it fits. */
static size_t
safe_room(const struct sealing *sealing)
{
	return segment_writer_room(sealing->writer) / FIT_OF * (FIT_OF - 1);
}

static int emit(struct seal_blocks *blocks, struct part *parts, size_t count,
    struct error *error);

/* What a block of them will be, about. */
static struct packing
expect(const struct sealing *sealing, const struct part *parts, size_t count)
{
	struct packing packing = { 0, 0 };
	size_t i;

	for (i = 0; i < count; i++) {
		packing.raw += parts[i].length;
		packing.packed += (uint32_t)packed_size(sealing, &parts[i]);
	}
	return packing;
}

/* In two: what fits into the rest of the value, and what is left. */
static int
emit_cut(struct seal_blocks *blocks, struct part *parts, size_t count,
    const struct packing *packing, struct error *error)
{
	uint64_t fits = (uint64_t)safe_room(blocks->sealing) * packing->raw /
			packing->packed;
	struct part cut[2];
	uint64_t bytes = parts[0].length;
	size_t first = 1;

	while (first + 1 < count && bytes + parts[first].length <= fits)
		bytes += parts[first++].length;
	if (count > 1)
		return emit(blocks, parts, first, error) == 0
			   ? emit(blocks, parts + first, count - first, error)
			   : -1;
	cut[0] = cut[1] = parts[0];
	if (fits > MIN_PART / 2 && fits < cut[0].length)
		cut[0].length = (uint32_t)fits;
	else
		cut[0].length /= 2;
	cut[1].offset += cut[0].length;
	cut[1].length -= cut[0].length;
	return emit(blocks, &cut[0], 1, error) == 0
		   ? emit(blocks, &cut[1], 1, error)
		   : -1;
}

static int
emit(struct seal_blocks *blocks, struct part *parts, size_t count,
    struct error *error)
{
	struct sealing *sealing = blocks->sealing;
	size_t room = segment_writer_room(sealing->writer);
	bool may_begin =
	    room < MIN_ROOM || (count == 1 && parts[0].length < MIN_PART);
	struct block_head head = { .kind = BLOCK_BODIES };
	struct packing packing = expect(sealing, parts, count);
	struct block_at at;
	int added;

	if (!may_begin && packing.packed > room)
		return emit_cut(blocks, parts, count, &packing, error);
	if (build(sealing, parts, &count, error) != 0)
		return -1;
	if (count == 0)
		return 0;
	head.account = parts[0].object.account;
	head.first = parts[0].object.blob;
	head.last = parts[count - 1].object.blob;
	added = sealing_add(sealing, &head, may_begin, &at, error);
	if (added < 0)
		return -1;
	note_packing(sealing, parts, count, &head);
	packing = (struct packing){ head.raw_size, head.packed_size };
	if (added == 0)
		return emit_cut(blocks, parts, count, &packing, error);
	note_places(blocks, parts, count, &at);
	return 0;
}

int
seal_blocks_flush(struct seal_blocks *blocks, struct error *error)
{
	int result = 0;

	if (blocks->count > 0)
		result = emit(blocks, blocks->parts, blocks->count, error);
	blocks->count = 0;
	blocks->bytes = 0;
	blocks->packed = 0;
	if (result == 0 &&
	    segment_writer_pending(blocks->sealing->writer) >= SEALING_COMMIT)
		result = segment_writer_commit(blocks->sealing->writer, error);
	return result;
}

/* Is the block as large as it may be?  In what is nearly full the next value is
 * begun. */
static bool
is_full(const struct seal_blocks *blocks, const struct part *part)
{
	return blocks->count == MAX_PARTS ||
	       blocks->bytes + part->length > SEALING_BLOCK ||
	       (blocks->room >= MIN_ROOM &&
		   blocks->packed + packed_size(blocks->sealing, part) >
		       blocks->room);
}

static int
add_part(
    struct seal_blocks *blocks, const struct part *part, struct error *error)
{
	/* A block is of one account. */
	bool is_other = blocks->count > 0 &&
			blocks->parts[0].object.account != part->object.account;

	if (blocks->count > 0 && (is_other || is_full(blocks, part)) &&
	    seal_blocks_flush(blocks, error) != 0)
		return -1;
	if (blocks->count == 0)
		blocks->room = safe_room(blocks->sealing);
	blocks->parts[blocks->count++] = *part;
	blocks->bytes += part->length;
	blocks->packed += packed_size(blocks->sealing, part);
	return 0;
}

int
seal_blocks_add(struct seal_blocks *blocks, const struct object *object,
    const char *bytes, struct error *error)
{
	struct part part = {
		.object = *object, .bytes = bytes, .places = blocks->places
	};
	uint64_t length;

	do {
		length = object->size - part.offset;
		if (length > SEALING_BLOCK)
			length = SEALING_BLOCK;
		part.length = (uint32_t)length;
		if (add_part(blocks, &part, error) != 0)
			return -1;
		part.offset += length;
	} while (part.offset < object->size);
	return 0;
}
