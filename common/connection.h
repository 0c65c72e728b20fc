/*
 * A byte stream to a client or a server: a TCP connection, plain or with TLS,
 * or the stream between imapd's front and a worker.  Input and output wait in
 * bounded buffers; the owner is told when there is something to read, when
 * output has drained, and once when the connection has ended.
 */
#ifndef COMMON_CONNECTION_H
#define COMMON_CONNECTION_H

#include "common/buf.h"
#include "common/error.h"
#include "common/event_loop.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct tls_server; /* common/tls.h */
struct tls_session;
struct tls_operations;

/*
 * All three are called from the loop only, never from inside a call of the
 * owner's (connection_write, _finish, _resume ...), so that he need not expect
 * his connection to end under his hands.  Output that waits when the peer has
 * closed his side is still sent as far as the socket takes it.
 */
struct connection_handler {
	/* New bytes stand in connection_input; the owner cuts what it used
	 * (buf_cut). Also called after connection_resume if some are left. */
	void (*readable)(struct connection *connection, void *context);
	/* Less than half of the output limit waits, after more did. */
	void (*writable)(struct connection *connection, void *context);
	/* The peer closed, an error or the timeout; the owner frees it. */
	void (*ended)(struct connection *connection, const struct error *error,
	    void *context);
};

/* Takes over `fd` (non-blocking). */
struct connection *connection_new(struct event_loop *loop, int fd,
    size_t input_limit, size_t output_limit,
    const struct connection_handler *handler, void *context);
/* Closes at once; allowed in every callback. */
void connection_free(struct connection **connection);

struct buf *connection_input(struct connection *connection);
/* 0, or -1 if output_limit would be passed (the owner stops producing before:
 * see connection_output_room) or after connection_finish. Until a TLS handshake
 * is done the bytes wait. */
int connection_write(
    struct connection *connection, const void *data, size_t size);
/* What is written waits, up to half of output_limit, until it is not held any
 * more: answers that come one by one go out in one piece. */
void connection_hold(struct connection *connection, bool is_held);
/* What waits goes out now, as far as the socket takes it, and not when the loop
 * has its next round. Whether the peer is gone the loop says. */
void connection_flush(struct connection *connection);
/* What is read is acknowledged with the answer, or after a millisecond and not
 * after 40: a client that holds back the rest of its command until then
 * (Nagle's algorithm) hardly waits. For TCP. */
void connection_acknowledge_soon(struct connection *connection);
size_t connection_output_room(const struct connection *connection);

/* Sends what waits, shuts the sending side down and calls `ended` with
 * ERROR_NONE; the timeout still holds. Nothing more is read. */
void connection_finish(struct connection *connection);

/* While paused nothing is read. */
void connection_pause(struct connection *connection);
void connection_resume(struct connection *connection);

/* No byte for so long: `ended` with ERROR_UNAVAILABLE. 0: never. */
void connection_set_timeout(struct connection *connection, int64_t timeout_ms);

/* Output waits, and the peer takes nothing of it for so long: `ended` with
 * ERROR_LIMIT, also after connection_finish, whatever he sends meanwhile. */
void connection_set_stall(struct connection *connection, int64_t stall_ms);

/* Starts TLS as a server. Input must be empty (else -1: injected before
 * STARTTLS). */
int connection_start_tls(struct connection *connection, struct tls_server *tls);
/* As a client: `session` was made for connection_fd by tls_client_session
 * (common/tls_client.h), and is taken over whatever comes. Input must be empty.
 */
int connection_start_tls_client(struct connection *connection,
    const struct tls_operations *operations, struct tls_session *session);
bool connection_is_tls(const struct connection *connection);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" */
const char *connection_tls_name(const struct connection *connection);

int connection_fd(const struct connection *connection);

#endif
