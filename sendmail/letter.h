/*
 * The message that sendmail was given: read from standard input, and, with -t,
 * the recipients that its header names.
 */
#ifndef SENDMAIL_LETTER_H
#define SENDMAIL_LETTER_H

#include "common/buf.h"
#include "common/error.h"
#include "common/pool.h"

#include <stdbool.h>

enum {
	LETTER_MAX_SIZE = 1 << 30,
	LETTER_MAX_RECIPIENTS = 10000
};

/* To the end of `fd`, or (`has_dot`) to a line with a dot alone, with CR LF at
 * each line's end, into `to`. 0, or -1 and error: ERROR_LIMIT, or what read(2)
 * said. */
int letter_read(int fd, bool has_dot, struct buf *to, struct error *error);

/* Those of To, Cc and Bcc, or of Resent-To, Resent-Cc and Resent-Bcc if one of
 * these is there; as addresses, which live in `pool`. How many, or -1 with
 * error if there are more than `max`. */
int letter_recipients(const struct buf *letter, struct pool *pool,
    const char **recipients, int max, struct error *error);

/* Whether the header has a field of that name. */
bool letter_has_field(const struct buf *letter, const char *name);

#endif
