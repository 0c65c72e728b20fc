/*
 * See block_seal.h.
 */
#include "snapd/block_seal.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/base64_runs.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
	LEVEL = 3, /* docs/performance has what others give */
	BOUND_SIZE = 16 + 8 + BLOCK_HEAD_BOUND
};

struct block_seal {
	struct aead *aead;
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	uint8_t *buffer; /* packed bytes */
	size_t room;
	struct buf runs; /* what is packed, with its base64 decoded */
	uint8_t *again;  /* and that, the other way */
};

struct block_seal *
block_seal_new(void)
{
	struct block_seal *seal = memory_new(1, sizeof(*seal));

	seal->aead = aead_new();
	buf_init(&seal->runs, 2 * BLOCK_MAX_RAW);
	seal->pack = ZSTD_createCCtx();
	seal->unpack = ZSTD_createDCtx();
	if (seal->pack == NULL || seal->unpack == NULL)
		fatal("no memory for zstd");
	return seal;
}

void
block_seal_free(struct block_seal **seal)
{
	if (*seal == NULL)
		return;
	aead_free(&(*seal)->aead);
	ZSTD_freeCCtx((*seal)->pack);
	ZSTD_freeDCtx((*seal)->unpack);
	free((*seal)->buffer);
	buf_clear(&(*seal)->runs);
	free((*seal)->again);
	memory_free(seal);
}

size_t
block_seal_bound(size_t raw_size)
{
	return BLOCK_HEAD_SIZE + ZSTD_compressBound(raw_size) + BLOCK_TAG_SIZE;
}

static void
reserve(struct block_seal *seal, size_t size)
{
	if (seal->room >= size)
		return;
	seal->buffer = memory_resize(seal->buffer, size, 1);
	seal->room = size;
}

static struct text
bound_of(const struct store_id *store, const struct block_at *at,
    const uint8_t *head, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, BOUND_SIZE);
	writer_put_raw(&w, store->bytes, sizeof(store->bytes));
	writer_put_u32(&w, at->segment);
	writer_put_u32(&w, at->value);
	writer_put_raw(&w, head, BLOCK_HEAD_BOUND);
	return text_make(to, w.size);
}

static int
key_and_nonce(const struct store_id *store, const struct block_at *at,
    const struct aead_key *account_key, const uint8_t *salt,
    struct aead_key *key, uint8_t *nonce, struct error *error)
{
	uint8_t context[16 + BLOCK_SALT_SIZE];
	struct writer w;

	writer_init(&w, nonce, AEAD_NONCE_SIZE);
	writer_put_u32(&w, at->segment);
	writer_put_u32(&w, at->value);
	writer_put_u32(&w, at->block);
	memcpy(context, store->bytes, 16);
	memcpy(context + 16, salt, BLOCK_SALT_SIZE);
	return aead_derive(account_key, "firnmail block 1",
	    text_make(context, sizeof(context)), key, error);
}

/* Runs of base64 are packed as what they say, if that comes back as it was. */
static bool
take_runs(struct block_seal *seal, struct text raw)
{
	struct text decoded;

	if (!base64_pack(raw, &seal->runs) || seal->runs.size >= raw.size)
		return false;
	if (seal->again == NULL)
		seal->again = memory_new(1, BLOCK_MAX_RAW);
	decoded = text_make(seal->runs.data, seal->runs.size);
	return base64_unpack(decoded, seal->again, raw.size) == 0 &&
	       memcmp(seal->again, raw.data, raw.size) == 0;
}

/* Into seal->buffer: how many bytes, or 0 and error. */
static size_t
pack(struct block_seal *seal, struct text raw, bool *has_runs,
    struct error *error)
{
	size_t packed;

	*has_runs = take_runs(seal, raw);
	if (*has_runs)
		raw = text_make(seal->runs.data, seal->runs.size);
	reserve(seal, ZSTD_compressBound(raw.size));
	packed = ZSTD_compressCCtx(
	    seal->pack, seal->buffer, seal->room, raw.data, raw.size, LEVEL);
	if (!ZSTD_isError(packed))
		return packed;
	error_set(error, ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(packed));
	return 0;
}

int
block_seal_make(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    struct block_head *head, struct text raw, uint8_t *to, size_t room,
    size_t *size, struct error *error)
{
	uint8_t bound[BOUND_SIZE], nonce[AEAD_NONCE_SIZE];
	struct aead_key key;
	size_t packed;
	int result;

	if (raw.size > BLOCK_MAX_RAW)
		return error_set(
		    error, ERROR_LIMIT, "a block of %zu", raw.size);
	packed = pack(seal, raw, &head->has_runs, error);
	if (packed == 0)
		return -1;
	head->number = at->block;
	head->raw_size = (uint32_t)raw.size;
	head->packed_size = (uint32_t)packed;
	*size = block_size(head);
	if (*size > room)
		return 0;
	if (aead_random(head->salt, sizeof(head->salt), error) != 0)
		return -1;
	block_head_encode(head, to);
	result = key_and_nonce(
	    store, at, account_key, head->salt, &key, nonce, error);
	if (result == 0)
		result = aead_seal(seal->aead, &key, nonce,
		    bound_of(store, at, to, bound),
		    text_make(seal->buffer, packed), to + BLOCK_HEAD_SIZE,
		    error);
	OPENSSL_cleanse(&key, sizeof(key));
	head->sum = block_sum(to + BLOCK_HEAD_SIZE, packed + BLOCK_TAG_SIZE);
	block_head_encode(head, to);
	return result == 0 ? 1 : -1;
}

/* What was packed lies in seal->buffer: ERROR_DAMAGED if it is not that. */
static int
unpack(struct block_seal *seal, const struct block_head *head, uint8_t *to,
    struct error *error)
{
	size_t room = head->raw_size, size;
	uint8_t *unpacked = to;

	if (head->has_runs) {
		buf_reset(&seal->runs);
		unpacked = buf_reserve(&seal->runs, room + 1);
	}
	size = ZSTD_decompressDCtx(
	    seal->unpack, unpacked, room, seal->buffer, head->packed_size);
	if (ZSTD_isError(size) || (!head->has_runs && size != room))
		return error_set(error, ERROR_DAMAGED, "zstd: %s",
		    ZSTD_isError(size) ? ZSTD_getErrorName(size) : "cut");
	if (head->has_runs &&
	    base64_unpack(text_make(unpacked, size), to, room) != 0)
		return error_set(error, ERROR_DAMAGED, "malformed runs");
	return 0;
}

int
block_seal_open(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    const struct block_head *head, const uint8_t *block, uint8_t *to,
    struct error *error)
{
	uint8_t bound[BOUND_SIZE], nonce[AEAD_NONCE_SIZE];
	struct aead_key key;
	int result;

	reserve(seal, head->packed_size + BLOCK_TAG_SIZE);
	result = key_and_nonce(
	    store, at, account_key, head->salt, &key, nonce, error);
	if (result == 0)
		result = aead_open(seal->aead, &key, nonce,
		    bound_of(store, at, block, bound),
		    text_make(block + BLOCK_HEAD_SIZE,
			head->packed_size + BLOCK_TAG_SIZE),
		    seal->buffer, error);
	OPENSSL_cleanse(&key, sizeof(key));
	if (result != 0)
		return -1;
	return unpack(seal, head, to, error);
}
