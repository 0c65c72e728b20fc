/* See listener.h. */
#include "common/listener.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/proxy_wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* Others get their turn after so many. */
	LISTENER_ACCEPTS_A_ROUND = 32,
	/* No descriptor left: wait for some to be closed. */
	LISTENER_PAUSE_MS = 200,
	/* For a header: one packet that was lost must have come again. */
	LISTENER_HEADER_MS = 5000
};

/* A connection of a proxy's, which has not said for whom. */
struct waiting {
	struct waiting *next;
	struct listener *listener;
	struct proxy_wait *wait;
	int fd;
	struct listener_client client; /* the proxy itself */
};

struct listener {
	int fd;
	struct event_loop *loop;
	struct watch *watch;
	struct timer *pause;
	struct listener_rules rules;
	listener_accepted *accepted;
	void *context;
	struct waiting *waiting;
	size_t waiting_count;
};

/* IPv4 clients of an IPv6 socket are shown, and counted, as IPv4. */
static void
format_peer(const struct sockaddr_storage *address, char ip[NETWORK_TEXT_SIZE])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, ip, NETWORK_TEXT_SIZE);
	else if (address->ss_family == AF_INET6)
		network_format_address(v6->sin6_addr.s6_addr, ip);
	else
		snprintf(ip, NETWORK_TEXT_SIZE, "local");
}

struct listener_client
listener_client_at(const struct budget *budget, const char *ip)
{
	struct listener_client client = { 0 };
	uint8_t bytes[NETWORK_BYTES];

	snprintf(client.ip, sizeof(client.ip), "%s", ip);
	/* What is no address is a socket of this machine. */
	client.is_loopback =
	    network_address(ip, bytes) == -1 || network_is_loopback(bytes);
	client.budget = budget_client_of(budget, ip);
	return client;
}

static void
hand_over(
    struct listener *listener, int fd, const struct listener_client *client)
{
	enum budget_verdict verdict =
	    budget_take(listener->rules.budget, &client->budget,
		listener->rules.may_use_kept, clock_monotonic_us());

	listener->accepted(fd, client, verdict, listener->context);
}

/* -- Proxies -- */

static void
waiting_free(struct waiting *waiting)
{
	struct waiting **place = &waiting->listener->waiting;

	while (*place != waiting)
		place = &(*place)->next;
	*place = waiting->next;
	waiting->listener->waiting_count--;
	proxy_wait_free(&waiting->wait);
	memory_free(&waiting);
}

static void
header_came(
    int fd, const struct proxy_header *header, const char *why, void *context)
{
	struct waiting *waiting = context;
	struct listener *listener = waiting->listener;
	struct listener_client client = waiting->client;
	bool is_near = client.is_loopback;
	char ip[NETWORK_TEXT_SIZE];

	waiting_free(waiting);
	if (header == NULL) {
		if (why != NULL)
			log_warning(
			    "proxy-header", "ip=%s why=\"%s\"", client.ip, why);
		close(fd);
		return;
	}
	if (header->has_client) {
		network_format_address(header->client, ip);
		client = listener_client_at(listener->rules.budget, ip);
		client.is_loopback &= is_near;
	}
	hand_over(listener, fd, &client);
}

static void
wait_for_header(
    struct listener *listener, int fd, const struct listener_client *client)
{
	struct waiting *waiting;

	if (!network_list_has_ip(listener->rules.proxies, client->ip) ||
	    listener->waiting_count == LISTENER_MAX_WAITS) {
		log_warning("proxy-refused", "ip=%s why=\"%s\"", client->ip,
		    listener->waiting_count == LISTENER_MAX_WAITS
			? "too many without a header"
			: "not one of ours");
		close(fd);
		return;
	}
	waiting = memory_new(1, sizeof(*waiting));
	waiting->next = listener->waiting;
	waiting->listener = listener;
	waiting->fd = fd;
	waiting->client = *client;
	waiting->wait = proxy_wait_new(
	    listener->loop, fd, LISTENER_HEADER_MS, header_came, waiting);
	listener->waiting = waiting;
	listener->waiting_count++;
}

/* -- The socket -- */

/* False if there is no connection to take now. */
static bool
take_connection(struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	struct listener_client client;
	char ip[NETWORK_TEXT_SIZE];
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
	format_peer(&address, ip);
	client = listener_client_at(listener->rules.budget, ip);
	if (listener->rules.proxies->count > 0)
		wait_for_header(listener, fd, &client);
	else
		hand_over(listener, fd, &client);
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
listener_new(struct event_loop *loop, int fd,
    const struct listener_rules *rules, listener_accepted *accepted,
    void *context)
{
	struct listener *listener = memory_new(1, sizeof(*listener));

	listener->fd = fd;
	listener->loop = loop;
	listener->rules = *rules;
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
	while ((*listener)->waiting != NULL) {
		int fd = (*listener)->waiting->fd;

		waiting_free((*listener)->waiting);
		close(fd);
	}
	watch_free(&(*listener)->watch);
	timer_free(&(*listener)->pause);
	close((*listener)->fd);
	memory_free(listener);
}
