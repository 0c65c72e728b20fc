/*
 * See block_parts.h.
 */
#include "snapd/block_parts.h"

enum {
	MIN_PART_KEPT = PART_MIN / 2,
	LARGE = 64 << 10 /* bytes of a large body */
};

/* -- Their bytes -- */

/* Appends a part's bytes: 1, 0 if the body is gone meanwhile, -1. */
static int
read_stored(struct transaction *t, const struct block_part *part,
    struct buf *raw, struct error *error)
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
		if (buf_put(raw, bytes.data, bytes.size) != 0)
			return error_set(error, ERROR_LIMIT, "a block");
		offset += bytes.size;
	}
	return got;
}

static int
read_part(struct transaction *t, const struct block_part *part, struct buf *raw,
    struct error *error)
{
	if (part->bytes == NULL)
		return read_stored(t, part, raw, error);
	if (buf_put(raw, part->bytes + part->offset, part->length) != 0)
		return error_set(error, ERROR_LIMIT, "a block");
	return 1;
}

static void
drop_gone(struct block_part *parts, size_t *count)
{
	size_t i, kept = 0;

	for (i = 0; i < *count; i++)
		if (!parts[i].is_gone)
			parts[kept++] = parts[i];
	*count = kept;
}

/* The list of parts goes before their bytes. */
static void
put_list(struct buf *raw, const struct block_part *parts, size_t count)
{
	size_t room = 4 + count * BLOCK_ENTRY_SIZE, i;
	struct writer w;

	buf_reset(raw);
	writer_init(&w, buf_reserve(raw, room), room);
	writer_put_u32(&w, (uint32_t)count);
	for (i = 0; i < count; i++) {
		const struct object *object = &parts[i].object;
		struct block_entry entry = { object->blob, object->size,
			object->wire_size, object->hash, parts[i].offset,
			parts[i].length };

		block_entry_put(&w, &entry);
	}
	buf_added(raw, room);
}

/* 1, or 0 and what is gone was dropped, to be begun again. */
static int
try_build(struct transaction *t, struct block_part *parts, size_t *count,
    struct buf *raw, struct error *error)
{
	size_t before = *count, i;
	int got = 1;

	put_list(raw, parts, *count);
	for (i = 0; i < *count && got >= 0; i++) {
		got = read_part(t, &parts[i], raw, error);
		/* What is damaged stays where it is, for the verifier. */
		parts[i].is_gone =
		    got == 0 || (got < 0 && error->code == ERROR_DAMAGED);
		if (parts[i].is_gone)
			got = 0;
	}
	drop_gone(parts, count);
	return got < 0 ? -1 : *count == before;
}

int
parts_build(struct store *store, struct block_part *parts, size_t *count,
    struct buf *raw, struct error *error)
{
	struct transaction *t = transaction_begin(store, false, error);
	int built = t != NULL ? 0 : -1;

	while (built == 0)
		built = try_build(t, parts, count, raw, error);
	transaction_abort(&t);
	return built < 0 ? -1 : 0;
}

/* -- How they pack -- */

uint64_t
part_packed_size(const struct packing *last, const struct block_part *part)
{
	last += part->object.size >= LARGE;

	return last->raw == 0
		   ? part->length
		   : (uint64_t)part->length * last->packed / last->raw;
}

void
parts_note_packing(struct packing *last, const struct block_part *parts,
    size_t count, const struct packed_block *packed)
{
	uint64_t large = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (parts[i].object.size >= LARGE)
			large += parts[i].length;
	if (large <= packed->raw_size / 16 ||
	    large >= packed->raw_size / 16 * 15)
		last[large > packed->raw_size / 2] =
		    (struct packing){ (uint32_t)packed->raw_size,
			    (uint32_t)packed->size };
}

struct packing
parts_expect(
    const struct packing *last, const struct block_part *parts, size_t count)
{
	struct packing packing = { 0, 0 };
	size_t i;

	for (i = 0; i < count; i++) {
		packing.raw += parts[i].length;
		packing.packed += (uint32_t)part_packed_size(last, &parts[i]);
	}
	return packing;
}

/* -- In two -- */

void
parts_halve(struct block_part *parts, size_t count, uint64_t fits,
    struct block_halves *halves)
{
	uint64_t bytes = parts[0].length;
	struct block_part *cut = halves->cut;
	size_t first = 1;

	while (first + 1 < count && bytes + parts[first].length <= fits)
		bytes += parts[first++].length;
	*halves = (struct block_halves){ .first = parts,
		.first_count = first,
		.second = parts + first,
		.second_count = count - first };
	if (count > 1)
		return;
	cut[0] = cut[1] = parts[0];
	if (fits > MIN_PART_KEPT && fits < cut[0].length)
		cut[0].length = (uint32_t)fits;
	else
		cut[0].length /= 2;
	cut[1].offset += cut[0].length;
	cut[1].length -= cut[0].length;
	halves->first = &cut[0];
	halves->second = &cut[1];
	halves->second_count = 1;
}
