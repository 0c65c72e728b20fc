/*
 * The charsets of East Asia to UTF-8, by generated tables of their characters
 * (charset_multibyte_tables.h).  Pure: bytes go in, text comes out, in the
 * process that needs it.  iconv would need a process of its own, because it
 * loads code by the name of the charset, which a stranger writes into his mail.
 *
 * All append to `out`: 0, or -1 if that is full.  What has no meaning becomes
 * U+FFFD; a byte below 0x80 is never taken for the second of a character that
 * there is not, so that no text hides behind a broken one.
 */
#ifndef COMMON_CHARSET_MULTIBYTE_H
#define COMMON_CHARSET_MULTIBYTE_H

#include "common/buf.h"
#include "common/text.h"

/* With the extensions of Windows (cp932). */
int charset_decode_shift_jis(struct text data, struct buf *out);
/* With JIS X 0212 and half-width katakana, as the next one. */
int charset_decode_euc_jp(struct text data, struct buf *out);
int charset_decode_iso_2022_jp(struct text data, struct buf *out);
/* GBK and GB2312 are parts of it. */
int charset_decode_gb18030(struct text data, struct buf *out);
/* With the extensions of Windows (cp950), and those of Hong Kong but for the
 * characters beyond the basic plane. */
int charset_decode_big5(struct text data, struct buf *out);
/* With the extensions of Windows (cp949). */
int charset_decode_euc_kr(struct text data, struct buf *out);

#endif
