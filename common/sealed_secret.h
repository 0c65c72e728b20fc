/*
 * A file that only the offline recovery key opens: how private keys and the
 * hashes of passwords stand in the snapshot store (account 0).  Whoever has the
 * store, root included, has no secret by it; who has the sheet of paper with
 * the recovery key has them all.  Pure but for random bytes.
 *
 * Form: "FIRNSEAL" 8, form u8 = 1, first 8 bytes of the public half of the
 * recovery key, name text (u32 length before it), public half of the pair made
 * for this file 32; then the bytes, AES-256-GCM, with the tag 16.  All that
 * stands before the bytes is bound to them.
 */
#ifndef COMMON_SEALED_SECRET_H
#define COMMON_SEALED_SECRET_H

#include "common/buf.h"
#include "common/recovery_key.h"

#include <stdbool.h>
#include <string.h>

enum {
	SEALED_SECRET_MAX_NAME = 500,
	SEALED_SECRET_HEAD_MAX =
	    8 + 1 + 8 + 4 + SEALED_SECRET_MAX_NAME + RECOVERY_KEY_SIZE,
	SEALED_SECRET_MAX_MORE = SEALED_SECRET_HEAD_MAX + AEAD_TAG_SIZE
};

/* Does it begin like one? */
static inline bool
sealed_secret_is(struct text bytes)
{
	return bytes.size >= 8 && memcmp(bytes.data, "FIRNSEAL", 8) == 0;
}

/* Appends it to `to`: at most SEALED_SECRET_MAX_MORE bytes more than `secret`
 * has. */
int sealed_secret_make(struct text name, struct text secret,
    const uint8_t public_key[RECOVERY_KEY_SIZE], struct buf *to,
    struct error *error);

/* Appends the secret to `to`. ERROR_REFUSED: it was sealed for another recovery
 * key, or under another name than this (empty: any). ERROR_DAMAGED: it is none,
 * or not as it was sealed. */
int sealed_secret_open(struct text sealed, struct text name,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct buf *to,
    struct error *error);

#endif
