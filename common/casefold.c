/* See casefold.h. */
#include "common/casefold.h"

#include <stdlib.h>
#include <unicase.h>

struct text
casefold(struct text text, struct pool *pool)
{
	uint8_t *folded;
	struct text result;
	size_t size, i;
	char *copy;

	if (text_is_ascii(text)) {
		copy = pool_alloc(pool, text.size + 1, 1);
		for (i = 0; i < text.size; i++)
			copy[i] = text_lower_byte(text.data[i]);
		return text_make(copy, text.size);
	}
	folded = u8_casefold(
	    (const uint8_t *)text.data, text.size, NULL, NULL, NULL, &size);
	if (folded == NULL)
		return text;
	result = text_make(pool_copy(pool, folded, size), size);
	free(folded);
	return result;
}
