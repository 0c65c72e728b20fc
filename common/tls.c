/*
 * A TLS server on OpenSSL.  Certificates come as PEM text from the settings
 * slice, signatures from keyd through tls_provider.c.
 * It never holds a private key and never reads a file.
 */
#include "common/tls.h"

#include "common/memory.h"
#include "common/text.h"
#include "common/tls_provider.h"
#include "common/tls_session.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

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
		return tls_error(error, "public key");
	if (check_type(public, error) == -1)
		return -1;
	key =
	    tls_provider_key(server->library, public, number, &server->signer);
	ok = key != NULL &&
	     SSL_CTX_use_certificate(server->context, leaf) == 1 &&
	     SSL_CTX_use_PrivateKey(server->context, key) == 1;
	EVP_PKEY_free(key);
	return ok ? 0 : tls_error(error, "certificate");
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
			status = tls_error(error, "chain");
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
	/* The chain is what was configured; else one is looked for each
	 * time. */
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN |
				      SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_read_ahead(context, 1);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
		       SSL_CTX_set_session_id_context(context,
			   (const unsigned char *)"firnmail", 8) == 1 &&
		       SSL_CTX_set_cipher_list(
			   context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
		       SSL_CTX_set_ciphersuites(context,
			   "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			   "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
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
release_owner(void *owner)
{
	release(owner);
}

static struct tls_session *
session_new(struct tls_server *server, int fd)
{
	struct tls_session *session =
	    tls_session_new(server->context, fd, release_owner, server);

	if (session == NULL)
		return NULL;
	server->references++;
	SSL_set_accept_state(session->ssl);
	return session;
}

static const struct tls_operations operations = { session_new, tls_session_free,
	tls_session_handshake, tls_session_read, tls_session_write,
	tls_session_expect_end, tls_session_close, tls_session_name };

struct tls_server *
tls_server_new(const char *const *chains, size_t count,
    const struct tls_signer *signer, struct error *error)
{
	struct tls_server *server = memory_new(1, sizeof(*server));

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
		tls_error(error, "TLS set-up");
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
