/*
 * See mail_header.h.
 */
#include "common/mail_header.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes of the line at `p`, its LF included. */
static size_t
line_size(const char *p, size_t size)
{
	const char *end = memchr(p, '\n', size);

	return end == NULL ? size : (size_t)(end - p) + 1;
}

static size_t
field_size(struct text rest)
{
	size_t size = line_size(rest.data, rest.size);

	while (size < rest.size && is_blank(rest.data[size]))
		size += line_size(rest.data + size, rest.size - size);
	return size;
}

static struct text
without_line_end(struct text a)
{
	if (a.size > 0 && a.data[a.size - 1] == '\n') {
		a.size--;
		if (a.size > 0 && a.data[a.size - 1] == '\r')
			a.size--;
	}
	return a;
}

/* Space at the start, unless there is nothing else. */
static struct text
skip_space(struct text value)
{
	size_t i = 0;

	while (i < value.size && is_blank(value.data[i]))
		i++;
	if (i == value.size && i > 0)
		i = 1;
	return text_skip(value, i);
}

static void
split_field(struct mail_field *field)
{
	struct text first, all = without_line_end(field->raw);
	ptrdiff_t colon;

	first = without_line_end(text_make(
	    field->raw.data, line_size(field->raw.data, field->raw.size)));
	colon = text_find_byte(first, ':');
	if (colon < 0) {
		field->name = first;
		field->value = text_skip(all, first.size);
		return;
	}
	field->value = skip_space(text_skip(all, (size_t)colon + 1));
	while (colon > 0 && is_blank(first.data[colon - 1]))
		colon--;
	field->name = text_make(first.data, (size_t)colon);
}

bool
mail_header_next(struct text *rest, struct mail_field *field)
{
	size_t size;

	if (rest->size == 0)
		return false;
	if (rest->data[0] == '\n' || (rest->size > 1 && rest->data[0] == '\r' &&
					 rest->data[1] == '\n')) {
		*rest = text_skip(*rest, rest->data[0] == '\n' ? 1 : 2);
		return false;
	}
	size = field_size(*rest);
	field->raw = text_make(rest->data, size);
	split_field(field);
	*rest = text_skip(*rest, size);
	return true;
}

bool
mail_header_find(struct text header, const char *name, struct mail_field *field)
{
	while (mail_header_next(&header, field))
		if (text_is_nocase(field->name, name))
			return true;
	return false;
}

bool
mail_header_has_end(struct text header)
{
	size_t size = header.size;

	if (size == 0 || header.data[--size] != '\n')
		return false;
	if (size > 0 && header.data[size - 1] == '\r')
		size--;
	return size == 0 || header.data[size - 1] == '\n';
}

size_t
mail_header_size(struct text message)
{
	struct text rest = message;
	struct mail_field field;

	while (mail_header_next(&rest, &field))
		continue;
	return message.size - rest.size;
}

int
mail_header_unfold(struct text value, bool replace_nul, struct buf *out)
{
	/* One line, as most are. */
	if (text_find_byte(value, '\n') < 0 && text_find_byte(value, '\0') < 0)
		return buf_put(out, value.data, value.size);
	for (size_t i = 0; i < value.size; i++) {
		char c = value.data[i];
		int result = 0;

		if (c == '\0' && replace_nul)
			result = buf_put_text(out, "\xef\xbf\xbd");
		else if (c != '\n' && !(c == '\r' && i + 1 < value.size &&
					  value.data[i + 1] == '\n'))
			result = buf_put_byte(out, (uint8_t)c);
		if (result < 0)
			return -1;
	}
	return 0;
}
