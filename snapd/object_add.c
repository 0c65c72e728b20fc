/*
 * How bodies become blobs: see object_store.h.  What comes is looked for by its
 * hash first; then it is cut (pieces.h), and each piece is looked for.
 */
#include "common/memory.h"
#include "snapd/blob_use.h"
#include "snapd/object_parts.h"
#include "snapd/pieces.h"

#include <stdlib.h>
#include <string.h>

/* As it is sent: each line end is CRLF, whatever it is in the file. */
static uint64_t
wire_size_of(struct text bytes)
{
	return bytes.size + text_count_bare_lf(bytes);
}

static int
put_chunks(struct transaction *transaction, uint64_t blob, struct text bytes,
    struct error *error)
{
	uint32_t number = 0;
	size_t offset, size;

	for (offset = 0; offset < bytes.size; offset += size) {
		struct key key = { .size = 0 };

		size = bytes.size - offset;
		if (size > STORE_CHUNK_SIZE)
			size = STORE_CHUNK_SIZE;
		key_put_u64(&key, blob);
		key_put_u32(&key, number++);
		if (store_put(transaction, DB_CHUNK, &key,
			text_make(bytes.data + offset, size), error) != 0)
			return -1;
	}
	return 0;
}

static struct blob_form
form_of(const struct object *object)
{
	return (struct blob_form){ .account = object->account,
		.size = object->size,
		.wire_size = object->wire_size,
		.hash = object->hash };
}

static int
put_by_hash(struct transaction *transaction, const struct object *object,
    const struct key *by_hash, struct error *error)
{
	struct key number = { .size = 0 };

	key_put_u8(&number, 1);
	key_put_u64(&number, object->blob);
	return store_put(transaction, DB_HASH, by_hash,
	    text_make(number.bytes, number.size), error);
}

/* The rows of a new blob; `places` NULL: it is staged. */
static int
put_object(struct transaction *transaction, const struct object *object,
    const struct place *places, uint32_t count, const struct key *by_hash,
    struct error *error)
{
	struct blob_form form = form_of(object);

	return object_put_form(
		   transaction, object->blob, &form, places, count, error) == 0
		   ? put_by_hash(transaction, object, by_hash, error)
		   : -1;
}

/* 1 and the blob of this account that holds the same, 0, -1. */
static int
find_same(struct transaction *transaction, const struct key *by_hash,
    struct object *object, struct error *error)
{
	uint64_t wire_size = object->wire_size;
	struct text value;
	int found = store_get(transaction, DB_HASH, by_hash, &value, error);

	if (found != 1)
		return found;
	found =
	    object_store_find(transaction, key_u64_at(value, 1), object, error);
	object->wire_size = wire_size;
	if (found == 0)
		return error_set(error, ERROR_DAMAGED, "store: a blob is gone");
	return found;
}

void
object_store_look(
    struct digest *digest, struct text bytes, struct object *object)
{
	object->size = bytes.size;
	object->wire_size = wire_size_of(bytes);
	object->hash = digest_of(digest, bytes.data, bytes.size);
}

int
object_store_has(struct transaction *transaction, struct digest *digest,
    const struct object *object, struct error *error)
{
	struct text value;
	struct key key;

	object_hash_key(transaction, digest, object, &key);
	return store_get(transaction, DB_HASH, &key, &value, error);
}

/* Staged, under the next number. */
static int
add_staged(struct transaction *transaction, const struct key *by_hash,
    uint64_t *next_blob, struct text bytes, struct object *object,
    struct error *error)
{
	object->blob = (*next_blob)++;
	if (put_chunks(transaction, object->blob, bytes, error) != 0)
		return -1;
	return put_object(transaction, object, NULL, 0, by_hash, error);
}

static int
add_piece(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, struct text bytes, struct object *piece,
    struct error *error)
{
	struct key key;
	int found;

