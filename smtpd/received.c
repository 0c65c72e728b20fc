/*
 * Trace fields and the look at a message's own header.
 */
#include "smtpd/received.h"

#include "common/mail_date.h"

#include <string.h>

const char *
received_protocol(const struct received *received)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" },
		    { "UTF8SMTPS", "UTF8SMTPSA" } }
	};

	if (!received->is_esmtp)
		return "SMTP";
	return names[received->is_smtputf8][received->tls.size > 0]
		    [received->is_authenticated];
}

/* Text of the peer's: no controls, and nothing that ends a comment. */
static void
put_clean(struct buf *to, struct text text)
{
	size_t i;
	char c;

	for (i = 0; i < text.size; i++) {
		c = text.data[i];
		if ((unsigned char)c < ' ' || c == 0x7f || c == '(' ||
		    c == ')' || c == '\\')
			c = '?';
		buf_put_byte(to, (uint8_t)c);
	}
}

/* An address was parsed strictly: only controls are looked for. */
static void
put_address(struct buf *to, struct text address)
{
	size_t i;

	for (i = 0; i < address.size; i++)
		buf_put_byte(to, (unsigned char)address.data[i] < ' '
				     ? '?'
				     : (uint8_t)address.data[i]);
}

/* Not by gmtime: it looks for a file of time zones, and this process has none
 * and dies of looking. */
static void
put_date(struct buf *to, int64_t seconds)
{
	const struct mail_date date = { .time = seconds };
	char text[MAIL_DATE_SIZE];

	mail_date_format(&date, text);
	buf_put_format(to, "%s\n", text);
}

void
received_format(const struct received *received, struct buf *to)
{
	buf_put_text(to, "Return-Path: <");
	put_address(to, received->sender);
	buf_put_text(to, ">\nReceived: from ");
	put_clean(to, received->helo);
	buf_put_text(to, " ([");
	if (text_find_byte(received->client_ip, ':') != -1)
		buf_put_text(to, "IPv6:");
	put_clean(to, received->client_ip);
	buf_put_format(to, "])\n\tby %s (Firnmail) with %s", received->host,
	    received_protocol(received));
	if (received->tls.size > 0) {
		buf_put_text(to, "\n\t(");
		put_clean(to, received->tls);
		buf_put_text(to, ")");
	}
	buf_put_format(to, "\n\tid %s", received->queue_id);
	if (received->recipient.size > 0) {
		buf_put_text(to, "\n\tfor <");
		put_address(to, received->recipient);
		buf_put_text(to, ">");
	}
	buf_put_text(to, ";\n\t");
	put_date(to, received->time);
	if (received->needs_date) {
		buf_put_text(to, "Date: ");
		put_date(to, received->time);
	}
	if (received->needs_message_id)
		buf_put_format(to, "Message-ID: <%s@%s>\n", received->queue_id,
		    received->host);
}

/* A header line's name is known, or it is clear that it is none we look for. */
static void
note_name(struct header_scan *scan)
{
	struct text name = text_make(scan->name, scan->place);

	/* A continuation line begins with a space: it names nothing. */
	while (name.size > 0 && name.data[name.size - 1] == ' ')
		name.size--;
	if (text_is_nocase(name, "received"))
		scan->received_count++;
	else if (text_is_nocase(name, "date"))
		scan->has_date = true;
	else if (text_is_nocase(name, "message-id"))
		scan->has_message_id = true;
	else if (text_is_nocase(name, "return-path"))
		scan->has_return_path = true;
}

void
header_scan_feed(struct header_scan *scan, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *p;

	for (p = data; p < end && !scan->is_over; p++) {
		if (*p == '\n') {
			scan->is_over = scan->place == 0;
			scan->place = 0;
		} else if (*p == '\r' && scan->place == 0) {
			continue;
		} else if (scan->place >= sizeof(scan->name)) {
			/* To the end of the line at once. */
			p = memchr(p, '\n', (size_t)(end - p));
			if (p == NULL)
				return;
			scan->place = 0;
		} else if (*p == ':') {
			note_name(scan);
			scan->place = sizeof(scan->name);
		} else {
			scan->name[scan->place++] = (char)*p;
		}
	}
}

static bool
is_return_path(const uint8_t *line, size_t size)
{
	const uint8_t *colon = memchr(line, ':', size);
	struct text name;

	if (colon == NULL || line[0] == ' ' || line[0] == '\t')
		return false;
	name = text_trim(text_make(line, (size_t)(colon - line)));
	return text_is_nocase(name, "return-path");
}

size_t
header_drop_return_path(uint8_t *data, size_t size)
{
	uint8_t *from = data, *to = data, *end = data + size, *line_end;
	bool is_dropping = false;
	size_t length;

	while (from < end && *from != '\n') {
		line_end = memchr(from, '\n', (size_t)(end - from));
		if (line_end == NULL)
			break;
		length = (size_t)(line_end + 1 - from);
		if (*from != ' ' && *from != '\t')
			is_dropping = is_return_path(from, length);
		if (!is_dropping) {
			memmove(to, from, length);
			to += length;
		}
		from += length;
	}
	memmove(to, from, (size_t)(end - from));
	return (size_t)(to - data) + (size_t)(end - from);
}
