/*
 * See charset_multibyte.h.
 */
#include "common/charset_multibyte.h"

#include "common/charset.h"
#include "common/charset_multibyte_tables.h"

#include <stdbool.h>
#include <string.h>

enum {
	REPLACEMENT = 0xfffd,
	HALF_WIDTH_KATAKANA = 0xff61, /* of 0xa1 */
	SQUARE = 94                   /* rows, and characters in one */
};

/* Two bytes of a charset: the character, or REPLACEMENT. */
typedef uint32_t find_character(uint8_t lead, uint8_t trail);

static bool
is_in_square(uint8_t byte)
{
	return byte >= 0xa1 && byte <= 0xfe;
}

static uint8_t
byte_at(struct text data, size_t at)
{
	return at < data.size ? (uint8_t)data.data[at] : 0;
}

/* ---- Tables ---- */

static uint32_t
find_shift_jis(uint8_t lead, uint8_t trail)
{
	size_t row, place;

	if (lead >= 0x81 && lead <= 0x9f)
		row = lead - 0x81;
	else if (lead >= 0xe0 && lead <= 0xfc)
		row = (size_t)lead - 0xe0 + 31;
	else
		return REPLACEMENT;
	if (trail < 0x40 || trail == 0x7f || trail > 0xfc)
		return REPLACEMENT;
	place = (size_t)trail - 0x40 - (trail > 0x7f);
	return table_jis[row * (2 * SQUARE) + place];
}

/* A row and a place in it, from 0: two rows are one line of the table. */
static uint32_t
find_jis(uint8_t lead, uint8_t trail)
{
	if (!is_in_square(lead) || !is_in_square(trail))
		return REPLACEMENT;
	return table_jis[(size_t)(lead - 0xa1) * SQUARE + (trail - 0xa1)];
}

static uint32_t
find_jis0212(uint8_t lead, uint8_t trail)
{
	if (!is_in_square(lead) || !is_in_square(trail))
		return REPLACEMENT;
	return table_jis0212[(size_t)(lead - 0xa1) * SQUARE + (trail - 0xa1)];
}

static uint32_t
find_gb(uint8_t lead, uint8_t trail)
{
	if (lead < 0x81 || lead > 0xfe || trail < 0x40 || trail == 0x7f ||
	    trail > 0xfe)
		return REPLACEMENT;
	return table_gb[(size_t)(lead - 0x81) * 190 + (trail - 0x40) -
			(trail > 0x7f)];
}

static uint32_t
find_big5(uint8_t lead, uint8_t trail)
{
	size_t place;

	if (lead < 0x81 || lead > 0xfe)
		return REPLACEMENT;
	if (trail >= 0x40 && trail <= 0x7e)
		place = trail - 0x40;
	else if (is_in_square(trail))
		place = (size_t)trail - 0xa1 + 63;
	else
		return REPLACEMENT;
	return table_big5[(size_t)(lead - 0x81) * 157 + place];
}

static uint32_t
find_euc_kr(uint8_t lead, uint8_t trail)
{
	size_t place;

	if (lead < 0x81 || lead > 0xfe)
		return REPLACEMENT;
	if (trail >= 0x41 && trail <= 0x5a)
		place = trail - 0x41;
	else if (trail >= 0x61 && trail <= 0x7a)
		place = (size_t)trail - 0x61 + 26;
	else if (trail >= 0x81 && trail <= 0xfe)
		place = (size_t)trail - 0x81 + 52;
	else
		return REPLACEMENT;
	return table_kr[(size_t)(lead - 0x81) * 178 + place];
}

/* ---- Runs of bytes ---- */

/* One character of two bytes at `at`: how many bytes were used, 0 if `out` is
 * full. A second byte that is ASCII stays where the two are none. */
static size_t
put_pair(find_character *find, struct text data, size_t at, struct buf *out)
{
	uint8_t trail = byte_at(data, at + 1);
	uint32_t c = find(byte_at(data, at), trail);
	bool is_used =
	    at + 1 < data.size && (c != REPLACEMENT || trail >= 0x80);

	if (charset_put_utf8(out, c) == -1)
		return 0;
	return is_used ? 2 : 1;
}

static int
decode_pairs(find_character *find, struct text data, struct buf *out)
{
	size_t used;

	for (size_t at = 0; at < data.size; at += used) {
		uint8_t byte = byte_at(data, at);

		used = byte >= 0x80 ? put_pair(find, data, at, out)
				    : charset_put_utf8(out, byte) == 0;
		if (used == 0)
			return -1;
	}
	return 0;
}

int
charset_decode_big5(struct text data, struct buf *out)
{
	return decode_pairs(find_big5, data, out);
}

int
charset_decode_euc_kr(struct text data, struct buf *out)
{
	return decode_pairs(find_euc_kr, data, out);
}

/* ---- Japanese ---- */

static size_t
put_one(uint32_t c, size_t size, struct buf *out)
{
	return charset_put_utf8(out, c) == 0 ? size : 0;
}

static size_t
put_shift_jis(struct text data, size_t at, struct buf *out)
{
	uint8_t byte = byte_at(data, at);

	if (byte < 0x80)
		return put_one(byte, 1, out);
	if (byte >= 0xa1 && byte <= 0xdf)
		return put_one(HALF_WIDTH_KATAKANA + byte - 0xa1, 1, out);
	return put_pair(find_shift_jis, data, at, out);
}

int
charset_decode_shift_jis(struct text data, struct buf *out)
{
	size_t used;

	for (size_t at = 0; at < data.size; at += used)
		if ((used = put_shift_jis(data, at, out)) == 0)
			return -1;
	return 0;
}

