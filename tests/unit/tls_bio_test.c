/*
 * What TLS asks of the kernel: which bytes wait for others, and who is asked
 * whether there is more.
 */
#include "common/tls_bio.h"

#include "common/connection.h"
#include "common/tls_session.h"

#include <openssl/x509.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static SSL_CTX *server_context, *client_context;
static struct tls_session *server;
static SSL *client;
static int ends[2], watched;
/* Of the end that is watched: the server's. */
static unsigned int receives, sends, waiting_sends;

ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __real_recv(int fd, void *data, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);

ssize_t
__wrap_send(int fd, const void *data, size_t size, int flags)
{
	sends += fd == watched;
	waiting_sends += fd == watched && (flags & MSG_MORE);
	assert_true(flags & MSG_NOSIGNAL);
	return __real_send(fd, data, size, flags);
}

ssize_t
__wrap_recv(int fd, void *data, size_t size, int flags)
{
	receives += fd == watched;
	return __real_recv(fd, data, size, flags);
}

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

static void
keep(void *owner)
{
}

static int
set_up(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = make_certificate(key);

	server_context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server_context, certificate);
	SSL_CTX_use_PrivateKey(server_context, key);
	SSL_CTX_set_num_tickets(server_context, 1);
	SSL_CTX_set_read_ahead(server_context, 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	client_context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
	    0);
	server = tls_session_new(server_context, ends[0], keep, NULL);
	SSL_set_accept_state(server->ssl);
	client = SSL_new(client_context);
	SSL_set_fd(client, ends[1]);
	SSL_set_connect_state(client);
	watched = ends[0];
	receives = sends = waiting_sends = 0;
	return 0;
}

static int
tear_down(void **state)
{
	tls_session_free(&server);
	SSL_free(client);
	SSL_CTX_free(server_context);
	SSL_CTX_free(client_context);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static enum tls_step
step(void)
{
	struct error error;

	return tls_session_handshake(server, &error);
}

static void
shake_hands(void)
{
	(void)SSL_do_handshake(client);
	assert_int_equal(step(), TLS_WANT_READ);
	assert_int_equal(SSL_do_handshake(client), 1);
	assert_int_equal(step(), TLS_DONE);
}

static void
say(const char *text)
{
	struct error error;
	size_t done;

	assert_int_equal(
	    tls_session_write(server, text, strlen(text), &done, &error),
	    TLS_DONE);
	assert_int_equal(done, strlen(text));
}

/* Only what somebody waits for goes at once. */
static void
the_ticket_and_the_end_wait_for_what_follows(void **state)
{
	char heard[20] = "";

	(void)SSL_do_handshake(client);
	assert_int_equal(step(), TLS_WANT_READ);
	assert_int_equal(sends, 1);
	assert_int_equal(waiting_sends, 0);
	assert_int_equal(SSL_do_handshake(client), 1);
	assert_int_equal(step(), TLS_DONE);
	assert_int_equal(sends, 2);
	assert_int_equal(waiting_sends, 1);
	say("250 ");
	assert_int_equal(waiting_sends, 1);
	tls_session_expect_end(server);
	say("221");
	assert_int_equal(tls_session_close(server), TLS_DONE);
	assert_int_equal(sends, 5);
	assert_int_equal(waiting_sends, 3);
	assert_int_equal(SSL_read(client, heard, 4), 4);
	assert_int_equal(SSL_read(client, heard + 4, 4), 3);
	assert_string_equal(heard, "250 221");
	assert_int_equal(SSL_read(client, heard, 4), 0);
}

static enum tls_step
hear(char *to, size_t size)
{
	struct error error;
	size_t done;

	memset(to, 0, size);
	return tls_session_read(server, to, size - 1, &done, &error);
}

/* Two records in one call, none to see that there is no third, and what comes
 * later is there at the next look. */
static void
nobody_is_asked_for_more_than_there_was(void **state)
{
	char heard[20];

	shake_hands();
	receives = 0;
	assert_int_equal(SSL_write(client, "a", 1), 1);
	assert_int_equal(SSL_write(client, "b", 1), 1);
	assert_int_equal(hear(heard, 20), TLS_WANT_READ); /* after Finished */
	assert_int_equal(receives, 0);
	assert_int_equal(hear(heard, 20), TLS_DONE);
	assert_string_equal(heard, "a");
	assert_int_equal(hear(heard, 20), TLS_DONE);
	assert_string_equal(heard, "b");
	assert_int_equal(hear(heard, 20), TLS_WANT_READ);
	assert_int_equal(receives, 1);
	assert_int_equal(SSL_write(client, "c", 1), 1);
	assert_int_equal(hear(heard, 20), TLS_DONE);
	assert_string_equal(heard, "c");
	assert_int_equal(receives, 2);
}

/* Some mail programs close without a goodbye: that is an end, no error. */
static void
a_closed_socket_is_an_end(void **state)
{
	char heard[20];

	SSL_set_options(server->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	shake_hands();
	assert_int_equal(SSL_read(client, heard, 20), -1); /* the ticket */
	close(ends[1]);
	(void)hear(heard, 20);
	assert_int_equal(hear(heard, 20), TLS_CLOSED);
}

static void
has_ended(
    struct connection *connection, const struct error *error, void *context)
{
	event_loop_stop(context);
}

/* The same without TLS. */
static void
a_plain_goodbye_goes_with_the_end(void **state)
{
	static const struct connection_handler handler = { .ended = has_ended };
	struct event_loop *loop = event_loop_new();
	struct connection *connection;
	char heard[20] = "";
	int pair[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
	    0);
	connection = connection_new(loop, pair[0], 4096, 4096, &handler, loop);
	watched = pair[0];
	assert_int_equal(connection_write(connection, "221", 3), 0);
	connection_finish(connection);
	event_loop_run(loop);
	assert_int_equal(sends, 1);
	assert_int_equal(waiting_sends, 1);
	assert_int_equal(read(pair[1], heard, sizeof(heard)), 3);
	assert_string_equal(heard, "221");
	assert_int_equal(read(pair[1], heard, sizeof(heard)), 0);
	connection_free(&connection);
	event_loop_free(&loop);
	close(pair[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_ticket_and_the_end_wait_for_what_follows),
		TEST(nobody_is_asked_for_more_than_there_was),
		TEST(a_closed_socket_is_an_end),
		TEST(a_plain_goodbye_goes_with_the_end)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
