/*
 * See channel.h.  A packet waits as a struct packet in one of two lanes: the
 * request lane (requests and the parts before them), which stops while
 * CHANNEL_CREDIT requests are unanswered, and the answer lane (answers and
 * notices), which never does.
 */
#include "common/channel.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHANNEL_DEFAULT_LIMIT = 8 * 1024 * 1024,
	/* A busy peer is left for the others after so many packets. */
	CHANNEL_PACKETS_A_ROUND = 64
};

struct packet {
	struct packet *next;
	enum message_flow flow;
	size_t size;
	size_t fd_count;
	int fds[CHANNEL_MAX_DESCRIPTORS];
	uint8_t data[];
};

struct lane {
	struct packet *first;
	struct packet **end;
};

struct channel {
	int fd;
	enum role self;
	enum role peer;
	struct watch *watch;
	const struct channel_handler *handler;
	void *context;
	struct lane requests;
	struct lane answers;
	size_t waiting_bytes;
	size_t limit_bytes;
	unsigned int asked;     /* our requests without their answer */
	unsigned int to_answer; /* the peer's requests without ours */
	bool is_paused;
	bool cannot_send;
	bool is_closed;
	bool was_waiting;
	bool *was_freed; /* set while a callback runs */
	void (*drained)(struct channel *channel, void *context);
	struct timer *closed_timer; /* tells `closed` outside channel_send */
	struct error closed_error;
};

/* -- Sending -- */

static void
lane_clear(struct lane *lane)
{
	struct packet *packet;

	while ((packet = lane->first) != NULL) {
		lane->first = packet->next;
		packet_close_all(packet->fds, packet->fd_count);
		free(packet);
	}
	lane->end = &lane->first;
}

static struct lane *
lane_of(struct channel *channel, enum message_flow flow)
{
	if (flow == FLOW_REQUEST || flow == FLOW_PART)
		return &channel->requests;
	return &channel->answers;
}

static bool
has_credit(const struct channel *channel, enum message_flow flow)
{
	return flow != FLOW_REQUEST || channel->asked < CHANNEL_CREDIT;
}

static void
count_sent(struct channel *channel, enum message_flow flow)
{
	if (flow == FLOW_REQUEST)
		channel->asked++;
	if (flow == FLOW_ANSWER && channel->to_answer > 0)
		channel->to_answer--;
}

static struct packet *
packet_new(const uint8_t *data, size_t size, enum message_flow flow,
    const int *fds, size_t fd_count)
{
	struct packet *packet = memory_new(1, sizeof(*packet) + size);

	packet->flow = flow;
	packet->size = size;
	memcpy(packet->data, data, size);
	for (size_t i = 0; i < fd_count; i++) {
		packet->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (packet->fds[i] == -1) {
			packet_close_all(packet->fds, i);
			free(packet);
			return NULL;
		}
		packet->fd_count++;
	}
	return packet;
}

static void
update_watch(struct channel *channel)
{
	int events = channel->is_paused ? 0 : WATCH_READ;
	const struct packet *request = channel->requests.first;

	if (channel->answers.first != NULL ||
	    (request != NULL && has_credit(channel, request->flow)))
		events |= WATCH_WRITE;
	watch_set(channel->watch, events);
}

/* Sends what the lane has until the kernel or the credit ends it: 0, or -1
 * and errno. */
static int
lane_send(struct channel *channel, struct lane *lane)
{
	struct packet *packet;

	while ((packet = lane->first) != NULL &&
	       has_credit(channel, packet->flow)) {
		if (packet_send(channel->fd, packet->data, packet->size,
			packet->fds, packet->fd_count) == -1)
			return errno == EAGAIN ? 0 : -1;
		count_sent(channel, packet->flow);
		channel->waiting_bytes -= packet->size;
		lane->first = packet->next;
		if (lane->first == NULL)
			lane->end = &lane->first;
		packet_close_all(packet->fds, packet->fd_count);
		free(packet);
	}
	return 0;
}

/* Nothing can be sent any more. What the peer said before is still read; the
 * end that follows it is what `closed` is told about. */
static void
stop_sending(struct channel *channel)
{
	channel->cannot_send = true;
	lane_clear(&channel->requests);
	lane_clear(&channel->answers);
	channel->waiting_bytes = 0;
	channel->is_paused = false;
	update_watch(channel);
}

