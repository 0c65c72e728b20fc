/*
 * Rewrites the users file: bytes in, bytes out, with every line that is not
 * meant kept as it is, comments and Dovecot's fields included.  Pure; reading
 * is common/account_parser's, writing cmd_account's.
 */
#ifndef FIRNMAIL_USERS_FILE_H
#define FIRNMAIL_USERS_FILE_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	USERS_FILE_ADDRESS_SIZE = 321
};

/* `users` and a new line at its end, into `to`. -1 if it does not fit. */
int users_file_add(struct text users, struct text address, struct text hash,
    uint32_t number, struct buf *to);

/* `users` with another hash for `address`. -1 if it does not fit or has no line
 * of that address. */
int users_file_set_hash(
    struct text users, struct text address, struct text hash, struct buf *to);

/* `users` with or without "nologin" in the last field of `address`. 1; 0: it is
 * so already; -1: it does not fit or has no line of that address. */
int users_file_set_login(
    struct text users, struct text address, bool may_login, struct buf *to);

/* What stands behind `start` ("firnmail_class=") in the last field of
 * `address`; empty if nothing does. */
struct text users_file_find_word(
    struct text users, struct text address, const char *start);

#endif
