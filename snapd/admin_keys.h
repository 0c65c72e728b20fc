/*
 * Keys of administrators (Ed25519).  Where there are two or more, a policy that
 * keeps less, one key more, and one key less need the signatures of two of
 * them: root on this host, or one administrator alone, is not enough.  A key
 * that is to go stays until the longest minimum in force has passed, since with
 * it the need for signatures may go; while two others stay it signs nothing any
 * more.
 *
 * meta "admin_keys": form u8 = 2, changes u64, then of each key its 32 bytes
 * and the guard clock at which it ends (all ones: never) u64.  Form 1 had the
 * keys alone.  What is signed begins with what it is and with the store's id,
 * and holds a number that rises with each such change, so that nothing can be
 * signed for twice.
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

struct admin_key {
	uint8_t bytes[ADMIN_KEY_SIZE];
	uint64_t until_us; /* RETENTION_NEVER: it stays */
};

struct admin_keys {
	uint64_t changes;
	size_t count;
	struct admin_key keys[ADMIN_KEYS_MAX];
};

/* Those that are not over: 0 or -1. */
int admin_keys_read(struct transaction *transaction, uint64_t guard_us,
    struct admin_keys *keys, struct error *error);

/* What two of them have to sign, for a policy, for a key more or for a key
 * less. The size; `to` has ADMIN_STATEMENT_MAX bytes. */
size_t admin_policy_statement(
    const struct journal *journal, const struct retention *policy, uint8_t *to);
size_t admin_key_statement(const struct journal *journal,
    const struct admin_keys *keys, const uint8_t *key, bool is_leaving,
    uint8_t *to);

/* Are there so few keys that nothing is needed, or enough signatures (key and
 * signature each) of different ones? */
bool admin_keys_agree(const struct admin_keys *keys, struct text statement,
    struct text signatures);

/* One key more, or one that was to go stays. STATUS_EXISTS, _LIMIT,
 * _REFUSED. */
enum status admin_key_add(struct journal *journal, const uint8_t *key,
    struct text signatures, struct error *error);
/* One key less, when *until_us has come. STATUS_MISSING; _EXISTS if it is to go
 * already; _REFUSED. */
enum status admin_key_leave(struct journal *journal, const uint8_t *key,
    struct text signatures, uint64_t *until_us, struct error *error);

#endif
