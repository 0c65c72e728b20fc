/*
 * See relay_reply.h.  Lines end with LF, with or without a CR before it, as
 * everybody who relays mail takes them.  Between the lines of one reply the
 * code must not change: what would be believed of such a reply is anybody's
 * guess.
 */
#include "smtpd/relay_reply.h"

#include <stdio.h>
#include <string.h>

static char
clean_byte(char c)
{
	if (c == '\t')
		return ' ';
	return c >= ' ' && c <= '~' ? c : '?';
}

void
relay_reply_clean(struct text from, char *to, size_t size)
{
	size_t n = from.size < size ? from.size : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = clean_byte(from.data[i]);
	to[n] = '\0';
}

static enum relay_reply_step
broken(struct relay_reply *reply, const char *why)
{
	reply->code = 0;
	reply->enhanced[0] = '\0';
	reply->is_done = true;
	(void)snprintf(reply->text, sizeof(reply->text), "%s", why);
	return RELAY_REPLY_BROKEN;
}

/* "5.1.1" at the start of `line`, of the class of the code: its size, or 0. */
static size_t
enhanced_size(struct text line, unsigned int code)
{
	size_t i = 0;

	if (line.size == 0 || line.data[0] - '0' != (int)(code / 100) ||
	    (code / 100 != 2 && code / 100 != 4 && code / 100 != 5))
		return 0;
	i = 1;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (i == line.size || line.data[i++] != '.')
			return 0;
		while (i < line.size && digits < 3 &&
		       text_is_digit(line.data[i])) {
			i++;
			digits++;
		}
		if (digits == 0)
			return 0;
	}
	return i == line.size || line.data[i] == ' ' ? i : 0;
}

static void
add_text(struct relay_reply *reply, struct text line)
{
	size_t room = RELAY_REPLY_MAX_TEXT - reply->text_size;

	line = text_trim(line);
	if (line.size == 0 || room < 2)
		return;
	if (reply->text_size > 0) {
		reply->text[reply->text_size++] = ' ';
		room--;
	}
	if (line.size > room)
		line.size = room;
	memcpy(reply->text + reply->text_size, line.data, line.size);
	reply->text_size += (uint32_t)line.size;
	reply->text[reply->text_size] = '\0';
}

static void
take_text(struct relay_reply *reply)
{
	size_t size = enhanced_size(reply->line, reply->code);

	if (size > 0 && size < sizeof(reply->enhanced)) {
		memcpy(reply->enhanced, reply->line.data, size);
		reply->enhanced[size] = '\0';
	}
	add_text(reply, text_skip(reply->line, size));
}

/* A whole line stands in `bytes`, without its end. */
static enum relay_reply_step
take_line(struct relay_reply *reply)
{
	struct text line = text_make(reply->bytes, reply->line_size);
	unsigned int code;
	bool is_last;

	if (line.size < 3 || !text_is_digit(line.data[0]) ||
	    !text_is_digit(line.data[1]) || !text_is_digit(line.data[2]))
		return broken(reply, "a reply without a code");
	code = (unsigned int)(line.data[0] - '0') * 100 +
	       (unsigned int)(line.data[1] - '0') * 10 +
	       (unsigned int)(line.data[2] - '0');
	is_last = line.size == 3 || line.data[3] == ' ';
	if (code < 200 || code > 599 || (!is_last && line.data[3] != '-'))
		return broken(reply, "a reply with a malformed code");
	if (reply->line_count > 0 && code != reply->code)
		return broken(reply, "a reply whose code changes");
	if (++reply->line_count > RELAY_REPLY_MAX_LINES)
		return broken(reply, "a reply with too many lines");
	reply->code = code;
	reply->line = text_skip(line, line.size == 3 ? 3 : 4);
	take_text(reply);
	reply->line_size = 0;
	reply->is_done = is_last;
	return is_last ? RELAY_REPLY_DONE : RELAY_REPLY_LINE;
}

enum relay_reply_step
relay_reply_feed(struct relay_reply *reply, struct text *rest)
{
	if (reply->is_done)
		memset(reply, 0, sizeof(*reply));
	while (rest->size > 0) {
		char c = rest->data[0];

		*rest = text_skip(*rest, 1);
		if (++reply->size > RELAY_REPLY_MAX_BYTES)
			return broken(reply, "a reply without an end");
		if (c == '\n') {
			if (reply->line_size > 0 &&
			    reply->bytes[reply->line_size - 1] == '\r')
				reply->line_size--;
			for (uint32_t i = 0; i < reply->line_size; i++)
				reply->bytes[i] = clean_byte(reply->bytes[i]);
			return take_line(reply);
		}
		if (reply->line_size < RELAY_REPLY_MAX_LINE)
			reply->bytes[reply->line_size++] = c;
	}
	return RELAY_REPLY_MORE;
}
