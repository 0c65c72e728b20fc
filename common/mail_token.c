/*
 * See mail_token.h.  Which bytes belong to a token follows RFC 5322; where
 * mail in the wild differs, the reading is Dovecot's, because clients have
 * cached what it says.
 */
#include "common/mail_token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUL_REPLACEMENT "\xef\xbf\xbd"

void
mail_tokens_init(struct mail_tokens *t, struct text value, struct buf *comment)
{
	t->next = value.size == 0 ? "" : value.data;
	t->end = t->next + value.size;
	t->comment = comment;
}

bool
mail_tokens_at(const struct mail_tokens *t, char c)
{
	return t->next < t->end && *t->next == c;
}

static bool
is_atext(char c)
{
	unsigned char byte = (unsigned char)c;

	switch (c) {
	case '"':
	case '(':
	case ')':
	case ',':
	case '.':
	case ':':
	case ';':
	case '<':
	case '>':
	case '@':
	case '[':
	case '\\':
	case ']':
		return false;
	default:
		return byte > 32 && byte != 127;
	}
}

static bool
is_token(char c)
{
	return c == '.' || (is_atext(c) && c != '/' && c != '?' && c != '=');
}

static void
put(struct buf *out, const char *start, const char *end)
{
	if (out != NULL && end > start)
		buf_put(out, start, (size_t)(end - start));
}

static int
more(const struct mail_tokens *t)
{
	return t->next < t->end;
}

/*
 * One byte inside of quotes, a comment or a literal: line ends vanish, a
 * backslash takes the next byte as it is.  -1 if the text ends in one.
 */
static int
get_inner_byte(struct mail_tokens *t, bool keep_backslash, struct buf *out)
{
	const char *p = t->next;

	if (*p == '\\') {
		if (++t->next == t->end)
			return -1;
		if (memchr("\r\n\0", *t->next, 3) != NULL || keep_backslash)
			put(out, p, p + 1);
		if (memchr("\r\n\0", *t->next, 3) != NULL)
			return 0;
		p = t->next;
	} else if (*p == '\n' ||
		   (*p == '\r' && p + 1 < t->end && p[1] == '\n')) {
		t->next++;
		return 0;
	}
	t->next++;
	if (*p == '\0')
		put(out, NUL_REPLACEMENT, NUL_REPLACEMENT + 3);
	else
		put(out, p, p + 1);
	return 0;
}

static int
skip_comment(struct mail_tokens *t)
{
	int level = 1;

	if (t->comment != NULL)
		buf_reset(t->comment);
	t->next++;
	while (t->next < t->end) {
		if (*t->next == '(')
			level++;
		else if (*t->next == ')' && --level == 0) {
			t->next++;
			return more(t);
		}
		if (get_inner_byte(t, false, t->comment) < 0)
			return -1;
	}
	return -1;
}

int
mail_tokens_skip_space(struct mail_tokens *t)
{
	while (t->next < t->end) {
		if (memchr(" \t\r\n", *t->next, 4) != NULL)
			t->next++;
		else if (*t->next != '(')
			break;
		else if (skip_comment(t) < 0)
			return -1;
	}
	return more(t);
}

int
mail_tokens_get_atom(struct mail_tokens *t, struct buf *out)
{
	const char *start = t->next;

	while (t->next < t->end && is_atext(*t->next))
		t->next++;
	if (t->next == start)
		return -1;
	put(out, start, t->next);
	return mail_tokens_skip_space(t);
}

int
mail_tokens_get_dot_atom(struct mail_tokens *t, struct buf *out)
{
	for (;;) {
		int result = mail_tokens_get_atom(t, out);

		if (result <= 0 || *t->next != '.')
			return result;
		t->next++;
		buf_put_byte(out, '.');
		if (t->next == t->end)
			return 0;
		if (mail_tokens_skip_space(t) <= 0)
			return -1;
	}
}

int
mail_tokens_get_quoted(struct mail_tokens *t, struct buf *out)
{
	t->next++;
	while (t->next < t->end) {
		if (*t->next == '"') {
			t->next++;
			return mail_tokens_skip_space(t);
		}
		if (get_inner_byte(t, false, out) < 0)
			return -1;
	}
	return -1;
}

