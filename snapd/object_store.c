/*
 * Blobs in chunks and in segments: see object_store.h.  The form of their rows
 * is blob_form's in segment_form.h.
 *
 * hash key: account u32, SHA-256(the store's secret, account u32, SHA-256 of
 * the bytes): the same bytes of two accounts never meet, and an index that got
 * out does not tell who has a known file.  The input is of one length.
 */
#include "snapd/object_store.h"

#include "common/memory.h"
#include "snapd/blob_use.h"
#include "snapd/object_parts.h"
#include "snapd/segment_use.h"
#include "snapd/segments.h"

#include <stdlib.h>
#include <string.h>

void
object_hash_key(const struct transaction *transaction, struct digest *digest,
    const struct object *object, struct key *key)
{
	struct key input = { .size = 0 };
	struct hash hash;

	key_put_u32(&input, object->account);
	key_put_raw(&input, object->hash.bytes, sizeof(object->hash.bytes));
	digest_start(digest);
	digest_add(digest, store_secret(transaction), 32);
	digest_add(digest, input.bytes, input.size);
	hash = digest_finish(digest);
	key->size = 0;
	key_put_u32(key, object->account);
	key_put_raw(key, hash.bytes, sizeof(hash.bytes));
}

int
object_store_put_hash(struct transaction *transaction, struct digest *digest,
    const struct object *object, struct error *error)
{
	struct key key, number = { .size = 0 };

	key_put_u8(&number, 1);
	key_put_u64(&number, object->blob);
	object_hash_key(transaction, digest, object, &key);
	return store_put(transaction, DB_HASH, &key,
	    text_make(number.bytes, number.size), error);
}

int
object_find_form(struct transaction *transaction, uint64_t blob,
    struct blob_form *form, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u64(&key, blob);
	found = store_get(transaction, DB_BLOB, &key, &value, error);
	if (found == 1 && blob_form_decode(value, form) != 0)
		return error_set(error, ERROR_DAMAGED, "store: blob row");
	return found;
}

int
object_store_find(struct transaction *transaction, uint64_t blob,
    struct object *object, struct error *error)
{
	struct blob_form form;
	int found = object_find_form(transaction, blob, &form, error);

	if (found != 1)
		return found;
	*object = (struct object){ .blob = blob,
		.account = form.account,
		.size = form.size,
		.wire_size = form.wire_size,
		.hash = form.hash,
		.is_sealed = form.is_sealed,
		.is_pieced = form.is_pieced };
	return 1;
}

int
object_put_form(struct transaction *transaction, uint64_t blob,
    struct blob_form *form, const struct place *places, uint32_t count,
    struct error *error)
{
	size_t room = BLOB_SEALED_SIZE + (size_t)count * PLACE_SIZE;
	struct key key = { .size = 0 };
	uint8_t *data = memory_new(1, room);
	size_t size;
	int result;

	form->place_count = count;
	size = blob_form_encode(form, places, data, room);
	key_put_u64(&key, blob);
	result =
	    store_put(transaction, DB_BLOB, &key, text_make(data, size), error);
	free(data);
	return result;
}

int
object_count_use(struct transaction *transaction, const struct place *places,
    uint32_t count, bool is_live, struct error *error)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		int64_t length = places[i].length;

		if (segment_use_add(transaction, places[i].at.segment,
			is_live ? length : 0, is_live ? 0 : length, error) != 0)
			return -1;
	}
	return 0;
}

/* -- Reading -- */

static int
cut(const struct object *object, struct error *error)
{
	return error_set(error, ERROR_DAMAGED, "store: blob %llu is cut",
	    (unsigned long long)object->blob);
}

static int
staged_part(struct transaction *transaction, const struct object *object,
    uint64_t offset, struct text *part, struct error *error)
{
	struct key key = { .size = 0 };
	int found;

	key_put_u64(&key, object->blob);
	key_put_u32(&key, (uint32_t)(offset / STORE_CHUNK_SIZE));
	found = store_get(transaction, DB_CHUNK, &key, part, error);
	if (found < 0)
		return -1;
	if (found == 0 || part->size <= offset % STORE_CHUNK_SIZE ||
	    part->size > STORE_CHUNK_SIZE)
		return cut(object, error);
	*part = text_skip(*part, offset % STORE_CHUNK_SIZE);
	return 1;
}

