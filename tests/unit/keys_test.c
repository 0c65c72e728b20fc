/*
 * keyd's keys behind a real TLS server: handshakes in TLS 1.2 and 1.3 with
 * ECDSA and RSA over a connection of ours against libssl as the client, whose
 * private half lives behind the signer only; and blocks that must be refused.
 */
#include "common/connection.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/tls.h"
#include "keyd/keys.h"
#include "keyd/sign_block.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct identity {
	char *certificate;
	struct keys *keys;
	int signatures;
};

static char *
pem_text(BIO *bio)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	char *text = memory_new(1, (size_t)size + 1);

	memcpy(text, data, (size_t)size);
	BIO_free(bio);
	return text;
}

static void
identity_new(struct identity *identity, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	struct error error;
	char *private;
	int fd;

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, certificate);
	identity->certificate = pem_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	private = pem_text(bio);
	fd = file_sealed_memory("key", private, strlen(private), &error);
	assert_true(fd >= 0);
	identity->keys = keys_new();
	identity->signatures = 0;
	assert_int_equal(keys_add(identity->keys, fd, &error), 0);
	close(fd);
	memory_free(&private);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void
identity_clear(struct identity *identity)
{
	memory_free(&identity->certificate);
	keys_free(&identity->keys);
}

static int
sign(uint32_t key, uint16_t scheme, const void *data, size_t size,
    uint8_t *signature, size_t *signature_size, void *context)
{
	struct identity *identity = context;
	uint8_t bytes[KEYS_MAX_SIGNATURE];
	size_t made;

	if (keys_sign(identity->keys, key, scheme, text_make(data, size), bytes,
		&made) != STATUS_OK ||
	    made > *signature_size)
		return -1;
	identity->signatures++;
	memcpy(signature, bytes, made);
	*signature_size = made;
	return 0;
}

enum {
	TRANSFER = 8 * 1024 * 1024
};

/* The client: sends TRANSFER bytes and reads them back. */
struct client {
	int fd;
	int version;
	bool is_ok;
};

