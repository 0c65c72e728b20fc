/*
 * Signed heads: what the event log was at an instant, signed with the store's
 * Ed25519 key (RFC 8032) and chained, so that a log that was cut or rewritten
 * shows to everybody who kept one head.  Pure over bytes; journal decides when
 * one is made, verify.c and vaults check them.
 *
 * Form of a head (DB_HEAD): form u8 = 1, wall clock u64, guard clock u64,
 * incarnation u64, events u64, Merkle root 32, SHA-256 of the head before it
 * (zeros: none) 32, signature 64.  Signed are "firnmail head 1", a zero byte,
 * the store id and all of the head before the signature.
 */
#ifndef COMMON_HEAD_H
#define COMMON_HEAD_H

#include "common/error.h"
#include "common/messages.h"

#include <stdbool.h>

enum {
	HEAD_SIGNED_SIZE = 97,
	HEAD_SIGNATURE_SIZE = 64,
	HEAD_SIZE = HEAD_SIGNED_SIZE + HEAD_SIGNATURE_SIZE,
	HEAD_KEY_SIZE = 32
};

struct head_key {
	uint8_t private_key[HEAD_KEY_SIZE];
	uint8_t public_key[HEAD_KEY_SIZE];
};

struct head {
	uint64_t wall_us;
	uint64_t guard_us;
	uint64_t incarnation;
	uint64_t events;
	struct hash root;
	struct hash previous;
};

/* A new key pair. The caller wipes it. */
int head_key_make(struct head_key *key, struct error *error);

/* The signed head into `to` (HEAD_SIZE bytes). */
int head_sign(const struct head *head, const struct head_key *key,
    const struct store_id *store, uint8_t *to, struct error *error);

/* ERROR_INPUT if it is malformed. */
int head_decode(struct text value, struct head *head, struct error *error);

/* Is it the key's Ed25519 signature of these bytes? */
bool head_check_signature(const uint8_t *public_key, const uint8_t *signature,
    struct text signed_bytes);

/* 0 if the signature is the key's, else ERROR_DAMAGED. */
int head_check(struct text value, const uint8_t *public_key,
    const struct store_id *store, struct error *error);

#endif
