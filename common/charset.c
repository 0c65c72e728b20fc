/*
 * See charset.h.  Every decoder gives some text for any bytes.
 */
#include "common/charset.h"

#include "common/charset_multibyte.h"
#include "common/charset_tables.h"

#include <string.h>

enum {
	REPLACEMENT = 0xfffd
};

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+";

static bool
same_name(struct text a, const char *b)
{
	size_t i = 0;

	for (; i < a.size && b[i] != '\0'; i++) {
		char c = text_lower_byte(a.data[i]);

		if (c == '_')
			c = '-';
		if (c != b[i])
			return false;
	}
	return i == a.size && b[i] == '\0';
}

const struct charset *
charset_find(struct text name)
{
	for (size_t i = 0; i < CHARSET_ALIAS_COUNT; i++)
		if (same_name(name, charset_aliases[i].name))
			return &charset_list[charset_aliases[i].charset];
	return NULL;
}

const char *
charset_name(size_t n)
{
	return n < CHARSET_COUNT ? charset_list[n].name : NULL;
}

bool
charset_has_ascii(const struct charset *charset)
{
	return charset->kind != CHARSET_UTF16 &&
	       charset->kind != CHARSET_UTF16BE &&
	       charset->kind != CHARSET_UTF16LE;
}

bool
charset_keeps_ascii(const struct charset *charset)
{
	return charset->kind == CHARSET_UTF8 || charset->kind == CHARSET_TABLE;
}

int
charset_put_utf8(struct buf *out, uint32_t c)
{
	uint8_t bytes[4];
	size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return charset_put_utf8(out, REPLACEMENT);
	for (size_t i = size - 1; i > 0; i--) {
		bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	bytes[0] = (uint8_t)(first[size] | c);
	return buf_put(out, bytes, size);
}

static int
decode_table(const uint16_t *high, struct text data, struct buf *out)
{
	for (size_t i = 0; i < data.size; i++) {
		uint8_t byte = (uint8_t)data.data[i];
		uint32_t c = byte < 0x80    ? byte
			     : high == NULL ? REPLACEMENT
					    : high[byte - 0x80];

		if (charset_put_utf8(out, c) < 0)
			return -1;
	}
	return 0;
}

/* Bytes of the well-formed character at the start, 0 if there is none. */
static size_t
utf8_size(struct text a)
{
	for (size_t size = 1; size <= 4 && size <= a.size; size++)
		if (text_is_utf8(text_make(a.data, size)))
			return size;
	return 0;
}

static int
decode_utf8(struct text data, struct buf *out)
{
	if (text_is_utf8(data))
		return buf_put(out, data.data, data.size);
	while (data.size > 0) {
		size_t size = utf8_size(data);
		int result = size > 0 ? buf_put(out, data.data, size)
				      : charset_put_utf8(out, REPLACEMENT);

		if (result < 0)
			return -1;
		data = text_skip(data, size > 0 ? size : 1);
	}
	return 0;
}

/* Joins surrogates: the code point, or -1 if `unit` waits for its second. */
static int64_t
join_unit(uint32_t *high, uint32_t unit)
{
	uint32_t first = *high;

	*high = 0;
	if (first != 0 && unit >= 0xdc00 && unit < 0xe000)
		return 0x10000 + ((first - 0xd800) << 10) + (unit - 0xdc00);
	if (unit >= 0xd800 && unit < 0xdc00) {
		*high = unit;
		return -1;
	}
	return unit;
}

static int
decode_utf16(struct text data, bool is_little, struct buf *out)
{
	uint32_t high = 0;

	if (data.size >= 2 && memcmp(data.data, "\xff\xfe", 2) == 0)
		is_little = true;
	else if (data.size >= 2 && memcmp(data.data, "\xfe\xff", 2) == 0)
		is_little = false;
	for (size_t i = 0; i + 1 < data.size; i += 2) {
		uint32_t a = (uint8_t)data.data[i];
		uint32_t b = (uint8_t)data.data[i + 1];
		int64_t c =
		    join_unit(&high, is_little ? b << 8 | a : a << 8 | b);

		if ((i > 0 || c != 0xfeff) && c >= 0 &&
		    charset_put_utf8(out, (uint32_t)c) < 0)
			return -1;
	}
	return data.size % 2 != 0 || high != 0
		   ? charset_put_utf8(out, REPLACEMENT)
		   : 0;
}

static int
base64_value(char c)
{
	const char *p = c == '\0' ? NULL : memchr(base64_digits, c, 63);

	return p != NULL ? (int)(p - base64_digits) : c == '/' ? 63 : -1;
}

static int
decode_utf7(struct text data, struct buf *out)
{
	uint32_t bits = 0, count = 0, high = 0;
	bool shifted = false;

	for (size_t i = 0; i < data.size; i++) {
		char c = data.data[i];
		int value = shifted ? base64_value(c) : -1;

		if (value >= 0) {
			bits = bits << 6 | (uint32_t)value;
			count += 6;
			if (count >= 16) {
				int64_t point = join_unit(
				    &high, bits >> (count - 16) & 0xffff);

				count -= 16;
				if (point >= 0 &&
				    charset_put_utf8(out, (uint32_t)point) < 0)
					return -1;
			}
			continue;
		}
		if (shifted && c == '-') {
			if (data.data[i - 1] == '+' &&
			    buf_put_byte(out, '+') < 0)
				return -1;
			shifted = false;
			continue;
		}
		shifted = c == '+';
		bits = count = high = 0;
		if (!shifted &&
		    charset_put_utf8(
			out, (uint8_t)c < 0x80 ? (uint8_t)c : REPLACEMENT) < 0)
			return -1;
	}
	return 0;
}

int
charset_decode(const struct charset *charset, struct text data, struct buf *out)
{
	switch (charset->kind) {
	case CHARSET_UTF8:
		return decode_utf8(data, out);
	case CHARSET_UTF16:
	case CHARSET_UTF16BE:
		return decode_utf16(data, false, out);
	case CHARSET_UTF16LE:
		return decode_utf16(data, true, out);
	case CHARSET_UTF7:
		return decode_utf7(data, out);
	case CHARSET_SHIFT_JIS:
		return charset_decode_shift_jis(data, out);
	case CHARSET_EUC_JP:
		return charset_decode_euc_jp(data, out);
	case CHARSET_ISO_2022_JP:
		return charset_decode_iso_2022_jp(data, out);
	case CHARSET_GB18030:
		return charset_decode_gb18030(data, out);
	case CHARSET_BIG5:
		return charset_decode_big5(data, out);
	case CHARSET_EUC_KR:
		return charset_decode_euc_kr(data, out);
	case CHARSET_TABLE:
		break;
	}
	return decode_table(charset->high, data, out);
}
