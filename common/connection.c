/*
 * Byte streams over the event loop.  Reading stops when the input is full or
 * the owner pauses, writing waits in a bounded buffer; what the descriptor has
 * to be watched for is decided in one place, connection_arm.  A callback may
 * free the connection: `is_freed` is looked at after each.
 */
#include "common/connection.h"

#include "common/memory.h"
#include "common/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_STEP = 16384, /* a TLS record */
	READS_A_ROUND = 8, /* then others have their turn */
	ACKNOWLEDGE_MS = 1
};

enum connection_state {
	CONNECTION_OPEN,
	CONNECTION_HANDSHAKE,
	CONNECTION_FINISHING, /* output, then close */
	CONNECTION_ENDED
};

struct connection {
	struct event_loop *loop;
	int fd;
	enum connection_state state;
	struct watch *watch;
	struct timer *timer; /* silence */
	struct timer *soon;  /* readable again after resume, finish */
	struct timer *flush; /* output that was written outside a callback */
	struct timer *stall; /* NULL: what is written is taken */
	struct timer *acknowledge; /* NULL: the kernel does as it likes */
	int64_t timeout_ms;
	int64_t stall_ms;
	struct buf input;
	struct buf output;
	bool is_paused;
	bool was_above_half;
	bool is_held;  /* output waits for more, up to half of the limit */
	bool is_freed; /* freed in a callback: memory goes at its end */
	int depth;     /* of callbacks */
	bool tls_read_wants_write;
	bool tls_write_wants_read;
	struct tls_session *tls;
	const struct tls_operations *operations;
	const struct connection_handler *handler;
	void *context;
};

static void connection_arm(struct connection *connection);

static void
leave(struct connection *connection)
{
	if (--connection->depth == 0 && connection->is_freed)
		memory_free(&connection);
}

static void
end(struct connection *connection, enum error_code code, const char *why)
{
	struct error error = { 0 };

	if (connection->state == CONNECTION_ENDED || connection->is_freed)
		return;
	connection->state = CONNECTION_ENDED;
	watch_set(connection->watch, 0);
	timer_stop(connection->timer);
	timer_free(&connection->stall);
	timer_free(&connection->acknowledge);
	error_set(&error, code, "%s", why);
	connection->handler->ended(connection, &error, connection->context);
}

static bool
is_over(const struct connection *connection)
{
	return connection->is_freed || connection->state == CONNECTION_ENDED;
}

/* One read into the input; TLS_DONE with *done bytes. */
static enum tls_step
read_some(struct connection *connection, uint8_t *data, size_t size,
    size_t *done, struct error *error)
{
	ssize_t n;

	if (connection->tls != NULL)
		return connection->operations->read(
		    connection->tls, data, size, done, error);
	n = recv(connection->fd, data, size, 0);
	if (n > 0) {
		*done = (size_t)n;
		return TLS_DONE;
	}
	if (n == 0)
		return TLS_CLOSED;
	if (errno == EAGAIN || errno == EINTR)
		return TLS_WANT_READ;
	error_set_errno(error, "read");
	return TLS_FAILED;
}

static enum tls_step
write_some(struct connection *connection, size_t *done, struct error *error)
{
	ssize_t n;

	if (connection->tls != NULL)
		return connection->operations->write(connection->tls,
		    connection->output.data, connection->output.size, done,
		    error);
	/* The last bytes go out with the end of the stream. */
	n = send(connection->fd, connection->output.data,
	    connection->output.size,
	    MSG_NOSIGNAL |
		(connection->state == CONNECTION_FINISHING ? MSG_MORE : 0));
	if (n >= 0) {
		*done = (size_t)n;
		return TLS_DONE;
	}
	if (errno == EAGAIN || errno == EINTR)
		return TLS_WANT_WRITE;
	error_set_errno(error, "write");
	return TLS_FAILED;
}

static void
touch(struct connection *connection)
{
	if (connection->timeout_ms > 0)
		timer_start(connection->timer, connection->timeout_ms);
}

static bool
can_write(const struct connection *connection)
{
	const struct buf *output = &connection->output;

	return output->size > 0 &&
	       (!connection->is_held || output->size > output->max_size / 2);
}

static bool
can_read(const struct connection *connection)
{
	return connection->state == CONNECTION_OPEN && !connection->is_paused &&
	       connection->input.size < connection->input.max_size;
}

/* The peer sends no more but may read: a client that pipes in commands and
 * closes. */
