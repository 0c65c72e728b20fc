/*
 * Who can read what is sealed.  Each account has a key; it stands in every
 * segment that holds blocks of the account, wrapped twice: for the store key,
 * with which snapd works, and for the recovery key, whose private half is
 * printed once by setup and never kept on this host.
 *
 * The store key is the file `key` in the store's folder (0600, snapd's), and
 * not a row of the index: a copy of segments, on a vault, in an object store or
 * on a disk that was thrown away, says nothing without it, an index that is
 * lost does not take it along, and the verifier is given it without the rest.
 * It does not help against root, nor against somebody who is snapd, nor for
 * mail that still stands in the index.
 *
 * Row of a key: form u8 = 1; nonce 12, key 32 and tag 16 under the store key;
 * then, zeros if the store has no recovery key, the public half of a key that
 * was made for this row 32, key 32 and tag 16 under HKDF-SHA-256 of the shared
 * X25519 secret.  Both bind store id and account.
 *
 * File `key`: form u8 = 1, key 32, first 8 bytes of SHA-256 over both.
 */
#ifndef SNAPD_ACCOUNT_KEY_H
#define SNAPD_ACCOUNT_KEY_H

#include "common/messages.h"
#include "common/aead.h"
#include "common/recovery_key.h"

enum {
	ACCOUNT_KEY_WRAPPED = AEAD_NONCE_SIZE + AEAD_KEY_SIZE + AEAD_TAG_SIZE,
	ACCOUNT_KEY_BOXED = RECOVERY_KEY_SIZE + AEAD_KEY_SIZE + AEAD_TAG_SIZE,
	ACCOUNT_KEY_ROW = 1 + ACCOUNT_KEY_WRAPPED + ACCOUNT_KEY_BOXED
};

/* Whose key: both are bound to what is wrapped. */
struct key_owner {
	struct store_id store;
	uint32_t account;
};

/* The file of a new store: ERROR_EXISTS if there is one. The caller syncs the
 * folder. */
int store_key_create(int dir_fd, struct error *error);
/* Puts one that is known back where none is. */
int store_key_put(int dir_fd, const struct aead_key *key, struct error *error);
/* ERROR_MISSING, ERROR_DAMAGED. */
int store_key_load(int dir_fd, struct aead_key *key, struct error *error);

/* A key in a box that the private half opens; `to` has ACCOUNT_KEY_BOXED bytes.
 * Of the store key the owner's account is KEY_OF_STORE. */
#define KEY_OF_STORE UINT32_MAX
int recovery_box(const struct key_owner *owner, const struct aead_key *key,
    const uint8_t public_key[RECOVERY_KEY_SIZE], uint8_t *to,
    struct error *error);
int recovery_unbox(const struct key_owner *owner, const uint8_t *box,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct aead_key *key,
    struct error *error);

/* `row` has ACCOUNT_KEY_ROW bytes. */
int account_key_wrap(const struct key_owner *owner, const struct aead_key *key,
    const struct aead_key *store_key, const uint8_t recovery[RECOVERY_KEY_SIZE],
    uint8_t *row, struct error *error);
int account_key_unwrap(const struct key_owner *owner, struct text row,
    const struct aead_key *store_key, struct aead_key *key,
    struct error *error);
int account_key_recover(const struct key_owner *owner, struct text row,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct aead_key *key,
    struct error *error);

#endif
