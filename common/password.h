/*
 * Makes a password's hash for the users file (crypt(5)).  Checking one is
 * authd's, in children of its own.
 */
#ifndef COMMON_PASSWORD_H
#define COMMON_PASSWORD_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PASSWORD_MAX_BYTES = 511, /* crypt(3) */
	PASSWORD_HASH_SIZE = 400  /* a hash with its scheme and NUL */
};

/* "{CRYPT}$y$..." into `to` (PASSWORD_HASH_SIZE bytes): yescrypt, or, where it
 * is to be cheap (tests), SHA512-crypt of the fewest rounds. */
int password_hash(const char *password, bool is_cheap,
    char to[PASSWORD_HASH_SIZE], struct error *error);

#endif
