/*
 * The text of IMAP's ENVELOPE (RFC 3501 7.4.2) from a header, equal to
 * Dovecot's byte for byte where that is right.
 */
#ifndef IMAPD_ENVELOPE_H
#define IMAPD_ENVELOPE_H

#include "common/buf.h"
#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>

/* Appends ("date" "subject" ((...)) ...), parentheses included; 0, or -1 if
 * `out` is full. */
int envelope_format(struct text header, struct pool *pool, struct buf *out);

/* Appends NIL if data is NULL, else a quoted string, or a literal where one
 * is needed. */
int envelope_put_nstring(struct buf *out, struct text value);

#endif
