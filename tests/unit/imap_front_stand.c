/* See imap_front_stand.h. */
#include "tests/unit/imap_front_stand.h"

#include "common/connection.h"
#include "common/login.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

int
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

void
close_stream(struct world *world)
{
	watch_free(&world->worker);
	if (world->worker_fd != -1)
		close(world->worker_fd);
	world->worker_fd = -1;
}

void
send_awake(struct world *world, enum status status, int stream)
{
	struct message awake = { .type = MESSAGE_session_awake };

	awake.session_awake.connection = world->connection;
	awake.session_awake.status = (uint8_t)status;
	awake.session_awake.is_packed = world->is_packed;
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

void
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

void
expect_closed(struct world *world)
{
	world->wanted = NULL;
	timer_start(world->deadline, DEADLINE_MS);
	while (!world->is_client_closed && !world->is_late)
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

void
disconnect(struct world *world)
{
	watch_free(&world->client);
	close(world->client_fd);
}

void
connect_again(struct world *world)
{
	world->is_client_closed = false;
	world->client_fd = connect_to(world->port);
	world->client = watch_new(
	    world->loop, world->client_fd, WATCH_READ, client_ready, world);
}

void
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

void
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

void
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

int
with_tls(void **state)
{
	pretends_tls = true;
	return 0;
}

int
without_tls(void **state)
{
	pretends_tls = false;
	return 0;
}
