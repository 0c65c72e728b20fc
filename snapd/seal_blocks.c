/*
 * See seal_blocks.h.  A block is made as large as it may be to fit into the
 * rest of its value, by how small and large bodies packed before: what is large
 * is mostly an attachment, which packs much worse.  One that does not fit is
 * cut, so that little of a value is empty.
 */
#include "snapd/seal_blocks.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
	MIN_ROOM = 8 << 10, /* of a value that is gone on with */
	NEAR_END = SEGMENT_VALUE_SIZE / 8,
	FIT_OF = 24 /* one of so many parts stays free */
};

/* A block whose bytes are being packed. */
struct pending {
	struct block_part parts[PARTS_MAX];
	size_t count;
	uint32_t expected; /* bytes that it will be, about */
};

struct seal_blocks {
	struct sealing *sealing;
	struct seal_batch *places;
	uint32_t from;
	struct block_part parts[PARTS_MAX];
	size_t count;
	uint64_t bytes;
	uint64_t packed; /* that they will be, about */
	size_t room;     /* that this may be */
	struct pending pending[PACK_QUEUE_MAX];
	size_t first; /* of those */
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
	struct pack_queue *queue = (*blocks)->sealing->queue;

	while (pack_queue_count(queue) > 0)
		pack_queue_drop(queue);
	memory_free(blocks);
}

/* -- What was packed gets its place -- */

static void
note_places(struct seal_blocks *blocks, const struct block_part *parts,
    size_t count, const struct block_at *at)
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

/* Of the rest of a value: what a block fills to be sure that it fits. */
static size_t
safe_part(size_t room)
{
	return room / FIT_OF * (FIT_OF - 1);
}

/* In what is nearly full the next value is begun, and for a tiny part. */
static bool
may_begin_value(const struct block_part *parts, size_t count, size_t room)
{
	return room < MIN_ROOM || (count == 1 && parts[0].length < PART_MIN);
}

static uint64_t
raw_that_fits(size_t room, const struct packing *packing)
{
	return (uint64_t)safe_part(room) * packing->raw / packing->packed;
}

static int place_in_two(struct seal_blocks *blocks, struct block_part *parts,
    size_t count, const struct packing *packing, struct error *error);

static int
place(struct seal_blocks *blocks, struct block_part *parts, size_t count,
    const struct packed_block *packed, struct error *error)
{
	struct sealing *sealing = blocks->sealing;
	bool may_begin =
	    may_begin_value(parts, count, segment_writer_room(sealing->writer));
	struct block_head head = { .kind = BLOCK_BODIES,
		.account = parts[0].object.account,
		.first = parts[0].object.blob,
		.last = parts[count - 1].object.blob };
	struct packing packing = { (uint32_t)packed->raw_size,
		(uint32_t)packed->size };
	struct block_at at;
	int added;

	parts_note_packing(sealing->last, parts, count, packed);
	added = segment_writer_add(
	    sealing->writer, &head, packed, may_begin, &at, error);
	if (added < 0)
		return -1;
	if (added == 0)
		return place_in_two(blocks, parts, count, &packing, error);
	note_places(blocks, parts, count, &at);
	return 0;
}

/* Packed here and now. */
static int
pack_and_place(struct seal_blocks *blocks, struct block_part *parts,
    size_t count, struct error *error)
{
	struct sealing *sealing = blocks->sealing;
	size_t room = segment_writer_room(sealing->writer);
	struct packing packing = parts_expect(sealing->last, parts, count);

	if (packing.packed > room && !may_begin_value(parts, count, room))
		return place_in_two(blocks, parts, count, &packing, error);
	if (parts_build(sealing->store, parts, &count, &sealing->raw, error) !=
	    0)
		return -1;
	if (count == 0)
		return 0;
	return sealing_pack(sealing, error) == 0
		   ? place(blocks, parts, count, &sealing->packed, error)
		   : -1;
}

