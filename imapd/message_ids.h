/*
 * The message identifiers of a header (RFC 5322 3.6.4): whose it is, and whom
 * it answers.  Pure.
 */
#ifndef IMAPD_MESSAGE_IDS_H
#define IMAPD_MESSAGE_IDS_H

#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>

enum {
	MESSAGE_ID_MAX_SIZE = 998 /* a line's; what is longer is none */
};

/* Takes the next identifier off a field's value, without its brackets, space
 * and quotes ("a b"@c and a b@c are one); false if there is none left. In the
 * pool. */
bool message_id_next(struct text *value, struct pool *pool, struct text *id);

#endif
