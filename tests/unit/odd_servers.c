/*
 * See odd_servers.h.
 */
#include "tests/unit/odd_servers.h"

#include "common/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAX_CLIENTS = 16
};

struct client {
	struct connection *connection;
	enum behaviour behaviour;
	bool is_in_data;
	unsigned int mails;
	char split[200]; /* what it has still to say, a byte at a time */
	struct timer *timer;
};

static const char *const names[] = { "", "good.test", "says554.test",
	"says421.test", "silent.test", "closes.test", "drops.test",
	"refuses.test", "hangs.test", "injects.test", "us.test", "endless.test",
	"junk.test", "leaves.test", "later.test", "later-rcpt.test",
	"later-end.test", "odd.test" };

struct odd_servers servers;
static struct event_loop *loop;
static struct client clients[MAX_CLIENTS];
static int listener;
static struct watch *listener_watch;

static void
say(struct client *client, const char *text)
{
	size_t waits = strlen(client->split);

	/* Behind what is said byte by byte. */
	if (waits > 0)
		snprintf(client->split + waits, sizeof(client->split) - waits,
		    "%s", text);
	else
		assert_int_equal(
		    connection_write(client->connection, text, strlen(text)),
		    0);
}

static void
hang_up(struct client *client)
{
	timer_free(&client->timer);
	connection_free(&client->connection);
}

static void
say_byte(void *context)
{
	struct client *client = context;
	char byte[2] = { client->split[0], '\0' };

	if (byte[0] == '\0' || client->connection == NULL)
		return;
	assert_int_equal(connection_write(client->connection, byte, 1), 0);
	memmove(client->split, client->split + 1, strlen(client->split));
	timer_start(client->timer, 0);
}

static void
say_endless(struct client *client, const char *text)
{
	char line[200];

	snprintf(line, sizeof(line), "%.3s-on and on and on and on and on%s",
	    text, servers.manner == ENDLESS_LINES ? "\r\n" : "");
	for (int i = 0; i < 2000; i++)
		say(client, line);
}

static void
say_oddly(struct client *client, const char *text)
{
	char line[200];

	switch (servers.manner) {
	case SILENT:
		break;
	case ENDLESS_LINE:
	case ENDLESS_LINES:
		say_endless(client, text);
		break;
	case CHANGES_ITS_CODE:
		snprintf(line, sizeof(line), "%.3s-one\r\n299 two\r\n", text);
		say(client, line);
		break;
	case ENDS_LINES_WITH_CR:
		snprintf(
		    line, sizeof(line), "%.*s", (int)strlen(text) - 1, text);
		say(client, line);
		break;
	case SPLITS:
		snprintf(client->split, sizeof(client->split), "%s", text);
		client->timer = timer_new(loop, say_byte, client);
		say_byte(client);
		break;
	case HAS_NUL:
		snprintf(
		    line, sizeof(line), "%.*s", (int)strlen(text) - 2, text);
		say(client, line);
		assert_int_equal(
		    connection_write(client->connection, "\0\r\n", 3), 0);
		break;
	case SAYS_IT_TWICE:
		say(client, text);
		say(client, text);
		break;
	}
}

static void
reply(struct client *client, enum stage stage, const char *text)
{
	if (client->behaviour == ODD && stage == servers.stage)
		say_oddly(client, text);
	else
		say(client, text);
}

static void
greet(struct client *client)
{
	switch (client->behaviour) {
	case GREETS_554:
		say(client, "554 5.7.1 no mail here\r\n");
		break;
	case GREETS_421:
		say(client, "421 4.3.2 busy\r\n");
		break;
	case SAYS_NOTHING:
		break;
	case CLOSES:
		hang_up(client);
		break;
	case ENDLESS:
		for (int i = 0; i < 1000; i++)
			say(client, "220-on and on, and on and on and on and "
				    "on and on and on and on and on\r\n");
		break;
	default:
		reply(client, AT_GREETING, "220 hello\r\n");
		break;
	}
}

static void
say_extensions(struct client *client)
{
	if (client->behaviour == ODD && servers.stage == AT_EHLO) {
		say_oddly(client, "250 there\r\n");
		return;
	}
	if (client->behaviour == IS_US)
		say(client, "250-mx.here.test hello\r\n");
	else
		say(client, "250-there\r\n");
	if (client->behaviour == INJECTS || client->behaviour == STARTTLS_JUNK)
		say(client, "250-STARTTLS\r\n");
	say(client, "250 PIPELINING\r\n");
}