/* What fits into the rest of the value, and what is left. */
static int
place_in_two(struct seal_blocks *blocks, struct block_part *parts, size_t count,
    const struct packing *packing, struct error *error)
{
	size_t room = segment_writer_room(blocks->sealing->writer);
	struct block_halves halves;

	parts_halve(parts, count, raw_that_fits(room, packing), &halves);
	if (pack_and_place(blocks, halves.first, halves.first_count, error) !=
	    0)
		return -1;
	return pack_and_place(
	    blocks, halves.second, halves.second_count, error);
}

static int
place_oldest(struct seal_blocks *blocks, struct error *error)
{
	struct sealing *sealing = blocks->sealing;
	struct pending *oldest = &blocks->pending[blocks->first];
	const struct packed_block *packed =
	    pack_queue_oldest(sealing->queue, error);
	int result = -1;

	if (packed != NULL)
		result =
		    place(blocks, oldest->parts, oldest->count, packed, error);
	pack_queue_drop(sealing->queue);
	blocks->first = (blocks->first + 1) % PACK_QUEUE_MAX;
	if (result == 0 &&
	    segment_writer_pending(sealing->writer) >= SEALING_COMMIT)
		result = segment_writer_commit(sealing->writer, error);
	return result;
}

/* -- What is packed next -- */

/* That of the value will be left when all that is being packed has its
 * place. */
static size_t
expected_room(const struct seal_blocks *blocks)
{
	const struct sealing *sealing = blocks->sealing;
	size_t room = segment_writer_room(sealing->writer), i;

	for (i = 0; i < pack_queue_count(sealing->queue); i++) {
		uint32_t size =
		    blocks->pending[(blocks->first + i) % PACK_QUEUE_MAX]
			.expected;

		if (room < MIN_ROOM || size > room)
			room = SEGMENT_VALUE_SIZE;
		room -= size;
	}
	return room;
}

static int
put(struct seal_blocks *blocks, struct block_part *parts, size_t count,
    struct error *error)
{
	struct sealing *sealing = blocks->sealing;
	struct packing packing = parts_expect(sealing->last, parts, count);
	size_t waiting = pack_queue_count(sealing->queue);
	struct pending *next;

	if (waiting == PACK_QUEUE_MAX && place_oldest(blocks, error) != 0)
		return -1;
	if (parts_build(sealing->store, parts, &count,
		pack_queue_raw(sealing->queue), error) != 0)
		return -1;
	if (count == 0)
		return 0;
	waiting = pack_queue_count(sealing->queue);
	next = &blocks->pending[(blocks->first + waiting) % PACK_QUEUE_MAX];
	memcpy(next->parts, parts, count * sizeof(*parts));
	next->count = count;
	next->expected = packing.packed < SEGMENT_VALUE_SIZE
			     ? packing.packed
			     : SEGMENT_VALUE_SIZE;
	pack_queue_put(sealing->queue);
	return 0;
}

static int
place_all(struct seal_blocks *blocks, struct error *error)
{
	int result = 0;

	while (result == 0 && pack_queue_count(blocks->sealing->queue) > 0)
		result = place_oldest(blocks, error);
	return result;
}

/*
 * What the next block may be.  How much room there will be is expected from how
 * others packed; what fills a value up to its end must know it.
 */
static int
look_at_room(struct seal_blocks *blocks, bool must_know, struct error *error)
{
	if ((must_know || expected_room(blocks) < NEAR_END) &&
	    place_all(blocks, error) != 0)
		return -1;
	blocks->room = safe_part(expected_room(blocks));
	return 0;
}

/* As one block, or as several where it cannot fit. */
static int
put_fitting(struct seal_blocks *blocks, struct block_part *parts, size_t count,
    struct error *error)
{
	const struct sealing *sealing = blocks->sealing;
	struct packing packing = parts_expect(sealing->last, parts, count);
	struct block_halves halves;
	size_t room;

