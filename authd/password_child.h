/*
 * The processes that compute password hashes: a keeper, forked from authd
 * before it reads the accounts, and its children, one for each descriptor.
 * The keeper sees neither hash nor password: it forks a child anew when one
 * dies, and says so on the descriptor that the child was reading.
 *
 * A job is a packet: u32 number (never 0), hash and password with their
 * lengths.  The answer is u32 number and u8 enum password_result; that of
 * number 0 says that the child died and with it whatever job it had.
 */
#ifndef AUTHD_PASSWORD_CHILD_H
#define AUTHD_PASSWORD_CHILD_H

#include <stddef.h>

enum {
	PASSWORD_CHILD_MAX_HASH = 512,
	PASSWORD_CHILD_MAX_PASSWORD = 1024,
	PASSWORD_CHILD_MAX_JOB = 4 + 4 + 512 + 4 + 1024,
	PASSWORD_CHILD_ANSWER = 5
};

enum password_result {
	PASSWORD_WRONG,
	PASSWORD_RIGHT,
	PASSWORD_UNKNOWN /* nobody could compute it */
};

/* Runs the keeper of `count` children on blocking SOCK_SEQPACKET `fds` until
 * the other ends close. */
void password_keeper_run(const int *fds, size_t count)
    __attribute__((noreturn));

#endif
