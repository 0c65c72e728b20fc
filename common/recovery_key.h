/*
 * The recovery key: an X25519 pair (RFC 7748) whose private half is printed
 * once by setup and never kept on this host.  With the public half anybody can
 * seal what only the private half opens: each time with a pair made for that
 * one use, whose public half goes along.  Over libcrypto; pure but for random
 * bytes.
 */
#ifndef COMMON_RECOVERY_KEY_H
#define COMMON_RECOVERY_KEY_H

#include "common/aead.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RECOVERY_KEY_SIZE = 32
};

int recovery_key_make(uint8_t private_key[RECOVERY_KEY_SIZE],
    uint8_t public_key[RECOVERY_KEY_SIZE], struct error *error);
int recovery_key_public(const uint8_t private_key[RECOVERY_KEY_SIZE],
    uint8_t public_key[RECOVERY_KEY_SIZE], struct error *error);
/* A store of before there was one has zeros. */
bool recovery_key_is_set(const uint8_t public_key[RECOVERY_KEY_SIZE]);

/* A key to seal one thing with: HKDF-SHA-256 of the shared secret, both public
 * halves and the label (at most 60 bytes). `once` (RECOVERY_KEY_SIZE bytes) is
 * to be kept beside what is sealed. */
int recovery_key_offer(const uint8_t public_key[RECOVERY_KEY_SIZE],
    const char *label, uint8_t *once, struct aead_key *key,
    struct error *error);
/* The same key again. */
int recovery_key_accept(const uint8_t private_key[RECOVERY_KEY_SIZE],
    const char *label, const uint8_t *once, struct aead_key *key,
    struct error *error);

/* As setup printed it: hexadecimal digits, perhaps with hyphens or blanks
 * between and around them. */
int recovery_key_parse(
    struct text text, uint8_t private_key[RECOVERY_KEY_SIZE]);

#endif
