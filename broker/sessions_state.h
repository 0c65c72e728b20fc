/*
 * Private to sessions.c and sessions_front.c.
 */
#ifndef BROKER_SESSIONS_STATE_H
#define BROKER_SESSIONS_STATE_H

#include "broker/session_topics.h"
#include "broker/sessions.h"
#include "common/table.h"

enum session_state {
	SESSION_AWAKE,
	SESSION_ASLEEP,
	SESSION_WAKING
};

struct session {
	struct session *next;
	struct session_list *list;
	uint64_t number;
	enum session_state state;
	bool is_tls;
	bool is_direct; /* its stream is the client's own socket */
	bool is_packed; /* its client reads nothing that is not compressed */
	struct session_front front;
	uint32_t turn;       /* how often it has slept */
	int fd;              /* -1: awake, or parked */
	struct watch *watch; /* these only while asleep */
	struct session_topics topics;
	int64_t until_us;
	uint8_t *bytes;
	size_t size;
	size_t user_size;
	char names[]; /* user, and client address behind it, each with a NUL */
};

struct session_list {
	struct session_list *next; /* of `sessions` */
	struct session_list *previous;
	struct sessions *sessions;
	uint32_t account;
	struct session *first;
	size_t count;
	size_t waking;
	const struct session_list_handler *handler;
	void *context;
};

struct sessions {
	struct event_loop *loop;
	struct timer *timer;
	struct session_list *lists;
	struct table *by_front; /* those that sleep, with a stream to it */
	uint64_t last_number;
	size_t asleep; /* and waking */
	size_t bytes;
};

/* ---- sessions.c ---- */

struct text session_ip(const struct session *session);
/* It is to be given to a worker. */
void session_wake(struct session *session);
/* Its client is gone. It may be the last of its list. */
void session_end_asleep(struct session *session);
/* Of its stream. */
void session_let_go(struct session *session);

enum stream_state {
	STREAM_QUIET,
	STREAM_SPEAKS,
	STREAM_OVER
};

/* What has come stays where it is. */
enum stream_state session_stream_look(int fd);

/* ---- sessions_front.c ---- */

/* -1: the front is gone, or cannot be told. `fd` may be -1. */
int session_tell_front(
    const struct session *session, const struct message *message, int fd);
void session_tell_asleep(struct session *session);
/* With a stream of its own, if the old one was let go of. */
int session_tell_awake(struct session *session, enum status status, int fd);
/* Of a direct one that is an earlier one's it hears now, by another number. */
void session_tell_inherited(struct session *session, uint64_t instance);
/* Nobody will write to a direct one's client any more. */
void session_tell_over(const struct session *session, enum status why);
/* The worker's end of its stream: the old one, or a new one of which the front
 * gets the other end. */
int session_open_stream(struct session *session);

#endif