	if (packing.packed > expected_room(blocks) &&
	    place_all(blocks, error) != 0)
		return -1;
	room = expected_room(blocks);
	if (packing.packed <= room || may_begin_value(parts, count, room))
		return put(blocks, parts, count, error);
	parts_halve(parts, count, raw_that_fits(room, &packing), &halves);
	if (put_fitting(blocks, halves.first, halves.first_count, error) != 0)
		return -1;
	return put_fitting(blocks, halves.second, halves.second_count, error);
}

static int
end_block(struct seal_blocks *blocks, struct error *error)
{
	int result = 0;

	if (blocks->count > 0)
		result =
		    put_fitting(blocks, blocks->parts, blocks->count, error);
	blocks->count = 0;
	blocks->bytes = 0;
	blocks->packed = 0;
	return result;
}

int
seal_blocks_flush(struct seal_blocks *blocks, struct error *error)
{
	return end_block(blocks, error) == 0 ? place_all(blocks, error) : -1;
}

static bool
fits(const struct seal_blocks *blocks, const struct block_part *part)
{
	return blocks->room < MIN_ROOM ||
	       blocks->packed + part_packed_size(blocks->sealing->last, part) <=
		   blocks->room;
}

/* Is the block as large as it may be?  A block is of one account. */
static int
is_full(struct seal_blocks *blocks, const struct block_part *part,
    struct error *error)
{
	if (blocks->count == PARTS_MAX ||
	    blocks->bytes + part->length > SEALING_BLOCK ||
	    blocks->parts[0].object.account != part->object.account)
		return 1;
	if (fits(blocks, part))
		return 0;
	return look_at_room(blocks, true, error) == 0 ? !fits(blocks, part)
						      : -1;
}

static int
add_part(struct seal_blocks *blocks, const struct block_part *part,
    struct error *error)
{
	int full = blocks->count > 0 ? is_full(blocks, part, error) : 0;

	if (full < 0 || (full == 1 && end_block(blocks, error) != 0))
		return -1;
	if (blocks->count == 0 && look_at_room(blocks, false, error) != 0)
		return -1;
	blocks->parts[blocks->count++] = *part;
	blocks->bytes += part->length;
	blocks->packed += part_packed_size(blocks->sealing->last, part);
	return 0;
}

int
seal_blocks_add(struct seal_blocks *blocks, const struct object *object,
    const char *bytes, struct error *error)
{
	struct block_part part = {
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

/* -- Without waiting -- */

/* Into the block that is made, or as the first of one. */
static bool
is_gathered(const struct seal_blocks *blocks, const struct block_part *part)
{
	if (blocks->count == 0)
		return pack_queue_count(blocks->sealing->queue) == 0 ||
		       expected_room(blocks) >= NEAR_END;
	return blocks->count < PARTS_MAX &&
	       blocks->bytes + part->length <= SEALING_BLOCK &&
	       blocks->parts[0].object.account == part->object.account &&
	       fits(blocks, part);
}

/* Can the block be put as it is?  Only where nothing that is being packed
 * decides how large it may be. */
static bool
can_be_put(const struct seal_blocks *blocks)
{
	const struct sealing *sealing = blocks->sealing;
	struct packing packing =
	    parts_expect(sealing->last, blocks->parts, blocks->count);

	return pack_queue_count(sealing->queue) == 0 &&
	       packing.packed <= expected_room(blocks);
}

int
seal_blocks_try(struct seal_blocks *blocks, const struct object *object,
    const char *bytes, struct error *error)
{
	struct block_part part = { .object = *object,
		.bytes = bytes,
		.places = blocks->places,
		.length = (uint32_t)object->size };

	if (object->size > SEALING_BLOCK)
		return 0;
	if (!is_gathered(blocks, &part)) {
		if (!can_be_put(blocks))
			return 0;
		if (end_block(blocks, error) != 0)
			return -1;
		if (!is_gathered(blocks, &part))
			return 0;
	}
	return add_part(blocks, &part, error) == 0 ? 1 : -1;
}
