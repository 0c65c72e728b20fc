/*
 * The front of IMAP over a real TCP connection, with a false authd and a false
 * broker on real channels, all on one loop; the client is a script of lines to
 * send and answers to expect.
 */
#include "common/connection.h"
#include "common/log.h"
#include "common/login.h"
#include "common/status.h"
#include "imapd/imap_front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	STALL_MS = 300,
	BIG_SIZE = 8 * 1024 * 1024
};

struct world {
	struct event_loop *loop;
	struct imap_front *front;
	struct channel *broker;    /* the broker's end */
	struct channel *front_end; /* the front's end */
	struct channel *authd;     /* authd's end */
	struct watch *worker;      /* the stream's other end */
	int worker_fd;
	struct watch *client;
	int client_fd;
	uint16_t port;
	struct timer *deadline;
	char heard[8192]; /* what the client got */
	size_t heard_size;
	size_t heard_total;
	const char *wanted;
	size_t wanted_total;
	bool is_client_closed;
	uint8_t attach_status;
	uint64_t connection; /* that was attached */
	bool is_late;
	bool keeps_stream; /* when it is parked */
	bool has_socket;   /* the worker got the client's own */
	bool is_stream_closed;
	struct timer *talk;
	unsigned int parked;
	unsigned int resumed;
	unsigned int gone;
	unsigned int questions;
};

/* -- False processes -- */

static void
authd_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct message answer = { .type = MESSAGE_imap_login };
	struct world *world = context;
	const struct message_imap_credentials *asked =
	    &message->imap_credentials;

	(void)fds;
	world->questions++;
	answer.imap_login.connection = asked->connection;
	answer.imap_login.result =
	    text_is(asked->user, "alice") && text_is(asked->password, "right")
		? LOGIN_OK
		: LOGIN_FAILED;
	answer.imap_login.user = asked->user;
	channel_send(channel, &answer, NULL, 0);
}

static void
worker_ready(int fd, int events, void *context)
{
	static char bytes[65536];
	struct world *world = context;
	ssize_t size = read(fd, bytes, sizeof(bytes));

	(void)events;
	if (size <= 0) {
		watch_free(&world->worker);
		close(world->worker_fd);
		world->worker_fd = -1;
		return;
	}
	/* An echo that blocks nobody: the tests send less than fits. */
	if (memmem(bytes, (size_t)size, "BIG", 3) != NULL) {
		static char big[BIG_SIZE];

		/* Written by a child, since it waits for the reader. */
		if (fork() == 0) {
			size_t at = 0;

			while (at < BIG_SIZE) {
				ssize_t n = write(fd, big + at, BIG_SIZE - at);

				if (n > 0)
					at += (size_t)n;
			}
			_exit(0);
		}
		return;
	}
	assert_int_equal(write(fd, bytes, (size_t)size), size);
}

/* The front's end of a stream to the worker, which echoes. */
static int
open_stream(struct world *world)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	/* As the broker's is: the child above waits at the other end. */
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	world->worker_fd = ends[1];
	world->worker =
	    watch_new(world->loop, ends[1], WATCH_READ, worker_ready, world);
	return ends[0];
}

static void
close_stream(struct world *world)
{
	watch_free(&world->worker);
	if (world->worker_fd != -1)
		close(world->worker_fd);
	world->worker_fd = -1;
}

static void
send_awake(struct world *world, enum status status, int stream)
{
	struct message awake = { .type = MESSAGE_session_awake };

	awake.session_awake.connection = world->connection;
	awake.session_awake.status = (uint8_t)status;
	channel_send(world->broker, &awake, &stream, stream != -1);
	if (stream != -1)
		close(stream);
}

/* It answers the login with the client's input, and echoes from then on. */
static void
take_socket(struct world *world, const struct message_attach *wish, int *fd)
{
	char line[2048];
	int size = snprintf(line, sizeof(line), "%.*s OK by the worker\r\n%.*s",
	    TEXT_FMT(wish->tag), TEXT_FMT(wish->input));

	assert_int_equal(send(*fd, line, (size_t)size, 0), size);
	world->has_socket = true;
	world->worker_fd = *fd;
	*fd = -1;
	world->worker = watch_new(
	    world->loop, world->worker_fd, WATCH_READ, worker_ready, world);
}

