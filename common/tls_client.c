/*
 * See tls_client.h.  Certificates and chains are OpenSSL's to judge, DANE
 * included; here stands what is asked of it.
 */
#include "common/tls_client.h"

#include "common/buf.h"
#include "common/memory.h"
#include "common/tls_kept.h"
#include "common/tls_session.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string.h>

struct tls_client {
	SSL_CTX *context;
	size_t authorities;
	struct tls_kept *kept;
	size_t references; /* the owner's and each session's */
};

/* A session's side of its client. */
struct client_session {
	struct tls_client *client;
	struct buf *key; /* NULL: it is not resumed */
};

static void
add_authorities(struct tls_client *client, struct text pem)
{
	X509_STORE *store = SSL_CTX_get_cert_store(client->context);
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509 *certificate;

	while (bio != NULL && (certificate = PEM_read_bio_X509(
				   bio, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, certificate) == 1)
			client->authorities++;
		X509_free(certificate);
	}
	BIO_free(bio);
	ERR_clear_error();
}

/* -- What may be resumed -- */

/* OpenSSL's callback, also while data are read (TLS 1.3). 1: it is ours now. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	const struct client_session *own = SSL_get_app_data(ssl);

	if (own == NULL || own->key == NULL)
		return 0;
	tls_kept_put(own->client->kept, own->key, session);
	return 1;
}

static void
offer_session(struct tls_session *session, const struct client_session *own)
{
	SSL_SESSION *old = NULL;

	if (own->key != NULL)
		old = tls_kept_take(own->client->kept, own->key);
	if (old == NULL)
		return;
	session->outcome->is_offered = SSL_set_session(session->ssl, old) == 1;
	SSL_SESSION_free(old);
}

/* What did not come to be with it would not the next time. */
static void
forget_session(SSL *ssl)
{
	const struct client_session *own = SSL_get_app_data(ssl);

	if (own->key != NULL)
		tls_kept_forget(own->client->kept, own->key);
}

size_t
tls_client_kept(const struct tls_client *client)
{
	return tls_kept_count(client->kept);
}

/* -- A client -- */

static void
release(struct tls_client *client)
{
	if (--client->references > 0)
		return;
	SSL_CTX_free(client->context);
	tls_kept_free(&client->kept);
	memory_free(&client);
}

static void
release_session(void *owner)
{
	struct client_session *own = owner;

	if (own->key != NULL)
		buf_clear(own->key);
	memory_free(&own->key);
	release(own->client);
	memory_free(&own);
}

/* Suites are OpenSSL's own choice: one that a server lacks would send the mail
 * in the clear, where TLS is only tried. */
static int
set_options(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(
	    context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
		       SSL_CTX_set_cipher_list(context, "DEFAULT:!PSK:!SRP") ==
			   1 &&
		       SSL_CTX_dane_enable(context) == 1
		   ? 0
		   : -1;
}

struct tls_client *
tls_client_new(struct text authorities, struct error *error)
{
	struct tls_client *client = memory_new(1, sizeof(*client));

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	client->references = 1;
	client->kept = tls_kept_new();
	client->context = SSL_CTX_new(TLS_client_method());
	if (client->context == NULL || set_options(client->context) == -1) {
		tls_error(error, "TLS set-up");
		tls_client_free(&client);
		return NULL;
	}
	add_authorities(client, authorities);
	return client;
}

void
tls_client_free(struct tls_client **client)
{
	if (*client != NULL)
		release(*client);
	*client = NULL;
}

size_t
tls_client_authorities(const struct tls_client *client)
{
	return client->authorities;
}

/* -- What is asked for -- */

/* SNI takes no numeric address. */
static bool
is_numeric(const char *name)
{
	return strchr(name, ':') != NULL ||
	       name[strspn(name, "0123456789.")] == '\0';
}

static bool
set_names(SSL *ssl, const struct tls_wish *wish)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_numeric(wish->name))
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(ssl), wish->name) == 1;
	if (SSL_set1_host(ssl, wish->name) != 1)
		return false;
	return wish->other_name == NULL ||
	       SSL_add1_host(ssl, wish->other_name) == 1;
}