/* The channel is over; `closed` is told when the loop runs again, since we may
 * be inside a call of the owner's. */
static void
end_channel(struct channel *channel)
{
	stop_sending(channel);
	channel->is_closed = true;
	watch_set(channel->watch, 0);
	timer_start(channel->closed_timer, 0);
}

static void
tell_closed(void *context)
{
	struct channel *channel = context;
	struct error error = channel->closed_error;

	/* A copy: the owner frees the channel and may look at it afterwards. */
	channel->handler->closed(channel, &error, channel->context);
}

/* Sends the packet now: 1, 0 if it must wait, -1 if it never will go. */
static int
send_at_once(struct channel *channel, const struct message_rule *rule,
    const uint8_t *data, size_t size, const int *fds, size_t fd_count)
{
	if (lane_of(channel, rule->flow)->first != NULL ||
	    !has_credit(channel, rule->flow))
		return 0;
	if (packet_send(channel->fd, data, size, fds, fd_count) == 0) {
		count_sent(channel, rule->flow);
		return 1;
	}
	if (errno == EAGAIN)
		return 0;
	stop_sending(channel);
	return -1;
}

static int
send_later(struct channel *channel, const struct message_rule *rule,
    const uint8_t *data, size_t size, const int *fds, size_t fd_count)
{
	struct lane *lane = lane_of(channel, rule->flow);
	struct packet *packet;

	if (channel->waiting_bytes + size > channel->limit_bytes)
		return -1;
	packet = packet_new(data, size, rule->flow, fds, fd_count);
	if (packet == NULL)
		return -1;
	*lane->end = packet;
	lane->end = &packet->next;
	channel->waiting_bytes += size;
	channel->was_waiting = true;
	update_watch(channel);
	return 0;
}

int
channel_send(struct channel *channel, const struct message *message,
    const int *fds, size_t fd_count)
{
	static uint8_t data[MESSAGE_MAX_SIZE];
	const struct message_rule *rule;
	size_t size;
	int sent;

	rule = packet_encode(
	    message, channel->self, channel->peer, fd_count, data, &size);
	if (channel->cannot_send)
		return -1;
	sent = send_at_once(channel, rule, data, size, fds, fd_count);
	if (sent != 0)
		return sent == 1 ? 0 : -1;
	return send_later(channel, rule, data, size, fds, fd_count);
}

/* -- Receiving -- */

/* What the table cannot know: answers that nobody asked for, and too many
 * requests at once. */
static int
check_flow(struct channel *channel, const struct message_rule *rule,
    struct error *error)
{
	if (rule->flow == FLOW_ANSWER) {
		if (channel->asked == 0)
			return error_set(error, ERROR_INPUT,
			    "answer %s without a request", rule->name);
		channel->asked--;
	}
	if (rule->flow == FLOW_REQUEST && ++channel->to_answer > CHANNEL_CREDIT)
		return error_set(error, ERROR_INPUT,
		    "more than %d requests at once", CHANNEL_CREDIT);
	return 0;
}

/* Hands one packet to the owner; -1 if he freed the channel. */
static int
take_packet(struct channel *channel, const uint8_t *data, size_t size, int *fds,
    size_t fd_count)
{
	struct message message;
	const struct message_rule *rule;
	bool was_freed = false;

	rule = packet_check(data, size, fd_count, channel->peer, channel->self,
	    &message, &channel->closed_error);
	if (rule == NULL ||
	    check_flow(channel, rule, &channel->closed_error) == -1) {
		packet_close_all(fds, fd_count);
		end_channel(channel);
		return 0;
	}
	for (size_t i = fd_count; i < CHANNEL_MAX_DESCRIPTORS; i++)
		fds[i] = -1;
	/* Points here only while this call runs. */
	/* cppcheck-suppress autoVariables */
	channel->was_freed = &was_freed;
	channel->handler->received(channel, &message, fds, channel->context);
	packet_close_all(fds, fd_count);
	if (was_freed)
		return -1;
	channel->was_freed = NULL;
	if (rule->flow == FLOW_ANSWER && !channel->is_closed)
		update_watch(channel);
	return 0;
}

