/*
 * TLS as a server; as a client it is tls_client.h.  Private keys are not here:
 * a signature is asked for from keyd by a callback, through an OpenSSL provider
 * of ours that has only the public half.
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include "common/error.h"
#include "common/messages.h"

#include <stddef.h>
#include <stdint.h>

struct tls_server;

/*
 * Signs `size` bytes with key number `key` for TLS SignatureScheme `scheme`;
 * 0 and at most *signature_size bytes, or -1. It blocks until keyd answered
 * (a socketpair round trip and a signature).
 */
struct tls_signer {
	int (*sign)(uint32_t key, uint16_t scheme, const void *data,
	    size_t size, uint8_t *signature, size_t *signature_size,
	    void *context);
	void *context;
};

/* A context with one chain a key (PEM text, key n = chain n). NULL and error
 * if a chain is malformed or of an unfit type (ECDSA P-256/384, RSA >= 2048
 * only). */
struct tls_server *tls_server_new(const char *const *chains, size_t count,
    const struct tls_signer *signer, struct error *error);
/* Sessions of it live on, as they do over a reload. */
void tls_server_free(struct tls_server **server);

/*
 * TLS 1.2 and 1.3, forward secrecy only, no renegotiation, tickets for
 * resumption under a key that lives and dies with this process.
 *
 * The rest of this header is for connection.c.  It reaches TLS only through
 * the server's table of operations, so that a worker, which has plain streams
 * only, links connection.c without libssl.
 */
struct tls_session;

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED,
	TLS_FAILED
};

struct tls_operations {
	struct tls_session *(*session_new)(struct tls_server *server, int fd);
	void (*session_free)(struct tls_session **session);
	enum tls_step (*handshake)(
	    struct tls_session *session, struct error *error);
	enum tls_step (*read)(struct tls_session *session, void *data,
	    size_t size, size_t *done, struct error *error);
	enum tls_step (*write)(struct tls_session *session, const void *data,
	    size_t size, size_t *done, struct error *error);
	/* What is written from now on is followed by the end at once. */
	void (*expect_end)(struct tls_session *session);
	enum tls_step (*close)(struct tls_session *session);
	/* "TLSv1.3 TLS_AES_256_GCM_SHA384" */
	const char *(*name)(const struct tls_session *session);
};

/* What every struct tls_server begins with. */
struct tls_server_head {
	const struct tls_operations *operations;
};

#endif