	object_store_look(digest, bytes, piece);
	object_hash_key(transaction, digest, piece, &key);
	found = find_same(transaction, &key, piece, error);
	return found == 0 ? add_staged(transaction, &key, next_blob, bytes,
				piece, error)
			  : found - 1;
}

/* Each piece as a blob; then what consists of them. */
static int
add_cut(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, struct text bytes, const struct piece_span *spans,
    size_t count, struct object *object, struct error *error)
{
	struct piece_ref *pieces = memory_new(count, sizeof(*pieces));
	int result = 0;
	size_t i;

	for (i = 0; i < count && result == 0; i++) {
		struct object piece = { .account = object->account };
		struct text part =
		    text_make(bytes.data + spans[i].offset, spans[i].size);

		result = add_piece(
		    transaction, digest, next_blob, part, &piece, error);
		pieces[i] = (struct piece_ref){ piece.blob, piece.size };
	}
	if (result == 0) {
		object->blob = (*next_blob)++;
		result = object_store_add_pieced(transaction, digest, pieces,
		    (uint32_t)count, object, error);
	}
	free(pieces);
	return result;
}

int
object_store_add(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, struct text bytes, struct object *object,
    struct error *error)
{
	struct piece_span *spans;
	struct key key;
	size_t count;
	int found;

	object_store_look(digest, bytes, object);
	object_hash_key(transaction, digest, object, &key);
	found = find_same(transaction, &key, object, error);
	if (found != 0)
		return found < 0 ? -1 : 0;
	count = pieces_cut(bytes, &spans);
	if (count == 0)
		return add_staged(
		    transaction, &key, next_blob, bytes, object, error);
	found = add_cut(
	    transaction, digest, next_blob, bytes, spans, count, object, error);
	free(spans);
	return found;
}

/* A reference to each of them; their locks are those of what consists of them:
 * nothing but its end ends one. */
static int
refer_to_pieces(struct transaction *transaction, const struct piece_ref *pieces,
    uint32_t count, struct error *error)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (blob_use_add(transaction, pieces[i].blob, 0, error) != 0)
			return -1;
	return 0;
}

int
object_store_add_pieced(struct transaction *transaction, struct digest *digest,
    const struct piece_ref *pieces, uint32_t count, struct object *object,
    struct error *error)
{
	size_t room = BLOB_SEALED_SIZE + (size_t)count * PIECE_REF_SIZE, size;
	struct blob_form form = form_of(object);
	uint8_t *data = memory_new(1, room);
	struct key key = { .size = 0 }, by_hash;
	int result;

	form.piece_count = count;
	size = blob_form_encode_pieces(&form, pieces, data, room);
	key_put_u64(&key, object->blob);
	object_hash_key(transaction, digest, object, &by_hash);
	result =
	    store_put(transaction, DB_BLOB, &key, text_make(data, size), error);
	free(data);
	if (result != 0 ||
	    put_by_hash(transaction, object, &by_hash, error) != 0)
		return -1;
	object->is_sealed = object->is_pieced = true;
	return refer_to_pieces(transaction, pieces, count, error);
}

int
object_store_find_same(struct transaction *transaction, struct digest *digest,
    struct object *object, struct error *error)
{
	struct key key;

	object_hash_key(transaction, digest, object, &key);
	return find_same(transaction, &key, object, error);
}

int
object_store_add_placed(struct transaction *transaction, struct digest *digest,
    const struct place *places, uint32_t count, struct object *object,
    struct error *error)
{
	struct key key;
	int found;

	object_hash_key(transaction, digest, object, &key);
	found = find_same(transaction, &key, object, error);
	if (found < 0 || object_count_use(transaction, places, count,
			     found == 0, error) != 0)
		return -1;
	return found == 1 ? 0
			  : put_object(transaction, object, places, count, &key,
				error);
}

int
object_store_disown(struct transaction *transaction, const struct place *places,
    uint32_t count, struct error *error)
{
	return object_count_use(transaction, places, count, false, error);
}
