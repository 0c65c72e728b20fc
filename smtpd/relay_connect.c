/* See relay_connect.h. */
#include "smtpd/relay_connect.h"

#include "common/memory.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct attempt {
	struct relay_connect *connecting;
	const struct relay_address *address;
	struct watch *watch; /* NULL: not begun, or failed */
	int fd;
};

struct relay_connect {
	struct relay_connect_setup setup;
	struct relay_addresses addresses;
	struct relay_address source;
	bool has_source;
	struct timer *timer;
	struct attempt attempts[RELAY_MAX_ADDRESSES];
	size_t next;
	size_t open;
	struct error error; /* of the last that failed */
	relay_connected *done;
	void *context;
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
fill(union socket_address *to, const struct relay_address *from, uint16_t port)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = (sa_family_t)from->family;
	if (from->family == AF_INET) {
		to->v4.sin_addr = from->v4;
		to->v4.sin_port = htons(port);
		return sizeof(to->v4);
	}
	to->v6.sin6_addr = from->v6;
	to->v6.sin6_port = htons(port);
	return sizeof(to->v6);
}

static void
drop(struct attempt *attempt)
{
	if (attempt->watch == NULL)
		return;
	watch_free(&attempt->watch);
	close(attempt->fd);
	attempt->connecting->open--;
}

static void
finish(struct relay_connect *connecting, int fd,
    const struct relay_address *address)
{
	timer_stop(connecting->timer);
	for (size_t i = 0; i < connecting->next; i++)
		drop(&connecting->attempts[i]);
	connecting->done(fd, address, &connecting->error, connecting->context);
}

static void
note_failure(struct relay_connect *connecting,
    const struct relay_address *address, int why)
{
	char text[RELAY_ADDRESS_SIZE];

	relay_address_format(address, text);
	errno = why;
	error_set_errno(&connecting->error, "connect to %s port %u", text,
	    connecting->setup.port);
}

static void begin_next(struct relay_connect *connecting);

static void
on_writable(int fd, int events, void *context)
{
	struct attempt *attempt = context;
	struct relay_connect *connecting = attempt->connecting;
	socklen_t size = sizeof(int);
	int one = 1, why = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) == -1)
		why = errno;
	if (why != 0) {
		drop(attempt);
		note_failure(connecting, attempt->address, why);
		begin_next(connecting);
		return;
	}
	watch_free(&attempt->watch);
	connecting->open--;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	finish(connecting, fd, attempt->address);
}

static int
open_socket(
    struct relay_connect *connecting, const struct relay_address *address)
{
	union socket_address to;
	socklen_t size;
	int fd = socket(
	    address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	size = fill(&to, &connecting->source, 0);
	if (connecting->has_source && bind(fd, &to.any, size) == -1) {
		close(fd);
		return -1;
	}
	size = fill(&to, address, connecting->setup.port);
	if (connect(fd, &to.any, size) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

/* The next address that can be tried at all; without one, and with none under
 * way, it is over. */
static void
begin_next(struct relay_connect *connecting)
{
	while (connecting->next < connecting->addresses.count) {
		struct attempt *attempt =
		    &connecting->attempts[connecting->next];
		const struct relay_address *address =
		    &connecting->addresses.all[connecting->next++];

		if (connecting->has_source &&
		    connecting->source.family != address->family)
			continue;
		attempt->connecting = connecting;
		attempt->address = address;
		attempt->fd = open_socket(connecting, address);
		if (attempt->fd == -1) {
			note_failure(connecting, address, errno);
			continue;
		}
		attempt->watch = watch_new(connecting->setup.loop, attempt->fd,
		    WATCH_WRITE, on_writable, attempt);
		connecting->open++;
		timer_start(connecting->timer,
		    connecting->next < connecting->addresses.count
			? connecting->setup.next_ms
			: connecting->setup.deadline_ms);
		return;
	}
	if (connecting->open == 0)
		finish(connecting, -1, NULL);
	else
		timer_start(connecting->timer, connecting->setup.deadline_ms);
}

static void
on_timer(void *context)
{
	struct relay_connect *connecting = context;

	if (connecting->next < connecting->addresses.count) {
		begin_next(connecting);
		return;
	}
	for (size_t i = 0; i < connecting->next; i++)
		if (connecting->attempts[i].watch != NULL)
			note_failure(connecting,
			    connecting->attempts[i].address, ETIMEDOUT);
	finish(connecting, -1, NULL);
}

struct relay_connect *
relay_connect_new(const struct relay_connect_setup *setup,
    relay_connected *done, void *context)
{
	struct relay_connect *connecting = memory_new(1, sizeof(*connecting));

	connecting->setup = *setup;
	connecting->addresses = *setup->addresses;
	connecting->done = done;
	connecting->context = context;
	connecting->has_source =
	    setup->source.size > 0 &&
	    relay_address_parse(setup->source, &connecting->source);
	error_set(&connecting->error, ERROR_UNAVAILABLE,
	    "no address of the family of the source");
	connecting->timer = timer_new(setup->loop, on_timer, connecting);
	timer_start(connecting->timer, 0);
	return connecting;
}

void
relay_connect_free(struct relay_connect **connecting)
{
	if (*connecting == NULL)
		return;
	for (size_t i = 0; i < (*connecting)->next; i++)
		drop(&(*connecting)->attempts[i]);
	timer_free(&(*connecting)->timer);
	memory_free(connecting);
}
