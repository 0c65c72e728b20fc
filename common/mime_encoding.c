/*
 * See mime_encoding.h.
 */
#include "common/mime_encoding.h"

#include "common/charset.h"
#include "common/mail_token.h"

#include <string.h>

enum {
	LINE_SIZE = 76,
	MAX_WORD = 8192
};

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum mime_encoding
mime_encoding_find(struct text name)
{
	if (text_is_nocase(name, "base64"))
		return MIME_ENCODING_BASE64;
	if (text_is_nocase(name, "quoted-printable"))
		return MIME_ENCODING_QUOTED_PRINTABLE;
	return MIME_ENCODING_IDENTITY;
}

static int
digit_value(char c)
{
	const char *p = c == '\0' ? NULL : memchr(digits, c, 64);

	return p == NULL ? -1 : (int)(p - digits);
}

static int
hex_value(char c)
{
	static const char hex[] = "0123456789abcdef";
	const char *p = memchr(hex, text_lower_byte(c), 16);

	return p == NULL ? -1 : (int)(p - hex);
}

static int
decode_base64(struct mime_decoder *d, struct text data, struct buf *out)
{
	for (size_t i = 0; i < data.size; i++) {
		int value = digit_value(data.data[i]);

		if (data.data[i] == '=')
			d->bits = d->bit_count = 0;
		if (value < 0)
			continue;
		d->bits = (d->bits << 6 | (uint32_t)value) & 0xffff;
		d->bit_count += 6;
		if (d->bit_count < 8)
			continue;
		d->bit_count -= 8;
		if (buf_put_byte(out, (uint8_t)(d->bits >> d->bit_count)) < 0)
			return -1;
	}
	return 0;
}

static int
put_held(struct mime_decoder *d, struct buf *out)
{
	int result = buf_put(out, d->held, d->held_count);

	d->held_count = 0;
	return result;
}

/* Space that a line end may follow, and "=..." that is not complete, is
 * held.  0, or -1 if `out` is full. */
static int
decode_qp_byte(struct mime_decoder *d, char c, struct buf *out)
{
	bool in_code = d->held_count > 0 && d->held[0] == '=';
	int high, low;

	if (in_code && d->held_count == 2 && d->held[1] != '\r') {
		high = hex_value(d->held[1]);
		low = hex_value(c);
		if (high >= 0 && low >= 0) {
			d->held_count = 0;
			return buf_put_byte(out, (uint8_t)(high << 4 | low));
		}
	} else if (in_code && c == '\n') {
		d->held_count = 0; /* soft line end */
		return 0;
	} else if (in_code && d->held_count == 1 &&
		   (c == '\r' || hex_value(c) >= 0)) {
		d->held[d->held_count++] = c;
		return 0;
	}
	if (!in_code && (c == '\n' || c == '\r'))
		d->held_count = 0; /* space at the end of a line */
	if ((c == ' ' || c == '\t' || c == '=') &&
	    (in_code || c == '=' || d->held_count == sizeof(d->held))) {
		if (put_held(d, out) < 0)
			return -1;
	}
	if (c == ' ' || c == '\t' || c == '=') {
		d->held[d->held_count++] = c;
		return 0;
	}
	if (put_held(d, out) < 0)
		return -1;
	return buf_put_byte(out, (uint8_t)c);
}

int
mime_decode(struct mime_decoder *d, struct text data, struct buf *out)
{
	if (d->encoding == MIME_ENCODING_BASE64)
		return decode_base64(d, data, out);
	if (d->encoding == MIME_ENCODING_IDENTITY)
		return buf_put(out, data.data, data.size);
	for (size_t i = 0; i < data.size; i++)
		if (decode_qp_byte(d, data.data[i], out) < 0)
			return -1;
	return 0;
}

int
mime_decode_end(struct mime_decoder *d, struct buf *out)
{
	if (d->held_count == 1 && d->held[0] == '=')
		d->held_count = 0;
	return put_held(d, out);
}

