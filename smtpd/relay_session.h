/*
 * One connection to a server: the bytes between its socket and the client that
 * knows what to say, TLS, and the deadline of each turn.
 */
#ifndef SMTPD_RELAY_SESSION_H
#define SMTPD_RELAY_SESSION_H

#include "common/event_loop.h"
#include "common/tls_client.h"
#include "smtpd/relay_client.h"
#include "smtpd/relay_hosts.h"
#include "smtpd/relay_path.h"

#include <stdbool.h>
#include <stdint.h>

struct relay_session;

/* From the loop only; the session may be freed in all of them. */
struct relay_session_handler {
	/* It can take a mail: once, after the greeting and TLS. */
	void (*ready)(struct relay_session *session, void *context);
	/* Each recipient of the mail was decided; it can take another one,
	 * unless it is over at once. */
	void (*done)(struct relay_session *session, void *context);
	/* It is over; relay_session_client says why. */
	void (*over)(struct relay_session *session, void *context);
};

struct relay_session_setup {
	struct event_loop *loop;
	int fd;                        /* taken over */
	struct tls_client *const *tls; /* the one of the moment */
	const struct relay_target *target;
	const struct relay_address *address;
	const struct relay_route *route;
	struct text hello;
	bool is_clear;      /* without TLS, which failed before */
	unsigned int hurry; /* deadlines are divided by it */
};

struct relay_session *relay_session_new(const struct relay_session_setup *setup,
    const struct relay_session_handler *handler, void *context);
void relay_session_free(struct relay_session **session);

/* Another owner. */
void relay_session_adopt(struct relay_session *session,
    const struct relay_session_handler *handler, void *context);

/* Only when it is ready. */
void relay_session_send(struct relay_session *session, struct relay_mail *mail);
/* Says goodbye: it is over soon. */
void relay_session_quit(struct relay_session *session);

/* It is not over. */
bool relay_session_is_alive(const struct relay_session *session);
/* Where the conversation stands; why it is over. */
const struct relay_client *relay_session_client(
    const struct relay_session *session);
const char *relay_session_host(const struct relay_session *session);
const char *relay_session_address(const struct relay_session *session);
/* Ours, of the connection. */
const char *relay_session_source(const struct relay_session *session);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" */
const char *relay_session_tls(struct relay_session *session);
enum relay_level relay_session_level(const struct relay_session *session);
/* TLS was begun and there was no session of it. */
bool relay_session_has_tls_failed(const struct relay_session *session);
const struct tls_outcome *relay_session_outcome(
    const struct relay_session *session);
unsigned int relay_session_mails(const struct relay_session *session);

#endif
