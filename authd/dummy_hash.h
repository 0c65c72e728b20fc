/*
 * The hash that is computed for a user who does not exist, so that it takes as
 * long as for one who does: one of the scheme and cost that most accounts have.
 * Where a table mixes schemes, the accounts of the rarer ones can be told from
 * unknown users by time; nothing but changing their hashes helps.
 */
#ifndef AUTHD_DUMMY_HASH_H
#define AUTHD_DUMMY_HASH_H

#include "common/account.h"

/* Bytes of `hash` that say scheme and cost: what stands before the salt. */
size_t dummy_hash_kind(struct text hash);

/* Valid while `accounts` lives. */
const char *dummy_hash_choose(const struct account_table *accounts);

#endif