static void
attach(struct world *world, const struct message_attach *wish, int *fd)
{
	struct message answer = { .type = MESSAGE_attached };
	int stream = -1;

	world->connection = wish->connection;
	answer.attached.connection = wish->connection;
	answer.attached.status = world->attach_status;
	world->has_socket = false;
	if (world->attach_status == STATUS_OK && *fd != -1)
		take_socket(world, wish, fd);
	else if (world->attach_status == STATUS_OK)
		stream = open_stream(world);
	channel_send(world->broker, &answer, &stream, stream != -1);
	if (stream != -1)
		close(stream);
}

static void
broker_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	struct world *world = context;

	(void)channel;
	switch ((int)message->type) {
	case MESSAGE_attach:
		attach(world, &message->attach, &fds[0]);
		break;
	case MESSAGE_session_parked:
		world->parked++;
		assert_int_equal(message->session_parked.turn, 7);
		if (!world->keeps_stream)
			close_stream(world);
		if (world->wanted == NULL)
			event_loop_stop(world->loop);
		break;
	case MESSAGE_session_resume:
		world->resumed++;
		send_awake(world, STATUS_OK, open_stream(world));
		break;
	case MESSAGE_session_gone:
		world->gone++;
		event_loop_stop(world->loop);
		break;
	}
}

static void
peer_closed(struct channel *channel, const struct error *error, void *context)
{
	(void)channel;
	(void)error;
	(void)context;
}

static const struct channel_handler authd_handler = { authd_received,
	peer_closed };
static const struct channel_handler broker_handler = { broker_received,
	peer_closed };

/* -- The client -- */

void __real_connection_set_stall(struct connection *connection, int64_t ms);
void __wrap_connection_set_stall(struct connection *connection, int64_t ms);

/* Five minutes are over soon. */
void
__wrap_connection_set_stall(struct connection *connection, int64_t ms)
{
	assert_int_equal(ms, 300 * 1000);
	__real_connection_set_stall(connection, STALL_MS);
}

/* As if there were: what only the front can speak. */
static bool pretends_tls;

bool __wrap_connection_is_tls(const struct connection *connection);

bool
__wrap_connection_is_tls(const struct connection *connection)
{
	return pretends_tls;
}

static void
check_wanted(struct world *world)
{
	if ((world->wanted != NULL &&
		strstr(world->heard, world->wanted) != NULL) ||
	    (world->wanted_total > 0 &&
		world->heard_total >= world->wanted_total) ||
	    world->is_client_closed)
		event_loop_stop(world->loop);
}

static void
client_ready(int fd, int events, void *context)
{
	static char bytes[262144];
	struct world *world = context;
	ssize_t size = read(fd, bytes, sizeof(bytes));

	(void)events;
	if (size <= 0) {
		world->is_client_closed = true;
		watch_set(world->client, 0);
	} else {
		size_t room = sizeof(world->heard) - 1 - world->heard_size;
		size_t kept = (size_t)size < room ? (size_t)size : room;

		memcpy(world->heard + world->heard_size, bytes, kept);
		world->heard_size += kept;
		world->heard[world->heard_size] = '\0';
		world->heard_total += (size_t)size;
	}
	check_wanted(world);
}

static void
too_late(void *context)
{
	struct world *world = context;

	print_error("waited in vain for \"%s\"; heard: %s\n",
	    world->wanted == NULL ? "" : world->wanted, world->heard);
	world->is_late = true;
	event_loop_stop(world->loop);
}

/* Sends `text` and runs until `answer` was heard since then. */
static void
say(struct world *world, const char *text, const char *answer)
{
	world->heard_size = 0;
	world->heard[0] = '\0';
	world->wanted = answer;
	if (text != NULL)
		assert_int_equal(
		    write(world->client_fd, text, strlen(text)), strlen(text));
	timer_start(world->deadline, DEADLINE_MS);
	event_loop_run(world->loop);
	timer_stop(world->deadline);
	assert_non_null(strstr(world->heard, answer));
}

