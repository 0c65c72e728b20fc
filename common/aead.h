/*
 * AES-256-GCM and what keys are derived with, over libcrypto.  A key and nonce
 * are used once by whoever calls; what a ciphertext is of goes in as bound
 * bytes, so that it opens in its own place only.  One aead a thread.
 */
#ifndef COMMON_AEAD_H
#define COMMON_AEAD_H

#include "common/error.h"
#include "common/text.h"

#include <stdint.h>

enum {
	AEAD_KEY_SIZE = 32,
	AEAD_NONCE_SIZE = 12,
	AEAD_TAG_SIZE = 16
};

struct aead_key {
	uint8_t bytes[AEAD_KEY_SIZE];
};

struct aead;

struct aead *aead_new(void);
void aead_free(struct aead **aead);

/* `to` has room for the plain bytes and the tag, and may be where they are. */
int aead_seal(struct aead *aead, const struct aead_key *key,
    const uint8_t *nonce, struct text bound, struct text plain, uint8_t *to,
    struct error *error);
/* `sealed` ends with the tag. ERROR_DAMAGED if it is not what was sealed. */
int aead_open(struct aead *aead, const struct aead_key *key,
    const uint8_t *nonce, struct text bound, struct text sealed, uint8_t *to,
    struct error *error);

/* HMAC-SHA-256(key, label, context): another key for another use. */
int aead_derive(const struct aead_key *key, const char *label,
    struct text context, struct aead_key *to, struct error *error);

/* Random bytes, or an error. */
int aead_random(void *to, size_t size, struct error *error);

#endif
