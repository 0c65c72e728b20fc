/*
 * A hash table from bytes to pointers, with SipHash under a random key, so
 * that no peer can choose keys that collide.  Values stay the caller's.
 */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table *table_new(void);
void table_free(struct table **table);
size_t table_count(const struct table *table);

/* Keys are copied. Put replaces and returns the value that was there before,
 * or NULL; a value may not be NULL. */
void *table_put(
    struct table *table, const void *key, size_t key_size, void *value);
void *table_find(const struct table *table, const void *key, size_t key_size);
void *table_remove(struct table *table, const void *key, size_t key_size);

void *table_put_u64(struct table *table, uint64_t key, void *value);
void *table_find_u64(const struct table *table, uint64_t key);
void *table_remove_u64(struct table *table, uint64_t key);

/*
 * Walks all entries: start with *position = 0; false at the end.  Order is
 * arbitrary.  The entry just returned may be removed, nothing else may be
 * changed on the way.  `key` may be NULL.
 */
bool table_next(const struct table *table, size_t *position, const void **key,
    size_t *key_size, void **value);

/* SipHash-2-4 of `data` under a 16 byte key. */
uint64_t table_siphash(const uint8_t key[16], const void *data, size_t size);

#endif
