/*
 * The beginning of a text as people would read it (RFC 8970): for a list of
 * messages.  Pure.
 */
#ifndef IMAPD_PREVIEW_H
#define IMAPD_PREVIEW_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>

enum {
	PREVIEW_MAX_CHARACTERS = 200, /* RFC 8970 3.2 */
	PREVIEW_MAX_BYTES = 4 * PREVIEW_MAX_CHARACTERS,
	PREVIEW_TEXT_SIZE = 16 * 1024 /* of the text, looked at */
};

/* What can be seen of `html` (UTF-8), without its tags; -1 if `out` is full. */
int preview_strip_html(struct text html, struct buf *out);

/* Appends it: any run of space is one, lines that quote another message ("> ")
 * are left out, unless there are no others. */
void preview_make(struct text text, struct buf *out);

#endif
