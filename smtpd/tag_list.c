/* See tag_list.h. */
#include "smtpd/tag_list.h"

bool
tag_list_begins(struct text text, const char *version, struct text *rest)
{
	struct text first;

	*rest = text;
	return text_next(rest, ';', &first) && first.size < text.size &&
	       first.size > 0 && first.data[0] == version[0] &&
	       text_is(text_trim(first), version);
}

int
tag_list_next(struct text *rest, struct text *key, struct text *value)
{
	struct text part;
	ptrdiff_t equals;

	do
		if (!text_next(rest, ';', &part))
			return 0;
	while (text_trim(part).size == 0);
	equals = text_find_byte(part, '=');
	if (equals == -1)
		return -1;
	*key = text_trim(text_make(part.data, (size_t)equals));
	*value = text_trim(text_skip(part, (size_t)equals + 1));
	return key->size > 0 ? 1 : -1;
}