static int
put_base64(struct mime_encoder *e, struct buf *out)
{
	uint32_t bits =
	    (uint32_t)e->held[0] << 16 | (uint32_t)e->held[1] << 8 | e->held[2];
	char code[4];

	for (int i = 0; i < 4; i++)
		code[i] =
		    i > e->held_count ? '=' : digits[bits >> (18 - 6 * i) & 63];
	if (e->column == LINE_SIZE) {
		buf_put_text(out, "\r\n");
		e->column = 0;
	}
	e->column += 4;
	e->held_count = 0;
	memset(e->held, 0, sizeof(e->held));
	return buf_put(out, code, 4);
}

static int
encode_base64(struct mime_encoder *e, struct text data, struct buf *out)
{
	for (size_t i = 0; i < data.size; i++) {
		e->held[e->held_count++] = (uint8_t)data.data[i];
		if (e->held_count == 3 && put_base64(e, out) < 0)
			return -1;
	}
	return 0;
}

/* One byte, as itself or as a code, after a soft line end if need be. */
static int
put_qp(struct mime_encoder *e, uint8_t byte, bool as_code, struct buf *out)
{
	uint8_t size = as_code ? 3 : 1;

	if (e->column + size > LINE_SIZE - 1) {
		buf_put_text(out, "=\r\n");
		e->column = 0;
	}
	e->column += size;
	return as_code ? buf_put_format(out, "=%02X", byte)
		       : buf_put_byte(out, byte);
}

/* Puts the held byte, which `next` follows (-1 at the end). */
static int
put_qp_held(struct mime_encoder *e, int next, struct buf *out)
{
	uint8_t byte = e->held[0];
	bool at_line_end = next < 0 || next == '\r' || next == '\n';

	if (e->held_count == 0)
		return 0;
	e->held_count = 0;
	if (byte == ' ' || byte == '\t')
		return put_qp(e, byte, at_line_end, out);
	return put_qp(e, byte, byte < ' ' || byte > '~' || byte == '=', out);
}

static int
encode_qp(struct mime_encoder *e, struct text data, struct buf *out)
{
	for (size_t i = 0; i < data.size; i++) {
		uint8_t byte = (uint8_t)data.data[i];

		if (e->held_count > 0 && e->held[0] == '\r' && byte == '\n') {
			e->held_count = e->column = 0;
			if (buf_put_text(out, "\r\n") < 0)
				return -1;
			continue;
		}
		if (put_qp_held(e, byte, out) < 0)
			return -1;
		e->held[0] = byte;
		e->held_count = 1;
	}
	return 0;
}

int
mime_encode(struct mime_encoder *e, struct text data, struct buf *out)
{
	if (e->encoding == MIME_ENCODING_BASE64)
		return encode_base64(e, data, out);
	if (e->encoding == MIME_ENCODING_QUOTED_PRINTABLE)
		return encode_qp(e, data, out);
	return buf_put(out, data.data, data.size);
}

int
mime_encode_end(struct mime_encoder *e, struct buf *out)
{
	if (e->encoding == MIME_ENCODING_QUOTED_PRINTABLE)
		return put_qp_held(e, -1, out);
	return e->held_count == 0 ? 0 : put_base64(e, out);
}

/* Encoded words and extended parameters */

struct word {
	struct text charset;
	char encoding;
	struct text text;
};

/* Takes =?charset?B?text?= off `rest`. */
static bool
take_word(struct text *rest, struct word *word)
{
	struct text a = *rest, encoding;
	ptrdiff_t star, end;

	if (a.size < 8 || a.data[0] != '=' || a.data[1] != '?')
		return false;
	a = text_skip(a, 2);
	if (!text_next(&a, '?', &word->charset) || word->charset.size == 0 ||
	    !text_next(&a, '?', &encoding) || encoding.size != 1)
		return false;
	star = text_find_byte(word->charset, '*');
	if (star >= 0) /* RFC 2231 5: a language */
		word->charset.size = (size_t)star;
	word->encoding = text_lower_byte(encoding.data[0]);
	end = text_find_byte(a, '?');
	if (end < 0 || (size_t)end + 1 >= a.size || a.data[end + 1] != '=' ||
	    end > MAX_WORD || (word->encoding != 'b' && word->encoding != 'q'))
		return false;
	word->text = text_make(a.data, (size_t)end);
	*rest = text_skip(a, (size_t)end + 2);
	return true;
}