static void
expect_closed(struct world *world)
{
	world->wanted = NULL;
	timer_start(world->deadline, DEADLINE_MS);
	if (!world->is_client_closed)
		event_loop_run(world->loop);
	timer_stop(world->deadline);
	assert_true(world->is_client_closed);
}

static uint16_t
listen_on_loopback(int *fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(*fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(*fd, 16), 0);
	getsockname(*fd, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
disconnect(struct world *world)
{
	watch_free(&world->client);
	close(world->client_fd);
}

/* As another client. */
static void
connect_again(struct world *world)
{
	world->is_client_closed = false;
	world->client_fd = connect_to(world->port);
	world->client = watch_new(
	    world->loop, world->client_fd, WATCH_READ, client_ready, world);
}

static void
introduce_authd(struct world *world)
{
	struct message message = { .type = MESSAGE_introduce };
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	message.introduce.role = ROLE_AUTHD;
	world->authd = channel_new(world->loop, ends[0], ROLE_AUTHD, ROLE_IMAPD,
	    &authd_handler, world);
	channel_send(world->broker, &message, &ends[1], 1);
	close(ends[1]);
}

static void
world_open(struct world *world, bool is_plain_login, uint32_t most)
{
	struct settings *settings = settings_new();
	struct error error;
	int ends[2], listen_fd;

	memset(world, 0, sizeof(*world));
	world->worker_fd = -1;
	world->attach_status = STATUS_OK;
	world->loop = event_loop_new();
	world->deadline = timer_new(world->loop, too_late, world);
	settings->listener_count = 1;
	settings->listeners[0] =
	    (struct listen_setting){ .service = SERVICE_IMAP,
		    .is_plain_login = is_plain_login };
	settings->max_connections = most;
	snprintf(settings->host, sizeof(settings->host), "mail.example.org");
	world->port = listen_on_loopback(&listen_fd);
	settings->listeners[0].port = world->port;
	snprintf(settings->listeners[0].address, 64, "*");
	world->front = imap_front_new(world->loop, settings);
	assert_int_equal(channel_pair(ends, &error), 0);
	world->broker = channel_new(world->loop, ends[0], ROLE_BROKER,
	    ROLE_IMAPD, &broker_handler, world);
	world->front_end = channel_new(world->loop, ends[1], ROLE_IMAPD,
	    ROLE_BROKER, &imap_front_starter, world->front);
	imap_front_set_broker(world->front, world->front_end);
	imap_front_listen(world->front, listen_fd);
	connect_again(world);
}

static void
world_close(struct world *world)
{
	disconnect(world);
	watch_free(&world->worker);
	if (world->worker_fd != -1)
		close(world->worker_fd);
	channel_free(&world->authd);
	channel_free(&world->front_end);
	channel_free(&world->broker);
	imap_front_free(&world->front);
	timer_free(&world->deadline);
	event_loop_free(&world->loop);
}

/* -- The tests -- */

/* The worker writes as much as it can, the client a byte, all the time. */
static void
talk_on(void *context)
{
	static const char bytes[65536];
	struct world *world = context;
	ssize_t size;

	do
		size = send(world->worker_fd, bytes, sizeof(bytes),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (size > 0);
	if (errno == EPIPE || errno == ECONNRESET) {
		world->is_stream_closed = true;
		event_loop_stop(world->loop);
		return;
	}
	(void)send(world->client_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	timer_start(world->talk, 10);
}

static int
with_tls(void **state)
{
	pretends_tls = true;
	return 0;
}

static int
without_tls(void **state)
{
	pretends_tls = false;
	return 0;
}

static void
commands_before_login(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, NULL, "* OK [CAPABILITY IMAP4rev1");
	say(&world, "a CAPABILITY\r\n", "AUTH=PLAIN");
	say(&world, "b noop\r\n", "b OK");
	say(&world, "c ID NIL\r\n", "c OK");
	say(&world, "d SELECT INBOX\r\n", "d BAD");
	say(&world, "e STARTTLS\r\n", "e BAD");
	say(&world, "* NOOP\r\n", "* BAD");
	say(&world, "f LOGIN alice\r\n", "f BAD");
	say(&world, "g LOGIN alice wrong\r\n", "g NO [AUTHENTICATIONFAILED]");
	say(&world, "h AUTHENTICATE X\r\n", "h NO [CANNOT]");
	say(&world, "i AUTHENTICATE PLAIN\r\n", "+ ");
	say(&world, "*\r\n", "i BAD");
	say(&world, "j AUTHENTICATE PLAIN !!\r\n", "j BAD");
	say(&world, "k LOGOUT\r\n", "* BYE");
	expect_closed(&world);
	assert_int_equal(world.questions, 1);
	world_close(&world);
}

static void
a_session_is_relayed_with_what_was_sent_ahead(void **state)
{
	static const char *const logins[] = {
		"a LOGIN alice right\r\nb X\r\n",
		"a LOGIN \"alice\" {5+}\r\nright\r\nb X\r\n",
		"a AUTHENTICATE PLAIN AGFsaWNlAHJpZ2h0\r\nb X\r\n",
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		world_open(&world, true, 10);
		introduce_authd(&world);
		say(&world, NULL, "* OK");
		say(&world, logins[i], "b X\r\n");
		assert_non_null(strstr(world.heard, "a OK [CAPABILITY"));
		say(&world, "c Y\r\n", "c Y\r\n");
		world_close(&world);
	}
}

static void
large_answers_pass_whole_and_the_end_reaches_the_client(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, "a LOGIN alice right\r\n", "a OK");
	world.heard_total = 0;
	world.wanted = NULL;
	world.wanted_total = BIG_SIZE;
	assert_int_equal(write(world.client_fd, "BIG", 3), 3);
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_run(world.loop);
	assert_int_equal(world.heard_total, BIG_SIZE);
	watch_free(&world.worker);
	close(world.worker_fd);
	world.worker_fd = -1;
	expect_closed(&world);
	world_close(&world);
}

/* What the worker says stands in both sockets and the front, no more of it is
 * taken, and the client sends on. */
static void
a_client_that_never_reads_is_sent_away(void **state)
{
	struct world world;
	struct timer *talk;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, "a LOGIN alice right\r\n", "a OK");
	watch_set(world.client, 0);
	watch_set(world.worker, 0);
	talk = timer_new(world.loop, talk_on, &world);
	timer_start(talk, 0);
	world.talk = talk;
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_run(world.loop);
	assert_false(world.is_late);
	assert_true(world.is_stream_closed);
	timer_free(&talk);
	world_close(&world);
}

/* ---- Sleep ---- */

static void
put_to_sleep(struct world *world)
{
	struct message asleep = { .type = MESSAGE_session_asleep };

	asleep.session_asleep.connection = world->connection;
	asleep.session_asleep.turn = 7;
	channel_send(world->broker, &asleep, NULL, 0);
}

static void
open_session(struct world *world)
{
	world_open(world, true, 10);
	introduce_authd(world);
	say(world, "a LOGIN alice right\r\nb X\r\n", "b X\r\n");
}

/* Whatever comes first, the end of the old stream or the client's bytes. */
static void
a_session_that_slept_goes_on_with_a_new_stream(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	for (unsigned int turn = 1; turn <= 3; turn++) {
		put_to_sleep(&world);
		say(&world, "c Y\r\n", "c Y\r\n");
		assert_int_equal(world.parked, turn);
		assert_int_equal(world.resumed, turn);
	}
	say(&world, "d Z\r\n", "d Z\r\n");
	assert_int_equal(world.resumed, 3);
	world_close(&world);
}

static void
run_until(struct world *world, const unsigned int *count, unsigned int least)
{
	world->wanted = NULL;
	timer_start(world->deadline, DEADLINE_MS);
	while (*count < least && !world->is_late)
		event_loop_run(world->loop);
	assert_int_equal(*count, least);
	timer_stop(world->deadline);
}

/* Woken by news, while the end of the old stream is on the way. */
static void
the_old_stream_comes_before_the_new_one(void **state)
{
	struct world world;
	const char *old;
	int stream;

	(void)state;
	open_session(&world);
	world.keeps_stream = true;
	put_to_sleep(&world);
	run_until(&world, &world.parked, 1);
	assert_int_equal(write(world.worker_fd, "* 1 OLD\r\n", 9), 9);
	close_stream(&world);
	stream = open_stream(&world);
	assert_int_equal(write(world.worker_fd, "* 2 NEW\r\n", 9), 9);
	send_awake(&world, STATUS_OK, stream);
	say(&world, NULL, "* 2 NEW\r\n");
	old = strstr(world.heard, "* 1 OLD\r\n");
	assert_non_null(old);
	assert_true(old < strstr(world.heard, "* 2 NEW\r\n"));
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_int_equal(world.resumed, 0);
	world_close(&world);
}

/* It woke before both had let go of the stream. */
static void
a_session_that_hardly_slept_goes_on_with_its_stream(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	world.keeps_stream = true;
	put_to_sleep(&world);
	run_until(&world, &world.parked, 1);
	send_awake(&world, STATUS_OK, -1);
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_int_equal(world.resumed, 0);
	world_close(&world);
}

static void
who_sleeps_and_cannot_be_woken_hears_why(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	put_to_sleep(&world);
	send_awake(&world, STATUS_MISSING, -1);
	say(&world, NULL, "* BYE [UNAVAILABLE] Account is not served");
	expect_closed(&world);
	world_close(&world);
}

static void
who_goes_while_he_sleeps_is_said_to_be_gone(void **state)
{
	struct world world;

	(void)state;
	open_session(&world);
	put_to_sleep(&world);
	shutdown(world.client_fd, SHUT_WR);
	run_until(&world, &world.gone, 1);
	assert_int_equal(world.gone, 1);
	world_close(&world);
}

/* ---- Without TLS the worker has the socket ---- */

static void
send_over(struct world *world, enum status status)
{
	struct message over = { .type = MESSAGE_session_over };

	over.session_over.connection = world->connection;
	over.session_over.status = (uint8_t)status;
	close_stream(world);
	channel_send(world->broker, &over, NULL, 0);
}

static void
open_direct_session(struct world *world, uint32_t most)
{
	world_open(world, true, most);
	introduce_authd(world);
	say(world, NULL, "* OK");
	say(world, "a LOGIN alice right\r\nb X\r\n", "b X\r\n");
	assert_true(world->has_socket);
	assert_non_null(strstr(world->heard, "a OK by the worker\r\n"));
}

static void
a_worker_answers_the_login_and_what_was_read_behind_it(void **state)
{
	static const char *const logins[] = {
		"a LOGIN \"alice\" {5+}\r\nright\r\n",
		"a AUTHENTICATE PLAIN AGFsaWNlAHJpZ2h0\r\n",
	};
	struct world world;

	(void)state;
	open_direct_session(&world, 10);
	say(&world, "c Y\r\n", "c Y\r\n");
	assert_string_equal(world.heard, "c Y\r\n");
	world_close(&world);
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		world_open(&world, true, 10);
		introduce_authd(&world);
		say(&world, logins[i], "a OK by the worker\r\n");
		world_close(&world);
	}
}

