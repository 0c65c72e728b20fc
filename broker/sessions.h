/*
 * The sessions of accounts, as the broker knows them: which worker has each or,
 * while it sleeps, its stream and what its client was told.  Who a session is
 * stands here and comes from authd's grant; a worker can only give back one
 * that it was given, and gets back no other.
 *
 * What a sleeping client sends stays in its stream: the broker looks whether
 * there is something, and takes nothing.  The front is told that it sleeps, and
 * where nothing is on the way both let the stream go; then the front says when
 * the client speaks, and gets a new one.  A worker that has the client's own
 * socket (is_direct) gives that back, and nobody is asked: the front is told
 * when the session is over.  What the client was told is the worker's own
 * business (imapd/sleep_state.h), kept and not read.
 */
#ifndef BROKER_SESSIONS_H
#define BROKER_SESSIONS_H

#include "common/channel.h"
#include "common/event_loop.h"
#include "common/status.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SESSIONS_OF_ACCOUNT = 4096, /* awake and asleep */
	/* Those that would be more to sleep are woken at once. */
	SESSIONS_MAX_ASLEEP = 50000,
	SESSIONS_MAX_BYTES = 64 * 1024 * 1024, /* of their states */
	SESSIONS_LOOK_MS = 10000
};

/* The end of a session in the network's process. */
struct session_front {
	uint64_t instance;
	uint64_t connection;
};

struct sessions;     /* of all accounts */
struct session_list; /* of one */

/* Both may free the list, and come last in any call that leads to them. */
struct session_list_handler {
	/* Some are to be woken: session_list_waking. */
	void (*wanted)(void *context);
	/* The last one is gone. */
	void (*emptied)(void *context);
	/* Says that to a front; -1: it is gone. */
	int (*tell_front)(const struct session_front *front,
	    const struct message *message, const int *fd, void *context);
};

/* A client can be behind it: it is no file, which nobody could watch. */
bool session_is_stream(int fd);

struct sessions *sessions_new(struct event_loop *loop);
void sessions_free(struct sessions **sessions);
/* What a front says of one of its own that sleeps; nothing, if it does not. */
void sessions_parked(struct sessions *sessions,
    const struct session_front *front, uint32_t turn);
void sessions_resume(
    struct sessions *sessions, const struct session_front *front);
void sessions_gone(
    struct sessions *sessions, const struct session_front *front);
/* A front has ended. */
void sessions_front_gone(struct sessions *sessions, uint64_t instance);
/* One has come: it counts those of earlier fronts whose clients their workers
 * have, as far as it was not told of them. */
void sessions_inherit(struct sessions *sessions, uint64_t instance);
/* Those that were to be woken by then; by itself every SESSIONS_LOOK_MS. */
void sessions_wake_due(struct sessions *sessions, int64_t now_us);

struct session_list *session_list_new(struct sessions *sessions,
    uint32_t account, const struct session_list_handler *handler,
    void *context);
void session_list_free(struct session_list **list);

/* ---- Those that a worker has ---- */

/* Its number, never used again; 0: the account has too many. `is_direct`: the
 * worker has the client's own socket. */
uint64_t session_list_add(struct session_list *list,
    const struct session_front *front, bool is_tls, bool is_direct,
    struct text user, struct text ip);
/* As sessions_inherit: some were added for a front that is gone. */
void session_list_inherit(struct session_list *list, uint64_t instance);
/* It is over; one that is not the worker's is left alone. */
void session_list_remove(struct session_list *list, uint64_t number);
/* The worker is gone, and with it those that it had. */
void session_list_lose(struct session_list *list);

/* ---- Those that sleep ---- */

/* Takes over *fd. */
void session_list_sleep(struct session_list *list,
    const struct message_session_sleep *message, int *fd);
/* Something that those with this topic wait for. */
void session_list_changed(
    struct session_list *list, uint64_t topic, uint8_t what);
/* What happened, nobody knows: all that wait for something are woken. */
void session_list_alarm(struct session_list *list);
/* How many sleep, and are not to be woken. */
size_t session_list_asleep(const struct session_list *list);
/* How many are to be given to a worker, */
size_t session_list_waking(const struct session_list *list);
/* ... here he is: how many he got. */
size_t session_list_give(struct session_list *list, struct channel *worker);
/* There will be no worker: they, or with `is_all` every one that sleeps, end;
 * the client hears why. */
void session_list_dismiss(
    struct session_list *list, bool is_all, enum status why);

bool session_list_is_empty(const struct session_list *list);

#endif
