/*
 * Cuts a client's bytes into commands.  Bytes come from a connection's input
 * buffer and go, command by command, to imap_login (front) or imap_session
 * (worker).  It keeps at most limits.command bytes, never answers, and never
 * loses its place: what is beyond a limit is skipped as the client announced
 * it (RFC 3501 4.3, RFC 7888).
 */
#include "imapd/imap_input.h"

#include <string.h>

/* A command buffer larger than this is not kept for the next command. */
enum {
	INPUT_KEPT_SIZE = 4096
};

void
imap_input_init(
    struct imap_input *input, const struct imap_input_limits *limits)
{
	memset(input, 0, sizeof(*input));
	input->limits = *limits;
	buf_init(&input->command, limits->command);
}

void
imap_input_clear(struct imap_input *input)
{
	buf_clear(&input->command);
}

bool
imap_input_is_empty(const struct imap_input *input)
{
	return (input->state == IMAP_INPUT_LINE && input->command.size == 0) ||
	       input->state == IMAP_INPUT_COMPLETE;
}

static void
input_begin(struct imap_input *input)
{
	if (input->command.size > INPUT_KEPT_SIZE)
		buf_clear(&input->command);
	else
		buf_reset(&input->command);
	input->line_size = 0;
	input->line_offset = 0;
	input->literal_left = 0;
	input->tail_size = 0;
	input->state = IMAP_INPUT_LINE;
}

/* The size of the literal that `line` (without its end) announces. 1, 0 if it
 * announces none, -1 if the number is beyond all bounds. */
static int
line_literal(struct text line, uint64_t *size, bool *is_synchronising)
{
	size_t end = line.size, start;
	struct text digits;

	if (end < 3 || line.data[end - 1] != '}')
		return 0;
	end--;
	*is_synchronising = line.data[end - 1] != '+';
	if (!*is_synchronising)
		end--;
	start = end;
	while (start > 0 && text_is_digit(line.data[start - 1]))
		start--;
	if (start == end || start == 0 || line.data[start - 1] != '{')
		return 0;
	digits = text_make(line.data + start, end - start);
	if (text_parse_number(digits, UINT64_MAX / 2, size) == -1)
		return -1;
	return 1;
}

/* What `command` holds of the line that is being read. */
static struct text
current_line(const struct imap_input *input)
{
	return text_skip(text_make(input->command.data, input->command.size),
	    input->line_offset);
}

/* The line that announced a literal which is not kept. */
static enum imap_input_event
skip_literal(struct imap_input *input, uint64_t size, bool is_synchronising)
{
	if (is_synchronising) {
		input->state = IMAP_INPUT_COMPLETE;
		return IMAP_INPUT_MORE;
	}
	if (size > input->limits.skipped)
		return IMAP_INPUT_HOPELESS;
	input->literal_left = size;
	input->tail_size = 0;
	input->state = IMAP_INPUT_SKIPPING_LITERAL;
	return IMAP_INPUT_MORE;
}

static enum imap_input_event
line_ended(struct imap_input *input)
{
	struct text line;
	bool is_synchronising;
	uint64_t size;
	int found;

	if (input->command.size > input->line_offset &&
	    input->command.data[input->command.size - 1] == '\r')
		input->command.size--;
	line = current_line(input);
	found = line_literal(line, &size, &is_synchronising);
	if (found == 0) {
		input->state = IMAP_INPUT_COMPLETE;
		return IMAP_INPUT_COMMAND;
	}
	if (found == -1)
		return IMAP_INPUT_HOPELESS;
	input->literal_left = size;
	input->is_synchronising = is_synchronising;
	input->state = IMAP_INPUT_DECIDING;
	return IMAP_INPUT_LITERAL;
}

/* Keeps the end of a skipped line: it may announce a literal. */
static void
keep_tail(struct imap_input *input, struct text part)
{
	size_t keep;

	if (part.size >= sizeof(input->tail)) {
		part = text_skip(part, part.size - sizeof(input->tail));
		input->tail_size = 0;
	}
	keep = sizeof(input->tail) - part.size;
	if (input->tail_size > keep) {
		memmove(
		    input->tail, input->tail + input->tail_size - keep, keep);
		input->tail_size = keep;
	}
	if (part.size > 0)
		memcpy(input->tail + input->tail_size, part.data, part.size);
	input->tail_size += part.size;
}

static enum imap_input_event
read_line(struct imap_input *input, struct text *bytes)
{
	ptrdiff_t end = text_find_byte(*bytes, '\n');
	size_t size = end < 0 ? bytes->size : (size_t)end;

	if (size > input->limits.line - input->line_size ||
	    (size > 0 && buf_put(&input->command, bytes->data, size) == -1)) {
		input->state = IMAP_INPUT_SKIPPING_LINE;
		input->tail_size = 0;
		keep_tail(
		    input, text_make(input->command.data + input->line_offset,
			       input->command.size - input->line_offset));
		return IMAP_INPUT_TOO_LONG;
	}
	input->line_size += size;
	*bytes = text_skip(*bytes, end < 0 ? size : size + 1);
	return end < 0 ? IMAP_INPUT_MORE : line_ended(input);
}