int
mail_tokens_get_phrase(struct mail_tokens *t, struct buf *out)
{
	if (!more(t))
		return 0;
	if (*t->next == '.')
		return -1;
	for (;;) {
		const char *start = t->next;
		int result;

		if (*t->next == '"')
			result = mail_tokens_get_quoted(t, out);
		else {
			while (
			    more(t) && (is_atext(*t->next) || *t->next == '.'))
				t->next++;
			put(out, start, t->next);
			result = mail_tokens_skip_space(t);
		}
		if (result <= 0)
			return result;
		if (!is_atext(*t->next) && *t->next != '"' && *t->next != '.')
			return 1;
		buf_put_byte(out, ' ');
	}
}

static int
get_literal(struct mail_tokens *t, struct buf *out)
{
	put(out, t->next, t->next + 1);
	t->next++;
	while (t->next < t->end && *t->next != '[') {
		if (*t->next == ']') {
			put(out, t->next, t->next + 1);
			t->next++;
			return mail_tokens_skip_space(t);
		}
		if (get_inner_byte(t, true, out) < 0)
			return -1;
	}
	return -1;
}

int
mail_tokens_get_domain(struct mail_tokens *t, struct buf *out)
{
	t->next++; /* the '@' */
	if (mail_tokens_skip_space(t) <= 0)
		return -1;
	return *t->next == '[' ? get_literal(t, out)
			       : mail_tokens_get_dot_atom(t, out);
}

int
mail_tokens_get_mime_token(struct mail_tokens *t, struct buf *out)
{
	const char *start = t->next;

	while (t->next < t->end && is_token(*t->next))
		t->next++;
	put(out, start, t->next);
	return mail_tokens_skip_space(t);
}

int
mail_tokens_get_content_type(struct mail_tokens *t, struct buf *out)
{
	int result = mail_tokens_get_mime_token(t, out);
	size_t type_size = out->size;

	if (result > 0 && type_size > 0 && *t->next == '/') {
		t->next++;
		if (mail_tokens_skip_space(t) > 0) {
			buf_put_byte(out, '/');
			result = mail_tokens_get_mime_token(t, out);
			if (result >= 0 && out->size > type_size + 1 &&
			    (!more(t) || *t->next == ';'))
				return result;
		}
	}
	buf_reset(out);
	return -1;
}

/* One ";name=value": 1, 0 at the end, -1 if malformed. */
static int
get_parameter(struct mail_tokens *t, struct buf *name, struct buf *value)
{
	int result;

	buf_reset(name);
	buf_reset(value);
	if (!more(t))
		return 0;
	if (*t->next != ';')
		return -1;
	t->next++;
	if (mail_tokens_skip_space(t) <= 0 ||
	    mail_tokens_get_mime_token(t, name) <= 0 || *t->next != '=')
		return -1;
	t->next++;
	result = mail_tokens_skip_space(t);
	if (result > 0 && *t->next == '"')
		result = mail_tokens_get_quoted(t, value);
	else if (result > 0 && *t->next == '=')
		/* name==?utf-8?b?...?= is common */
		for (; more(t) && memchr("; \t\r\n", *t->next, 5) == NULL;
		     t->next++)
			buf_put_byte(value, (uint8_t)*t->next);
	else if (result > 0)
		result = mail_tokens_get_mime_token(t, value);
	return result < 0 ? -1 : 1;
}

/* A piece of an RFC 2231 value: name*12*=... */
struct piece {
	struct text name; /* without the stars */
	uint32_t number;
	bool is_extended;
	struct text value;
	uint32_t order; /* as it came, to sort stably */
};

static bool
read_piece_name(struct text name, struct piece *piece)
{
	ptrdiff_t star = text_find_byte(name, '*');
	size_t i;

	if (star < 0)
		return false;
	piece->name = text_make(name.data, (size_t)star);
	i = (size_t)star + (name.size > (size_t)star + 1 ? 1 : 0);
	for (; i < name.size && text_is_digit(name.data[i]); i++)
		piece->number =
		    piece->number * 10 + (uint32_t)(name.data[i] - '0');
	piece->is_extended = i < name.size && name.data[i] == '*';
	return i + piece->is_extended == name.size;
}

