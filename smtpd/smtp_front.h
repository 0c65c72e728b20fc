/*
 * What all sessions of a front share: settings, TLS, the channels to queue,
 * authd and keyd, and who is connected.
 */
#ifndef SMTPD_SMTP_FRONT_H
#define SMTPD_SMTP_FRONT_H

#include "common/channel.h"
#include "common/event_loop.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tls.h"

#include <stdbool.h>

struct smtp_session;

struct smtp_front {
	struct event_loop *loop;
	const struct settings *settings;
	struct tls_server *tls; /* NULL: no TLS now */
	struct channel *queue;  /* NULL: away */
	struct channel *authd;
	int keyd_fd;            /* asked and waited for: see tls.h; -1: away */
	enum status store;      /* as the queue says */
	struct table *sessions; /* connection number -> session */
	struct table *transactions; /* transaction number -> session */
	struct table *addresses;    /* client address -> number of sessions */
	uint64_t next_connection;
	uint64_t next_transaction;
	uint64_t next_sign_tag;
};

/* `settings` stay the caller's. */
struct smtp_front *smtp_front_new(
    struct event_loop *loop, const struct settings *settings);
void smtp_front_free(struct smtp_front **front);

/* New settings: for connections made from now on; TLS is made anew. */
void smtp_front_reload(
    struct smtp_front *front, const struct settings *settings);

/* One end of a channel to queue, authd or keyd, which it takes over (true) or
 * does not want (false). */
bool smtp_front_introduce(struct smtp_front *front, int fd, enum role role);

/* 421 to everyone. */
void smtp_front_stop(struct smtp_front *front);

/* May a client of that address connect? Counted until smtp_front_left. */
bool smtp_front_enter(struct smtp_front *front, const char *client_ip);
void smtp_front_left(struct smtp_front *front, const char *client_ip);

#endif
