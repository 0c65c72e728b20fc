/*
 * Keys of administrators (Ed25519).  Where there are two or more, a policy that
 * keeps less, and one key more, need the signatures of two of them: root on
 * this host, or one administrator alone, is not enough.  A key that is there
 * stays.
 *
 * meta "admin_keys": form u8 = 1, then 32 bytes each.  What is signed begins
 * with what it is and with the store's id, and holds a number that rises with
 * each such change, so that nothing can be signed for twice.
 */
#ifndef SNAPD_ADMIN_KEYS_H
#define SNAPD_ADMIN_KEYS_H

#include "snapd/journal.h"

enum {
	ADMIN_KEY_SIZE = 32,
	ADMIN_KEYS_MAX = 16,
	ADMIN_KEYS_NEEDED = 2,
	ADMIN_SIGNATURE_SIZE = ADMIN_KEY_SIZE + 64, /* key, signature */
	ADMIN_STATEMENT_MAX = 300
};

struct admin_keys {
	size_t count;
	uint8_t keys[ADMIN_KEYS_MAX][ADMIN_KEY_SIZE];
};

/* 0 or -1. */
int admin_keys_read(struct transaction *transaction, struct admin_keys *keys,
    struct error *error);

/* What two of them have to sign, for a policy or for a key more. The size; `to`
 * has ADMIN_STATEMENT_MAX bytes. */
size_t admin_policy_statement(
    const struct journal *journal, const struct retention *policy, uint8_t *to);
size_t admin_key_statement(const struct journal *journal,
    const struct admin_keys *keys, const uint8_t *key, uint8_t *to);

/* Are there so few keys that nothing is needed, or enough signatures (key and
 * signature each) of different ones? */
bool admin_keys_agree(const struct admin_keys *keys, struct text statement,
    struct text signatures);

/* One key more. STATUS_EXISTS, _LIMIT, _REFUSED. */
enum status admin_key_add(struct journal *journal, const uint8_t *key,
    struct text signatures, struct error *error);

#endif
