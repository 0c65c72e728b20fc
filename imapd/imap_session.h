/*
 * One IMAP session after login, in the account's worker: a stream to the
 * front, the command that is being worked on, and the selected mailbox.
 */
#ifndef IMAPD_IMAP_SESSION_H
#define IMAPD_IMAP_SESSION_H

#include "common/event_loop.h"
#include "common/text.h"
#include "imapd/account_store.h"

#include <stdbool.h>
#include <stdint.h>

struct imap_session;

/* What a session begins with, or goes on with after a sleep. */
struct session_start {
	int fd; /* the stream to the client, taken over */
	uint64_t number;
	struct text user;
	struct text client_ip;
	bool is_tls;
	bool is_direct;  /* `fd` is the client's own socket, not the front's */
	struct text tag; /* ... and his login is to be answered; or empty */
	struct text input; /* what was read behind that */
	struct text
	    state; /* what it was, as imap_session_sleep said; or empty */
};

/*
 * `ended` is called once, from the loop, when the client has logged out or is
 * gone: the owner frees the session then, or at any time before outside of a
 * callback of its own.
 */
struct imap_session *imap_session_new(struct event_loop *loop,
    struct account_store *account, const struct session_start *start,
    void (*ended)(struct imap_session *session, void *context), void *context);
void imap_session_free(struct imap_session **session);

/* ---- Sleep: without a worker (session_sleep.c) ---- */

/* Nothing is under way in it, and nothing that could not be told later. */
bool imap_session_can_sleep(const struct imap_session *session);

struct session_sleep {
	/* What it waits for, as in session_sleep. */
	struct text topics;
	bool is_packed;  /* its client reads what is compressed alone */
	uint32_t wake_s; /* so much later it is to be woken in any case */
	struct text state;
	int fd; /* the stream to the client, which stays the session's */
};

/* What is to be kept, valid until the next call. 0: the session does nothing
 * any more, and is to be freed; or -1: it has too much to be kept, and goes on.
 */
int imap_session_sleep(
    struct imap_session *session, struct session_sleep *sleep);
/* It was not taken. */
void imap_session_stay_awake(struct imap_session *session);

/* The worker stops: "* BYE", and the end. */
void imap_session_stop(struct imap_session *session);

/* In IDLE or between commands, and nothing has come since the last call. */
bool imap_session_rests(struct imap_session *session);

#endif
