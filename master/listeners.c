/* See listeners.h. */
#include "master/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	LISTENERS_BACKLOG = 512,
	UNIX_BACKLOG = 128
};

static int
make_address(const char *text, uint16_t port, struct sockaddr_storage *address,
    socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*size = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*size = sizeof(*v6);
		return 0;
	}
	return -1;
}

static int
bind_and_listen(int fd, const struct sockaddr_storage *address, socklen_t size)
{
	const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1)
		return -1;
	if (address->ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == -1)
		return -1;
	if (bind(fd, (const struct sockaddr *)address, size) == -1)
		return -1;
	return listen(fd, LISTENERS_BACKLOG);
}

/* The socket, or -1; errno is EAFNOSUPPORT where the system lacks IPv6. */
static int
open_socket(const char *text, uint16_t port, struct error *error)
{
	struct sockaddr_storage address;
	socklen_t size;
	int fd;

	if (make_address(text, port, &address, &size) == -1)
		return error_set(error, ERROR_INPUT, "no address: %s", text);
	fd = socket(
	    address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind_and_listen(fd, &address, size) == -1) {
		error_set_errno(error, "listen on %s port %u", text, port);
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

static int
find_old(const struct listeners *old, const char *address, uint16_t port)
{
	for (size_t i = 0; old != NULL && i < old->count; i++)
		if (old->list[i].port == port &&
		    strcmp(old->list[i].address, address) == 0)
			return fcntl(old->list[i].fd, F_DUPFD_CLOEXEC, 3);
	return -1;
}

static int
add(struct listeners *listeners, const struct listen_setting *setting,
    const char *address, const struct listeners *old, struct error *error)
{
	struct listener *listener = &listeners->list[listeners->count];

	memset(listener, 0, sizeof(*listener));
	listener->fd = find_old(old, address, setting->port);
	if (listener->fd == -1)
		listener->fd = open_socket(address, setting->port, error);
	if (listener->fd == -1)
		return -1;
	listener->service = setting->service;
	listener->port = setting->port;
	snprintf(listener->address, sizeof(listener->address), "%s", address);
	listeners->count++;
	return 0;
}

static int
find_old_unix(const struct listeners *old, const char *path)
{
	for (size_t i = 0; old != NULL && i < old->count; i++)
		if (strcmp(old->list[i].path, path) == 0)
			return fcntl(old->list[i].fd, F_DUPFD_CLOEXEC, 3);
	return -1;
}

/* Only a socket is taken away: one of an instance before. */
static void
remove_socket(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
}

/* For everybody who can reach its directory. It is bound by its whole path, by
 * which the front finds what it is for. */
static int
open_unix_path(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, result;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return error_set_errno(error, "socket");
	remove_socket(path);
	umask(0111);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(077);
	if (result == -1 || listen(fd, UNIX_BACKLOG) == -1) {
		error_set_errno(error, "listen on %s", path);
		close(fd);
		return -1;
	}
	return fd;
}

static int
add_unix(struct listeners *listeners, const struct listen_setting *setting,
    const struct listeners *old, struct error *error)
{
	struct listener *listener = &listeners->list[listeners->count];

	memset(listener, 0, sizeof(*listener));
	listener->fd = find_old_unix(old, setting->path);
	if (listener->fd == -1)
		listener->fd = open_unix_path(setting->path, error);
	if (listener->fd == -1)
		return -1;
	listener->service = setting->service;
	memcpy(listener->path, setting->path, sizeof(listener->path));
	listeners->count++;
	return 0;
}

static int
add_setting(struct listeners *listeners, const struct listen_setting *setting,
    const struct listeners *old, struct error *error)
{
	if (setting->path[0] != '\0')
		return add_unix(listeners, setting, old, error);
	if (strcmp(setting->address, "*") != 0)
		return add(listeners, setting, setting->address, old, error);
	if (add(listeners, setting, "::", old, error) == -1 &&
	    (error->errno_value != EAFNOSUPPORT &&
		error->errno_value != EADDRNOTAVAIL))
		return -1;
	return add(listeners, setting, "0.0.0.0", old, error);
}

/* Of an address that is not wanted any more, on a port that is. */
static bool
is_in_the_way(const struct listener *old, const struct settings *settings)
{
	bool is_port_wanted = false;

	for (size_t i = 0; i < settings->listener_count; i++) {
		const struct listen_setting *setting = &settings->listeners[i];
		bool is_all = strcmp(setting->address, "*") == 0;

		if (old->path[0] != '\0' || setting->port != old->port)
			continue;
		is_port_wanted = true;
		if (strcmp(setting->address, old->address) == 0 ||
		    (is_all && (strcmp(old->address, "::") == 0 ||
				   strcmp(old->address, "0.0.0.0") == 0)))
			return false;
	}
	return is_port_wanted;
}

/* 127.0.0.1 and * cannot listen on one port.  A socket that is shut down, here
 * and where it was handed to, keeps its address and takes no connection: it
 * gives way to the new one, and can listen again if there will be none. */
static void
set_aside(
    const struct listeners *old, const struct settings *settings, bool is_aside)
{
	for (size_t i = 0; old != NULL && i < old->count; i++)
		if (is_in_the_way(&old->list[i], settings)) {
			if (is_aside)
				(void)shutdown(old->list[i].fd, SHUT_RD);
			else
				(void)listen(
				    old->list[i].fd, LISTENERS_BACKLOG);
		}
}

int
listeners_open(struct listeners *listeners, const struct settings *settings,
    const struct listeners *old, struct error *error)
{
	listeners->count = 0;
	set_aside(old, settings, true);
	for (size_t i = 0; i < settings->listener_count; i++) {
		if (add_setting(
			listeners, &settings->listeners[i], old, error) == 0)
			continue;
		listeners_close(listeners);
		set_aside(old, settings, false);
		return -1;
	}
	return 0;
}

void
listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close(listeners->list[i].fd);
	listeners->count = 0;
}

/* A listening unix socket in the directory `dir_fd`, whose mode is 0777 less
 * `mask`. */
static int
open_unix(
    int dir_fd, const char *name, int type, mode_t mask, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, result;

	/* bind() has no form for a directory descriptor. */
	snprintf(address.sun_path, sizeof(address.sun_path),
	    "/proc/self/fd/%d/%s", dir_fd, name);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return error_set_errno(error, "socket");
	unlinkat(dir_fd, name, 0);
	umask(mask);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(077);
	if (result == -1 || listen(fd, UNIX_BACKLOG) == -1) {
		error_set_errno(error, "socket %s", name);
		close(fd);
		return -1;
	}
	return fd;
}

int
listeners_open_control(int dir_fd, const char *name, struct error *error)
{
	return open_unix(dir_fd, name, SOCK_SEQPACKET, 0177, error);
}

int
listeners_open_local(int dir_fd, const char *name, struct error *error)
{
	return open_unix(dir_fd, name, SOCK_STREAM, 0111, error);
}
