/*
 * Connections over real sockets: plain ones against a socket of ours, TLS ones
 * against `openssl s_client` and Python's ssl.
 */
#include "common/connection.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/tls.h"
#include "keyd/keys.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct event_loop *loop;
static struct timer *deadline;
static struct connection *connection;
static int peer;
static int inside; /* a call of the owner's */
static int ends;
static enum error_code why;
static char heard[4096];
static size_t heard_size;
static const char *stop_at; /* what to hear before the loop ends */
static bool is_late;

static void
readable(struct connection *c, void *context)
{
	struct buf *input = connection_input(c);
	size_t room = sizeof(heard) - 1 - heard_size;
	size_t size = input->size < room ? input->size : room;

	assert_int_equal(inside, 0);
	memcpy(heard + heard_size, input->data, size);
	heard_size += size;
	heard[heard_size] = '\0';
	buf_cut(input, input->size);
	if (stop_at != NULL && strstr(heard, stop_at) != NULL)
		event_loop_stop(loop);
}

static void
ended(struct connection *c, const struct error *error, void *context)
{
	assert_int_equal(inside, 0);
	ends++;
	why = error->code;
	connection_free(&connection);
	event_loop_stop(loop);
}

static const struct connection_handler handler = { readable, NULL, ended };

static void
late(void *context)
{
	is_late = true;
	event_loop_stop(loop);
}

static void
run(const char *until)
{
	stop_at = until;
	timer_start(deadline, 15000);
	event_loop_run(loop);
	timer_stop(deadline);
	assert_false(is_late);
}

static void
connect_to(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	connection = connection_new(loop, fd, 65536, 262144, &handler, NULL);
}

static int
begin(void **state)
{
	loop = event_loop_new();
	deadline = timer_new(loop, late, NULL);
	ends = inside = 0;
	heard_size = 0;
	heard[0] = '\0';
	is_late = false;
	connection = NULL;
	peer = -1;
	return 0;
}

static int
end(void **state)
{
	connection_free(&connection);
	if (peer != -1)
		close(peer);
	timer_free(&deadline);
	event_loop_free(&loop);
	return 0;
}

static void
begin_plain(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer = fds[1];
	connect_to(fds[0]);
}

static void
bytes_go_both_ways(void **state)
{
	char got[16];

	begin_plain();
	assert_int_equal(write(peer, "hello", 5), 5);
	run("hello");
	assert_int_equal(connection_write(connection, "there", 5), 0);
	assert_int_equal(write(peer, "again", 5), 5);
	run("again");
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 5);
	assert_memory_equal(got, "there", 5);
	assert_false(connection_is_tls(connection));
	assert_string_equal(connection_tls_name(connection), "");
}

static void
output_that_is_held_waits_for_more(void **state)
{
	char got[16];

	begin_plain();
	connection_hold(connection, true);
	assert_int_equal(connection_write(connection, "one", 3), 0);
	assert_int_equal(write(peer, "first", 5), 5);
	run("first");
	assert_int_equal(write(peer, "second", 6), 6);
	run("second");
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(connection_write(connection, "two", 3), 0);
	connection_hold(connection, false);
	assert_int_equal(write(peer, "third", 5), 5);
	run("third");
	assert_int_equal(write(peer, "fourth", 6), 6);
	run("fourth");
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 6);
	assert_memory_equal(got, "onetwo", 6);
}

static void
output_that_is_held_goes_out_at_the_end(void **state)
{
	char got[16];

	begin_plain();
	connection_hold(connection, true);
	assert_int_equal(connection_write(connection, "last", 4), 0);
	connection_finish(connection);
	run(NULL);
	assert_int_equal(ends, 1);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 4);
}

static void
silence_ends_after_the_timeout(void **state)
{
	begin_plain();
	connection_set_timeout(connection, 30);
	assert_int_equal(ends, 0);
	run(NULL);
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERROR_UNAVAILABLE);
}

static void
finish_sends_everything_and_ends_later(void **state)
{
	static char data[200000];
	static char got[sizeof(data)];
	size_t size = 0;
	pid_t reader;
	int status;

	memset(data, 'x', sizeof(data));
	begin_plain();
	reader = fork();
	if (reader == 0) { /* more than the socket takes at once */
		ssize_t n;

		connection = NULL;
		while ((n = read(peer, got + size, sizeof(got) - size)) > 0)
			size += (size_t)n;
		_exit(size == sizeof(data) ? 0 : 1);
	}
	inside++;
	assert_int_equal(connection_write(connection, data, sizeof(data)), 0);
	connection_finish(connection);
	assert_int_equal(connection_write(connection, "more", 4), -1);
	inside--;
	assert_int_equal(ends, 0);
	close(peer);
	peer = -1;
	run(NULL);
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERROR_NONE);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
}

static void
no_call_of_the_owner_ends_the_connection(void **state)
{
	begin_plain();
	close(peer); /* whatever is tried now fails */
	peer = -1;
	inside++;
	(void)connection_write(connection, "a", 1);
	connection_pause(connection);
	connection_resume(connection);
	connection_set_timeout(connection, 1);
	connection_finish(connection);
	inside--;
	assert_int_equal(ends, 0);
	run(NULL);
	assert_int_equal(ends, 1);
}