/* The place that holds the byte at `offset`, which becomes one within it. */
static int
find_place(struct transaction *transaction, const struct object *object,
    uint64_t *offset, struct place *place, struct error *error)
{
	struct blob_form form;
	uint32_t i;

	if (object_find_form(transaction, object->blob, &form, error) != 1)
		return cut(object, error);
	for (i = 0; i < form.place_count; i++) {
		if (place_get(&form.places, place) != 0)
			break;
		if (*offset < place->length)
			return 0;
		*offset -= place->length;
	}
	return cut(object, error);
}

static int
sealed_part(struct transaction *transaction, const struct object *object,
    uint64_t offset, struct text *part, struct error *error)
{
	struct segments *segments = store_segments(transaction);
	struct block *block;
	struct place place;

	if (find_place(transaction, object, &offset, &place, error) != 0)
		return -1;
	if (segments == NULL)
		return error_set(error, ERROR_DAMAGED, "store: no segments");
	block = segments_read(segments, &place.at, error);
	if (block == NULL)
		return -1;
	transaction_keep(transaction, block);
	if (block->head.kind != BLOCK_BODIES ||
	    block->head.account != object->account ||
	    (uint64_t)place.offset + place.length > block->raw.size)
		return cut(object, error);
	*part = text_make(block->raw.data + place.offset + offset,
	    place.length - (size_t)offset);
	return 1;
}

/* The piece that holds the byte at `offset`, which becomes one within it. */
static int
find_piece(struct transaction *transaction, const struct object *object,
    uint64_t *offset, struct object *found, struct error *error)
{
	struct piece_ref piece;
	struct blob_form form;
	uint32_t i;

	if (object_find_form(transaction, object->blob, &form, error) != 1)
		return cut(object, error);
	for (i = 0; i < form.piece_count; i++) {
		if (piece_ref_get(&form.pieces, &piece) != 0)
			break;
		if (*offset >= piece.size) {
			*offset -= piece.size;
			continue;
		}
		if (object_store_find(transaction, piece.blob, found, error) !=
			1 ||
		    found->account != object->account || found->is_pieced ||
		    found->size != piece.size)
			break;
		return 0;
	}
	return cut(object, error);
}

static int
unpieced_part(struct transaction *transaction, const struct object *object,
    uint64_t offset, struct text *part, struct error *error)
{
	return object->is_sealed
		   ? sealed_part(transaction, object, offset, part, error)
		   : staged_part(transaction, object, offset, part, error);
}

int
object_store_part(struct transaction *transaction, const struct object *object,
    uint64_t offset, struct text *part, struct error *error)
{
	struct object piece;

	if (offset >= object->size)
		return 0;
	if (!object->is_pieced)
		return unpieced_part(transaction, object, offset, part, error);
	return find_piece(transaction, object, &offset, &piece, error) == 0
		   ? unpieced_part(transaction, &piece, offset, part, error)
		   : -1;
}

int
object_store_read(struct transaction *transaction, struct digest *digest,
    const struct object *object, uint8_t *to, struct error *error)
{
	struct hash hash;
	struct text part;
	uint64_t offset = 0;
	int got;

	while ((got = object_store_part(
		    transaction, object, offset, &part, error)) == 1) {
		if (part.size > object->size - offset)
			return cut(object, error);
		memcpy(to + offset, part.data, part.size);
		offset += part.size;
	}
	if (got < 0)
		return -1;
	hash = digest_of(digest, to, offset);
	if (memcmp(&hash, &object->hash, sizeof(hash)) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: blob %llu does not match its hash",
		    (unsigned long long)object->blob);
	return 0;
}

/* -- Places -- */

