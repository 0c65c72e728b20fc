/* See letter.h. */
#include "sendmail/letter.h"

#include "common/mail_address.h"
#include "common/mail_header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct line_reader {
	struct buf *to;
	bool has_dot;
	bool is_over;
	size_t line_start; /* in `to` */
};

/* A line is complete: is it the last, and does it end in CR LF? */
static int
end_line(struct line_reader *reader)
{
	struct buf *to = reader->to;
	size_t size = to->size - reader->line_start;

	if (size > 0 && to->data[to->size - 1] == '\r')
		to->size--, size--;
	if (reader->has_dot && size == 1 &&
	    to->data[reader->line_start] == '.') {
		to->size = reader->line_start;
		reader->is_over = true;
		return 0;
	}
	if (buf_put(to, "\r\n", 2) == -1)
		return -1;
	reader->line_start = to->size;
	return 0;
}

static int
take(struct line_reader *reader, const char *data, size_t size)
{
	struct text rest = text_make(data, size);
	ptrdiff_t end;

	while (rest.size > 0 && !reader->is_over) {
		end = text_find_byte(rest, '\n');
		if (buf_put(reader->to, rest.data,
			end >= 0 ? (size_t)end : rest.size) == -1 ||
		    (end >= 0 && end_line(reader) == -1))
			return -1;
		rest = text_skip(rest, end >= 0 ? (size_t)end + 1 : rest.size);
	}
	return 0;
}

int
letter_read(int fd, bool has_dot, struct buf *to, struct error *error)
{
	struct line_reader reader = { .to = to, .has_dot = has_dot };
	char data[65536];
	ssize_t size;

	while (!reader.is_over) {
		size = read(fd, data, sizeof(data));
		if (size == -1 && errno == EINTR)
			continue;
		if (size == -1)
			return error_set_errno(error, "standard input");
		if (size == 0)
			break;
		if (take(&reader, data, (size_t)size) == -1)
			return error_set(error, ERROR_LIMIT,
			    "the message is larger than %d MiB",
			    LETTER_MAX_SIZE >> 20);
	}
	if (to->size > reader.line_start && end_line(&reader) == -1)
		return error_set(
		    error, ERROR_LIMIT, "the message is too large");
	return 0;
}

static struct text
header_of(const struct buf *letter)
{
	struct text all = text_make(letter->data, letter->size);

	return text_make(all.data, mail_header_size(all));
}

bool
letter_has_field(const struct buf *letter, const char *name)
{
	struct mail_field field;

	return letter->size > 0 &&
	       mail_header_find(header_of(letter), name, &field);
}

static bool
is_recipient_field(struct text name, bool is_resent)
{
	static const char *const names[] = { "to", "cc", "bcc" };

	if (is_resent) {
		if (!text_starts_nocase(name, "resent-"))
			return false;
		name = text_skip(name, strlen("resent-"));
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is_nocase(name, names[i]))
			return true;
	return false;
}

static bool
is_resent(const struct buf *letter)
{
	return letter_has_field(letter, "Resent-To") ||
	       letter_has_field(letter, "Resent-Cc") ||
	       letter_has_field(letter, "Resent-Bcc");
}

static const char *
join(struct pool *pool, const struct mail_address *address)
{
	char text[MAIL_ADDRESS_MAX_PATH + 2];
	bool has_host = !text_is(address->host, "MISSING_DOMAIN");
	int size = snprintf(text, sizeof(text), "%.*s%s%.*s",
	    TEXT_FMT(address->mailbox), has_host ? "@" : "",
	    has_host ? (int)address->host.size : 0, address->host.data);

	if (size >= (int)sizeof(text))
		size = sizeof(text) - 1; /* too long: the server says so */
	return pool_text(pool, text, (size_t)size);
}

int
letter_recipients(const struct buf *letter, struct pool *pool,
    const char **recipients, int max, struct error *error)
{
	bool resent = is_resent(letter);
	struct mail_address *address;
	struct mail_field field;
	struct text rest;
	int count = 0;

	if (letter->size == 0)
		return 0;
	rest = header_of(letter);
	while (mail_header_next(&rest, &field)) {
		if (!is_recipient_field(field.name, resent))
			continue;
		for (address = mail_address_parse_list(field.value, pool);
		     address != NULL; address = address->next) {
			if (address->host.data == NULL)
				continue; /* the name or the end of a group */
			if (count == max)
				return error_set(error, ERROR_LIMIT,
				    "more than %d recipients", max);
			recipients[count++] = join(pool, address);
		}
	}
	return count;
}