static void
the_front_ends_what_the_worker_has_done_with(void **state)
{
	struct world world;

	(void)state;
	open_direct_session(&world, 10);
	send_over(&world, STATUS_OK);
	expect_closed(&world);
	assert_null(strstr(world.heard, "BYE"));
	world_close(&world);
	open_direct_session(&world, 10);
	send_over(&world, STATUS_UNAVAILABLE);
	say(&world, NULL, "* BYE [UNAVAILABLE] Server is restarting\r\n");
	expect_closed(&world);
	world_close(&world);
}

/* It is counted until the worker is done with it. */
static void
what_was_handed_over_is_still_a_connection(void **state)
{
	struct watch *first;
	struct world world;
	int first_fd;

	(void)state;
	open_direct_session(&world, 1);
	first = world.client;
	first_fd = world.client_fd;
	connect_again(&world);
	say(&world, NULL, "* BYE [UNAVAILABLE] Too many");
	disconnect(&world);
	world.client = first;
	world.client_fd = first_fd;
	world.is_client_closed = false;
	send_over(&world, STATUS_OK);
	expect_closed(&world);
	disconnect(&world);
	connect_again(&world);
	say(&world, NULL, "* OK");
	world_close(&world);
}

static void
who_sent_much_behind_his_login_is_relayed(void **state)
{
	static char line[2000];
	struct world world;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "a LOGIN alice right\r\n", 21);
	memcpy(line + sizeof(line) - 7, " END\r\n", 6);
	world_open(&world, true, 10);
	introduce_authd(&world);
	say(&world, line, " END\r\n");
	assert_false(world.has_socket);
	assert_non_null(strstr(world.heard, "a OK [CAPABILITY"));
	world_close(&world);
}

