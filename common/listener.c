/* See listener.h. */
#include "common/listener.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* Others get their turn after so many. */
	LISTENER_ACCEPTS_A_ROUND = 32,
	/* No descriptor left: wait for some to be closed. */
	LISTENER_PAUSE_MS = 200
};

struct listener_limits {
	uint32_t max_connections;
	uint32_t max_per_address;
	uint32_t count;
	struct table *addresses; /* of the address or /64 to uint32_t */
};

struct listener {
	int fd;
	struct watch *watch;
	struct timer *pause;
	struct listener_limits *limits;
	void (*accepted)(int fd, const char *ip, bool is_loopback,
	    bool is_refused, void *context);
	void *context;
};

struct client_address {
	char ip[LISTENER_ADDRESS_SIZE];
	bool is_loopback;
};

struct listener_limits *
listener_limits_new(
    uint32_t max_connections, uint32_t max_connections_per_address)
{
	struct listener_limits *limits = memory_new(1, sizeof(*limits));

	limits->addresses = table_new();
	listener_limits_set(
	    limits, max_connections, max_connections_per_address);
	return limits;
}

void
listener_limits_set(struct listener_limits *limits, uint32_t max_connections,
    uint32_t max_connections_per_address)
{
	limits->max_connections = max_connections;
	limits->max_per_address = max_connections_per_address;
}

void
listener_limits_free(struct listener_limits **limits)
{
	size_t position = 0;
	void *count;

	if (*limits == NULL)
		return;
	while (table_next((*limits)->addresses, &position, NULL, NULL, &count))
		free(count);
	table_free(&(*limits)->addresses);
	memory_free(limits);
}

/* The bytes that connections are counted by: 4 of IPv4, 8 of IPv6. */
static size_t
counted_bytes(const char *ip, uint8_t bytes[16])
{
	if (inet_pton(AF_INET, ip, bytes) == 1)
		return 4;
	if (inet_pton(AF_INET6, ip, bytes) == 1)
		return 8;
	return 0;
}

/* False if one of the limits is reached; else the connection is counted. */
static bool
take_place(struct listener_limits *limits, const char *ip)
{
	uint8_t bytes[16];
	size_t size = counted_bytes(ip, bytes);
	uint32_t *count = table_find(limits->addresses, bytes, size);

	/* Programs of this machine have one address, and no limit of it. */
	if (limits->count >= limits->max_connections ||
	    (size > 0 && count != NULL && *count >= limits->max_per_address) ||
	    limits->max_per_address == 0)
		return false;
	if (count == NULL) {
		count = memory_new(1, sizeof(*count));
		table_put(limits->addresses, bytes, size, count);
	}
	++*count;
	limits->count++;
	return true;
}

void
listener_limits_release(struct listener_limits *limits, const char *ip)
{
	uint8_t bytes[16];
	size_t size = counted_bytes(ip, bytes);
	uint32_t *count = table_find(limits->addresses, bytes, size);

	if (count == NULL)
		return;
	limits->count--;
	if (--*count == 0) {
		table_remove(limits->addresses, bytes, size);
		free(count);
	}
}

/* IPv4 clients of an IPv6 socket are shown, and counted, as IPv4. */
static void
describe_address(
    const struct sockaddr_storage *address, struct client_address *client)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	const uint8_t *bytes = (const uint8_t *)&v4->sin_addr;

	if (address->ss_family == AF_UNIX) {
		snprintf(client->ip, sizeof(client->ip), "local");
		client->is_loopback = true;
		return;
	}
	if (address->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		bytes = v6->sin6_addr.s6_addr + 12;
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(
		    AF_INET6, &v6->sin6_addr, client->ip, sizeof(client->ip));
		client->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		return;
	}
	inet_ntop(AF_INET, bytes, client->ip, sizeof(client->ip));
	client->is_loopback = bytes[0] == 127;
}

/* False if there is no connection to take now. */
static bool
take_connection(struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct client_address client;
	const int on = 1;
	int fd = accept4(listener->fd, (struct sockaddr *)&address, &size,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_warning(
			    "accept-paused", "why=\"%s\"", strerror(errno));
			watch_set(listener->watch, 0);
			timer_start(listener->pause, LISTENER_PAUSE_MS);
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	describe_address(&address, &client);
	listener->accepted(fd, client.ip, client.is_loopback,
	    !take_place(listener->limits, client.ip), listener->context);
	return true;
}

static void
listener_ready(int fd, int events, void *context)
{
	struct listener *listener = context;

	(void)fd;
	(void)events;
	for (int i = 0; i < LISTENER_ACCEPTS_A_ROUND; i++)
		if (!take_connection(listener))
			return;
}

void
listener_pause(struct listener *listener)
{
	watch_set(listener->watch, 0);
}

void
listener_resume(struct listener *listener)
{
	watch_set(listener->watch, WATCH_READ);
}

static void
pause_is_over(void *context)
{
	struct listener *listener = context;

	listener_resume(listener);
}

struct listener *
listener_new(struct event_loop *loop, int fd, struct listener_limits *limits,
    void (*accepted)(int fd, const char *ip, bool is_loopback, bool is_refused,
	void *context),
    void *context)
{
	struct listener *listener = memory_new(1, sizeof(*listener));

	listener->fd = fd;
	listener->limits = limits;
	listener->accepted = accepted;
	listener->context = context;
	listener->pause = timer_new(loop, pause_is_over, listener);
	listener->watch =
	    watch_new(loop, fd, WATCH_READ, listener_ready, listener);
	return listener;
}

void
listener_free(struct listener **listener)
{
	if (*listener == NULL)
		return;
	watch_free(&(*listener)->watch);
	timer_free(&(*listener)->pause);
	close((*listener)->fd);
	memory_free(listener);
}
