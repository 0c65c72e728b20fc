/*
 * See envelope.h.  Date, Message-ID and In-Reply-To are given as they stand,
 * the last field of a name counting; addresses of several fields of a name
 * are joined, so that no second From can hide.
 */
#include "imapd/envelope.h"

#include "common/mail_address.h"
#include "common/mail_header.h"
#include "common/mail_token.h"

#include <string.h>

enum {
	MAX_ESCAPES = 4
};

enum part {
	DATE,
	SUBJECT,
	FROM,
	SENDER,
	REPLY_TO,
	TO,
	CC,
	BCC,
	IN_REPLY_TO,
	MESSAGE_ID,
	PART_COUNT
};

static const char *const field_names[PART_COUNT] = { "Date", "Subject", "From",
	"Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID" };

struct envelope {
	struct text texts[PART_COUNT];
	struct mail_address *lists[PART_COUNT];
	struct mail_address *last[PART_COUNT]; /* of each list */
};

static bool
needs_escape(char c)
{
	return c == '"' || c == '\\';
}

/* As a literal: SIZE_MAX; else how many bytes of it a quoted string escapes. */
static size_t
count_escapes(struct text value)
{
	size_t escapes = 0;

	for (size_t i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.data[i];

		escapes += needs_escape((char)c);
		if (c >= 0x80 || c == '\r' || c == '\n' || c == '\0')
			return SIZE_MAX;
	}
	return escapes > MAX_ESCAPES ? SIZE_MAX : escapes;
}

static int
put_literal(struct buf *out, struct text value)
{
	if (buf_put_format(out, "{%zu}\r\n", value.size) < 0)
		return -1;
	return buf_put(out, value.data, value.size);
}

int
envelope_put_nstring(struct buf *out, struct text value)
{
	size_t escapes;

	if (value.data == NULL)
		return buf_put_text(out, "NIL");
	escapes = count_escapes(value);
	if (escapes == SIZE_MAX)
		return put_literal(out, value);
	buf_put_byte(out, '"');
	if (escapes == 0)
		buf_put(out, value.data, value.size);
	for (size_t i = 0; escapes > 0 && i < value.size; i++) {
		if (needs_escape(value.data[i]))
			buf_put_byte(out, '\\');
		buf_put_byte(out, (uint8_t)value.data[i]);
	}
	return buf_put_byte(out, '"');
}

/* For people's eyes: runs of space become one, none at the ends. */
static int
put_human(struct buf *out, struct text value, struct pool *pool)
{
	char *to;
	size_t size = 0;
	bool escape = false;

	if (value.data == NULL)
		return buf_put_text(out, "NIL");
	to = pool_alloc(pool, value.size + 1, 1);
	for (size_t i = 0; i < value.size; i++) {
		char c = value.data[i];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			if (size > 0 && to[size - 1] != ' ')
				to[size++] = ' ';
			continue;
		}
		escape |= needs_escape(c);
		to[size++] = c;
	}
	if (size > 0 && to[size - 1] == ' ')
		size--;
	if (escape)
		return put_literal(out, text_make(to, size));
	return envelope_put_nstring(out, text_make(to, size));
}

static int
put_addresses(struct buf *out, const struct mail_address *a, struct pool *pool)
{
	if (a == NULL)
		return buf_put_text(out, "NIL");
	buf_put_byte(out, '(');
	for (; a != NULL; a = a->next) {
		buf_put_byte(out, '(');
		put_human(out, a->name, pool);
		buf_put_byte(out, ' ');
		envelope_put_nstring(out, a->route);
		buf_put_byte(out, ' ');
		envelope_put_nstring(out, a->mailbox);
		buf_put_byte(out, ' ');
		envelope_put_nstring(out, a->host);
		if (buf_put_byte(out, ')') < 0)
			return -1;
	}
	return buf_put_byte(out, ')');
}

static bool
is_list(int i)
{
	return i >= FROM && i <= BCC;
}

static struct text
unfold(struct text value, struct pool *pool)
{
	struct buf line;
	struct text unfolded;

	buf_init(&line, SIZE_MAX / 2);
	mail_header_unfold(value, true, &line);
	unfolded = text_make(
	    pool_text(pool, (const char *)line.data, line.size), line.size);
	buf_clear(&line);
	return unfolded;
}

static void
read_field(struct envelope *envelope, const struct mail_field *field,
    struct pool *pool)
{
	struct mail_address **end;
	int i;

	for (i = 0; i < PART_COUNT; i++)
		if (text_is_nocase(field->name, field_names[i]))
			break;
	if (i == PART_COUNT)
		return;
	if (!is_list(i)) {
		envelope->texts[i] = unfold(field->value, pool);
		return;
	}
	end = envelope->last[i] == NULL ? &envelope->lists[i]
					: &envelope->last[i]->next;
	*end = mail_address_parse_list(field->value, pool);
	for (; *end != NULL; end = &(*end)->next)
		envelope->last[i] = *end;
}

static int
put_part(
    const struct envelope *envelope, int i, struct pool *pool, struct buf *out)
{
	const struct mail_address *list = envelope->lists[i];

	if (i == SUBJECT)
		return put_human(out, envelope->texts[i], pool);
	if (!is_list(i))
		return envelope_put_nstring(out, envelope->texts[i]);
	if (list == NULL && (i == SENDER || i == REPLY_TO))
		list = envelope->lists[FROM];
	return put_addresses(out, list, pool);
}

int
envelope_format(struct text header, struct pool *pool, struct buf *out)
{
	struct envelope envelope = { 0 };
	struct mail_field field;

	while (mail_header_next(&header, &field))
		read_field(&envelope, &field, pool);
	buf_put_byte(out, '(');
	for (int i = 0; i < PART_COUNT; i++) {
		if (i > 0)
			buf_put_byte(out, ' ');
		if (put_part(&envelope, i, pool, out) < 0)
			return -1;
	}
	return buf_put_byte(out, ')');
}