static void
flush_last(struct connection *connection)
{
	struct error error = { 0 };
	enum tls_step step = TLS_DONE;

	while (connection->output.size > 0 && step == TLS_DONE) {
		size_t done = 0;

		step = write_some(connection, &done, &error);
		buf_cut(&connection->output, done);
	}
}

static void
end_by_step(struct connection *connection, enum tls_step step,
    const struct error *error)
{
	if (step == TLS_CLOSED)
		end(connection, ERROR_UNAVAILABLE, "closed by the peer");
	else
		end(connection, error->code, error->text);
}

/* Reads and tells the owner; true if there may be more at once. */
static bool
read_once(struct connection *connection)
{
	struct buf *input = &connection->input;
	size_t room = input->max_size - input->size;
	size_t size = room < READ_STEP ? room : READ_STEP;
	uint8_t *data = buf_reserve(input, size);
	struct error error = { 0 };
	size_t done = 0;
	enum tls_step step;

	step = read_some(connection, data, size, &done, &error);
	connection->tls_read_wants_write = step == TLS_WANT_WRITE;
	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		return false;
	if (step != TLS_DONE) {
		if (step == TLS_CLOSED)
			flush_last(connection);
		end_by_step(connection, step, &error);
		return false;
	}
	buf_added(input, done);
	touch(connection);
	connection->handler->readable(connection, connection->context);
	/* A plain socket that gave less has no more; TLS may hold a record. */
	return connection->tls != NULL || done == size;
}

