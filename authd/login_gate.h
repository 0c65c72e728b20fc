/*
 * When may a password be checked?  Time is an argument.
 *
 * Mistakes count against the client's address (its /64 in IPv6), against the
 * user's name, whether there is such a user or not, and against the pair of
 * both.  Against an address and a pair attempts are counted when they begin: so
 * many at once as there are free mistakes, the rest wait for their outcome, and
 * once the free mistakes are used up there is one at a time, after a delay from
 * the last mistake, so that many connections do not guess faster than one.  For
 * a name the delay counts from the attempt's arrival: many addresses that guess
 * at one user cannot keep him waiting for longer than that.
 *
 * A pair that has logged in within a day answers for its own mistakes only,
 * whatever others do.  Nor does an address of this host count (webmail: all its
 * users come from there), and delays are short there.
 */
#ifndef AUTHD_LOGIN_GATE_H
#define AUTHD_LOGIN_GATE_H

#include "authd/login_delay.h"

struct login_gate;

struct login_who {
	uint64_t address;
	uint64_t user;
	uint64_t pair;
	bool is_local;
};

enum login_outcome {
	LOGIN_WAS_RIGHT,
	LOGIN_WAS_WRONG,
	LOGIN_WAS_NOT_CHECKED
};

enum {
	LOGIN_GATE_WAIT = -1
};

struct login_gate *login_gate_new(void);
void login_gate_free(struct login_gate **gate);

struct login_who login_gate_who(
    const struct login_gate *gate, struct text user, struct text client_ip);

/* 0: now; else milliseconds until it is worth asking again, or LOGIN_GATE_WAIT:
 * when a check of the same address or pair has finished. */
int64_t login_gate_wait_ms(struct login_gate *gate, const struct login_who *who,
    int64_t arrived_us, int64_t now_us);

void login_gate_started(
    struct login_gate *gate, const struct login_who *who, int64_t now_us);
void login_gate_finished(struct login_gate *gate, const struct login_who *who,
    enum login_outcome outcome, int64_t now_us);

/* So many mistakes that the front should hang up. */
bool login_gate_is_too_many(
    struct login_gate *gate, const struct login_who *who, int64_t now_us);

#endif
