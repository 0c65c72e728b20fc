/*
 * Views of text that somebody else owns, and the ASCII and number handling
 * that every protocol here shares.  Never locale dependent.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	const char *data; /* not NUL-terminated; may be NULL if size is 0 */
	size_t size;
};

#define TEXT(literal)  ((struct text){ (literal), sizeof(literal) - 1 })
#define TEXT_FMT(text) (int)(text).size, (text).data /* for "%.*s" */

struct text text_of(const char *s);
struct text text_make(const void *data, size_t size);

bool text_equal(struct text a, struct text b);
bool text_equal_nocase(struct text a, struct text b); /* ASCII only */
bool text_is(struct text a, const char *s);
bool text_is_nocase(struct text a, const char *s);
bool text_starts_nocase(struct text a, const char *s);

/* -1, 0, 1 as bytes; a prefix is less. */
int text_compare(struct text a, struct text b);

/* Position of the first `byte`, or -1. */
ptrdiff_t text_find_byte(struct text a, char byte);
size_t text_count_bare_lf(struct text a); /* LFs that follow no CR */

struct text text_skip(struct text a, size_t size); /* without its start */
struct text text_trim(struct text a); /* without SP HT CR LF around it */

/* Takes the part before `separator` off `rest`; false at the end. */
bool text_next(struct text *rest, char separator, struct text *part);

/* Decimal digits only, the whole text; 0, or -1 if empty, malformed or beyond
 * `max`. */
int text_parse_number(struct text a, uint64_t max, uint64_t *value);

/* Copies with a NUL into `to`; -1 (and to = "") if it does not fit or holds a
 * NUL. */
int text_copy(struct text a, char *to, size_t to_size);

/* RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. */
bool text_is_utf8(struct text a);
bool text_is_ascii(struct text a);

char text_lower_byte(char c);
bool text_is_digit(char c);

/* Lower-case hex of `size` bytes into `to` (2 * size + 1 bytes). */
void text_format_hex(const void *data, size_t size, char *to);

/* 0, or -1 unless `a` is exactly 2 * size hex digits. */
int text_parse_hex(struct text a, void *data, size_t size);

#endif
