/*
 * How long an answer to a login has to wait, by client address and by user:
 * nothing for the first mistakes, then twice as long for each further one, and
 * half as much for every ten quiet minutes.  A table of fixed size under a
 * random hash: nobody can make it grow.  Time is an argument.
 */
#ifndef AUTHD_LOGIN_DELAY_H
#define AUTHD_LOGIN_DELAY_H

#include "common/text.h"

#include <stdint.h>

enum {
	LOGIN_DELAY_FREE = 3, /* mistakes that cost nothing */
	LOGIN_DELAY_STEP_MS = 500,
	LOGIN_DELAY_MAX_MS = 15000,
	LOGIN_DELAY_MANY = 12 /* mistakes: close the connection */
};

struct login_delay;

struct login_delay *login_delay_new(const uint8_t key[16]);
void login_delay_free(struct login_delay **delay);

/* `who` is an address or a user's name. */
void login_delay_failed(
    struct login_delay *delay, struct text who, int64_t now_us);
void login_delay_succeeded(struct login_delay *delay, struct text who);
int64_t login_delay_ms(
    struct login_delay *delay, struct text who, int64_t now_us);
unsigned int login_delay_mistakes(
    struct login_delay *delay, struct text who, int64_t now_us);

#endif
