/*
 * Mailbox names in modified UTF-7 (RFC 3501 5.1.3), as IMAP clients and
 * Maildir++ folders write them.  Pure.
 */
#ifndef COMMON_MODIFIED_UTF7_H
#define COMMON_MODIFIED_UTF7_H

#include "common/buf.h"
#include "common/text.h"

/* Append the other form to `to`. -1 if the input is malformed (also: a
 * printable character in base64, needless shifts) or `to` is full. */
int modified_utf7_encode(struct text utf8, struct buf *to);
int modified_utf7_decode(struct text name, struct buf *to);

#endif
