/*
 * Blobs in chunks: see object_store.h.
 *
 * blob value: form u8 = 1, account u32, size u64, wire size u64, SHA-256.
 * hash key: account u32, SHA-256(the store's secret, account u32, SHA-256 of
 * the bytes): the same bytes of two accounts never meet, and an index that got
 * out does not tell who has a known file.  The input is of one length.
 */
#include "snapd/object_store.h"

#include "common/codec.h"

#include <string.h>

/* As it is sent: each line end is CRLF, whatever it is in the file. */
static uint64_t
wire_size_of(struct text bytes)
{
	const char *p = bytes.data, *end = bytes.data + bytes.size;
	uint64_t size = bytes.size;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		size += p == bytes.data || p[-1] != '\r';
		p++;
	}
	return size;
}

static void
hash_key(const struct transaction *transaction, struct digest *digest,
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

static int
put_object(struct transaction *transaction, const struct object *object,
    const struct key *by_hash, struct error *error)
{
	uint8_t data[64], number[9] = { 1 };
	struct key key = { .size = 0 };
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u32(&w, object->account);
	writer_put_u64(&w, object->size);
	writer_put_u64(&w, object->wire_size);
	writer_put_raw(&w, object->hash.bytes, sizeof(object->hash.bytes));
	key_put_u64(&key, object->blob);
	if (store_put(transaction, DB_BLOB, &key, text_make(data, w.size),
		error) != 0)
		return -1;
	memcpy(number + 1, key.bytes, 8);
	return store_put(transaction, DB_HASH, by_hash,
	    text_make(number, sizeof(number)), error);
}

int
object_store_add(struct transaction *transaction, struct digest *digest,
    uint64_t *next_blob, uint8_t form, struct text bytes, struct object *object,
    struct error *error)
{
	uint64_t wire_size = wire_size_of(bytes);
	struct text value;
	struct key key;
	int found;

	object->hash = digest_of(digest, bytes.data, bytes.size);
	hash_key(transaction, digest, object, &key);
	found = store_get(transaction, DB_HASH, &key, &value, error);
	if (found < 0)
		return -1;
	if (found == 1) {
		found = object_store_find(
		    transaction, key_u64_at(value, 1), object, error);
		object->wire_size = wire_size;
		if (found == 0)
			return error_set(
			    error, ERROR_DAMAGED, "store: a blob is gone");
		return found < 0 ? -1 : 0;
	}
	object->blob = (*next_blob)++;
	object->size = bytes.size;
	object->wire_size = wire_size;
	if (put_chunks(transaction, object->blob, bytes, error) != 0)
		return -1;
	return put_object(transaction, object, &key, error);
}

int
object_store_find(struct transaction *transaction, uint64_t blob,
    struct object *object, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	struct reader r;
	int found;

	key_put_u64(&key, blob);
	found = store_get(transaction, DB_BLOB, &key, &value, error);
	if (found != 1)
		return found;
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	object->blob = blob;
	object->account = reader_get_u32(&r);
	object->size = reader_get_u64(&r);
	object->wire_size = reader_get_u64(&r);
	reader_get_raw(&r, object->hash.bytes, sizeof(object->hash.bytes));
	if (reader_done(&r) != 0)
		return error_set(error, ERROR_DAMAGED, "store: blob row");
	return 1;
}

int
object_store_part(struct transaction *transaction, const struct object *object,
    uint64_t offset, struct text *part, struct error *error)
{
	struct key key = { .size = 0 };
	int found;

	if (offset >= object->size)
		return 0;
	key_put_u64(&key, object->blob);
	key_put_u32(&key, (uint32_t)(offset / STORE_CHUNK_SIZE));
	found = store_get(transaction, DB_CHUNK, &key, part, error);
	if (found < 0)
		return -1;
	if (found == 0 || part->size <= offset % STORE_CHUNK_SIZE ||
	    part->size > STORE_CHUNK_SIZE)
		return error_set(error, ERROR_DAMAGED,
		    "store: blob %llu is cut",
		    (unsigned long long)object->blob);
	*part = text_skip(*part, offset % STORE_CHUNK_SIZE);
	return 1;
}

int
object_store_read(struct transaction *transaction, struct digest *digest,
    const struct object *object, uint8_t *to, struct error *error)
{
	struct text key_bytes, value;
	struct key key = { .size = 0 };
	struct cursor *cursor;
	struct hash hash;
	uint64_t offset = 0;
	int found = 1;

	key_put_u64(&key, object->blob);
	key_put_u32(&key, 0);
	cursor = cursor_open(transaction, DB_CHUNK, &key, error);
	if (cursor == NULL)
		return -1;
	while (offset < object->size && found == 1) {
		found = cursor_next(cursor, &key_bytes, &value, error);
		if (found != 1 || key_u64_at(key_bytes, 0) != object->blob ||
		    value.size > object->size - offset)
			break;
		memcpy(to + offset, value.data, value.size);
		offset += value.size;
	}
	cursor_close(&cursor);
	hash = digest_of(digest, to, offset);
	if (found < 0)
		return -1;
	if (offset != object->size ||
	    memcmp(&hash, &object->hash, sizeof(hash)) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: blob %llu does not match its hash",
		    (unsigned long long)object->blob);
	return 0;
}

/* The way to it by its hash, unless another blob has that by now. */
static int
take_hash(struct transaction *transaction, const struct object *object,
    struct error *error)
{
	struct digest *digest = digest_new();
	struct text value;
	struct key key;
	int found;

	hash_key(transaction, digest, object, &key);
	digest_free(&digest);
	found = store_get(transaction, DB_HASH, &key, &value, error);
	if (found == 1 && key_u64_at(value, 1) == object->blob)
		return store_take(transaction, DB_HASH, &key, error);
	return found < 0 ? -1 : 0;
}

int
object_store_remove(
    struct transaction *transaction, uint64_t blob, struct error *error)
{
	struct key key = { .size = 0 };
	struct object object;
	uint64_t number, chunks;
	int found;

	found = object_store_find(transaction, blob, &object, error);
	if (found != 1)
		return found < 0 ? -1
				 : error_set(error, ERROR_DAMAGED,
				       "store: blob %llu is gone",
				       (unsigned long long)blob);
	chunks = (object.size + STORE_CHUNK_SIZE - 1) / STORE_CHUNK_SIZE;
	for (number = 0; number < chunks; number++) {
		key.size = 0;
		key_put_u64(&key, blob);
		key_put_u32(&key, (uint32_t)number);
		if (store_take(transaction, DB_CHUNK, &key, error) != 0)
			return -1;
	}
	key.size = 0;
	key_put_u64(&key, blob);
	if (take_hash(transaction, &object, error) != 0)
		return -1;
	return store_take(transaction, DB_BLOB, &key, error);
}
