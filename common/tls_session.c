/*
 * See tls_session.h.
 */
#include "common/tls_session.h"

#include "common/memory.h"
#include "common/tls_bio.h"

#include <openssl/err.h>

#include <stdio.h>

int
tls_error(struct error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, ERROR_INPUT, "%s: %s", what,
	    reason != NULL ? reason : "failed");
}

struct tls_session *
tls_session_new(
    SSL_CTX *context, int fd, void (*release)(void *owner), void *owner)
{
	SSL *ssl = SSL_new(context);
	struct tls_session *session;

	if (ssl == NULL || tls_bio_attach(ssl, fd) == -1) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	session = memory_new(1, sizeof(*session));
	session->ssl = ssl;
	session->release = release;
	session->owner = owner;
	return session;
}

void
tls_session_free(struct tls_session **session)
{
	if (*session == NULL)
		return;
	/* A client's: one that ends without a goodbye, as mail hosts do, may be
	 * resumed all the same. */
	if ((*session)->outcome != NULL)
		SSL_set_shutdown(
		    (*session)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free((*session)->ssl);
	(*session)->release((*session)->owner);
	memory_free(session);
}

static enum tls_step
step_of(struct tls_session *session, int result, struct error *error)
{
	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		tls_error(error, "TLS");
		return TLS_FAILED;
	}
}

enum tls_step
tls_session_handshake(struct tls_session *session, struct error *error)
{
	ERR_clear_error();
	return step_of(session, SSL_do_handshake(session->ssl), error);
}

enum tls_step
tls_session_read(struct tls_session *session, void *data, size_t size,
    size_t *done, struct error *error)
{
	int result;

	ERR_clear_error();
	*done = 0;
	result = SSL_read_ex(session->ssl, data, size, done);
	return result == 1 ? TLS_DONE : step_of(session, result, error);
}

enum tls_step
tls_session_write(struct tls_session *session, const void *data, size_t size,
    size_t *done, struct error *error)
{
	int result;

	ERR_clear_error();
	*done = 0;
	result = SSL_write_ex(session->ssl, data, size, done);
	return result == 1 ? TLS_DONE : step_of(session, result, error);
}

void
tls_session_expect_end(struct tls_session *session)
{
	tls_bio_expect_end(session->ssl);
}

/* Says close_notify; the peer's is not waited for. */
enum tls_step
tls_session_close(struct tls_session *session)
{
	int result;

	ERR_clear_error();
	if (!SSL_is_init_finished(session->ssl))
		return TLS_DONE;
	result = SSL_shutdown(session->ssl);
	return result >= 0 ? TLS_DONE : step_of(session, result, NULL);
}

const char *
tls_session_name(const struct tls_session *session)
{
	struct tls_session *own = (struct tls_session *)(uintptr_t)session;

	if (own->name[0] == '\0' && SSL_is_init_finished(own->ssl))
		(void)snprintf(own->name, sizeof(own->name), "%s %s",
		    SSL_get_version(own->ssl), SSL_get_cipher_name(own->ssl));
	return own->name;
}
