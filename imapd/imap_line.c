/* See imap_line.h. */
#include "imapd/imap_line.h"

#include <string.h>

void
imap_line_init(struct imap_line *line)
{
	memset(line, 0, sizeof(*line));
	buf_init(&line->bytes, IMAP_LINE_MAX_SIZE);
}

void
imap_line_reset(struct imap_line *line)
{
	if (line->bytes.size > 0)
		explicit_bzero(line->bytes.data, line->bytes.size);
	buf_reset(&line->bytes);
	line->literal_left = 0;
	line->line_start = 0;
	line->is_skipping = 0;
}

void
imap_line_clear(struct imap_line *line)
{
	imap_line_reset(line);
	buf_clear(&line->bytes);
}

/*
 * Whether the line just read ends in {n} or {n+}: 1 and the size, 0 if it does
 * not.
 */
static int
find_literal(struct text line, uint64_t *size, uint8_t *is_synchronising)
{
	size_t start;

	if (line.size < 3 || line.data[line.size - 1] != '}')
		return 0;
	start = line.size - 1;
	while (start > 0 && line.data[start - 1] != '{')
		start--;
	if (start == 0)
		return 0;
	line = text_make(line.data + start, line.size - 1 - start);
	*is_synchronising = 1;
	if (line.size > 0 && line.data[line.size - 1] == '+') {
		*is_synchronising = 0;
		line.size--;
	}
	return text_parse_number(line, UINT64_MAX, size) == 0;
}

static enum imap_line_step
too_long(struct imap_line *line, struct buf *input)
{
	const uint8_t *end = memchr(input->data, '\n', input->size);

	line->is_skipping = 1;
	if (end == NULL) {
		buf_cut(input, input->size);
		return IMAP_LINE_MORE;
	}
	buf_cut(input, (size_t)(end - input->data) + 1);
	return IMAP_LINE_TOO_LONG;
}

static enum imap_line_step
end_of_line(struct imap_line *line)
{
	struct buf *bytes = &line->bytes;
	uint8_t is_synchronising = 0;
	uint64_t size;

	if (bytes->size > line->line_start &&
	    bytes->data[bytes->size - 1] == '\r')
		bytes->size--;
	if (!find_literal(text_make(bytes->data + line->line_start,
			      bytes->size - line->line_start),
		&size, &is_synchronising))
		return IMAP_LINE_DONE;
	if (size > IMAP_LINE_MAX_LITERAL ||
	    bytes->size + size + 2 > IMAP_LINE_MAX_SIZE)
		return is_synchronising ? IMAP_LINE_TOO_LONG : IMAP_LINE_LOST;
	/* The literal stands in the command behind its own line end. */
	buf_put(bytes, "\r\n", 2);
	line->literal_left = (size_t)size;
	line->line_start = bytes->size + (size_t)size;
	return is_synchronising ? IMAP_LINE_CONTINUE : IMAP_LINE_MORE;
}

static enum imap_line_step
take_line(struct imap_line *line, struct buf *input)
{
	const uint8_t *end = memchr(input->data, '\n', input->size);
	size_t size = end == NULL ? input->size : (size_t)(end - input->data);

	if (buf_put(&line->bytes, input->data, size) == -1)
		return too_long(line, input);
	buf_cut(input, size);
	if (end == NULL)
		return IMAP_LINE_MORE;
	buf_cut(input, 1);
	return end_of_line(line);
}

enum imap_line_step
imap_line_feed(struct imap_line *line, struct buf *input)
{
	enum imap_line_step step = IMAP_LINE_MORE;

	while (input->size > 0 && step == IMAP_LINE_MORE) {
		if (line->is_skipping) {
			step = too_long(line, input);
		} else if (line->literal_left > 0) {
			size_t size = input->size < line->literal_left
					  ? input->size
					  : line->literal_left;

			buf_put(&line->bytes, input->data, size);
			buf_cut(input, size);
			line->literal_left -= size;
		} else {
			step = take_line(line, input);
		}
	}
	return step;
}

static int
next_quoted(struct text *rest, struct text *word)
{
	char *to = (char *)(uintptr_t)rest->data;
	size_t from = 1, size = 0;

	for (; from < rest->size && rest->data[from] != '"'; from++) {
		if (rest->data[from] == '\\' && ++from == rest->size)
			return -1;
		if (rest->data[from] == '\r' || rest->data[from] == '\n')
			return -1;
		to[size++] = rest->data[from];
	}
	if (from >= rest->size)
		return -1;
	*word = text_make(to, size);
	*rest = text_skip(*rest, from + 1);
	return 1;
}

static int
next_literal(struct text *rest, struct text *word)
{
	ptrdiff_t end = text_find_byte(*rest, '}');
	uint64_t size;
	struct text digits;

	if (end == -1)
		return -1;
	digits = text_make(rest->data + 1, (size_t)end - 1);
	if (digits.size > 0 && digits.data[digits.size - 1] == '+')
		digits.size--;
	*rest = text_skip(*rest, (size_t)end + 1);
	if (text_parse_number(digits, IMAP_LINE_MAX_LITERAL, &size) == -1 ||
	    rest->size < size + 2 || memcmp(rest->data, "\r\n", 2) != 0)
		return -1;
	*word = text_make(rest->data + 2, (size_t)size);
	*rest = text_skip(*rest, (size_t)size + 2);
	return 1;
}

int
imap_line_next_word(struct text *rest, struct text *word)
{
	size_t size = 0;

	while (rest->size > 0 && rest->data[0] == ' ')
		*rest = text_skip(*rest, 1);
	if (rest->size == 0)
		return 0;
	if (rest->data[0] == '"')
		return next_quoted(rest, word);
	if (rest->data[0] == '{')
		return next_literal(rest, word);
	while (size < rest->size && rest->data[size] != ' ') {
		unsigned char c = (unsigned char)rest->data[size];

		if (c < 0x20 || c == 0x7f || c == '"')
			return -1;
		size++;
	}
	*word = text_make(rest->data, size);
	*rest = text_skip(*rest, size);
	return 1;
}