static enum imap_input_event
take_literal(struct imap_input *input, struct text *bytes)
{
	size_t size = bytes->size;

	if (size > input->literal_left)
		size = (size_t)input->literal_left;
	/* imap_input_take made sure that it fits. */
	if (size > 0)
		(void)buf_put(&input->command, bytes->data, size);
	*bytes = text_skip(*bytes, size);
	input->literal_left -= size;
	if (input->literal_left == 0) {
		input->line_offset = input->command.size;
		input->state = IMAP_INPUT_LINE;
	}
	return IMAP_INPUT_MORE;
}

static enum imap_input_event
stream_literal(struct imap_input *input, struct text *bytes, struct text *data)
{
	size_t size = bytes->size;

	if (size > input->literal_left)
		size = (size_t)input->literal_left;
	*data = text_make(bytes->data, size);
	*bytes = text_skip(*bytes, size);
	input->literal_left -= size;
	if (input->literal_left == 0)
		input->state = IMAP_INPUT_LINE;
	return size > 0 ? IMAP_INPUT_DATA : IMAP_INPUT_MORE;
}

static enum imap_input_event
skip_line(struct imap_input *input, struct text *bytes)
{
	ptrdiff_t end = text_find_byte(*bytes, '\n');
	size_t size = end < 0 ? bytes->size : (size_t)end;
	bool is_synchronising;
	uint64_t literal;
	int found;

	keep_tail(input, text_make(bytes->data, size));
	*bytes = text_skip(*bytes, end < 0 ? size : size + 1);
	if (end < 0)
		return IMAP_INPUT_MORE;
	if (input->tail_size > 0 && input->tail[input->tail_size - 1] == '\r')
		input->tail_size--;
	found = line_literal(text_make(input->tail, input->tail_size), &literal,
	    &is_synchronising);
	if (found == 1)
		return skip_literal(input, literal, is_synchronising);
	if (found == -1)
		return IMAP_INPUT_HOPELESS;
	input->state = IMAP_INPUT_COMPLETE;
	return IMAP_INPUT_MORE;
}

static enum imap_input_event
skip_literal_bytes(struct imap_input *input, struct text *bytes)
{
	size_t size = bytes->size;

	if (size > input->literal_left)
		size = (size_t)input->literal_left;
	*bytes = text_skip(*bytes, size);
	input->literal_left -= size;
	if (input->literal_left == 0) {
		input->tail_size = 0;
		input->state = IMAP_INPUT_SKIPPING_LINE;
	}
	return IMAP_INPUT_MORE;
}

enum imap_input_event
imap_input_next(struct imap_input *input, struct text *bytes, struct text *data)
{
	enum imap_input_event event = IMAP_INPUT_MORE;

	if (input->state == IMAP_INPUT_DECIDING)
		return IMAP_INPUT_LITERAL;
	/* The line end was seen; only COMPLETE waits for a new command. */
	while (bytes->size > 0 && event == IMAP_INPUT_MORE) {
		switch (input->state) {
		case IMAP_INPUT_COMPLETE:
			input_begin(input);
			break;
		case IMAP_INPUT_LINE:
			event = read_line(input, bytes);
			break;
		case IMAP_INPUT_TAKING:
			event = take_literal(input, bytes);
			break;
		case IMAP_INPUT_STREAMING:
			event = stream_literal(input, bytes, data);
			break;
		case IMAP_INPUT_SKIPPING_LINE:
			event = skip_line(input, bytes);
			break;
		case IMAP_INPUT_SKIPPING_LITERAL:
			event = skip_literal_bytes(input, bytes);
			break;
		case IMAP_INPUT_DECIDING:
			return IMAP_INPUT_LITERAL;
		}
	}
	return event;
}

void
imap_input_take(struct imap_input *input)
{
	/* The parser finds the literal's bytes behind its "{n}" and CRLF. */
	(void)buf_put(&input->command, "\r\n", 2);
	input->line_offset = input->command.size;
	input->state =
	    input->literal_left > 0 ? IMAP_INPUT_TAKING : IMAP_INPUT_LINE;
}

void
imap_input_stream(struct imap_input *input)
{
	buf_reset(&input->command);
	input->line_size = 0;
	input->line_offset = 0;
	input->state =
	    input->literal_left > 0 ? IMAP_INPUT_STREAMING : IMAP_INPUT_LINE;
}

int
imap_input_refuse(struct imap_input *input)
{
	enum imap_input_event event;

	event =
	    skip_literal(input, input->literal_left, input->is_synchronising);
	return event == IMAP_INPUT_HOPELESS ? -1 : 0;
}

bool
imap_input_fits(const struct imap_input *input)
{
	return input->literal_left <= input->limits.command &&
	       input->command.size + 2 + input->literal_left <=
		   input->limits.command;
}
