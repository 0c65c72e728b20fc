/*
 * An arena: everything that one command or one message needs, freed at once.
 */
#ifndef COMMON_POOL_H
#define COMMON_POOL_H

#include <stddef.h>

struct pool;

struct pool *pool_new(void);
void pool_free(struct pool **pool);

/* Frees what was allocated, keeps one block for the next command. */
void pool_clear(struct pool *pool);

/* Zeroed, aligned for any type, valid until pool_clear or pool_free. */
void *pool_alloc(struct pool *pool, size_t count, size_t size);
void *pool_copy(struct pool *pool, const void *data, size_t size);

/* `size` bytes of `s` and a NUL. */
char *pool_text(struct pool *pool, const char *s, size_t size);

/* Bytes handed out since the last clear: for callers with a budget. */
size_t pool_used(const struct pool *pool);

#endif