/* Why nothing more can be received: from the size and errno of the attempt. */
static void
end_of_receiving(struct channel *channel, ssize_t size)
{
	if (size == 0) {
		error_set(&channel->closed_error, ERROR_UNAVAILABLE,
		    "%s closed the channel", role_name(channel->peer));
	} else {
		enum error_code code =
		    errno == EMSGSIZE ? ERROR_INPUT : ERROR_UNAVAILABLE;

		error_set_errno(&channel->closed_error, "receive from %s",
		    role_name(channel->peer));
		channel->closed_error.code = code;
	}
	end_channel(channel);
}

/* -1 if the owner freed the channel. */
static int
read_packets(struct channel *channel)
{
	static uint8_t data[MESSAGE_MAX_SIZE];
	int fds[CHANNEL_MAX_DESCRIPTORS];
	size_t fd_count;

	for (int i = 0; i < CHANNEL_PACKETS_A_ROUND; i++) {
		unsigned int was_asked = channel->asked;
		ssize_t size;

		if (channel->is_closed || channel->is_paused)
			return 0;
		size = packet_receive(channel->fd, data, fds, &fd_count);
		if (size == -1 && errno == EAGAIN)
			return 0;
		if (size <= 0) {
			packet_close_all(fds, fd_count);
			end_of_receiving(channel, size);
			return 0;
		}
		if (take_packet(channel, data, (size_t)size, fds, fd_count) ==
		    -1)
			return -1;
		/* The last answer: most likely nothing is behind it. */
		if (was_asked > 0 && channel->asked == 0)
			return 0;
	}
	return 0;
}

static void
write_packets(struct channel *channel)
{
	if (lane_send(channel, &channel->answers) == -1 ||
	    lane_send(channel, &channel->requests) == -1) {
		stop_sending(channel);
		return;
	}
	update_watch(channel);
	if (channel->was_waiting && channel->waiting_bytes == 0) {
		channel->was_waiting = false;
		if (channel->drained != NULL)
			channel->drained(channel, channel->context);
	}
}

static void
channel_ready(int fd, int events, void *context)
{
	struct channel *channel = context;

	(void)fd;
	if ((events & WATCH_READ) && read_packets(channel) == -1)
		return;
	if ((events & WATCH_WRITE) && !channel->cannot_send)
		write_packets(channel);
}

/* -- The object -- */

struct channel *
channel_new(struct event_loop *loop, int fd, enum role self, enum role peer,
    const struct channel_handler *handler, void *context)
{
	struct channel *channel = memory_new(1, sizeof(*channel));

	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		fatal("what=\"bad channel descriptor\" fd=%d", fd);
	channel->fd = fd;
	channel->self = self;
	channel->peer = peer;
	channel->handler = handler;
	channel->context = context;
	channel->limit_bytes = CHANNEL_DEFAULT_LIMIT;
	channel->requests.end = &channel->requests.first;
	channel->answers.end = &channel->answers.first;
	channel->closed_timer = timer_new(loop, tell_closed, channel);
	channel->watch =
	    watch_new(loop, fd, WATCH_READ, channel_ready, channel);
	return channel;
}

void
channel_free(struct channel **channel)
{
	struct channel *c = *channel;

	if (c == NULL)
		return;
	if (c->was_freed != NULL)
		*c->was_freed = true;
	lane_clear(&c->requests);
	lane_clear(&c->answers);
	timer_free(&c->closed_timer);
	watch_free(&c->watch);
	close(c->fd);
	memory_free(channel);
}

size_t
channel_waiting_bytes(const struct channel *channel)
{
	return channel->waiting_bytes;
}

void
channel_set_limit(struct channel *channel, size_t limit_bytes)
{
	channel->limit_bytes = limit_bytes;
}

void
channel_on_drained(struct channel *channel,
    void (*callback)(struct channel *channel, void *context))
{
	channel->drained = callback;
}

void
channel_pause(struct channel *channel)
{
	if (channel->cannot_send)
		return;
	channel->is_paused = true;
	update_watch(channel);
}

void
channel_resume(struct channel *channel)
{
	if (channel->is_closed)
		return;
	channel->is_paused = false;
	update_watch(channel);
}

enum role
channel_peer(const struct channel *channel)
{
	return channel->peer;
}

void
channel_set_context(struct channel *channel, void *context)
{
	channel->context = context;
}
