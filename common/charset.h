/*
 * Charsets to UTF-8: the 8-bit ones by generated tables (charset_tables.h,
 * made by common/charset_tables.py), US-ASCII, UTF-8, UTF-16, UTF-7, and those
 * of charset_multibyte.h.
 * The modified UTF-7 of mailbox names is in utf7.h.
 */
#ifndef COMMON_CHARSET_H
#define COMMON_CHARSET_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>

struct charset;

/* By its name or alias in any case; NULL if unknown. */
const struct charset *charset_find(struct text name);

/* All of them, for people and clients: NULL behind the last one. */
const char *charset_name(size_t n);
/* ASCII text is itself in it: not in UTF-16. */
bool charset_has_ascii(const struct charset *charset);

/* Each byte below 0x80 is ASCII, whatever stands around it. */
bool charset_keeps_ascii(const struct charset *charset);

/* Appends `data` as UTF-8; what has no meaning becomes U+FFFD.  0, or -1 if
 * `out` is full. */
int charset_decode(
    const struct charset *charset, struct text data, struct buf *out);

/* Appends one code point (U+FFFD for what is none). */
int charset_put_utf8(struct buf *out, uint32_t code_point);

#endif
