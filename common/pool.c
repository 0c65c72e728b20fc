/* See pool.h.  A list of blocks, the newest first; the first one made is kept
 * by pool_clear. */
#include "common/pool.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	POOL_BLOCK_SIZE = 4000
};

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) unsigned char data[];
};

struct pool {
	struct block *blocks;
	size_t used;
};

static struct block *
block_new(size_t size)
{
	struct block *block;

	if (size > SIZE_MAX / 2)
		fatal("what=\"pool size overflow\" size=%zu", size);
	block = malloc(sizeof(*block) + size);
	if (block == NULL)
		fatal("what=\"out of memory\" size=%zu", size);
	block->next = NULL;
	block->size = size;
	block->used = 0;
	return block;
}

struct pool *
pool_new(void)
{
	return memory_new(1, sizeof(struct pool));
}

void
pool_free(struct pool **pool)
{
	struct block *block;

	if (*pool == NULL)
		return;
	while ((block = (*pool)->blocks) != NULL) {
		(*pool)->blocks = block->next;
		free(block);
	}
	memory_free(pool);
}

void
pool_clear(struct pool *pool)
{
	struct block *block;

	while ((block = pool->blocks) != NULL && block->next != NULL) {
		pool->blocks = block->next;
		free(block);
	}
	if (block != NULL && block->size > POOL_BLOCK_SIZE) {
		pool->blocks = NULL;
		free(block);
	} else if (block != NULL) {
		block->used = 0;
	}
	pool->used = 0;
}

void *
pool_alloc(struct pool *pool, size_t count, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct block *block = pool->blocks;
	size_t total;
	void *p;

	if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 4)
		fatal("what=\"pool size overflow\" count=%zu size=%zu", count,
		    size);
	total = (total + align - 1) / align * align;
	if (block == NULL || block->size - block->used < total) {
		block = block_new(
		    total > POOL_BLOCK_SIZE ? total : POOL_BLOCK_SIZE);
		block->next = pool->blocks;
		pool->blocks = block;
	}
	p = block->data + block->used;
	block->used += total;
	pool->used += total;
	memset(p, 0, total);
	return p;
}

void *
pool_copy(struct pool *pool, const void *data, size_t size)
{
	void *p = pool_alloc(pool, size, 1);

	if (size > 0)
		memcpy(p, data, size);
	return p;
}

char *
pool_text(struct pool *pool, const char *s, size_t size)
{
	char *p = pool_alloc(pool, size + 1, 1);

	if (size > 0)
		memcpy(p, s, size);
	return p;
}

size_t
pool_used(const struct pool *pool)
{
	return pool->used;
}
