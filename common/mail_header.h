/*
 * The header of a message or of a MIME part (RFC 5322 section 2.2) as views:
 * no byte is copied until a value is unfolded.  Takes line ends of both
 * kinds.  Odd mail is read as Dovecot reads it: a line without a colon is a
 * field with a name and no value, space before the colon is not part of the
 * name, a line of space only continues the field before it.
 */
#ifndef COMMON_MAIL_HEADER_H
#define COMMON_MAIL_HEADER_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>

struct mail_field {
	struct text name;
	struct text value; /* folded, without the last line end; no leading
			      space */
	struct text raw;   /* name to last line end, all of it */
};

/*
 * Takes the next field off `rest`; false at the empty line that ends the
 * header (then `rest` starts behind it) or at the end of the bytes.
 */
bool mail_header_next(struct text *rest, struct mail_field *field);

/* First field of that name (any case); false if there is none. */
bool mail_header_find(
    struct text header, const char *name, struct mail_field *field);

/* Its last line is the empty one: a message without a body may lack it. */
bool mail_header_has_end(struct text header);

/* Bytes up to and with the empty line; all of `message` if none ends it. */
size_t mail_header_size(struct text message);

/* Appends `value` without its line ends (the space that follows them stays);
 * NUL becomes U+FFFD if `replace_nul`.  0, or -1 if `out` is full. */
int mail_header_unfold(struct text value, bool replace_nul, struct buf *out);

#endif