static void
decode_q(struct text a, struct buf *out)
{
	for (size_t i = 0; i < a.size; i++) {
		int high = -1, low = -1;

		if (a.data[i] == '=' && i + 2 < a.size) {
			high = hex_value(a.data[i + 1]);
			low = hex_value(a.data[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_put_byte(out, (uint8_t)(high << 4 | low));
			i += 2;
		} else
			buf_put_byte(
			    out, a.data[i] == '_' ? ' ' : (uint8_t)a.data[i]);
	}
}

static void
decode_word_bytes(const struct word *word, struct buf *raw)
{
	struct mime_decoder d = { .encoding = MIME_ENCODING_BASE64 };

	if (word->encoding == 'b')
		(void)mime_decode(&d, word->text, raw);
	else
		decode_q(word->text, raw);
}

static int
put_charset(struct text charset, struct text bytes, struct buf *out)
{
	const struct charset *c = charset_find(charset);

	return charset_decode(
	    c != NULL ? c : charset_find(TEXT("utf-8")), bytes, out);
}

/* Words that follow each other with only space between are one text, and a
 * character may be split between them. */
static int
take_words(struct text *rest, struct word *word, struct buf *out)
{
	struct buf raw;
	struct text charset = word->charset;
	int result;

	buf_init(&raw, MAIL_MAX_VALUE);
	for (;;) {
		struct text after = *rest;

		decode_word_bytes(word, &raw);
		while (after.size > 0 &&
		       memchr(" \t\r\n", after.data[0], 4) != NULL)
			after = text_skip(after, 1);
		if (!take_word(&after, word))
			break;
		*rest = after;
		if (text_equal_nocase(word->charset, charset))
			continue;
		result =
		    put_charset(charset, text_make(raw.data, raw.size), out);
		charset = word->charset;
		buf_reset(&raw);
		if (result < 0)
			break;
	}
	result = put_charset(charset, text_make(raw.data, raw.size), out);
	buf_clear(&raw);
	return result;
}

int
mime_decode_words(struct text value, struct buf *out)
{
	const struct charset *utf8 = charset_find(TEXT("utf-8"));

	while (value.size > 0) {
		struct word word;
		struct text plain = value;
		int result;

		if (take_word(&value, &word)) {
			if (take_words(&value, &word, out) < 0)
				return -1;
			continue;
		}
		do
			value = text_skip(value, 1);
		while (value.size > 0 && value.data[0] != '=');
		plain.size -= value.size;
		result = charset_decode(utf8, plain, out);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* charset'language'text with %XX */
static void
decode_extended(struct text value, struct buf *out)
{
	struct text charset = TEXT("utf-8"), part;
	struct buf raw;

	buf_init(&raw, MAIL_MAX_VALUE);
	if (text_find_byte(value, '\'') >= 0 &&
	    text_next(&value, '\'', &part)) {
		charset = part;
		(void)text_next(&value, '\'', &part);
	}
	for (size_t i = 0; i < value.size; i++) {
		int high = -1, low = -1;

		if (value.data[i] == '%' && i + 2 < value.size) {
			high = hex_value(value.data[i + 1]);
			low = hex_value(value.data[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_put_byte(&raw, (uint8_t)(high << 4 | low));
			i += 2;
		} else
			buf_put_byte(&raw, (uint8_t)value.data[i]);
	}
	put_charset(charset, text_make(raw.data, raw.size), out);
	buf_clear(&raw);
}

struct text
mime_parameter_find(struct text value, const char *name, struct pool *pool)
{
	struct text found = { NULL, 0 };
	struct mail_parameter *p;
	struct mail_tokens tokens;
	struct buf space;

	buf_init(&space, 4 * MAIL_MAX_VALUE);
	mail_tokens_init(&tokens, value, NULL);
	for (p = mail_tokens_get_parameters(&tokens, pool); p != NULL;
	     p = p->next) {
		struct text plain = p->name;
		bool is_extended =
		    plain.size > 0 && plain.data[plain.size - 1] == '*';

		plain.size -= is_extended;
		if (!text_is_nocase(plain, name) ||
		    (found.data != NULL && !is_extended))
			continue;
		buf_reset(&space);
		if (is_extended)
			decode_extended(p->value, &space);
		else
			(void)mime_decode_words(p->value, &space);
		found = text_make(
		    pool_text(pool, (const char *)space.data, space.size),
		    space.size);
	}
	buf_clear(&space);
	return found;
}
