/*
 * Accepting connections.
 */
#include "smtpd/smtp_listener.h"

#include "common/log.h"
#include "common/memory.h"
#include "smtpd/smtp_session.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_ROUND = 32, /* so that no port starves the sessions */
	PAUSE_MS = 100        /* when the process has no descriptor left */
};

struct smtp_listener {
	struct smtp_front *front;
	int fd;
	struct listen_setting setting;
	struct watch *watch;
	struct timer *pause;
};

static void
format_address(
    const struct sockaddr_storage *address, char *to, socklen_t to_size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	to[0] = '\0';
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, to, to_size);
	else if (address->ss_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, to, to_size);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, to, to_size);
}

static void
refuse(int fd, const char *client_ip)
{
	char line[256];
	size_t size;

	size =
	    smtp_reply_format(REPLY_TOO_MANY_CONNECTIONS, line, sizeof(line));
	if (send(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("refuse", "ip=%s", client_ip);
	log_info("too-many-connections", "ip=%s", client_ip);
	close(fd);
}

static void
take(struct smtp_listener *listener, int fd,
    const struct sockaddr_storage *address)
{
	char client_ip[64];
	int on = 1;

	format_address(address, client_ip, sizeof(client_ip));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (smtp_front_enter(listener->front, client_ip))
		(void)smtp_session_new(
		    listener->front, fd, &listener->setting, client_ip);
	else
		refuse(fd, client_ip);
}

static void
on_ready(int listen_fd, int events, void *context)
{
	struct smtp_listener *listener = context;
	struct sockaddr_storage address;
	socklen_t size;
	int fd, i;

	for (i = 0; i < ACCEPTS_A_ROUND; i++) {
		size = sizeof(address);
		fd = accept4(listen_fd, (struct sockaddr *)&address, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			take(listener, fd, &address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			watch_set(listener->watch, 0);
			timer_start(listener->pause, PAUSE_MS);
		}
		return;
	}
}

static void
on_pause_over(void *context)
{
	struct smtp_listener *listener = context;

	watch_set(listener->watch, WATCH_READ);
}

struct smtp_listener *
smtp_listener_new(
    struct smtp_front *front, int fd, const struct listen_setting *listen)
{
	struct smtp_listener *listener = memory_new(1, sizeof(*listener));

	listener->front = front;
	listener->fd = fd;
	listener->setting = *listen;
	listener->pause = timer_new(front->loop, on_pause_over, listener);
	listener->watch =
	    watch_new(front->loop, fd, WATCH_READ, on_ready, listener);
	return listener;
}

void
smtp_listener_free(struct smtp_listener **listener)
{
	if (*listener == NULL)
		return;
	watch_free(&(*listener)->watch);
	timer_free(&(*listener)->pause);
	close((*listener)->fd);
	memory_free(listener);
}
