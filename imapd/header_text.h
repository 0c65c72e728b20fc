/*
 * The text of a header field as people read it, and search for it: encoded
 * words (RFC 2047) decoded to UTF-8, one space where it was folded, however the
 * next line began, and for a tab.  Pure.
 */
#ifndef IMAPD_HEADER_TEXT_H
#define IMAPD_HEADER_TEXT_H

#include "common/buf.h"
#include "common/text.h"

enum {
	HEADER_TEXT_MAX_VALUE = 256 * 1024 /* of one field that is looked at */
};

/* Appends it; 0, or -1 beyond the limit. */
int header_text_decode(struct text value, struct buf *decoded);

#endif
