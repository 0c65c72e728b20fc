/*
 * What the two sides of TLS share: a session over a descriptor, read and
 * written in steps.  For common/tls*.c only; the rest of the program reaches it
 * through struct tls_operations (common/tls.h).
 */
#ifndef COMMON_TLS_SESSION_H
#define COMMON_TLS_SESSION_H

#include "common/tls.h"

#include <openssl/ssl.h>

struct tls_session {
	SSL *ssl;
	char name[80];
	void (*release)(void *owner);
	void *owner;
	struct tls_outcome *outcome; /* a client's (common/tls_client.h) */
};

/* The error of OpenSSL's queue, which is emptied. -1. */
int tls_error(struct error *error, const char *what);

/* NULL if OpenSSL has no memory. `release` is called when it is freed. */
struct tls_session *tls_session_new(
    SSL_CTX *context, int fd, void (*release)(void *owner), void *owner);

/* As in struct tls_operations. */
void tls_session_free(struct tls_session **session);
enum tls_step tls_session_handshake(
    struct tls_session *session, struct error *error);
enum tls_step tls_session_read(struct tls_session *session, void *data,
    size_t size, size_t *done, struct error *error);
enum tls_step tls_session_write(struct tls_session *session, const void *data,
    size_t size, size_t *done, struct error *error);
void tls_session_expect_end(struct tls_session *session);
enum tls_step tls_session_close(struct tls_session *session);
const char *tls_session_name(const struct tls_session *session);

#endif