static size_t
put_euc_jp(struct text data, size_t at, struct buf *out)
{
	uint8_t byte = byte_at(data, at), second = byte_at(data, at + 1);
	size_t size;

	if (byte < 0x80)
		return put_one(byte, 1, out);
	if (byte == 0x8e && second >= 0xa1 && second <= 0xdf)
		return put_one(HALF_WIDTH_KATAKANA + second - 0xa1, 2, out);
	if (byte != 0x8f || !is_in_square(second))
		return put_pair(find_jis, data, at, out);
	size = put_pair(find_jis0212, data, at + 1, out);
	return size == 0 ? 0 : size + 1;
}

int
charset_decode_euc_jp(struct text data, struct buf *out)
{
	size_t used;

	for (size_t at = 0; at < data.size; at += used)
		if ((used = put_euc_jp(data, at, out)) == 0)
			return -1;
	return 0;
}

enum jis_set {
	JIS_ASCII, /* also JIS-Roman: its yen sign and overline are none here */
	JIS_KATAKANA,
	JIS_KANJI,
	JIS_0212
};

static const struct {
	const char *escape;
	enum jis_set set;
} jis_sets[] = { { "\033(B", JIS_ASCII }, { "\033(J", JIS_ASCII },
	{ "\033(I", JIS_KATAKANA }, { "\033$@", JIS_KANJI },
	{ "\033$B", JIS_KANJI }, { "\033$(D", JIS_0212 } };

/* The size of an escape sequence at `at`, which changes the set, or 0. */
static size_t
take_escape(struct text data, size_t at, enum jis_set *set)
{
	struct text rest = text_skip(data, at);

	for (size_t i = 0; i < sizeof(jis_sets) / sizeof(jis_sets[0]); i++) {
		size_t size = strlen(jis_sets[i].escape);

		if (rest.size < size ||
		    memcmp(rest.data, jis_sets[i].escape, size) != 0)
			continue;
		*set = jis_sets[i].set;
		return size;
	}
	return 0;
}

static size_t
put_iso_2022_jp(struct text data, size_t at, enum jis_set *set, struct buf *out)
{
	uint8_t byte = byte_at(data, at), second = byte_at(data, at + 1);
	size_t size = byte == 0x1b ? take_escape(data, at, set) : 0;
	uint32_t c;

	if (size > 0)
		return size;
	if (byte == '\n' || byte == '\r') /* RFC 1468: a line ends in ASCII */
		*set = JIS_ASCII;
	if (byte >= 0x80)
		return put_one(REPLACEMENT, 1, out);
	if (*set == JIS_ASCII || byte <= 0x20 || byte == 0x7f)
		return put_one(byte, 1, out);
	if (*set == JIS_KATAKANA)
		return put_one(byte <= 0x5f ? HALF_WIDTH_KATAKANA + byte - 0x21
					    : REPLACEMENT,
		    1, out);
	if (second <= 0x20 || second >= 0x7f)
		return put_one(REPLACEMENT, 1, out);
	c = *set == JIS_KANJI ? find_jis(byte | 0x80, second | 0x80)
			      : find_jis0212(byte | 0x80, second | 0x80);
	return put_one(c, 2, out);
}

int
charset_decode_iso_2022_jp(struct text data, struct buf *out)
{
	enum jis_set set = JIS_ASCII;
	size_t used;

	for (size_t at = 0; at < data.size; at += used)
		if ((used = put_iso_2022_jp(data, at, &set, out)) == 0)
			return -1;
	return 0;
}

/* ---- Chinese ---- */

enum {
	GB_PLANES = 189000,        /* the number of U+10000 */
	GB_LAST = 189000 + 0xfffff /* and of U+10FFFF */
};

static bool
is_gb_digit(uint8_t byte)
{
	return byte >= 0x30 && byte <= 0x39;
}

/* A character of four bytes, by its number. */
static uint32_t
find_gb_number(uint32_t number)
{
	size_t low = 0,
	       high = sizeof(gb18030_ranges) / sizeof(gb18030_ranges[0]);

	if (number >= GB_PLANES)
		return number <= GB_LAST ? number - GB_PLANES + 0x10000
					 : REPLACEMENT;
	if (number >= 39420)
		return REPLACEMENT;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (gb18030_ranges[middle].number <= number)
			low = middle;
		else
			high = middle;
	}
	return gb18030_ranges[low].point + number - gb18030_ranges[low].number;
}

static size_t
put_gb18030(struct text data, size_t at, struct buf *out)
{
	uint8_t byte = byte_at(data, at), second = byte_at(data, at + 1);
	uint8_t third = byte_at(data, at + 2), fourth = byte_at(data, at + 3);

	if (byte < 0x80)
		return put_one(byte, 1, out);
	if (byte >= 0x81 && byte <= 0xfe && is_gb_digit(second) &&
	    third >= 0x81 && third <= 0xfe && is_gb_digit(fourth))
		return put_one(
		    find_gb_number(
			(((byte - 0x81U) * 10 + (second - 0x30U)) * 126 +
			    (third - 0x81U)) *
			    10 +
			(fourth - 0x30U)),
		    4, out);
	return put_pair(find_gb, data, at, out);
}

int
charset_decode_gb18030(struct text data, struct buf *out)
{
	size_t used;

	for (size_t at = 0; at < data.size; at += used)
		if ((used = put_gb18030(data, at, out)) == 0)
			return -1;
	return 0;
}
