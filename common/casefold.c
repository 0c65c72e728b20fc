/*
 * See casefold.h.  RFC 5051 section 2: each character is mapped to its title
 * case, then decomposed as far as it goes, also where that is for compatibility;
 * marks are not put in order.  Hangul has no decomposition in Unicode's table.
 */
#include "common/casefold.h"

#include "common/buf.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum {
	FOLD_MAX_CHARACTER = 256, /* bytes that one becomes; U+FDFA: 33 */
	FOLD_MAX_DEPTH = 8        /* of decompositions; in Unicode 15: 3 */
};

static bool
is_hangul(ucs4_t c)
{
	return c >= 0xac00 && c <= 0xd7a3;
}

/* Appends it to `to`, which has FOLD_MAX_CHARACTER bytes: how many there are
 * then. */
static size_t
put_decomposed(ucs4_t c, uint8_t *to, size_t size, unsigned int depth)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int tag, count = -1, used;

	if (depth < FOLD_MAX_DEPTH && !is_hangul(c))
		count = uc_decomposition(c, &tag, parts);
	if (count < 0) {
		used =
		    u8_uctomb(to + size, c, (int)(FOLD_MAX_CHARACTER - size));
		return used > 0 ? size + (size_t)used : size;
	}
	for (int i = 0; i < count; i++)
		size = put_decomposed(parts[i], to, size, depth + 1);
	return size;
}

static struct text
fold_ascii(struct text text, struct pool *pool)
{
	char *copy = pool_alloc(pool, text.size + 1, 1);

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		copy[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	return text_make(copy, text.size);
}

/* A character grows most where one of three bytes becomes 18 (U+FDFA: 33). */
struct text
casefold(struct text text, struct pool *pool)
{
	uint8_t character[FOLD_MAX_CHARACTER];
	struct text result = text;
	struct buf folded;
	size_t size;
	ucs4_t c;

	if (text_is_ascii(text))
		return fold_ascii(text, pool);
	if (!text_is_utf8(text))
		return text;
	buf_init(&folded, 12 * text.size + FOLD_MAX_CHARACTER);
	for (size_t i = 0; i < text.size; i += size) {
		size = (size_t)u8_mbtouc(
		    &c, (const uint8_t *)text.data + i, text.size - i);
		(void)buf_put(&folded, character,
		    put_decomposed(uc_totitle(c), character, 0, 0));
	}
	result =
	    text_make(pool_copy(pool, folded.data, folded.size), folded.size);
	buf_clear(&folded);
	return result;
}
