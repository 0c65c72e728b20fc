/*
 * The front of IMAP: TLS, the commands before login, and the bytes of sessions
 * on their way to and from the workers.  It holds no mail and no files; who a
 * user is, authd says to the broker, and the broker alone hands out the stream
 * to a worker.
 */
#ifndef IMAPD_IMAP_FRONT_H
#define IMAPD_IMAP_FRONT_H

#include "common/channel.h"
#include "common/event_loop.h"
#include "common/listener.h"
#include "common/settings.h"
#include "common/tls.h"

#include <stdbool.h>
#include <stdint.h>

struct imap_front;
struct imap_login;

/* Takes over `settings` (its slice). */
struct imap_front *imap_front_new(
    struct event_loop *loop, struct settings *settings);
void imap_front_free(struct imap_front **front);

/* The starter channel has been made; messages of it go to imap_front_starter.
 */
void imap_front_set_broker(struct imap_front *front, struct channel *broker);
extern const struct channel_handler imap_front_starter;

/* Takes over `fd`, a socket bound for one of the settings' listeners. */
void imap_front_listen(struct imap_front *front, int fd);

/* -- For imap_login.c and imap_relay.c -- */

struct event_loop *imap_front_loop(struct imap_front *front);
struct tls_server *imap_front_tls(struct imap_front *front); /* may be NULL */
const char *imap_front_host(const struct imap_front *front);

/* Sends a question about the login to authd or the broker: -1 if it is away,
 * else imap_login_answered or imap_login_attached will be called. */
int imap_front_ask_authd(struct imap_front *front, uint64_t connection,
    struct text user, struct text password, const char *ip);
/* `fd`: the client's socket, for the worker, or -1. */
int imap_front_ask_broker(
    struct imap_front *front, const struct message_attach *wish, int fd);

/* What becomes of a session that sleeps, to the broker: session_resume or
 * session_gone, or session_parked. */
void imap_front_tell(struct imap_front *front, enum message_type what,
    uint64_t connection, uint32_t turn);

/* The connection is over: its place is given back. */
void imap_front_release(struct imap_front *front, uint64_t connection,
    const struct budget_client *client);
/* The client has made a mistake; false: too many, he is to be sent away. */
bool imap_front_mistake(struct imap_front *front,
    const struct budget_client *client, const char *ip);

#endif