/* Its row says so already: the same batch, applied again. */
static bool
is_there(const struct blob_form *form, const struct place *places)
{
	struct blob_form copy = *form;
	struct place first;

	return copy.place_count > 0 && place_get(&copy.places, &first) == 0 &&
	       first.at.segment == places[0].at.segment &&
	       first.at.value == places[0].at.value &&
	       first.at.block == places[0].at.block &&
	       first.offset == places[0].offset;
}

int
object_store_seal(struct transaction *transaction, uint64_t blob,
    const struct hash *hash, const struct place *places, uint32_t count,
    struct error *error)
{
	struct blob_form form;
	int found = object_find_form(transaction, blob, &form, error);
	bool is_taken = found == 1 && !form.is_sealed &&
			memcmp(&form.hash, hash, sizeof(*hash)) == 0;

	if (found == 1 && form.is_sealed && count > 0 &&
	    is_there(&form, places))
		return 0;
	if (found < 0 ||
	    object_count_use(transaction, places, count, is_taken, error) != 0)
		return -1;
	if (!is_taken)
		return 0;
	return object_put_form(
		   transaction, blob, &form, places, count, error) == 0
		   ? 1
		   : -1;
}

/* Those that the row has: the caller frees. NULL: malformed. */
static struct place *
places_of(struct blob_form *form)
{
	struct place *places =
	    memory_new((size_t)form->place_count + 1, sizeof(*places));
	uint32_t i;

	for (i = 0; i < form->place_count; i++)
		if (place_get(&form->places, &places[i]) != 0) {
			memory_free(&places);
			break;
		}
	return places;
}

/* What was alive is dead. */
static int
leave(struct transaction *transaction, struct blob_form *form,
    struct error *error)
{
	struct place *places = places_of(form);
	int result = 0;
	uint32_t i;

	if (places == NULL)
		return error_set(error, ERROR_DAMAGED, "store: blob row");
	for (i = 0; i < form->place_count && result == 0; i++)
		result = segment_use_add(transaction, places[i].at.segment,
		    -(int64_t)places[i].length, places[i].length, error);
	free(places);
	return result;
}

/* Does a part of it lie in this segment?  0: in any before that one. */
static bool
lies_in(const struct blob_form *form, uint32_t segment, uint32_t before)
{
	struct blob_form copy = *form;
	struct place place;
	uint32_t i;

	for (i = 0; i < form->place_count; i++) {
		if (place_get(&copy.places, &place) != 0)
			return false;
		if (segment != 0 ? place.at.segment == segment
				 : place.at.segment < before)
			return true;
	}
	return false;
}

int
object_store_lies_in(struct transaction *transaction, uint64_t blob,
    uint32_t segment, struct error *error)
{
	struct blob_form form;
	int found = object_find_form(transaction, blob, &form, error);

	return found == 1 ? form.is_sealed && lies_in(&form, segment, 0)
			  : found;
}

int
object_store_move(struct transaction *transaction, uint64_t blob,
    const struct hash *hash, uint32_t from, const struct place *places,
    uint32_t count, struct error *error)
{
	struct blob_form form, left;
	int found = object_find_form(transaction, blob, &form, error);
	bool is_moved;

	if (found == 1 && count > 0 && is_there(&form, places))
		return 0;
	is_moved = found == 1 && count > 0 && form.is_sealed &&
		   memcmp(&form.hash, hash, sizeof(*hash)) == 0 &&
		   lies_in(&form, from, places[0].at.segment);
	left = form;
	if (found < 0 ||
	    object_count_use(transaction, places, count, is_moved, error) !=
		0 ||
	    (is_moved && leave(transaction, &left, error) != 0))
		return -1;
	if (!is_moved)
		return 0;
	return object_put_form(
		   transaction, blob, &form, places, count, error) == 0
		   ? 1
		   : -1;
}

