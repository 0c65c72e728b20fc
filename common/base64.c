/*
 * Canonical base64.  The bits that padding leaves over must be zero, so that
 * each run of bytes has exactly one encoding.
 */
#include "common/base64.h"

static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/* `digits` (2 to 4) of one group into digits - 1 bytes. */
static int
decode_group(const char *group, size_t digits, uint8_t bytes[3])
{
	uint32_t bits = 0;
	size_t i;
	int value;

	for (i = 0; i < 4; i++) {
		value = i < digits ? digit_value(group[i]) : 0;
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	bytes[0] = (uint8_t)(bits >> 16);
	bytes[1] = (uint8_t)(bits >> 8);
	bytes[2] = (uint8_t)bits;
	for (i = digits - 1; i < 3; i++)
		if (bytes[i] != 0)
			return -1;
	return 0;
}

int
base64_decode(struct text encoded, uint8_t *data, size_t max_size, size_t *size)
{
	uint8_t bytes[3];
	size_t at, digits, i;

	*size = 0;
	if (encoded.size % 4 != 0)
		return -1;
	for (at = 0; at < encoded.size; at += 4) {
		digits = 4;
		if (at + 4 == encoded.size && encoded.data[at + 3] == '=')
			digits = encoded.data[at + 2] == '=' ? 2 : 3;
		if (decode_group(encoded.data + at, digits, bytes) == -1)
			return -1;
		if (max_size - *size < digits - 1)
			return -1;
		for (i = 0; i < digits - 1; i++)
			data[(*size)++] = bytes[i];
	}
	return 0;
}

void
base64_encode(struct text data, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	while (data.size > 0) {
		size_t n = data.size < 3 ? data.size : 3;
		uint32_t bits = 0;

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? (uint8_t)data.data[i] : 0U);
		for (size_t i = 0; i < 4; i++)
			*to++ = i > n ? '=' : digits[bits >> (18 - 6 * i) & 63];
		data = text_skip(data, n);
	}
	*to = '\0';
}