static void
answer(struct connection *c, void *context)
{
	buf_cut(connection_input(c), connection_input(c)->size);
	assert_int_equal(connection_write(c, "answer", 6), 0);
}

static void
who_closes_his_side_still_gets_his_answers(void **state)
{
	static const struct connection_handler answers = { answer, NULL,
		ended };
	char got[16];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer = fds[1];
	assert_int_equal(write(peer, "command", 7), 7);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	connection =
	    connection_new(loop, fds[0], 65536, 262144, &answers, NULL);
	run(NULL);
	assert_int_equal(ends, 1);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 6);
	assert_memory_equal(got, "answer", 6);
}

static int
listen_on(char port[8])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(port, 8, "%u", ntohs(address.sin_port));
	return fd;
}

static void
tcp_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char port[8];
	int listener = listen_on(port);

	address.sin_port = htons((uint16_t)atoi(port));
	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    connect(pair[1], (struct sockaddr *)&address, sizeof(address)), 0);
	pair[0] = accept(listener, NULL, NULL);
	assert_int_not_equal(pair[0], -1);
	close(listener);
}

static void
stop_if_acknowledged(void *context)
{
	int at_once = 0;
	socklen_t size = sizeof(at_once);

	assert_int_equal(getsockopt(connection_fd(connection), IPPROTO_TCP,
			     TCP_QUICKACK, &at_once, &size),
	    0);
	if (at_once == 1)
		event_loop_stop(loop);
}

/* Question and answer, until the kernel puts its acknowledgements off. */
static void
a_client_that_waits_for_an_acknowledgement_gets_it(void **state)
{
	int ends_of_it[2];

	tcp_pair(ends_of_it);
	connect_to(ends_of_it[0]);
	peer = ends_of_it[1];
	connection_acknowledge_soon(connection);
	for (int i = 0; i < 8; i++) {
		heard_size = 0;
		assert_int_equal(write(peer, "ask", 3), 3);
		run("ask");
		inside = 1;
		assert_int_equal(connection_write(connection, "answer", 6), 0);
		inside = 0;
	}
	/* The last answer goes out; then comes a question in two parts. */
	assert_int_equal(write(peer, "first", 5), 5);
	run("first");
	assert_int_equal(write(peer, "half", 4), 4);
	run("half");
	event_loop_on_round(loop, stop_if_acknowledged, NULL);
	run(NULL);
}

/* The peer has it before the loop goes on; that he is gone the loop says. */
static void
what_is_flushed_does_not_wait_for_the_loop(void **state)
{
	char got[20] = "";

	begin_plain();
	inside = 1;
	assert_int_equal(connection_write(connection, "answer", 6), 0);
	connection_flush(connection);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 6);
	close(peer);
	peer = -1;
	assert_int_equal(connection_write(connection, "answer", 6), 0);
	connection_flush(connection);
	inside = 0;
	assert_int_equal(ends, 0);
	run(NULL);
	assert_int_equal(ends, 1);
}

static void
output_has_a_limit(void **state)
{
	static char data[262144];

	begin_plain();
	assert_int_equal(connection_output_room(connection), sizeof(data));
	assert_int_equal(connection_write(connection, data, sizeof(data)), 0);
	assert_int_equal(connection_output_room(connection), 0);
	assert_int_equal(connection_write(connection, data, 1), -1);
}

/* -- TLS -- */

static struct keys *keys;
static struct tls_server *tls;

static int
sign(uint32_t key, uint16_t scheme, const void *data, size_t size,
    uint8_t *signature, size_t *signature_size, void *context)
{
	uint8_t bytes[KEYS_MAX_SIGNATURE];
	size_t made;

	if (keys_sign(keys, key, scheme, text_make(data, size), bytes, &made) !=
	    STATUS_OK)
		return -1;
	memcpy(signature, bytes, made);
	*signature_size = made;
	return 0;
}

static char *
pem_of(BIO *bio)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	char *text = memory_new(1, (size_t)size + 1);

	memcpy(text, data, (size_t)size);
	BIO_free(bio);
	return text;
}

static int
begin_tls(void **state)
{
	const struct tls_signer signer = { sign, NULL };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	const char *chains[1];
	struct error error;
	char *pem;
	int fd;

	(void)begin(state);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	pem = pem_of(bio);
	fd = file_sealed_memory("key", pem, strlen(pem), &error);
	keys = keys_new();
	assert_int_equal(keys_add(keys, fd, &error), 0);
	close(fd);
	memory_free(&pem);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, certificate);
	pem = pem_of(bio);
	chains[0] = pem;
	tls = tls_server_new(chains, 1, &signer, &error);
	assert_non_null(tls);
	memory_free(&pem);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return 0;
}

static int
end_tls(void **state)
{
	(void)end(state);
	tls_server_free(&tls);
	keys_free(&keys);
	return 0;
}

