/*
 * Modified UTF-7 (RFC 3501 5.1.3): printable ASCII stands for itself, "&" is
 * "&-", everything else is UTF-16 in base64 between "&" and "-".  Names come
 * from clients and from folder names and go to both; only the one canonical
 * form of a name is taken, so that two spellings never mean one mailbox.
 */
#include "common/modified_utf7.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
is_direct(unsigned char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* The code point at `at` of valid UTF-8. */
static uint32_t
take_point(struct text utf8, size_t *at)
{
	unsigned char c = (unsigned char)utf8.data[(*at)++];
	uint32_t point;
	int more;

	if (c < 0x80)
		return c;
	more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	point = c & (0x3fu >> more);
	while (more-- > 0)
		point = point << 6 | ((unsigned char)utf8.data[(*at)++] & 0x3f);
	return point;
}

static int
put_units(struct buf *to, uint32_t unit, uint32_t *bits, int *count)
{
	*bits = *bits << 16 | unit;
	*count += 16;
	while (*count >= 6) {
		*count -= 6;
		if (buf_put_byte(to,
			(uint8_t)alphabet[*bits >> *count & 0x3f]) == -1)
			return -1;
	}
	*bits &= (1u << *count) - 1;
	return 0;
}

static int
encode_run(struct text utf8, size_t *at, struct buf *to)
{
	uint32_t point, bits = 0;
	int count = 0;

	while (*at < utf8.size && !is_direct((unsigned char)utf8.data[*at])) {
		point = take_point(utf8, at);
		if (point > 0xffff) {
			point -= 0x10000;
			if (put_units(to, 0xd800 | point >> 10, &bits,
				&count) == -1)
				return -1;
			point = 0xdc00 | (point & 0x3ff);
		}
		if (put_units(to, point, &bits, &count) == -1)
			return -1;
	}
	if (count == 0)
		return 0;
	return buf_put_byte(to, (uint8_t)alphabet[bits << (6 - count) & 0x3f]);
}

int
modified_utf7_encode(struct text utf8, struct buf *to)
{
	size_t at = 0;
	char c;

	if (!text_is_utf8(utf8))
		return -1;
	while (at < utf8.size) {
		c = utf8.data[at];
		if (c == '&') {
			at++;
			if (buf_put(to, "&-", 2) == -1)
				return -1;
		} else if (is_direct((unsigned char)c)) {
			at++;
			if (buf_put_byte(to, (uint8_t)c) == -1)
				return -1;
		} else if (buf_put_byte(to, '&') == -1 ||
		    encode_run(utf8, &at, to) == -1 ||
		    buf_put_byte(to, '-') == -1)
			return -1;
	}
	return 0;
}

static int
put_point(struct buf *to, uint32_t point)
{
	uint8_t bytes[4];

	if (point < 0x80)
		return is_direct((unsigned char)point) ?
		    -1 :
		    buf_put_byte(to, (uint8_t)point);
	bytes[3] = (uint8_t)(0x80 | (point & 0x3f));
	bytes[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	bytes[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	if (point < 0x800) {
		bytes[2] = (uint8_t)(0xc0 | point >> 6);
		return buf_put(to, bytes + 2, 2);
	}
	if (point < 0x10000) {
		bytes[1] = (uint8_t)(0xe0 | point >> 12);
		return buf_put(to, bytes + 1, 3);
	}
	bytes[0] = (uint8_t)(0xf0 | point >> 18);
	return buf_put(to, bytes, 4);
}

/* One UTF-16 unit; `*high` holds a surrogate that waits for its other half. */
static int
take_unit(struct buf *to, uint32_t unit, uint32_t *high)
{
	if (unit >= 0xd800 && unit < 0xdc00) {
		if (*high != 0)
			return -1;
		*high = unit;
		return 0;
	}
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (*high == 0)
			return -1;
		unit = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);
		*high = 0;
		return put_point(to, unit);
	}
	return *high != 0 ? -1 : put_point(to, unit);
}

static int
digit_value(char c)
{
	int i;

	for (i = 0; i < 64; i++) {
		if (alphabet[i] == c)
			return i;
	}
	return -1;
}

/* `run` is what stands between "&" and "-". */
static int
decode_run(struct text run, struct buf *to)
{
	uint32_t bits = 0, high = 0;
	size_t i;
	int digit, count = 0;

	for (i = 0; i < run.size; i++) {
		if ((digit = digit_value(run.data[i])) == -1)
			return -1;
		bits = (bits << 6 | (uint32_t)digit) & 0x3fffff;
		count += 6;
		if (count < 16)
			continue;
		count -= 16;
		if (take_unit(to, bits >> count & 0xffff, &high) == -1)
			return -1;
		bits &= (1u << count) - 1;
	}
	return high != 0 || count >= 6 || bits != 0 ? -1 : 0;
}

int
modified_utf7_decode(struct text name, struct buf *to)
{
	struct text run;
	ptrdiff_t end;
	bool is_after_run = false;

	while (name.size > 0) {
		if (*name.data != '&') {
			if (!is_direct((unsigned char)*name.data) ||
			    buf_put_byte(to, (uint8_t)*name.data) == -1)
				return -1;
			name = text_skip(name, 1);
			is_after_run = false;
			continue;
		}
		if ((end = text_find_byte(name, '-')) == -1)
			return -1;
		run = text_make(name.data + 1, (size_t)end - 1);
		name = text_skip(name, (size_t)end + 1);
		/* Two runs side by side could have been one. */
		if (run.size > 0 && is_after_run)
			return -1;
		is_after_run = run.size > 0;
		if (run.size == 0 ? buf_put_byte(to, '&') == -1 :
				    decode_run(run, to) == -1)
			return -1;
	}
	return 0;
}