static void
no_tls_no_login(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, false, 10);
	introduce_authd(&world);
	say(&world, NULL, "LOGINDISABLED");
	say(&world, "a LOGIN alice right\r\n", "a NO [PRIVACYREQUIRED]");
	assert_int_equal(world.questions, 0);
	world_close(&world);
}

static void
authd_or_worker_away_is_said(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	say(&world, "a LOGIN alice right\r\n", "a NO [UNAVAILABLE]");
	introduce_authd(&world);
	world.attach_status = STATUS_UNAVAILABLE;
	say(&world, "b LOGIN alice right\r\n", "b NO [UNAVAILABLE]");
	say(&world, "c NOOP\r\n", "c OK");
	world_close(&world);
}

static void
guessing_and_nonsense_end_the_connection(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 10);
	introduce_authd(&world);
	for (int i = 0; i < 4; i++)
		say(&world, "a LOGIN alice wrong\r\n", "a NO");
	say(&world, "a LOGIN alice wrong\r\n", "* BYE");
	expect_closed(&world);
	world_close(&world);
	world_open(&world, true, 10);
	for (int i = 0; i < 9; i++)
		say(&world, "a XYZZY\r\n", "a BAD");
	say(&world, "a XYZZY\r\n", "* BYE");
	expect_closed(&world);
	world_close(&world);
}