static void
bytes_before_starttls_are_refused(void **state)
{
	begin_plain();
	buf_put(connection_input(connection), "EHLO injected\r\n", 15);
	assert_int_equal(connection_start_tls(connection, tls), -1);
	buf_cut(connection_input(connection), 15);
	assert_int_equal(connection_start_tls(connection, tls), 0);
	assert_int_equal(connection_start_tls(connection, tls), -1);
}

static void
garbage_instead_of_a_handshake_ends(void **state)
{
	begin_plain();
	assert_int_equal(connection_start_tls(connection, tls), 0);
	assert_int_equal(write(peer, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	run(NULL);
	assert_int_equal(ends, 1);
	assert_int_equal(why, ERROR_INPUT);
}

/* Runs `argv` with a pipe to its input and one from its output. */
static pid_t
spawn(char *const *argv, int *input, int *output)
{
	int in[2], out[2];
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*input = in[1];
	*output = out[0];
	return pid;
}

/* The server speaks before the handshake, hears the client and says goodbye. If
 * it is a past one by then, as after a reload, nobody notices. */
static void
talk_with(char *const *argv, int listener, const char *version, bool is_past)
{
	char got[4096];
	size_t size = 0;
	int input, output, status;
	ssize_t n;
	pid_t pid = spawn(argv, &input, &output);

	connect_to(accept(listener, NULL, NULL));
	close(listener);
	assert_int_equal(connection_start_tls(connection, tls), 0);
	if (is_past)
		tls_server_free(&tls);
	assert_int_equal(connection_write(connection, "greeting\n", 9), 0);
	assert_int_equal(write(input, "from the client\n", 16), 16);
	run("from the client");
	assert_non_null(strstr(connection_tls_name(connection), version));
	assert_int_equal(connection_write(connection, "goodbye\n", 8), 0);
	connection_finish(connection);
	run(NULL);
	assert_int_equal(why, ERROR_NONE);
	close(input);
	while ((n = read(output, got + size, sizeof(got) - 1 - size)) > 0)
		size += (size_t)n;
	got[size] = '\0';
	close(output);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 127);
	assert_non_null(strstr(got, "greeting\n"));
	assert_non_null(strstr(got, "goodbye\n"));
}

static void
openssl_s_client_talks_to_us(void **state)
{
	static const struct {
		const char *option;
		const char *version;
	} rows[] = { { "-tls1_3", "TLSv1.3" }, { "-tls1_2", "TLSv1.2" } };

	for (size_t i = 0; i < 2; i++) {
		char port[8], address[32];
		int listener = listen_on(port);
		char *argv[] = { "openssl", "s_client", "-quiet", "-no_ign_eof",
			(char *)(uintptr_t)rows[i].option, "-connect", address,
			NULL };

		(void)snprintf(address, sizeof(address), "127.0.0.1:%s", port);
		heard_size = 0;
		talk_with(argv, listener, rows[i].version, false);
	}
}

static void
a_session_outlives_its_server(void **state)
{
	char port[8], address[32];
	int listener = listen_on(port);
	char *argv[] = { "openssl", "s_client", "-quiet", "-no_ign_eof",
		"-connect", address, NULL };

	(void)snprintf(address, sizeof(address), "127.0.0.1:%s", port);
	talk_with(argv, listener, "TLSv1.3", true);
}

static void
python_ssl_talks_to_us(void **state)
{
	static char script[] =
	    "import socket, ssl, sys\n"
	    "c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
	    "c.check_hostname, c.verify_mode = False, ssl.CERT_NONE\n"
	    "s = c.wrap_socket(socket.create_connection(\n"
	    "    ('127.0.0.1', int(sys.argv[1])), 10))\n"
	    "s.sendall(sys.stdin.readline().encode())\n"
	    "while True:\n"
	    "    data = s.recv(100)\n"
	    "    if not data: break\n"
	    "    sys.stdout.write(data.decode())\n";
	char port[8];
	int listener = listen_on(port);
	char *argv[] = { "python3", "-c", script, port, NULL };

	talk_with(argv, listener, "TLSv1.3", false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define TLS(name)   cmocka_unit_test_setup_teardown(name, begin_tls, end_tls)
		PLAIN(bytes_go_both_ways),
		PLAIN(output_that_is_held_waits_for_more),
		PLAIN(output_that_is_held_goes_out_at_the_end),
		PLAIN(silence_ends_after_the_timeout),
		PLAIN(finish_sends_everything_and_ends_later),
		PLAIN(no_call_of_the_owner_ends_the_connection),
		PLAIN(who_closes_his_side_still_gets_his_answers),
		PLAIN(a_client_that_waits_for_an_acknowledgement_gets_it),
		PLAIN(what_is_flushed_does_not_wait_for_the_loop),
		PLAIN(output_has_a_limit),
		TLS(bytes_before_starttls_are_refused),
		TLS(garbage_instead_of_a_handshake_ends),
		TLS(openssl_s_client_talks_to_us),
		TLS(a_session_outlives_its_server),
		TLS(python_ssl_talks_to_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
