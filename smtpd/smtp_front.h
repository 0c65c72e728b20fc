/*
 * What all sessions of a front share: settings, TLS, the channels to queue,
 * authd and keyd, the listeners, and who is connected.
 */
#ifndef SMTPD_SMTP_FRONT_H
#define SMTPD_SMTP_FRONT_H

#include "common/budget.h"
#include "common/channel.h"
#include "common/event_loop.h"
#include "common/key_client.h"
#include "common/listener.h"
#include "common/settings.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tls.h"

#include <stdbool.h>

enum {
	/* To finish what was begun after `stop`; the broker kills after 5 s. */
	SMTP_STOP_TIMEOUT_MS = 3000,
	/* After the start clients are not greeted until the queue has said how
	 * the store is, but for at most so long. */
	SMTP_START_TIMEOUT_MS = 10000
};

struct smtp_session;

struct smtp_listener {
	struct smtp_front *front;
	struct listener *listener;
	struct listen_setting setting;
};

struct smtp_front {
	struct event_loop *loop;
	const struct settings *settings;
	struct tls_server *tls; /* NULL: no TLS now */
	uint64_t queue_instance;
	uint64_t authd_instance;
	struct channel *queue; /* NULL: away */
	struct channel *authd;
	struct key_client *keys;
	enum status store;          /* as the queue says */
	struct table *sessions;     /* connection number -> session */
	struct table *transactions; /* transaction number -> session */
	struct budget *budget;
	size_t slowed_count; /* clients that wait after an error */
	struct smtp_listener listeners[2 * SETTINGS_MAX_LISTENERS];
	size_t listener_count;
	bool is_starting; /* the queue has said nothing yet */
	struct timer *start_timer;
	bool is_stopping;
	struct timer *stop_timer;
	uint64_t next_connection;
	uint64_t next_transaction;
};

/* `settings` stay the caller's. */
struct smtp_front *smtp_front_new(
    struct event_loop *loop, const struct settings *settings);
void smtp_front_free(struct smtp_front **front);

/* Takes over `fd`, a socket bound for one of the settings' listeners. */
void smtp_front_listen(struct smtp_front *front, int fd);
void smtp_front_stop_listening(struct smtp_front *front);

/* New settings: for connections made from now on; TLS is made anew. */
void smtp_front_reload(
    struct smtp_front *front, const struct settings *settings);

/* One end of a channel to queue, authd or keyd, which it takes over (true) or
 * does not want (false). */
bool smtp_front_introduce(
    struct smtp_front *front, int fd, enum role role, uint64_t instance);

/* Takes no more connections, 421 to those who are between commands, and to the
 * others after the answer that they wait for; ends the loop when all are gone
 * or SMTP_STOP_TIMEOUT_MS has passed. */
void smtp_front_stop(struct smtp_front *front);

/* A session is gone. */
void smtp_front_left(struct smtp_front *front, uint64_t number,
    const struct budget_client *client);

#endif
