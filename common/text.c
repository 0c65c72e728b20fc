/* See text.h. */
#include "common/text.h"

#include <string.h>

enum {
	BYTES_AT_ONCE = 64
};

struct text
text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

struct text
text_make(const void *data, size_t size)
{
	return (struct text){ data, size };
}

char
text_lower_byte(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
text_equal(struct text a, struct text b)
{
	return a.size == b.size &&
	       (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool
text_equal_nocase(struct text a, struct text b)
{
	if (a.size != b.size)
		return false;
	for (size_t i = 0; i < a.size; i++)
		if (text_lower_byte(a.data[i]) != text_lower_byte(b.data[i]))
			return false;
	return true;
}

bool
text_is(struct text a, const char *s)
{
	return text_equal(a, text_of(s));
}

bool
text_is_nocase(struct text a, const char *s)
{
	/* Without a look at the length: most differ in their first byte. */
	for (size_t i = 0; i < a.size; i++)
		if (s[i] == '\0' ||
		    text_lower_byte(a.data[i]) != text_lower_byte(s[i]))
			return false;
	return s[a.size] == '\0';
}

bool
text_starts_nocase(struct text a, const char *s)
{
	size_t size = strlen(s);

	return a.size >= size &&
	       text_equal_nocase(text_make(a.data, size), text_make(s, size));
}

int
text_compare(struct text a, struct text b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size > 0 ? memcmp(a.data, b.data, size) : 0;

	if (order != 0)
		return order < 0 ? -1 : 1;
	if (a.size == b.size)
		return 0;
	return a.size < b.size ? -1 : 1;
}

ptrdiff_t
text_find_byte(struct text a, char byte)
{
	const char *found = a.size > 0 ? memchr(a.data, byte, a.size) : NULL;

	return found == NULL ? -1 : found - a.data;
}

/* Of so many bytes behind the first one, at once, as a compiler with vectors
 * makes a few steps of. */
static unsigned int
bare_lf_in(const char p[1 + BYTES_AT_ONCE])
{
	uint8_t count = 0;
	ptrdiff_t i;

	for (i = 0; i < BYTES_AT_ONCE; i++)
		count += (uint8_t)((p[i + 1] == '\n') & (p[i] != '\r'));
	return count;
}

size_t
text_count_bare_lf(struct text a)
{
	const char *p = a.data, *end = p + a.size;
	size_t count;

	if (a.size == 0)
		return 0;
	count = *p++ == '\n';
	for (; end - p >= BYTES_AT_ONCE; p += BYTES_AT_ONCE)
		count += bare_lf_in(p - 1);
	for (; p < end; p++)
		count += (*p == '\n') & (p[-1] != '\r');
	return count;
}

struct text
text_skip(struct text a, size_t size)
{
	if (size > a.size)
		size = a.size;
	if (size == 0)
		return a;
	return (struct text){ a.data + size, a.size - size };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text
text_trim(struct text a)
{
	while (a.size > 0 && is_blank(a.data[0]))
		a = text_skip(a, 1);
	while (a.size > 0 && is_blank(a.data[a.size - 1]))
		a.size--;
	return a;
}

bool
text_next(struct text *rest, char separator, struct text *part)
{
	ptrdiff_t end;

	if (rest->data == NULL)
		return false;
	end = text_find_byte(*rest, separator);
	if (end == -1) {
		*part = *rest;
		*rest = (struct text){ NULL, 0 };
		return true;
	}
	*part = text_make(rest->data, (size_t)end);
	*rest = text_skip(*rest, (size_t)end + 1);
	return true;
}

int
text_parse_number(struct text a, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (a.size == 0)
		return -1;
	for (size_t i = 0; i < a.size; i++) {
		if (!text_is_digit(a.data[i]) ||
		    __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(
			sum, (uint64_t)(a.data[i] - '0'), &sum))
			return -1;
	}
	if (sum > max)
		return -1;
	*value = sum;
	return 0;
}

int
text_copy(struct text a, char *to, size_t to_size)
{
	if (a.size >= to_size || text_find_byte(a, '\0') != -1) {
		if (to_size > 0)
			to[0] = '\0';
		return -1;
	}
	if (a.size > 0)
		memcpy(to, a.data, a.size);
	to[a.size] = '\0';
	return 0;
}

/* The size of the well-formed sequence at `p`, 0 if there is none. */
static size_t
utf8_sequence_size(const unsigned char *p, size_t left)
{
	uint32_t value, lowest;
	size_t size;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		size = 2;
		lowest = 0x80;
		value = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		size = 3;
		lowest = 0x800;
		value = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		size = 4;
		lowest = 0x10000;
		value = p[0] & 0x07;
	} else {
		return 0;
	}
	if (size > left)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < lowest || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return size;
}

bool
text_is_utf8(struct text a)
{
	size_t i = 0;

	while (i < a.size) {
		size_t size = utf8_sequence_size(
		    (const unsigned char *)a.data + i, a.size - i);

		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

bool
text_is_ascii(struct text a)
{
	uint64_t eight, high = 0;
	size_t i = 0;

	for (; i + sizeof(eight) <= a.size; i += sizeof(eight)) {
		memcpy(&eight, a.data + i, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			return false;
	}
	for (; i < a.size; i++)
		high |= (unsigned char)a.data[i];
	return high < 0x80;
}

void
text_format_hex(const void *data, size_t size, char *to)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * size] = '\0';
}

static int
hex_digit(char c)
{
	c = text_lower_byte(c);
	if (text_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
text_parse_hex(struct text a, void *data, size_t size)
{
	uint8_t *bytes = data;

	if (a.size != 2 * size)
		return -1;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(a.data[2 * i]);
		int low = hex_digit(a.data[2 * i + 1]);

		if (high == -1 || low == -1)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
