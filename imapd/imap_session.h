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

/*
 * Takes over `fd`, the stream to the client. `ended` is called once, from the
 * loop, when the client has logged out or is gone: the owner frees the
 * session then, or at any time before outside of a callback of its own.
 */
struct imap_session *imap_session_new(struct event_loop *loop,
    struct account_store *account, int fd, uint64_t number, struct text user,
    struct text client_ip, bool is_tls,
    void (*ended)(struct imap_session *session, void *context), void *context);
void imap_session_free(struct imap_session **session);

/* The worker stops: "* BYE", and the end. */
void imap_session_stop(struct imap_session *session);

/* In IDLE or between commands, and nothing has come since the last call. */
bool imap_session_rests(struct imap_session *session);

#endif
