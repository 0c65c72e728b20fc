/*
 * See casefold.h.  RFC 5051 section 2: each character is mapped to its title
 * case, then decomposed as far as it goes, also where that is for
 * compatibility; marks are not put in order.  Hangul has no decomposition in
 * Unicode's table.
 */
#include "common/casefold.h"

#include "common/buf.h"

#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

enum {
	FOLD_MAX_CHARACTER = 256, /* bytes that one becomes; U+FDFA: 33 */
	FOLD_MAX_DEPTH = 8,       /* of decompositions; in Unicode 15: 3 */
	/* What is longer is not looked for at each place where it may begin:
	 * a text of one letter would make that a long search. */
	FOLD_MAX_SOUGHT = 64
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

/* -- In ASCII, where it stands -- */

/* How common a byte is in mail, more or less. */
static unsigned int
commonness(char c)
{
	/* A to Z in the order of ZQXJKVBPYGFWMUCLDRHSNIOATE. */
	static const uint8_t letters[] = { 33, 16, 24, 26, 35, 20, 19, 28, 31,
		13, 14, 25, 22, 30, 32, 17, 11, 27, 29, 34, 23, 15, 21, 12, 18,
		10 };

	if (c >= 'A' && c <= 'Z')
		return letters[c - 'A'];
	if (text_is_digit(c))
		return 25; /* of dates and numbers of messages */
	return c == ' ' ? 100 : 5;
}

static size_t
rarest(struct text folded)
{
	size_t found = 0;

	for (size_t i = 1; i < folded.size; i++)
		if (commonness(folded.data[i]) < commonness(folded.data[found]))
			found = i;
	return found;
}

static bool
is_at(const char *at, struct text folded)
{
	for (size_t i = 0; i < folded.size; i++) {
		char c = at[i];

		if ((c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c) !=
		    folded.data[i])
			return false;
	}
	return true;
}

/* Where its rarest byte stands, in either case. */
static bool
contains_ascii(struct text text, struct text folded)
{
	size_t at = rarest(folded);
	char upper = folded.data[at], lower = text_lower_byte(upper);
	const char *from = text.data + at;
	const char *end = text.data + text.size - (folded.size - at) + 1;
	const char *u = from, *l = from;

	if ((u = memchr(u, upper, (size_t)(end - u))) == NULL)
		u = end;
	if (lower == upper || (l = memchr(l, lower, (size_t)(end - l))) == NULL)
		l = end;
	while (u < end || l < end) {
		const char **next = u < l ? &u : &l;
		char c = u < l ? upper : lower;

		if (is_at(*next - at, folded))
			return true;
		++*next;
		*next = memchr(*next, c, (size_t)(end - *next));
		if (*next == NULL)
			*next = end;
	}
	return false;
}

bool
casefold_contains(struct text text, struct text folded, struct pool *pool)
{
	bool is_ascii = text_is_ascii(text);

	if (folded.size == 0)
		return true;
	if (is_ascii && text.size < folded.size)
		return false;
	if (is_ascii && folded.size <= FOLD_MAX_SOUGHT)
		return contains_ascii(text, folded);
	text = casefold(text, pool);
	return text.size >= folded.size &&
	       memmem(text.data, text.size, folded.data, folded.size) != NULL;
}
