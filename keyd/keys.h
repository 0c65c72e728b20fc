/*
 * The private keys in keyd's memory, and signing with them.
 */
#ifndef KEYD_KEYS_H
#define KEYD_KEYS_H

#include "common/error.h"
#include "common/status.h"
#include "common/text.h"

#include <stdint.h>

enum {
	KEYS_MAX_SIGNATURE = 1024
};

struct keys;

struct keys *keys_new(void);
void keys_free(struct keys **keys);

/* Reads the next key (numbers count from 0) from `fd`, a PEM file: ECDSA
 * P-256 or P-384, or RSA of 2048 to 8192 bits. Before the sandbox is shut. */
int keys_add(struct keys *keys, int fd, struct error *error);

/* Signs `block` for a TLS SignatureScheme if it is a well-formed block and the
 * scheme is one of the key's. Enum status (common/status.h). */
enum status keys_sign(struct keys *keys, uint32_t key, uint16_t scheme,
    struct text block, uint8_t signature[KEYS_MAX_SIGNATURE],
    size_t *signature_size);

#endif