int
object_store_free(struct transaction *transaction, uint64_t blob,
    unsigned int max, struct error *error)
{
	struct key from = { .size = 0 }, key;
	unsigned int count = 0;
	struct text found, value;
	struct blob_form form;
	struct cursor *cursor;
	int got = object_find_form(transaction, blob, &form, error);

	if (got == 1 && !form.is_sealed)
		return error_set(error, ERROR_REFUSED,
		    "store: blob %llu is not sealed", (unsigned long long)blob);
	if (got < 0)
		return -1;
	got = 1;
	key_put_u64(&from, blob);
	while (count < max && got == 1) {
		cursor = cursor_open(transaction, DB_CHUNK, &from, error);
		if (cursor == NULL)
			return -1;
		got = cursor_next(cursor, &found, &value, error);
		if (got == 1 && key_u64_at(found, 0) != blob)
			got = 0;
		key.size = 0;
		if (got == 1)
			key_put_raw(&key, found.data, found.size);
		cursor_close(&cursor);
		if (got == 1 &&
		    store_take(transaction, DB_CHUNK, &key, error) != 0)
			got = -1;
		count += got == 1;
	}
	return got < 0 ? -1 : (int)count;
}

/* -- The end -- */

static int
take_hash(struct transaction *transaction, uint64_t blob,
    const struct blob_form *form, struct error *error)
{
	const struct object object = {
		.blob = blob, .account = form->account, .hash = form->hash
	};
	struct digest *digest = digest_new();
	struct text value;
	struct key key;
	int found;

	object_hash_key(transaction, digest, &object, &key);
	digest_free(&digest);
	found = store_get(transaction, DB_HASH, &key, &value, error);
	if (found != 1 || key_u64_at(value, 1) != blob)
		return found < 0 ? -1 : 0;
	return store_take(transaction, DB_HASH, &key, error);
}

/* One reference less to each; those that nothing refers to any more go away. */
static int
drop_pieces(struct transaction *transaction, const struct piece_ref *pieces,
    uint32_t count, struct error *error)
{
	uint32_t i, left;

	for (i = 0; i < count; i++) {
		if (blob_use_drop(transaction, pieces[i].blob, &left, error) !=
		    0)
			return -1;
		if (left == 0 && object_store_remove(
				     transaction, pieces[i].blob, error) != 0)
			return -1;
	}
	return 0;
}

/* Those that the row has: the caller frees. NULL: malformed. */
static struct piece_ref *
pieces_of(struct blob_form *form)
{
	struct piece_ref *pieces =
	    memory_new((size_t)form->piece_count + 1, sizeof(*pieces));
	uint32_t i;

	for (i = 0; i < form->piece_count; i++)
		if (piece_ref_get(&form->pieces, &pieces[i]) != 0) {
			memory_free(&pieces);
			break;
		}
	return pieces;
}

/* Its rows; what it consists of is left. */
static int
remove_rows(struct transaction *transaction, uint64_t blob,
    struct blob_form *form, struct error *error)
{
	struct key key = { .size = 0 };

	key_put_u64(&key, blob);
	if (take_hash(transaction, blob, form, error) != 0 ||
	    (form->is_sealed && leave(transaction, form, error) != 0) ||
	    store_take(transaction, DB_BLOB, &key, error) != 0)
		return -1;
	return 0;
}

int
object_store_remove(
    struct transaction *transaction, uint64_t blob, struct error *error)
{
	struct piece_ref *pieces;
	struct blob_form form;
	int found = object_find_form(transaction, blob, &form, error), result;

	if (found == 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: blob %llu is gone", (unsigned long long)blob);
	if (found < 0)
		return -1;
	pieces = pieces_of(&form);
	if (pieces == NULL)
		return error_set(error, ERROR_DAMAGED, "store: blob row");
	result = remove_rows(transaction, blob, &form, error);
	if (result == 0 && form.is_pieced)
		result =
		    drop_pieces(transaction, pieces, form.piece_count, error);
	free(pieces);
	if (result != 0 || form.is_pieced)
		return result;
	return object_store_free(transaction, blob, UINT32_MAX, error) < 0 ? -1
									   : 0;
}
