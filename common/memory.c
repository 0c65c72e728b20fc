/* See memory.h. */
#include "common/memory.h"

#include "common/log.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *
memory_new(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		fatal("what=\"out of memory\" count=%zu size=%zu", count, size);
	return p;
}

void *
memory_resize(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count > 0 ? count : 1, size > 0 ? size : 1);

	if (q == NULL)
		fatal("what=\"out of memory\" count=%zu size=%zu", count, size);
	return q;
}

void *
memory_copy(const void *p, size_t size)
{
	void *q = memory_new(size, 1);

	if (size > 0)
		memcpy(q, p, size);
	return q;
}

char *
memory_copy_text(const char *s)
{
	return memory_copy(s, strlen(s) + 1);
}

void
memory_free(void *p)
{
	void *target;

	memcpy(&target, p, sizeof(target));
	free(target);
	target = NULL;
	memcpy(p, &target, sizeof(target));
}

void
memory_return_above(int size)
{
	/* Else glibc raises it to the largest that was ever freed. */
	(void)mallopt(M_MMAP_THRESHOLD, size);
}

void
memory_give_back(void)
{
	(void)malloc_trim(0);
}
