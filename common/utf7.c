/*
 * See utf7.h.  Printable ASCII stands for itself, '&' is "&-", all else is
 * UTF-16 in a base64 with ',' for '/' and without padding, between & and -.
 */
#include "common/utf7.h"

#include <stdbool.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Takes one code point off valid UTF-8. */
static uint32_t
next_code_point(struct text *rest)
{
	const uint8_t *p = (const uint8_t *)rest->data;
	unsigned int more = p[0] < 0x80   ? 0
			    : p[0] < 0xe0 ? 1
			    : p[0] < 0xf0 ? 2
					  : 3;
	uint32_t c = more == 0 ? p[0] : p[0] & (0x3fU >> more);

	for (unsigned int i = 1; i <= more; i++)
		c = c << 6 | (p[i] & 0x3f);
	*rest = text_skip(*rest, more + 1);
	return c;
}

static int
put_utf8(struct buf *to, uint32_t c)
{
	uint8_t bytes[4];
	size_t n = 0;

	if (c < 0x80) {
		bytes[n++] = (uint8_t)c;
	} else if (c < 0x800) {
		bytes[n++] = (uint8_t)(0xc0 | c >> 6);
		bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[n++] = (uint8_t)(0xe0 | c >> 12);
		bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
	} else {
		bytes[n++] = (uint8_t)(0xf0 | c >> 18);
		bytes[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
	}
	return buf_put(to, bytes, n);
}

struct base64 {
	uint32_t bits;
	unsigned int count;
};

static int
put_unit(struct base64 *state, uint32_t unit, struct buf *to)
{
	state->bits = state->bits << 16 | unit;
	state->count += 16;
	while (state->count >= 6) {
		state->count -= 6;
		if (buf_put_byte(to,
			(uint8_t)digits[state->bits >> state->count & 63]) ==
		    -1)
			return -1;
	}
	state->bits &= (1U << state->count) - 1;
	return 0;
}

static int
end_run(struct base64 *state, struct buf *to)
{
	if (state->count > 0 &&
	    buf_put_byte(to,
		(uint8_t)digits[state->bits << (6 - state->count) & 63]) == -1)
		return -1;
	return buf_put_byte(to, '-');
}

static bool
is_direct(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

static int
encode_run(struct text *rest, struct buf *to)
{
	struct base64 state = { 0 };

	if (buf_put_byte(to, '&') == -1)
		return -1;
	while (rest->size > 0 && !is_direct((uint8_t)rest->data[0])) {
		uint32_t c = next_code_point(rest);

		if (c >= 0x10000) {
			c -= 0x10000;
			if (put_unit(&state, 0xd800 | c >> 10, to) == -1)
				return -1;
			c = 0xdc00 | (c & 0x3ff);
		}
		if (put_unit(&state, c, to) == -1)
			return -1;
	}
	return end_run(&state, to);
}

int
utf7_encode(struct text utf8, struct buf *to)
{
	if (!text_is_utf8(utf8))
		return -1;
	while (utf8.size > 0) {
		uint8_t byte = (uint8_t)utf8.data[0];

		if (!is_direct(byte)) {
			if (encode_run(&utf8, to) == -1)
				return -1;
			continue;
		}
		if (buf_put_byte(to, byte) == -1 ||
		    (byte == '&' && buf_put_byte(to, '-') == -1))
			return -1;
		utf8 = text_skip(utf8, 1);
	}
	return 0;
}

/* One UTF-16 unit of a run; `high` holds a first surrogate, or 0. */
static int
decode_unit(uint32_t unit, uint32_t *high, struct buf *to)
{
	if (*high != 0) {
		uint32_t c = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);

		if (unit < 0xdc00 || unit > 0xdfff)
			return -1;
		*high = 0;
		return put_utf8(to, c);
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return 0;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return -1;
	if (unit < 0x80 && is_direct((uint8_t)unit))
		return -1;
	return put_utf8(to, unit);
}

static int
decode_run(struct text run, struct buf *to)
{
	struct base64 state = { 0 };
	uint32_t high = 0;

	for (size_t i = 0; i < run.size; i++) {
		const char *digit = memchr(digits, run.data[i], 64);

		if (digit == NULL)
			return -1;
		state.bits = state.bits << 6 | (uint32_t)(digit - digits);
		state.count += 6;
		if (state.count < 16)
			continue;
		state.count -= 16;
		if (decode_unit(
			state.bits >> state.count & 0xffff, &high, to) == -1)
			return -1;
		state.bits &= (1U << state.count) - 1;
	}
	return high == 0 && state.count < 6 && state.bits == 0 ? 0 : -1;
}

int
utf7_decode(struct text utf7, struct buf *to)
{
	bool was_run = false;

	while (utf7.size > 0) {
		uint8_t byte = (uint8_t)utf7.data[0];
		ptrdiff_t end;

		if (!is_direct(byte))
			return -1;
		if (byte != '&') {
			was_run = false;
			if (buf_put_byte(to, byte) == -1)
				return -1;
			utf7 = text_skip(utf7, 1);
			continue;
		}
		end = text_find_byte(utf7, '-');
		if (end == -1 || (was_run && end != 1))
			return -1;
		if (end == 1
			? buf_put_byte(to, '&')
			: decode_run(
			      text_make(utf7.data + 1, (size_t)end - 1), to))
			return -1;
		was_run = end != 1;
		utf7 = text_skip(utf7, (size_t)end + 1);
	}
	return 0;
}
