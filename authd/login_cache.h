/*
 * Passwords that were checked in full a short while ago, so that programs
 * which log in for every request (webmail) do not cost 20 ms each time.
 *
 * What is kept is no password: 128 bits of SipHash over the stored hash and
 * the password, under a key that was drawn when authd started and never leaves
 * it.  An entry begins only with a full check, ends after five minutes however
 * often it is used, and all end when accounts are loaded anew.  Whoever can
 * read authd's memory could try passwords against these entries faster than
 * against the stored hashes; the passwords themselves pass there as well.
 */
#ifndef AUTHD_LOGIN_CACHE_H
#define AUTHD_LOGIN_CACHE_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LOGIN_CACHE_ENTRIES = 4096,
	LOGIN_CACHE_LIFE_S = 300
};

struct login_cache;

/* What stands for a hash and a password; all zero: for nothing. */
struct login_proof {
	uint64_t value[2];
};

struct login_cache *login_cache_new(const uint8_t key[32]);
void login_cache_free(struct login_cache **cache);

struct login_proof login_cache_proof(
    const struct login_cache *cache, struct text hash, struct text password);
void login_cache_add(
    struct login_cache *cache, struct login_proof proof, int64_t now_us);
bool login_cache_has(
    const struct login_cache *cache, struct login_proof proof, int64_t now_us);
void login_cache_clear(struct login_cache *cache);

#endif
