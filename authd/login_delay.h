/*
 * Mistakes at logins by whom they came from: a client's network, a user's
 * name, or the pair of both.  Nothing for the first mistakes, then twice as
 * long for each further one; half of them are forgotten every ten quiet
 * minutes.  Tables of fixed size under a random hash: nobody can make them
 * grow.  Time is an argument.
 */
#ifndef AUTHD_LOGIN_DELAY_H
#define AUTHD_LOGIN_DELAY_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LOGIN_DELAY_FREE = 3, /* mistakes that cost nothing */
	LOGIN_DELAY_STEP_MS = 500,
	LOGIN_DELAY_MAX_MS = 15000,
	LOGIN_DELAY_LOCAL_MAX_MS = 2000, /* from this host: webmail */
	LOGIN_DELAY_MANY = 12            /* mistakes: close the connection */
};

struct login_delay;

struct login_delay *login_delay_new(const uint8_t key[16]);
void login_delay_free(struct login_delay **delay);

uint64_t login_delay_key(const struct login_delay *delay, struct text who);

/* A password of `who` is being checked; each call is matched by one of
 * login_delay_finished, which says whether it was wrong. */
void login_delay_started(
    struct login_delay *delay, uint64_t who, int64_t now_us);
void login_delay_finished(
    struct login_delay *delay, uint64_t who, bool is_mistake, int64_t now_us);

struct login_standing {
	unsigned int mistakes;
	unsigned int running; /* checks that have not finished */
	int64_t last_us;      /* of the last mistake */
};

struct login_standing login_delay_standing(
    struct login_delay *delay, uint64_t who, int64_t now_us);

/* How long so many mistakes make one wait. */
int64_t login_delay_ms(unsigned int mistakes, int64_t max_ms);

/* `who` has logged in; remembered for a day, and pushed out by others' success
 * only. */
void login_delay_trust(struct login_delay *delay, uint64_t who, int64_t now_us);
bool login_delay_is_trusted(
    const struct login_delay *delay, uint64_t who, int64_t now_us);

#endif