static bool
set_records(SSL *ssl, const struct tls_wish *wish)
{
	size_t usable = 0;

	if (SSL_dane_enable(ssl, wish->name) != 1)
		return false;
	/* RFC 7672 section 3.1.1: DANE-EE binds the key, not a name. */
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (wish->other_name != NULL &&
	    SSL_add1_host(ssl, wish->other_name) != 1)
		return false;
	for (size_t i = 0; i < wish->tlsa_count; i++) {
		const struct tls_tlsa *tlsa = &wish->tlsa[i];

		if ((tlsa->usage == 2 || tlsa->usage == 3) &&
		    SSL_dane_tlsa_add(ssl, tlsa->usage, tlsa->selector,
			tlsa->matching, (const unsigned char *)tlsa->data.data,
			tlsa->data.size) == 1)
			usable++;
	}
	ERR_clear_error();
	return usable > 0;
}

static bool
apply_wish(SSL *ssl, const struct tls_wish *wish)
{
	bool is_enforced =
	    wish->proof == TLS_PROOF_NAME || wish->proof == TLS_PROOF_DANE;

	SSL_set_verify(
	    ssl, is_enforced ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (wish->proof == TLS_PROOF_DANE)
		return set_records(ssl, wish);
	if (!is_numeric(wish->name) &&
	    SSL_set_tlsext_host_name(ssl, wish->name) != 1)
		return false;
	return wish->proof == TLS_PROOF_NONE || set_names(ssl, wish);
}

struct tls_session *
tls_client_session(struct tls_client *client, int fd,
    const struct tls_wish *wish, struct error *error)
{
	struct client_session *own = memory_new(1, sizeof(*own));
	struct tls_session *session =
	    tls_session_new(client->context, fd, release_session, own);

	own->client = client;
	own->key = tls_kept_key(wish);
	client->references++;
	if (session == NULL || !apply_wish(session->ssl, wish)) {
		tls_error(error, "what TLS must prove cannot be asked for");
		if (session == NULL)
			release_session(own);
		tls_session_free(&session);
		return NULL;
	}
	memset(wish->outcome, 0, sizeof(*wish->outcome));
	session->outcome = wish->outcome;
	SSL_set_app_data(session->ssl, own);
	offer_session(session, own);
	SSL_set_connect_state(session->ssl);
	return session;
}

/* -- What came of it -- */

static enum tls_result
result_of(long result)
{
	switch (result) {
	case X509_V_OK:
		return TLS_RESULT_SUCCESS;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return TLS_RESULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_RESULT_EXPIRED;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_RESULT_TLSA;
	default:
		return TLS_RESULT_UNTRUSTED;
	}
}

static enum tls_step
handshake(struct tls_session *session, struct error *error)
{
	enum tls_step step = tls_session_handshake(session, error);
	long result = SSL_get_verify_result(session->ssl);
	struct tls_outcome *outcome = session->outcome;

	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		return step;
	outcome->is_done = step == TLS_DONE;
	outcome->is_resumed =
	    step == TLS_DONE && SSL_session_reused(session->ssl) == 1;
	if (step != TLS_DONE)
		forget_session(session->ssl);
	outcome->result = result_of(result);
	if (step != TLS_DONE && outcome->result == TLS_RESULT_SUCCESS)
		outcome->result = TLS_RESULT_OTHER;
	/* Without names nothing was proven, whatever the chain. */
	outcome->is_proven = step == TLS_DONE && result == X509_V_OK &&
			     SSL_get0_param(session->ssl) != NULL &&
			     X509_VERIFY_PARAM_get0_host(
				 SSL_get0_param(session->ssl), 0) != NULL;
	if (step == TLS_FAILED && result != X509_V_OK)
		error_set(error, ERROR_REFUSED, "certificate: %s",
		    X509_verify_cert_error_string(result));
	return step;
}

const struct tls_operations tls_client_operations = { NULL, tls_session_free,
	handshake, tls_session_read, tls_session_write, tls_session_expect_end,
	tls_session_close, tls_session_name };
