/*
 * One client connection of the front: greeting, STARTTLS, the commands before
 * login (RFC 3501 sections 6.1 and 6.2, RFC 2971 ID, RFC 4959 SASL-IR), the
 * login itself; after it the relay or, where there is no TLS, nothing: the
 * worker has the client's socket then, and the front keeps its own for the end.
 */
#ifndef IMAPD_IMAP_LOGIN_H
#define IMAPD_IMAP_LOGIN_H

#include "common/settings.h"
#include "imapd/imap_front.h"

struct imap_login;

/* Takes over `fd` and says the greeting; ends by imap_front_release. */
struct imap_login *imap_login_new(struct imap_front *front, uint64_t connection,
    int fd, const struct listener_client *client,
    const struct listen_setting *listen);

/* At the end of the process. */
void imap_login_free(struct imap_login **login);

/* Turns a connection away with one line. Takes over `fd`. */
void imap_login_refuse(int fd, const struct listen_setting *listen);

/* authd's verdict (enum login_result). */
void imap_login_answered(struct imap_login *login, unsigned int result);

/* The broker's: a status, and the stream to the worker, which is taken, or -1:
 * none, or the worker has the client's socket. */
void imap_login_attached(
    struct imap_login *login, unsigned int status, int stream_fd);

/* The broker's, of a session: it sleeps; it goes on, with a new stream (which
 * is taken) or with the one that it has (-1), or ends by that status. */
void imap_login_asleep(struct imap_login *login, uint32_t turn);
void imap_login_awake(struct imap_login *login,
    const struct message_session_awake *said, int stream_fd);

/* The worker does not have the client's socket any more. */
void imap_login_over(
    struct imap_login *login, const struct message_session_over *said);

/* authd or the broker went away while it was asked. */
void imap_login_unavailable(struct imap_login *login);

#endif
