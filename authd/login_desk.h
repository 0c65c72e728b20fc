/*
 * Logins on their way: from a front's credentials through the delay, a
 * password child and the grant at broker or queue to the front's answer.
 */
#ifndef AUTHD_LOGIN_DESK_H
#define AUTHD_LOGIN_DESK_H

#include "authd/password_pool.h"
#include "common/account.h"
#include "common/channel.h"
#include "common/local_user.h"

enum {
	LOGIN_DESK_MAX = 4096, /* logins on their way; more are turned away */
	/* With so many on their way, who would have to wait is sent away. */
	LOGIN_DESK_MAX_WAITING = 3072,
	LOGIN_DESK_MAX_WAITING_OF_ADDRESS = 20
};

struct login_desk;

/* `pool` stays the caller's, `accounts` becomes the desk's. */
struct login_desk *login_desk_new(struct event_loop *loop,
    struct password_pool *pool, struct account_table *accounts);
void login_desk_free(struct login_desk **desk);

/* After a reload. Logins on their way keep what they found. */
void login_desk_set_accounts(
    struct login_desk *desk, struct account_table *accounts);

/* Users of this machine, who need no password; taken over. */
void login_desk_set_local_users(
    struct login_desk *desk, struct local_users *users);

/* A front (taken over). `instance` is the broker's number of it. */
void login_desk_add_front(
    struct login_desk *desk, int fd, enum role role, uint64_t instance);

/* Where grants go; NULL: away. The channels stay the caller's, who hands
 * `granted` and `sender_granted` to login_desk_granted. */
void login_desk_set_broker(struct login_desk *desk, struct channel *broker);
void login_desk_set_queue(struct login_desk *desk, struct channel *queue);
void login_desk_granted(struct login_desk *desk, enum role by,
    uint64_t instance, uint64_t connection);

#endif
