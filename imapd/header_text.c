/*
 * See header_text.h.
 */
#include "imapd/header_text.h"

#include "common/mail_header.h"
#include "common/mime_encoding.h"

#include <stdbool.h>
#include <stddef.h>

static bool
is_white_at(struct text text, size_t at)
{
	char c = text.data[at];

	return c == ' ' || c == '\t' || c == '\n' ||
	       (c == '\r' && at + 1 < text.size && text.data[at + 1] == '\n');
}

/* The white space at the start of `rest`. */
static int
put_white(struct text *rest, struct buf *out)
{
	bool is_folded = false;
	size_t size = 0;

	while (size < rest->size && is_white_at(*rest, size))
		is_folded |= rest->data[size++] == '\n';
	*rest = text_skip(*rest, size);
	if (is_folded)
		size = rest->size > 0;
	while (size-- > 0)
		if (buf_put_byte(out, ' ') == -1)
			return -1;
	return 0;
}

static int
unfold(struct text rest, struct buf *out)
{
	while (rest.size > 0) {
		size_t size = 0;

		while (size < rest.size && !is_white_at(rest, size))
			size++;
		if (mail_header_unfold(text_make(rest.data, size), true, out) ==
		    -1)
			return -1;
		rest = text_skip(rest, size);
		if (put_white(&rest, out) == -1)
			return -1;
	}
	return 0;
}

int
header_text_decode(struct text value, struct buf *decoded)
{
	struct buf unfolded;
	int result;

	buf_init(&unfolded, HEADER_TEXT_MAX_VALUE);
	result = unfold(value, &unfolded);
	if (result == 0)
		result = mime_decode_words(
		    text_make(unfolded.data, unfolded.size), decoded);
	buf_clear(&unfolded);
	return result;
}
