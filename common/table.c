/* See table.h.  Chained buckets, doubled when there are more entries than
 * buckets. */
#include "common/table.h"

#include "common/log.h"
#include "common/memory.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	TABLE_FIRST_BUCKETS = 16
};

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t key_size;
	unsigned char key[];
};

struct table {
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	uint8_t secret[16];
};

static uint64_t
rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static inline uint64_t
load_word(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

static uint64_t
load_rest(const uint8_t *p, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

uint64_t
table_siphash(const uint8_t key[16], const void *data, size_t size)
{
	const uint8_t *p = data, *end = p + size / 8 * 8;
	uint64_t k0 = load_word(key), k1 = load_word(key + 8), word;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };

	for (; p < end; p += 8) {
		word = load_word(p);
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	word = load_rest(p, size % 8) | (uint64_t)size << 56;
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct table *
table_new(void)
{
	struct table *table = memory_new(1, sizeof(*table));

	table->bucket_count = TABLE_FIRST_BUCKETS;
	table->buckets =
	    memory_new(table->bucket_count, sizeof(table->buckets[0]));
	if (getrandom(table->secret, sizeof(table->secret), 0) !=
	    (ssize_t)sizeof(table->secret))
		fatal("what=\"no random bytes\"");
	return table;
}

void
table_free(struct table **table)
{
	if (*table == NULL)
		return;
	for (size_t i = 0; i < (*table)->bucket_count; i++) {
		struct entry *entry, *next;

		for (entry = (*table)->buckets[i]; entry != NULL;
		     entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free((*table)->buckets);
	memory_free(table);
}

size_t
table_count(const struct table *table)
{
	return table->count;
}

static struct entry **
find_place(
    const struct table *table, uint64_t hash, const void *key, size_t key_size)
{
	struct entry **place =
	    &table->buckets[hash & (table->bucket_count - 1)];

	for (; *place != NULL; place = &(*place)->next)
		if ((*place)->hash == hash && (*place)->key_size == key_size &&
		    memcmp((*place)->key, key, key_size) == 0)
			break;
	return place;
}

static void
grow(struct table *table)
{
	size_t count = table->bucket_count * 2;
	struct entry **buckets = memory_new(count, sizeof(buckets[0]));

	for (size_t i = 0; i < table->bucket_count; i++) {
		struct entry *entry, *next;

		for (entry = table->buckets[i]; entry != NULL; entry = next) {
			struct entry **head =
			    &buckets[entry->hash & (count - 1)];

			next = entry->next;
			entry->next = *head;
			*head = entry;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = count;
}

void *
table_put(struct table *table, const void *key, size_t key_size, void *value)
{
	uint64_t hash = table_siphash(table->secret, key, key_size);
	struct entry **place = find_place(table, hash, key, key_size);
	struct entry *entry;

	if (*place != NULL) {
		void *old = (*place)->value;

		(*place)->value = value;
		return old;
	}
	entry = memory_new(1, sizeof(*entry) + key_size);
	entry->hash = hash;
	entry->value = value;
	entry->key_size = key_size;
	memcpy(entry->key, key, key_size);
	*place = entry;
	if (++table->count > table->bucket_count)
		grow(table);
	return NULL;
}

void *
table_find(const struct table *table, const void *key, size_t key_size)
{
	uint64_t hash = table_siphash(table->secret, key, key_size);
	struct entry *entry = *find_place(table, hash, key, key_size);

	return entry == NULL ? NULL : entry->value;
}

void *
table_remove(struct table *table, const void *key, size_t key_size)
{
	uint64_t hash = table_siphash(table->secret, key, key_size);
	struct entry **place = find_place(table, hash, key, key_size);
	struct entry *entry = *place;
	void *value;

	if (entry == NULL)
		return NULL;
	*place = entry->next;
	value = entry->value;
	free(entry);
	table->count--;
	return value;
}

void *
table_put_u64(struct table *table, uint64_t key, void *value)
{
	return table_put(table, &key, sizeof(key), value);
}

void *
table_find_u64(const struct table *table, uint64_t key)
{
	return table_find(table, &key, sizeof(key));
}

void *
table_remove_u64(struct table *table, uint64_t key)
{
	return table_remove(table, &key, sizeof(key));
}

/* A position is the bucket above and the place in its chain, both of which
 * count down from the end of the chain, so that removing the entry just
 * returned moves nothing that is still to come. */
bool
table_next(const struct table *table, size_t *position, const void **key,
    size_t *key_size, void **value)
{
	const size_t chain_limit = 1u << 16;
	size_t bucket = *position / chain_limit;
	size_t left = *position % chain_limit; /* 0: bucket not begun */

	for (; bucket < table->bucket_count; bucket++, left = 0) {
		struct entry *entry = table->buckets[bucket];
		size_t length = 0;

		for (struct entry *e = entry; e != NULL; e = e->next)
			length++;
		if (left == 0)
			left = length + 1;
		if (left == 1 || length == 0)
			continue;
		left--;
		for (size_t i = 1; i < left; i++)
			entry = entry->next;
		if (key != NULL)
			*key = entry->key;
		if (key_size != NULL)
			*key_size = entry->key_size;
		*value = entry->value;
		*position = bucket * chain_limit + left;
		return true;
	}
	*position = bucket * chain_limit;
	return false;
}