/* The kernel forgets it whenever it sees question and answer alternate. */
static void
on_acknowledge(void *context)
{
	const struct connection *connection = context;
	const int on = 1;

	(void)setsockopt(
	    connection->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* Something was read: an answer that goes out before carries it. */
static void
acknowledge(struct connection *connection)
{
	if (!is_over(connection) && connection->acknowledge != NULL)
		timer_start(connection->acknowledge, ACKNOWLEDGE_MS);
}

static void
read_all(struct connection *connection)
{
	for (int i = 0; i < READS_A_ROUND; i++) {
		if (is_over(connection) || !can_read(connection) ||
		    !read_once(connection)) {
			acknowledge(connection);
			return;
		}
	}
	acknowledge(connection);
	/* OpenSSL may hold bytes that no descriptor will tell of. */
	if (!is_over(connection) && connection->tls != NULL)
		timer_start(connection->soon, 0);
}

static void
tell_writable(struct connection *connection)
{
	struct buf *output = &connection->output;

	if (!connection->was_above_half ||
	    output->size >= output->max_size / 2 ||
	    connection->state != CONNECTION_OPEN)
		return;
	connection->was_above_half = false;
	if (connection->handler->writable != NULL)
		connection->handler->writable(connection, connection->context);
}

static void
on_stall(void *context)
{
	struct connection *connection = context;

	connection->depth++;
	end(connection, ERROR_LIMIT, "reads nothing");
	leave(connection);
}

/* Output is left, or was taken. */
static void
watch_reader(struct connection *connection, bool was_taken)
{
	if (connection->output.size == 0) {
		timer_free(&connection->stall);
		return;
	}
	if (connection->stall_ms == 0 ||
	    (connection->stall != NULL && !was_taken))
		return;
	if (connection->stall == NULL)
		connection->stall =
		    timer_new(connection->loop, on_stall, connection);
	timer_start(connection->stall, connection->stall_ms);
}

/* As much as the socket takes; the owner is told nothing. */
static enum tls_step
send_output(struct connection *connection, struct error *error)
{
	size_t before = connection->output.size;
	enum tls_step step = TLS_DONE;

	connection->tls_write_wants_read = false;
	while (connection->output.size > 0 && step == TLS_DONE) {
		size_t done = 0;

		step = write_some(connection, &done, error);
		buf_cut(&connection->output, done);
	}
	connection->tls_write_wants_read = step == TLS_WANT_READ;
	if (step == TLS_CLOSED || step == TLS_FAILED)
		return step;
	if (connection->output.size < before) {
		touch(connection);
		if (connection->acknowledge != NULL)
			timer_stop(connection->acknowledge);
	}
	watch_reader(connection, connection->output.size < before);
	if (connection->output.size == 0)
		buf_clear(&connection->output); /* idle: no memory */
	return step;
}

static void
write_all(struct connection *connection)
{
	struct error error = { 0 };
	enum tls_step step = send_output(connection, &error);

	if (step == TLS_CLOSED || step == TLS_FAILED) {
		end_by_step(connection, step, &error);
		return;
	}
	tell_writable(connection);
	if (!is_over(connection) && connection->output.size == 0 &&
	    connection->state == CONNECTION_FINISHING) {
		if (connection->tls != NULL)
			(void)connection->operations->close(connection->tls);
		(void)shutdown(connection->fd, SHUT_WR);
		end(connection, ERROR_NONE, "finished");
	}
}

static void
handshake(struct connection *connection)
{
	struct error error = { 0 };
	enum tls_step step =
	    connection->operations->handshake(connection->tls, &error);

	connection->tls_write_wants_read = step == TLS_WANT_READ;
	connection->tls_read_wants_write = step == TLS_WANT_WRITE;
	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		return;
	if (step != TLS_DONE) {
		end_by_step(connection, step, &error);
		return;
	}
	connection->tls_write_wants_read = false;
	connection->state = CONNECTION_OPEN;
	touch(connection);
	read_all(connection);
}

static void
connection_arm(struct connection *connection)
{
	int events = 0;

	if (is_over(connection))
		return;
	if (connection->state == CONNECTION_HANDSHAKE) {
		events =
		    connection->tls_read_wants_write ? WATCH_WRITE : WATCH_READ;
	} else {
		if (can_read(connection) || connection->tls_write_wants_read)
			events |= WATCH_READ;
		if ((can_write(connection) &&
			!connection->tls_write_wants_read) ||
		    connection->tls_read_wants_write)
			events |= WATCH_WRITE;
	}
	watch_set(connection->watch, events);
}

static void
work(struct connection *connection, bool is_readable)
{
	connection->depth++;
	if (connection->state == CONNECTION_HANDSHAKE)
		handshake(connection);
	else if (is_readable || connection->tls_read_wants_write)
		read_all(connection);
	if (!is_over(connection) && connection->state != CONNECTION_HANDSHAKE &&
	    (can_write(connection) ||
		connection->state == CONNECTION_FINISHING))
		write_all(connection);
	if (!connection->is_freed && connection->input.size == 0)
		buf_clear(&connection->input); /* idle: no memory */
	connection_arm(connection);
	leave(connection);
}

static void
on_ready(int fd, int events, void *context)
{
	work(context, (events & WATCH_READ) != 0);
}

/* After a resume, or with bytes left in OpenSSL: what waits is told first. */
static void
on_soon(void *context)
{
	struct connection *connection = context;

	connection->depth++;
	if (connection->state == CONNECTION_OPEN && !connection->is_paused &&
	    connection->input.size > 0)
		connection->handler->readable(connection, connection->context);
	if (!is_over(connection))
		work(connection, true);
	leave(connection);
}

/* Most output goes out at once: asking the kernel to tell when it can would
 * cost four system calls more. */
static void
on_flush(void *context)
{
	work(context, false);
}

static void
on_silence(void *context)
{
	struct connection *connection = context;

	connection->depth++;
	end(connection, ERROR_UNAVAILABLE, "timeout");
	leave(connection);
}

struct connection *
connection_new(struct event_loop *loop, int fd, size_t input_limit,
    size_t output_limit, const struct connection_handler *handler,
    void *context)
{
	struct connection *connection = memory_new(1, sizeof(*connection));

	connection->loop = loop;
	connection->fd = fd;
	connection->handler = handler;
	connection->context = context;
	buf_init(&connection->input, input_limit);
	buf_init(&connection->output, output_limit);
	connection->watch =
	    watch_new(loop, fd, WATCH_READ, on_ready, connection);
	connection->timer = timer_new(loop, on_silence, connection);
	connection->soon = timer_new(loop, on_soon, connection);
	connection->flush = timer_new(loop, on_flush, connection);
	return connection;
}

void
connection_free(struct connection **pointer)
{
	struct connection *connection = *pointer;

	if (connection == NULL)
		return;
	*pointer = NULL;
	watch_free(&connection->watch);
	timer_free(&connection->timer);
	timer_free(&connection->soon);
	timer_free(&connection->flush);
	timer_free(&connection->stall);
	timer_free(&connection->acknowledge);
	if (connection->tls != NULL)
		connection->operations->session_free(&connection->tls);
	buf_clear(&connection->input);
	buf_clear(&connection->output);
	close(connection->fd);
	connection->is_freed = true;
	if (connection->depth == 0)
		memory_free(&connection);
}

struct buf *
connection_input(struct connection *connection)
{
	return &connection->input;
}

int
connection_write(struct connection *connection, const void *data, size_t size)
{
	if (connection->state != CONNECTION_OPEN &&
	    connection->state != CONNECTION_HANDSHAKE)
		return -1;
	if (buf_put(&connection->output, data, size) == -1)
		return -1;
	if (connection->output.size > connection->output.max_size / 2)
		connection->was_above_half = true;
	if (connection->depth == 0 && can_write(connection) &&
	    (connection->output.size == size || connection->is_held))
		timer_start(connection->flush, 0);
	return 0;
}

void
connection_flush(struct connection *connection)
{
	struct error error = { 0 };
	enum tls_step step;

	/* What the owner is to be told of is the loop's. */
	if (connection->depth > 0 || connection->state != CONNECTION_OPEN ||
	    connection->was_above_half || !can_write(connection))
		return;
	step = send_output(connection, &error);
	if (step == TLS_CLOSED || step == TLS_FAILED) {
		timer_start(connection->flush, 0); /* it meets it again */
		return;
	}
	timer_stop(connection->flush);
	connection_arm(connection);
}

void
connection_acknowledge_soon(struct connection *connection)
{
	connection->acknowledge =
	    timer_new(connection->loop, on_acknowledge, connection);
}

void
connection_hold(struct connection *connection, bool is_held)
{
	bool was_held = connection->is_held;

	connection->is_held = is_held;
	if (was_held && connection->depth == 0 && can_write(connection))
		timer_start(connection->flush, 0);
}

size_t
connection_output_room(const struct connection *connection)
{
	return connection->output.max_size - connection->output.size;
}

void
connection_finish(struct connection *connection)
{
	if (connection->state != CONNECTION_OPEN &&
	    connection->state != CONNECTION_HANDSHAKE)
		return;
	connection->state = CONNECTION_FINISHING;
	connection->is_held = false;
	if (connection->tls != NULL)
		connection->operations->expect_end(connection->tls);
	timer_start(connection->soon, 0);
}

void
connection_pause(struct connection *connection)
{
	connection->is_paused = true;
	if (connection->depth == 0)
		connection_arm(connection);
}

void
connection_resume(struct connection *connection)
{
	if (!connection->is_paused)
		return;
	connection->is_paused = false;
	timer_start(connection->soon, 0);
}

void
connection_set_timeout(struct connection *connection, int64_t timeout_ms)
{
	connection->timeout_ms = timeout_ms;
	if (timeout_ms > 0)
		timer_start(connection->timer, timeout_ms);
	else
		timer_stop(connection->timer);
}

void
connection_set_stall(struct connection *connection, int64_t stall_ms)
{
	connection->stall_ms = stall_ms;
}

/* The bytes of STARTTLS go out in clear before the handshake, and none may have
 * come that would seem to have been protected. */
static int
make_ready_for_tls(struct connection *connection)
{
	if (connection->input.size > 0 || connection->tls != NULL ||
	    connection->state != CONNECTION_OPEN)
		return -1;
	while (connection->output.size > 0) {
		struct error error = { 0 };
		size_t done = 0;

		if (write_some(connection, &done, &error) != TLS_DONE)
			return -1;
		buf_cut(&connection->output, done);
	}
	buf_clear(&connection->input);
	return 0;
}

int
connection_start_tls(struct connection *connection, struct tls_server *tls)
{
	const struct tls_server_head *head = (const void *)tls;

	if (make_ready_for_tls(connection) == -1)
		return -1;
	connection->operations = head->operations;
	connection->tls = head->operations->session_new(tls, connection->fd);
	if (connection->tls == NULL)
		return -1;
	connection->state = CONNECTION_HANDSHAKE;
	if (connection->depth == 0)
		connection_arm(connection);
	return 0;
}

int
connection_start_tls_client(struct connection *connection,
    const struct tls_operations *operations, struct tls_session *session)
{
	if (make_ready_for_tls(connection) == -1) {
		operations->session_free(&session);
		return -1;
	}
	connection->operations = operations;
	connection->tls = session;
	connection->state = CONNECTION_HANDSHAKE;
	/* It is the client that speaks first. */
	timer_start(connection->flush, 0);
	return 0;
}

bool
connection_is_tls(const struct connection *connection)
{
	return connection->tls != NULL;
}

const char *
connection_tls_name(const struct connection *connection)
{
	if (connection->tls == NULL)
		return "";
	return connection->operations->name(connection->tls);
}

int
connection_fd(const struct connection *connection)
{
	return connection->fd;
}
