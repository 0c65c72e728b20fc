/* See imap_relay.h. */
#include "imapd/imap_relay.h"

#include "common/memory.h"

enum {
	RELAY_INPUT_LIMIT = 64 * 1024,
	RELAY_OUTPUT_LIMIT = 256 * 1024,
	RELAY_AT_ONCE = 16 * 1024 /* more is on the way: a read took it all */
};

struct imap_relay {
	struct connection *client; /* NULL once he is gone */
	struct connection *worker;
	void (*ended)(void *context);
	void *context;
	bool is_parked;
};

/* Moves what fits; the source rests while something is left. */
static void
move_bytes(struct connection *from, struct connection *to)
{
	struct buf *input = connection_input(from);
	size_t size = connection_output_room(to);

	if (size > input->size)
		size = input->size;
	if (size > 0 && connection_write(to, input->data, size) == 0) {
		buf_cut(input, size);
		if (size < RELAY_AT_ONCE)
			connection_flush(to);
	}
	if (input->size > 0)
		connection_pause(from);
	else
		connection_resume(from);
}

static void
worker_readable(struct connection *connection, void *context)
{
	struct imap_relay *relay = context;
	struct buf *input = connection_input(connection);

	if (relay->client == NULL)
		buf_cut(input, input->size);
	else
		move_bytes(connection, relay->client);
}

static void
worker_writable(struct connection *connection, void *context)
{
	struct imap_relay *relay = context;

	if (relay->client != NULL && !relay->is_parked)
		move_bytes(relay->client, connection);
}

/* The worker said all it has to say: the owner sends it and closes. */
static void
worker_ended(
    struct connection *connection, const struct error *error, void *context)
{
	struct imap_relay *relay = context;

	(void)connection;
	(void)error;
	relay->ended(relay->context);
}

static const struct connection_handler worker_handler = {
	.readable = worker_readable,
	.writable = worker_writable,
	.ended = worker_ended,
};

struct imap_relay *
imap_relay_new(struct event_loop *loop, struct connection *client,
    int stream_fd, void (*ended)(void *context), void *context)
{
	struct imap_relay *relay = memory_new(1, sizeof(*relay));

	relay->client = client;
	relay->ended = ended;
	relay->context = context;
	relay->worker = connection_new(loop, stream_fd, RELAY_INPUT_LIMIT,
	    RELAY_OUTPUT_LIMIT, &worker_handler, relay);
	/* What the client sent behind his login. */
	move_bytes(client, relay->worker);
	return relay;
}

void
imap_relay_free(struct imap_relay **relay)
{
	if (*relay == NULL)
		return;
	connection_free(&(*relay)->worker);
	memory_free(relay);
}

void
imap_relay_client_readable(struct imap_relay *relay)
{
	move_bytes(relay->client, relay->worker);
}

void
imap_relay_client_writable(struct imap_relay *relay)
{
	move_bytes(relay->worker, relay->client);
}

void
imap_relay_client_ended(struct imap_relay *relay)
{
	relay->client = NULL;
	connection_finish(relay->worker);
}

bool
imap_relay_park(struct imap_relay *relay)
{
	if (relay->client == NULL || relay->is_parked ||
	    connection_input(relay->client)->size > 0 ||
	    connection_input(relay->worker)->size > 0 ||
	    connection_output_room(relay->worker) != RELAY_OUTPUT_LIMIT)
		return false;
	connection_pause(relay->client);
	relay->is_parked = true;
	return true;
}

bool
imap_relay_is_parked(const struct imap_relay *relay)
{
	return relay->is_parked;
}

void
imap_relay_unpark(struct imap_relay *relay)
{
	relay->is_parked = false;
	if (relay->client != NULL)
		connection_resume(relay->client);
}