static void
take_mail(struct client *client)
{
	client->mails++;
	if (client->behaviour == DROPS_SECOND && client->mails > 1)
		hang_up(client);
	else if (client->behaviour == LEAVES_AT_MAIL)
		say(client, "421 4.3.2 closing\r\n");
	else if (client->behaviour == LATER_AT_MAIL)
		say(client, "450 4.2.0 later\r\n");
	else
		reply(client, AT_MAIL, "250 ok\r\n");
}

static void
take_line(struct client *client, struct text line)
{
	if (client->is_in_data) {
		client->is_in_data = !text_is(line, ".");
		if (client->is_in_data)
			return;
		servers.mails++;
		if (client->behaviour == LATER_AT_END)
			say(client, "452 4.3.1 no room\r\n");
		else if (client->behaviour != HANGS_AT_END)
			reply(client, AT_END, "250 2.0.0 kept\r\n");
	} else if (text_starts_nocase(line, "EHLO")) {
		say_extensions(client);
	} else if (text_starts_nocase(line, "STARTTLS")) {
		say(client, client->behaviour == INJECTS
				? "220 go\r\n250 evil\r\n"
				: "220 go\r\n");
	} else if (text_starts_nocase(line, "MAIL")) {
		take_mail(client);
	} else if (text_starts_nocase(line, "RCPT")) {
		if (client->behaviour == REFUSES_RCPT)
			say(client, "550 5.1.1 who?\r\n");
		else if (client->behaviour == LATER_AT_RCPT)
			say(client, "451 4.7.1 grey\r\n");
		else
			reply(client, AT_RCPT, "250 ok\r\n");
	} else if (text_is(line, "DATA")) {
		client->is_in_data = true;
		reply(client, AT_DATA, "354 go\r\n");
	} else if (text_is(line, "QUIT")) {
		say(client, "221 bye\r\n");
		connection_finish(client->connection);
	} else if (client->behaviour == STARTTLS_JUNK) {
		say(client, "500 what is this?\r\n");
	} else {
		say(client, "250 ok\r\n");
	}
}

static void
server_readable(struct connection *connection, void *context)
{
	struct client *client = context;
	struct buf *input = connection_input(connection);

	while (client->connection != NULL && input->size > 0) {
		char *end = memchr(input->data, '\n', input->size);
		struct text line;
		size_t size;

		if (end == NULL)
			return;
		size = (size_t)(end - (char *)input->data) + 1;
		line = text_trim(text_make(input->data, size));
		snprintf(servers.heard + strlen(servers.heard),
		    sizeof(servers.heard) - strlen(servers.heard), "%.*s|",
		    TEXT_FMT(line));
		take_line(client, line);
		if (client->connection != NULL)
			buf_cut(input, size);
	}
}

static void
server_ended(
    struct connection *connection, const struct error *error, void *context)
{
	hang_up(context);
}

static void
on_accept(int fd, int events, void *context)
{
	static const struct connection_handler handler = { server_readable,
		NULL, server_ended };
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	struct client *client = NULL;
	int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	assert_true(taken != -1);
	for (int i = 0; i < MAX_CLIENTS && client == NULL; i++)
		if (clients[i].connection == NULL)
			client = &clients[i];
	assert_non_null(client);
	assert_int_equal(
	    getsockname(taken, (struct sockaddr *)&address, &size), 0);
	memset(client, 0, sizeof(*client));
	client->behaviour =
	    (enum behaviour)(ntohl(address.sin_addr.s_addr) & 0xff);
	client->connection =
	    connection_new(loop, taken, 65536, 1 << 20, &handler, client);
	servers.connections++;
	greet(client);
}

void
odd_servers_start(struct event_loop *at)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	loop = at;
	memset(&servers, 0, sizeof(servers));
	listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(
	    getsockname(listener, (struct sockaddr *)&address, &size), 0);
	servers.port = ntohs(address.sin_port);
	listener_watch = watch_new(loop, listener, WATCH_READ, on_accept, NULL);
}

void
odd_servers_end(void)
{
	for (int i = 0; i < MAX_CLIENTS; i++)
		hang_up(&clients[i]);
	watch_free(&listener_watch);
	close(listener);
}

uint8_t
odd_servers_find(struct text name)
{
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is(name, names[i]))
			return (uint8_t)i;
	return 0;
}
