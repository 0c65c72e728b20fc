/*
 * A connection in memory; TLS is a flag.
 */
#include "tests/unit/false_connection.h"

#include "common/memory.h"
#include "common/tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connection {
	struct buf input;
	const struct connection_handler *handler;
	void *context;
	int fd;
	bool is_tls;
	bool is_finished;
	bool has_room; /* it was said how much */
	size_t room;
};

static struct connection *last;
static char heard[1 << 16], told[1 << 16];
static size_t heard_size;

struct connection *
false_connection(void)
{
	return last;
}

void
false_connection_say(
    struct connection *connection, const void *data, size_t size)
{
	buf_put(&connection->input, data, size);
	connection->handler->readable(connection, connection->context);
}

const char *
false_connection_heard(void)
{
	memcpy(told, heard, heard_size);
	told[heard_size] = '\0';
	heard_size = 0;
	return told;
}

bool
false_connection_is_finished(struct connection *connection)
{
	return connection == NULL || connection->is_finished;
}

void
false_connection_set_room(struct connection *connection, size_t room)
{
	connection->has_room = true;
	connection->room = room;
	connection->handler->writable(connection, connection->context);
}

void
false_connection_hang_up(struct connection *connection)
{
	struct error error;

	error_set(&error, ERROR_UNAVAILABLE, "closed");
	connection->handler->ended(connection, &error, connection->context);
}

struct connection *
connection_new(struct event_loop *loop, int fd, size_t input_limit,
    size_t output_limit, const struct connection_handler *handler,
    void *context)
{
	last = memory_new(1, sizeof(*last));
	buf_init(&last->input, input_limit);
	last->handler = handler;
	last->context = context;
	last->fd = fd;
	return last;
}

void
connection_free(struct connection **connection)
{
	if (*connection == NULL)
		return;
	if (*connection == last)
		last = NULL;
	buf_clear(&(*connection)->input);
	if ((*connection)->fd != -1)
		close((*connection)->fd);
	memory_free(connection);
}

struct buf *
connection_input(struct connection *connection)
{
	return &connection->input;
}

int
connection_write(struct connection *connection, const void *data, size_t size)
{
	if (size > sizeof(heard) - 1 - heard_size)
		heard_size = 0; /* nobody listens (fuzzing) */
	if (connection->has_room && size > connection->room)
		return -1;
	connection->room -= connection->has_room ? size : 0;
	memcpy(heard + heard_size, data, size);
	heard_size += size;
	return 0;
}

size_t
connection_output_room(const struct connection *connection)
{
	return connection->has_room ? connection->room : 65536;
}

void
connection_hold(struct connection *connection, bool is_held)
{
}

void
connection_finish(struct connection *connection)
{
	connection->is_finished = true;
}

void
connection_pause(struct connection *connection)
{
}

void
connection_resume(struct connection *connection)
{
}

int
connection_start_tls(struct connection *connection, struct tls_server *tls)
{
	if (connection->input.size > 0)
		return -1;
	connection->is_tls = true;
	return 0;
}

bool
connection_is_tls(const struct connection *connection)
{
	return connection->is_tls;
}

const char *
connection_tls_name(const struct connection *connection)
{
	return connection->is_tls ? "TLSv1.3 TLS_AES_256_GCM_SHA384" : "";
}

struct tls_server *
tls_server_new(const char *const *chains, size_t count,
    const struct tls_signer *signer, struct error *error)
{
	return (struct tls_server *)heard; /* never looked into */
}

void
tls_server_free(struct tls_server **server)
{
	*server = NULL;
}
