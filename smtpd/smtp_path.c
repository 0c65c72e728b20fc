/*
 * A recursive descent without recursion: each read_ function takes what it
 * knows off the front of the text, or fails.
 */
#include "smtpd/smtp_path.h"

#include <string.h>

static bool
is_letter_or_digit(char c)
{
	return text_is_digit(c) ||
	       (text_lower_byte(c) >= 'a' && text_lower_byte(c) <= 'z');
}

static bool
is_beyond_ascii(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool
is_atext(char c)
{
	return is_letter_or_digit(c) || is_beyond_ascii(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string: atoms with single dots between them. Its length, 0 if none. */
static size_t
dot_string_size(struct text text)
{
	size_t i;

	for (i = 0; i < text.size; i++) {
		if (is_atext(text.data[i]))
			continue;
		if (text.data[i] != '.' || i == 0 || text.data[i - 1] == '.')
			break;
	}
	return i > 0 && text.data[i - 1] == '.' ? 0 : i;
}

/* Quoted-string with its quotes. Its length, 0 if malformed. */
static size_t
quoted_string_size(struct text text)
{
	size_t i;
	char c;

	for (i = 1; i < text.size; i++) {
		c = text.data[i];
		if (c == '"')
			return i > 1 ? i + 1 : 0;
		if (c == '\\') {
			if (++i == text.size)
				return 0;
			c = text.data[i];
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return 0;
	}
	return 0;
}

/* [1.2.3.4], [IPv6:...] or [tag:...]: dcontent only. */
static size_t
literal_size(struct text text)
{
	size_t i;
	char c;

	for (i = 1; i < text.size; i++) {
		c = text.data[i];
		if (c == ']')
			return i > 1 ? i + 1 : 0;
		if (c <= ' ' || c > '~' || c == '[' || c == '\\')
			return 0;
	}
	return 0;
}

/* A label may not begin or end with a hyphen and has at most 63 bytes. */
static size_t
label_size(struct text text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if (!is_letter_or_digit(text.data[i]) &&
		    !is_beyond_ascii(text.data[i]) && text.data[i] != '-')
			break;
	if (i == 0 || i > 63 || text.data[0] == '-' || text.data[i - 1] == '-')
		return 0;
	return i;
}

static size_t
domain_size(struct text text)
{
	size_t size = 0, label;

	if (text.size > 0 && text.data[0] == '[')
		return literal_size(text);
	for (;;) {
		label = label_size(text_skip(text, size));
		if (label == 0)
			return 0;
		size += label;
		if (size == text.size || text.data[size] != '.')
			return size;
		size++;
	}
}

bool
smtp_is_domain(struct text domain)
{
	return domain.size <= SMTP_PATH_MAX_DOMAIN_SIZE && domain.size > 0 &&
	       domain_size(domain) == domain.size && text_is_utf8(domain);
}

/* Takes local@domain off the front, or a local part alone. */
static int
read_mailbox(struct text text, struct smtp_path *path, struct text *rest)
{
	size_t local = text.size > 0 && text.data[0] == '"'
			   ? quoted_string_size(text)
			   : dot_string_size(text);
	size_t domain;

	if (local == 0 || local > SMTP_PATH_MAX_LOCAL_SIZE)
		return -1;
	path->local = text_make(text.data, local);
	path->address = path->local;
	*rest = text_skip(text, local);
	if (rest->size > 0 && rest->data[0] == '@') {
		domain = domain_size(text_skip(*rest, 1));
		if (domain == 0 || domain > SMTP_PATH_MAX_DOMAIN_SIZE)
			return -1;
		path->domain = text_make(rest->data + 1, domain);
		path->address.size = local + 1 + domain;
		*rest = text_skip(*rest, 1 + domain);
	}
	path->is_utf8 = !text_is_ascii(path->address);
	return text_is_utf8(path->address) ? 0 : -1;
}

/* A-d-l ":" (RFC 5321 appendix C: taken and ignored). */
static int
skip_source_route(struct text *text)
{
	size_t size;

	while (text->size > 0 && text->data[0] == '@') {
		size = domain_size(text_skip(*text, 1));
		if (size == 0 || size > SMTP_PATH_MAX_DOMAIN_SIZE)
			return -1;
		*text = text_skip(*text, 1 + size);
		if (text->size == 0)
			return -1;
		if (text->data[0] == ':') {
			*text = text_skip(*text, 1);
			return 0;
		}
		if (text->data[0] != ',' || text->size < 2 ||
		    text->data[1] != '@')
			return -1;
		*text = text_skip(*text, 1);
	}
	return 0;
}

int
smtp_path_parse(struct text text, struct smtp_path *path, struct text *rest)
{
	struct text start = text;

	memset(path, 0, sizeof(*path));
	if (text.size < 2 || text.data[0] != '<')
		return -1;
	text = text_skip(text, 1);
	if (text.data[0] == '>') {
		path->address = text_make(text.data, 0);
		*rest = text_skip(text, 1);
		return 0;
	}
	if (skip_source_route(&text) == -1 ||
	    read_mailbox(text, path, rest) == -1)
		return -1;
	if (rest->size == 0 || rest->data[0] != '>')
		return -1;
	if (path->domain.size == 0 &&
	    !text_is_nocase(path->local, "postmaster"))
		return -1;
	*rest = text_skip(*rest, 1);
	return start.size - rest->size <= SMTP_PATH_MAX_SIZE ? 0 : -1;
}

int
smtp_mailbox_parse(struct text text, struct smtp_path *path)
{
	struct text rest;

	memset(path, 0, sizeof(*path));
	if (read_mailbox(text, path, &rest) == -1)
		return -1;
	return rest.size == 0 && path->domain.size > 0 ? 0 : -1;
}

struct text
smtp_local_unquote(struct text local, char *to)
{
	size_t i, size = 0;

	if (local.size < 2 || local.data[0] != '"') {
		memcpy(to, local.data, local.size);
		return text_make(to, local.size);
	}
	for (i = 1; i + 1 < local.size; i++) {
		if (local.data[i] == '\\')
			i++;
		to[size++] = local.data[i];
	}
	return text_make(to, size);
}
