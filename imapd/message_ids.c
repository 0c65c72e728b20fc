/*
 * See message_ids.h.
 */
#include "imapd/message_ids.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From behind a "<": how many bytes of `value` the identifier takes with its
 * ">", 0 if it has no end, no "@" with something on both sides, or is too long.
 */
static size_t
read_id(struct text value, char to[MESSAGE_ID_MAX_SIZE], size_t *size)
{
	bool is_quoted = false;
	size_t i, at = 0;

	*size = 0;
	for (i = 0; i < value.size && *size < MESSAGE_ID_MAX_SIZE; i++) {
		char c = value.data[i];

		if (c == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (is_quoted && c == '\\' && i + 1 < value.size)
			c = value.data[++i];
		else if (!is_quoted && c == '<')
			return 0;
		else if (!is_quoted && c == '>')
			return at > 0 && at + 1 < *size ? i + 1 : 0;
		else if (!is_quoted && is_space(c))
			continue;
		else if (!is_quoted && c == '@')
			at = *size;
		to[(*size)++] = c;
	}
	return 0;
}

bool
message_id_next(struct text *value, struct pool *pool, struct text *id)
{
	char bytes[MESSAGE_ID_MAX_SIZE];
	ptrdiff_t start;
	size_t size, used;

	while ((start = text_find_byte(*value, '<')) != -1) {
		*value = text_skip(*value, (size_t)start + 1);
		used = read_id(*value, bytes, &size);
		*value = text_skip(*value, used);
		if (used == 0)
			continue;
		*id = text_make(pool_copy(pool, bytes, size), size);
		return true;
	}
	return false;
}
