/*
 * See preview.h.
 */
#include "imapd/preview.h"

#include "common/charset.h"

#include <string.h>

/* ---- HTML ---- */

/* Elements whose content nobody sees. */
static const char *const hidden[] = { "script", "style", "head", "title" };

static const struct {
	const char *name;
	uint32_t code_point;
} entities[] = {
	{ "amp;", '&' },
	{ "lt;", '<' },
	{ "gt;", '>' },
	{ "quot;", '"' },
	{ "apos;", '\'' },
	{ "nbsp;", ' ' },
};

/* Behind `end`, or nothing is left. */
static struct text
skip_past(struct text rest, const char *end)
{
	size_t size = strlen(end);

	for (; rest.size >= size; rest = text_skip(rest, 1))
		if (text_starts_nocase(rest, end))
			return text_skip(rest, size);
	return text_make("", 0);
}

/* From behind a "<" to behind its tag, and behind what it hides. */
static struct text
skip_tag(struct text rest)
{
	char end[16] = "</";

	if (text_starts_nocase(rest, "!--"))
		return skip_past(rest, "-->");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		size_t size = strlen(hidden[i]);

		if (!text_starts_nocase(rest, hidden[i]) ||
		    (rest.size > size && rest.data[size] != '>' &&
			rest.data[size] != ' '))
			continue;
		memcpy(end + 2, hidden[i], size + 1);
		rest = skip_past(rest, end);
		break;
	}
	return skip_past(rest, ">");
}

/* From behind a "&": takes the entity off and appends what it stands for. */
static int
put_entity(struct text *rest, struct buf *out)
{
	ptrdiff_t end = text_find_byte(*rest, ';');
	uint64_t number;

	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++) {
		if (!text_starts_nocase(*rest, entities[i].name))
			continue;
		*rest = text_skip(*rest, strlen(entities[i].name));
		return charset_put_utf8(out, entities[i].code_point);
	}
	if (end > 1 && end < 9 && rest->data[0] == '#' &&
	    text_parse_number(text_make(rest->data + 1, (size_t)end - 1),
		0x10ffff, &number) == 0) {
		*rest = text_skip(*rest, (size_t)end + 1);
		return charset_put_utf8(out, (uint32_t)number);
	}
	return buf_put_byte(out, '&');
}

int
preview_strip_html(struct text html, struct buf *out)
{
	int result = 0;

	while (result == 0 && html.size > 0) {
		char c = html.data[0];

		html = text_skip(html, 1);
		if (c == '<') {
			html = skip_tag(html);
			result = buf_put_byte(out, ' ');
		} else if (c == '&') {
			result = put_entity(&html, out);
		} else {
			result = buf_put_byte(out, (uint8_t)c);
		}
	}
	return result;
}

/* ---- Text ---- */

/* Bytes of the character at the start, and of the space that it may be. */
static size_t
character_size(struct text text)
{
	unsigned char c = (unsigned char)text.data[0];
	size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return size < text.size ? size : text.size;
}

static bool
is_space(struct text text)
{
	unsigned char c = (unsigned char)text.data[0];

	return c <= ' ' || c == 0x7f ||
	       (c == 0xc2 && text.size > 1 && text.data[1] == '\xa0');
}

/* `count` characters are there; how many with those of this line. */
static size_t
put_line(struct text line, size_t count, struct buf *out)
{
	bool is_apart = count > 0;

	while (line.size > 0 && count < PREVIEW_MAX_CHARACTERS) {
		size_t size = character_size(line);

		if (is_space(line)) {
			is_apart = count > 0;
		} else {
			if (is_apart && ++count == PREVIEW_MAX_CHARACTERS)
				break;
			if ((is_apart && buf_put_byte(out, ' ') == -1) ||
			    buf_put(out, line.data, size) == -1)
				break;
			is_apart = false;
			count++;
		}
		line = text_skip(line, size);
	}
	return count;
}

static size_t
put_lines(struct text text, bool with_quotes, struct buf *out)
{
	struct text line;
	size_t count = 0;

	while (count < PREVIEW_MAX_CHARACTERS && text_next(&text, '\n', &line))
		if (with_quotes || line.size == 0 || line.data[0] != '>')
			count = put_line(line, count, out);
	return count;
}

void
preview_make(struct text text, struct buf *out)
{
	if (put_lines(text, false, out) == 0)
		(void)put_lines(text, true, out);
}
