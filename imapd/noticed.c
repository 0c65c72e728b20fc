/* See noticed.h. */
#include "imapd/noticed.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

void
noticed_add(struct noticed *noticed, bool is_new, const char *name)
{
	if (noticed->count == noticed->capacity) {
		noticed->capacity = noticed->capacity * 2 + 16;
		noticed->names = memory_resize(noticed->names,
		    noticed->capacity, sizeof(noticed->names[0]));
	}
	noticed->names[noticed->count].is_new = is_new;
	noticed->names[noticed->count++].name = memory_copy_text(name);
}

static int
compare(const void *left, const void *right)
{
	const struct noticed_name *a = left, *b = right;

	if (a->is_new != b->is_new)
		return (int)b->is_new - (int)a->is_new;
	return strcmp(a->name, b->name);
}

void
noticed_take(struct noticed *from, struct noticed *taken)
{
	size_t kept = 0;

	*taken = *from;
	memset(from, 0, sizeof(*from));
	if (taken->count > 1)
		qsort(taken->names, taken->count, sizeof(taken->names[0]),
		    compare);
	for (size_t i = 0; i < taken->count; i++)
		if (kept > 0 &&
		    compare(&taken->names[i], &taken->names[kept - 1]) == 0)
			free(taken->names[i].name);
		else
			taken->names[kept++] = taken->names[i];
	taken->count = kept;
}

void
noticed_clear(struct noticed *noticed)
{
	for (size_t i = 0; i < noticed->count; i++)
		free(noticed->names[i].name);
	free(noticed->names);
	memset(noticed, 0, sizeof(*noticed));
}
