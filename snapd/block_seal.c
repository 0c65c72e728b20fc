/*
 * See block_seal.h.
 */
#include "snapd/block_seal.h"

#include "common/memory.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum {
	BOUND_SIZE = 16 + 8 + BLOCK_HEAD_BOUND
};

struct block_seal {
	struct aead *aead;
	struct block_packer *packer; /* for the way back */
	uint8_t *buffer;             /* packed bytes */
	size_t room;
};

struct block_seal *
block_seal_new(void)
{
	struct block_seal *seal = memory_new(1, sizeof(*seal));

	seal->aead = aead_new();
	seal->packer = block_packer_new();
	return seal;
}

void
block_seal_free(struct block_seal **seal)
{
	if (*seal == NULL)
		return;
	aead_free(&(*seal)->aead);
	block_packer_free(&(*seal)->packer);
	free((*seal)->buffer);
	memory_free(seal);
}

void
block_head_take(struct block_head *head, const struct packed_block *packed)
{
	head->has_runs = packed->has_runs;
	head->raw_size = (uint32_t)packed->raw_size;
	head->packed_size = (uint32_t)packed->size;
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

int
block_seal_make(struct block_seal *seal, const struct store_id *store,
    const struct block_at *at, const struct aead_key *account_key,
    struct block_head *head, const struct packed_block *packed, uint8_t *to,
    struct error *error)
{
	uint8_t bound[BOUND_SIZE], nonce[AEAD_NONCE_SIZE];
	struct aead_key key;
	int result;

	head->number = at->block;
	block_head_take(head, packed);
	if (aead_random(head->salt, sizeof(head->salt), error) != 0)
		return -1;
	block_head_encode(head, to);
	result = key_and_nonce(
	    store, at, account_key, head->salt, &key, nonce, error);
	if (result == 0)
		result = aead_seal(seal->aead, &key, nonce,
		    bound_of(store, at, to, bound),
		    text_make(packed->bytes, packed->size),
		    to + BLOCK_HEAD_SIZE, error);
	OPENSSL_cleanse(&key, sizeof(key));
	head->sum =
	    block_sum(to + BLOCK_HEAD_SIZE, packed->size + BLOCK_TAG_SIZE);
	block_head_encode(head, to);
	return result;
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
	return block_unpack(seal->packer,
	    text_make(seal->buffer, head->packed_size), head->has_runs, to,
	    head->raw_size, error);
}