static int
compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int order = text_compare(x->name, y->name);

	if (order != 0)
		return order;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void
append(struct mail_parameter ***end, struct text name, struct text value,
    struct pool *pool)
{
	struct mail_parameter *p = pool_alloc(pool, 1, sizeof(*p));

	p->name = name;
	p->value = value;
	**end = p;
	*end = &p->next;
}

static struct text
keep(const struct buf *buf, struct pool *pool)
{
	return text_make(
	    pool_text(pool, (const char *)buf->data, buf->size), buf->size);
}

/* Pieces that do not count 0, 1, 2 stay parameters of their own. */
static void
append_broken(struct mail_parameter ***end, const struct piece *pieces,
    size_t count, struct buf *space, struct pool *pool)
{
	for (size_t i = 0; i < count; i++) {
		buf_reset(space);
		buf_put_format(space, "%.*s*%u%s", TEXT_FMT(pieces[i].name),
		    pieces[i].number, pieces[i].is_extended ? "*" : "");
		append(end, keep(space, pool), pieces[i].value, pool);
	}
}

static void
append_joined(struct mail_parameter ***end, const struct piece *pieces,
    size_t count, bool is_extended, struct buf *space, struct pool *pool)
{
	struct text name = pieces[0].name;

	if (is_extended) {
		buf_reset(space);
		buf_put_format(space, "%.*s*", TEXT_FMT(name));
		name = keep(space, pool);
	}
	buf_reset(space);
	if (is_extended && !pieces[0].is_extended)
		buf_put_text(space, "''");
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < pieces[i].value.size; j++) {
			char c = pieces[i].value.data[j];

			buf_put_byte(space, (uint8_t)c);
			if (c == '%' && is_extended && !pieces[i].is_extended)
				buf_put_text(space, "25");
		}
	append(end, name, keep(space, pool), pool);
}

static void
append_pieces(struct mail_parameter ***end, struct piece *pieces, size_t count,
    struct buf *space, struct pool *pool)
{
	size_t first, next;

	if (count == 0)
		return;
	qsort(pieces, count, sizeof(*pieces), compare_pieces);
	for (first = 0; first < count; first = next) {
		bool complete = true, extended = false;

		for (next = first; next < count; next++) {
			if (!text_equal_nocase(
				pieces[next].name, pieces[first].name))
				break;
			complete &= pieces[next].number == next - first;
			extended |= pieces[next].is_extended;
		}
		if (complete)
			append_joined(end, pieces + first, next - first,
			    extended, space, pool);
		else
			append_broken(
			    end, pieces + first, next - first, space, pool);
	}
}

struct mail_parameter *
mail_tokens_get_parameters(struct mail_tokens *t, struct pool *pool)
{
	struct mail_parameter *first = NULL, **end = &first;
	struct piece *pieces = NULL;
	struct buf name, value;
	size_t piece_count = 0, count = 0;
	int result;

	buf_init(&name, MAIL_MAX_VALUE);
	buf_init(&value, MAIL_MAX_VALUE);
	while ((result = get_parameter(t, &name, &value)) != 0) {
		struct piece piece = { .order = (uint32_t)count };

		if (result < 0) {
			if (!more(t))
				break;
			t->next++;
			continue;
		}
		if (++count > MAIL_MAX_PARAMETERS)
			break;
		piece.value = keep(&value, pool);
		if (!read_piece_name(keep(&name, pool), &piece)) {
			append(&end, keep(&name, pool), piece.value, pool);
			continue;
		}
		if (pieces == NULL)
			pieces = pool_alloc(
			    pool, MAIL_MAX_PARAMETERS, sizeof(*pieces));
		pieces[piece_count++] = piece;
	}
	append_pieces(&end, pieces, piece_count, &value, pool);
	buf_clear(&name);
	buf_clear(&value);
	return first;
}
