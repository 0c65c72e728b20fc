/* See login_cache.h. A table of fixed size: a newcomer takes its place. */
#include "authd/login_cache.h"

#include "common/memory.h"
#include "common/table.h"

#include <string.h>

enum {
	INPUT_MAX = 2048
};

struct entry {
	struct login_proof proof;
	int64_t until_us;
};

struct login_cache {
	uint8_t key[32];
	struct entry entries[LOGIN_CACHE_ENTRIES];
};

struct login_cache *
login_cache_new(const uint8_t key[32])
{
	struct login_cache *cache = memory_new(1, sizeof(*cache));

	memcpy(cache->key, key, sizeof(cache->key));
	return cache;
}

void
login_cache_free(struct login_cache **cache)
{
	if (*cache != NULL)
		explicit_bzero(*cache, sizeof(**cache));
	memory_free(cache);
}

/* Hash, NUL (which no hash holds), password. */
struct login_proof
login_cache_proof(
    const struct login_cache *cache, struct text hash, struct text password)
{
	struct login_proof proof = { { 0, 0 } };
	char input[INPUT_MAX];
	size_t size = hash.size + 1 + password.size;

	if (hash.size >= INPUT_MAX || size > INPUT_MAX)
		return proof;
	memcpy(input, hash.data, hash.size);
	input[hash.size] = '\0';
	if (password.size > 0)
		memcpy(input + hash.size + 1, password.data, password.size);
	proof.value[0] = table_siphash(cache->key, input, size);
	proof.value[1] = table_siphash(cache->key + 16, input, size);
	explicit_bzero(input, sizeof(input));
	return proof;
}

void
login_cache_add(
    struct login_cache *cache, struct login_proof proof, int64_t now_us)
{
	struct entry *entry =
	    &cache->entries[proof.value[0] % LOGIN_CACHE_ENTRIES];

	if ((proof.value[0] | proof.value[1]) == 0)
		return; /* stands for nothing */
	entry->proof = proof;
	entry->until_us = now_us + INT64_C(1000000) * LOGIN_CACHE_LIFE_S;
}

bool
login_cache_has(
    const struct login_cache *cache, struct login_proof proof, int64_t now_us)
{
	const struct entry *entry =
	    &cache->entries[proof.value[0] % LOGIN_CACHE_ENTRIES];
	uint64_t different = (entry->proof.value[0] ^ proof.value[0]) |
			     (entry->proof.value[1] ^ proof.value[1]);

	return different == 0 && entry->until_us > now_us;
}

void
login_cache_clear(struct login_cache *cache)
{
	explicit_bzero(cache->entries, sizeof(cache->entries));
}