static void
connections_beyond_the_limit_are_told(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, true, 0);
	say(&world, NULL, "* BYE [UNAVAILABLE] Too many");
	expect_closed(&world);
	world_close(&world);
}

int
main(void)
{
#define RELAYED(name) cmocka_unit_test_setup(name, with_tls)
#define DIRECT(name)  cmocka_unit_test_setup(name, without_tls)
	const struct CMUnitTest tests[] = {
		DIRECT(commands_before_login),
		RELAYED(a_session_is_relayed_with_what_was_sent_ahead),
		RELAYED(
		    large_answers_pass_whole_and_the_end_reaches_the_client),
		RELAYED(a_client_that_never_reads_is_sent_away),
		RELAYED(a_session_that_slept_goes_on_with_a_new_stream),
		RELAYED(the_old_stream_comes_before_the_new_one),
		RELAYED(a_session_that_hardly_slept_goes_on_with_its_stream),
		RELAYED(who_sleeps_and_cannot_be_woken_hears_why),
		RELAYED(who_goes_while_he_sleeps_is_said_to_be_gone),
		DIRECT(a_worker_answers_the_login_and_what_was_read_behind_it),
		DIRECT(the_front_ends_what_the_worker_has_done_with),
		DIRECT(what_was_handed_over_is_still_a_connection),
		DIRECT(who_sent_much_behind_his_login_is_relayed),
		DIRECT(no_tls_no_login),
		DIRECT(authd_or_worker_away_is_said),
		RELAYED(authd_or_worker_away_is_said),
		DIRECT(guessing_and_nonsense_end_the_connection),
		DIRECT(connections_beyond_the_limit_are_told),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
