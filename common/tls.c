/*
 * A TLS server on OpenSSL: the only user of libssl.  Certificates come as PEM
 * text from the settings slice, signatures from keyd through tls_provider.c.
 * It never holds a private key and never reads a file.
 */
#include "common/tls.h"

#include "common/memory.h"
#include "common/text.h"
#include "common/tls_provider.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PREFER_DEFAULT "?provider=default"

enum {
	CHAIN_MAX_CERTIFICATES = 16
};

struct tls_server {
	struct tls_server_head head;
	OSSL_LIB_CTX *library;
	struct tls_providers providers;
	SSL_CTX *context;
	struct tls_signer signer;
	size_t references; /* the owner's and each session's */
};

struct tls_session {
	struct tls_server *server;
	SSL *ssl;
	char name[80];
};

static int
set_error(struct error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, ERROR_INPUT, "%s: %s", what,
	    reason != NULL ? reason : "failed");
}

static X509 *
read_certificate(struct tls_server *server, BIO *bio)
{
	X509 *certificate = X509_new_ex(server->library, PREFER_DEFAULT);

	if (PEM_read_bio_X509(bio, &certificate, NULL, NULL) != NULL)
		return certificate;
	X509_free(certificate);
	ERR_clear_error();
	return NULL;
}

static int
check_type(EVP_PKEY *key, struct error *error)
{
	char group[40];
	size_t size;

	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048 &&
	    EVP_PKEY_get_bits(key) <= 8192)
		return 0;
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
	    (strcmp(group, "prime256v1") == 0 ||
		strcmp(group, "secp384r1") == 0))
		return 0;
	return error_set(error, ERROR_REFUSED,
	    "a certificate must be ECDSA P-256 or P-384, or RSA of 2048 to "
	    "8192 bits");
}

static int
use_key(
    struct tls_server *server, X509 *leaf, uint32_t number, struct error *error)
{
	EVP_PKEY *public = X509_get0_pubkey(leaf);
	EVP_PKEY *key;
	int ok;

	if (public == NULL)
		return set_error(error, "public key");
	if (check_type(public, error) == -1)
		return -1;
	key =
	    tls_provider_key(server->library, public, number, &server->signer);
	ok = key != NULL &&
	     SSL_CTX_use_certificate(server->context, leaf) == 1 &&
	     SSL_CTX_use_PrivateKey(server->context, key) == 1;
	EVP_PKEY_free(key);
	return ok ? 0 : set_error(error, "certificate");
}

static int
add_chain(struct tls_server *server, const char *pem, uint32_t number,
    struct error *error)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = bio != NULL ? read_certificate(server, bio) : NULL;
	int status = -1;

	if (certificate == NULL)
		error_set(error, ERROR_INPUT, "no PEM certificate");
	else
		status = use_key(server, certificate, number, error);
	X509_free(certificate);
	for (int i = 0; status == 0 && i < CHAIN_MAX_CERTIFICATES; i++) {
		certificate = read_certificate(server, bio);
		if (certificate == NULL)
			break;
		if (SSL_CTX_add1_chain_cert(server->context, certificate) != 1)
			status = set_error(error, "chain");
		X509_free(certificate);
	}
	BIO_free(bio);
	return status;
}

static int
set_options(SSL_CTX *context)
{
	SSL_CTX_set_options(context,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
		       SSL_CTX_set_session_id_context(context,
			   (const unsigned char *)"firnmail", 8) == 1 &&
		       SSL_CTX_set_cipher_list(
			   context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
		       SSL_CTX_set1_groups_list(
			   context, "X25519:P-256:P-384") == 1 &&
		       SSL_CTX_set1_sigalgs_list(context,
			   "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+"
			   "SHA384:"
			   "RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512") ==
			   1
		   ? 0
		   : -1;
}

/* -- Sessions -- */

/* SSL_CTX counts its sessions, the library context behind it does not. */
static void
release(struct tls_server *server)
{
	if (--server->references > 0)
		return;
	SSL_CTX_free(server->context);
	tls_provider_unload(&server->providers);
	OSSL_LIB_CTX_free(server->library);
	memory_free(&server);
}

static void
session_free(struct tls_session **session)
{
	if (*session == NULL)
		return;
	SSL_free((*session)->ssl);
	release((*session)->server);
	memory_free(session);
}

static struct tls_session *
session_new(struct tls_server *server, int fd)
{
	struct tls_session *session = memory_new(1, sizeof(*session));

	session->server = server;
	server->references++;
	session->ssl = SSL_new(server->context);
	if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1) {
		session_free(&session);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_accept_state(session->ssl);
	return session;
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
		set_error(error, "TLS");
		return TLS_FAILED;
	}
}

static enum tls_step
session_handshake(struct tls_session *session, struct error *error)
{
	ERR_clear_error();
	return step_of(session, SSL_do_handshake(session->ssl), error);
}

static enum tls_step
session_read(struct tls_session *session, void *data, size_t size, size_t *done,
    struct error *error)
{
	int result;

	ERR_clear_error();
	*done = 0;
	result = SSL_read_ex(session->ssl, data, size, done);
	return result == 1 ? TLS_DONE : step_of(session, result, error);
}

static enum tls_step
session_write(struct tls_session *session, const void *data, size_t size,
    size_t *done, struct error *error)
{
	int result;

	ERR_clear_error();
	*done = 0;
	result = SSL_write_ex(session->ssl, data, size, done);
	return result == 1 ? TLS_DONE : step_of(session, result, error);
}

/* Says close_notify; the peer's is not waited for. */
static enum tls_step
session_close(struct tls_session *session)
{
	int result;

	ERR_clear_error();
	if (!SSL_is_init_finished(session->ssl))
		return TLS_DONE;
	result = SSL_shutdown(session->ssl);
	return result >= 0 ? TLS_DONE : step_of(session, result, NULL);
}

static const char *
session_name(const struct tls_session *session)
{
	struct tls_session *own = (struct tls_session *)(uintptr_t)session;

	if (own->name[0] == '\0' && SSL_is_init_finished(own->ssl))
		(void)snprintf(own->name, sizeof(own->name), "%s %s",
		    SSL_get_version(own->ssl), SSL_get_cipher_name(own->ssl));
	return own->name;
}

static const struct tls_operations operations = { session_new, session_free,
	session_handshake, session_read, session_write, session_close,
	session_name };

struct tls_server *
tls_server_new(const char *const *chains, size_t count,
    const struct tls_signer *signer, struct error *error)
{
	struct tls_server *server = memory_new(1, sizeof(*server));

	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without a flag */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	server->head.operations = &operations;
	server->references = 1;
	server->signer = *signer;
	server->library = OSSL_LIB_CTX_new();
	if (server->library == NULL ||
	    tls_provider_load(server->library, &server->providers) == -1 ||
	    (server->context = SSL_CTX_new_ex(server->library, PREFER_DEFAULT,
		 TLS_server_method())) == NULL ||
	    set_options(server->context) == -1) {
		set_error(error, "TLS set-up");
		tls_server_free(&server);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (add_chain(server, chains[i], (uint32_t)i, error) == 0)
			continue;
		tls_server_free(&server);
		return NULL;
	}
	return server;
}

void
tls_server_free(struct tls_server **server)
{
	if (*server != NULL)
		release(*server);
	*server = NULL;
}
