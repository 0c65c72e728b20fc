/*
 * The modified UTF-7 of mailbox names (RFC 3501 5.1.3), on the wire and in
 * Maildir++ folder names.  Pure.
 */
#ifndef COMMON_UTF7_H
#define COMMON_UTF7_H

#include "common/buf.h"
#include "common/text.h"

/* Appends to `to`; -1 if the text is not UTF-8 or `to` is full. */
int utf7_encode(struct text utf8, struct buf *to);

/* Appends UTF-8; -1 if the text is not canonical modified UTF-7 (8 bit bytes,
 * encoded ASCII, lost surrogates, spare bits) or `to` is full. */
int utf7_decode(struct text utf7, struct buf *to);

#endif
