/*
 * Password hashes are computed in children (password_child.h), as many as
 * there are cores: a hash takes 20 to 180 ms and authd's loop must not wait
 * for it.  A job whose child died is done once more by the next one; if that
 * one dies, too, the answer is "unknown", never "wrong".
 */
#ifndef AUTHD_PASSWORD_POOL_H
#define AUTHD_PASSWORD_POOL_H

#include "authd/password_child.h"
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

/*
 * Forks the keeper, which runs `confine` before anything else (it must set
 * no_new_privs, and leave the log open). To be called before this process
 * holds a hash: the children are copies of it.
 */
struct password_pool *password_pool_new(size_t children,
    void (*confine)(void *context), void *context, struct error *error);
/* What waits is never answered; the children end. */
void password_pool_free(struct password_pool **pool);

/* `lost` is called when the keeper is gone: dead children stay dead, and only
 * a new process can have new ones. */
void password_pool_start(struct password_pool *pool, struct event_loop *loop,
    void (*lost)(void *context), void *context);

/* Is `password` the one of `hash`? `done` is called from the loop; never if -1
 * is returned (too many wait, or a text is too long). Both are copied, and
 * wiped. */
int password_pool_check(struct password_pool *pool, struct text hash,
    struct text password,
    void (*done)(enum password_result result, void *context), void *context);

#endif
