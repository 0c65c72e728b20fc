/*
 * Password hashes are computed in children of authd, as many as there are
 * cores: a hash takes 20 to 180 ms and authd's loop must not wait for it.  A
 * child knows one hash and one password at a time and says yes or no.
 */
#ifndef AUTHD_PASSWORD_POOL_H
#define AUTHD_PASSWORD_POOL_H

#include "common/error.h"
#include "common/event_loop.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PASSWORD_POOL_MAX_CHILDREN = 16,
	PASSWORD_POOL_MAX_WAITING = 1024
};

struct password_pool;

/* Forks the children, each of which runs `confine` first. Before the own
 * sandbox is shut and before there is a loop. */
struct password_pool *password_pool_new(size_t children,
    void (*confine)(void *context), void *context, struct error *error);
void password_pool_free(struct password_pool **pool);
void password_pool_start(struct password_pool *pool, struct event_loop *loop);

/* Is `password` the one of `hash`? `done` is called from the loop; never if -1
 * is returned (too many wait, no child lives). Both are copied, and wiped. */
int password_pool_check(struct password_pool *pool, const char *hash,
    struct text password, void (*done)(bool is_right, void *context),
    void *context);

#endif