static void *
client_run(void *context)
{
	struct client *client = context;
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(tls);
	static char data[65536];
	size_t got = 0;
	size_t sent = 0;

	SSL_set_min_proto_version(ssl, client->version);
	SSL_set_max_proto_version(ssl, client->version);
	SSL_set_fd(ssl, client->fd);
	client->is_ok = SSL_connect(ssl) == 1;
	while (client->is_ok && got < TRANSFER) {
		int n;

		if (sent == got) { /* all came back: the next */
			n = SSL_write(ssl, data, sizeof(data));
			client->is_ok = n == sizeof(data);
			sent += sizeof(data);
		}
		n = SSL_read(ssl, data, sizeof(data));
		if (n <= 0)
			client->is_ok = false;
		else
			got += (size_t)n;
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(tls);
	close(client->fd);
	return NULL;
}

struct server {
	struct event_loop *loop;
	size_t echoed;
	char name[80];
	bool is_late; /* the deadline came first */
};

static void
echo(struct connection *connection, void *context)
{
	struct server *server = context;
	struct buf *input = connection_input(connection);
	size_t room = connection_output_room(connection);
	size_t size = input->size < room ? input->size : room;

	(void)snprintf(server->name, sizeof(server->name), "%s",
	    connection_tls_name(connection));
	assert_int_equal(connection_write(connection, input->data, size), 0);
	server->echoed += size;
	buf_cut(input, size);
	if (input->size > 0)
		connection_pause(connection);
}

static void
drained(struct connection *connection, void *context)
{
	connection_resume(connection);
}

static void
ended(struct connection *connection, const struct error *error, void *context)
{
	struct server *server = context;

	connection_free(&connection);
	event_loop_stop(server->loop);
}

static void
deadline(void *context)
{
	struct server *server = context;

	server->is_late = true;
	event_loop_stop(server->loop);
}

static const struct connection_handler echo_handler = { echo, drained, ended };

static void
talk(struct identity *identity, int version, const char *expected)
{
	const char *chains[] = { identity->certificate };
	struct tls_signer signer = { sign, identity };
	struct error error = { 0 };
	struct tls_server *tls = tls_server_new(chains, 1, &signer, &error);
	struct server server = { 0 };
	struct client client = { .version = version };
	struct connection *connection;
	struct timer *timer;
	pthread_t thread;
	int ends[2];

	if (tls == NULL)
		fail_msg("%s", error.text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	client.fd = ends[1];
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	server.loop = event_loop_new();
	timer = timer_new(server.loop, deadline, &server);
	timer_start(timer, 8000);
	connection = connection_new(
	    server.loop, ends[0], 65536, 262144, &echo_handler, &server);
	assert_int_equal(connection_start_tls(connection, tls), 0);
	assert_int_equal(pthread_create(&thread, NULL, client_run, &client), 0);
	event_loop_run(server.loop);
	assert_false(server.is_late);
	(void)pthread_join(thread, NULL);
	assert_true(client.is_ok);
	assert_int_equal(server.echoed, TRANSFER);
	assert_int_equal(identity->signatures, 1);
	assert_non_null(strstr(server.name, expected));
	timer_free(&timer);
	event_loop_free(&server.loop);
	tls_server_free(&tls);
}

static void
both_versions_with_ecdsa_p256(void **state)
{
	struct identity identity;

	identity_new(&identity, EVP_EC_gen("P-256"));
	talk(&identity, TLS1_3_VERSION, "TLSv1.3");
	identity.signatures = 0;
	talk(&identity, TLS1_2_VERSION, "TLSv1.2 ECDHE-ECDSA");
	identity_clear(&identity);
}

static void
both_versions_with_ecdsa_p384(void **state)
{
	struct identity identity;

	identity_new(&identity, EVP_EC_gen("P-384"));
	talk(&identity, TLS1_3_VERSION, "TLSv1.3");
	identity.signatures = 0;
	talk(&identity, TLS1_2_VERSION, "TLSv1.2 ECDHE-ECDSA");
	identity_clear(&identity);
}

static void
both_versions_with_rsa(void **state)
{
	struct identity identity;

	identity_new(&identity, EVP_RSA_gen(2048));
	talk(&identity, TLS1_3_VERSION, "TLSv1.3");
	identity.signatures = 0;
	talk(&identity, TLS1_2_VERSION, "TLSv1.2 ECDHE-RSA");
	identity_clear(&identity);
}

static size_t
tls13_block(uint8_t *block)
{
	memset(block, ' ', 64);
	memcpy(block + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(block + 98, 7, 32);
	return 130;
}

static size_t
tls12_block(uint8_t *block)
{
	memset(block, 9, 64);
	memcpy(block + 64, "\x03\x00\x17\x41\x04", 5);
	memset(block + 69, 1, 64);
	return 133;
}

static void
only_well_formed_blocks_are_found(void **state)
{
	uint8_t block[200];
	size_t size = tls13_block(block);

	assert_int_equal(
	    sign_block_find(text_make(block, size)), SIGN_BLOCK_TLS13);
	for (size_t i = 0; i < 98; i++) { /* each fixed byte counts */
		block[i] ^= 1;
		assert_int_equal(
		    sign_block_find(text_make(block, size)), SIGN_BLOCK_NONE);
		block[i] ^= 1;
	}
	for (size_t n = 0; n < sizeof(block); n++)
		assert_int_equal(sign_block_find(text_make(block, n)),
		    n == 130 || n == 146 ? SIGN_BLOCK_TLS13 : SIGN_BLOCK_NONE);
	size = tls12_block(block);
	assert_int_equal(
	    sign_block_find(text_make(block, size)), SIGN_BLOCK_TLS12);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(
		    sign_block_find(text_make(block, n)), SIGN_BLOCK_NONE);
	for (size_t i = 64; i < 69; i++) {
		block[i] ^= 1;
		assert_int_equal(
		    sign_block_find(text_make(block, size)), SIGN_BLOCK_NONE);
		block[i] ^= 1;
	}
}

static void
a_key_signs_only_its_own_schemes(void **state)
{
	static const struct {
		uint16_t scheme;
		bool is_tls13;
		enum status expected;
	} rows[] = { { 0x0403, true, STATUS_OK }, { 0x0403, false, STATUS_OK },
		{ 0x0503, true, STATUS_REFUSED }, { 0x0503, false, STATUS_OK },
		{ 0x0804, true, STATUS_REFUSED },
		{ 0x0401, false, STATUS_REFUSED },
		{ 0x0203, false, STATUS_REFUSED },
		{ 0, true, STATUS_REFUSED } };
	struct identity identity;
	uint8_t block[200];
	uint8_t signature[KEYS_MAX_SIGNATURE];
	size_t size;

	identity_new(&identity, EVP_EC_gen("P-256"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n =
		    rows[i].is_tls13 ? tls13_block(block) : tls12_block(block);

		assert_int_equal(keys_sign(identity.keys, 0, rows[i].scheme,
				     text_make(block, n), signature, &size),
		    rows[i].expected);
	}
	assert_int_equal(
	    keys_sign(identity.keys, 1, 0x0403,
		text_make(block, tls13_block(block)), signature, &size),
	    STATUS_MISSING);
	assert_int_equal(keys_sign(identity.keys, 0, 0x0403,
			     TEXT("I owe Mallory 1000"), signature, &size),
	    STATUS_REFUSED);
	identity_clear(&identity);
}

static void
small_and_foreign_keys_are_refused(void **state)
{
	struct keys *keys = keys_new();
	struct error error;
	int fd = file_sealed_memory("key", "nonsense", 8, &error);

	assert_int_equal(keys_add(keys, fd, &error), -1);
	assert_int_equal(error.code, ERROR_INPUT);
	close(fd);
	keys_free(&keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_versions_with_ecdsa_p256),
		cmocka_unit_test(both_versions_with_ecdsa_p384),
		cmocka_unit_test(both_versions_with_rsa),
		cmocka_unit_test(only_well_formed_blocks_are_found),
		cmocka_unit_test(a_key_signs_only_its_own_schemes),
		cmocka_unit_test(small_and_foreign_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
