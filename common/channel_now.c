/*
 * A channel without a loop: what start-up and the command line tools use, which
 * ask one thing and wait for its answer.  Apart from channel.c, so that a tool
 * need not link libevent.
 */
#include "common/channel.h"

#include "common/packet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CHANNEL_SEND_TIMEOUT_MS = 10000
};

int
channel_pair(int ends[2], struct error *error)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends) == -1)
		return error_set_errno(error, "socketpair");
	return 0;
}

static int
wait_for(int fd, short events, int timeout_ms, struct error *error)
{
	struct pollfd wanted = { .fd = fd, .events = events };
	int ready;

	do
		ready = poll(&wanted, 1, timeout_ms);
	while (ready == -1 && errno == EINTR);
	if (ready == -1)
		return error_set_errno(error, "poll");
	if (ready == 0)
		return error_set(error, ERROR_UNAVAILABLE,
		    "no answer within %d ms", timeout_ms);
	return 0;
}

int
channel_connect_now(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (text_copy(text_of(path), address.sun_path,
		sizeof(address.sun_path)) == -1)
		return error_set(
		    error, ERROR_INPUT, "the socket's path is too long");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return error_set_errno(error, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		error_set_errno(error, "%s", path);
		close(fd);
		return -1;
	}
	return fd;
}

int
channel_send_now(int fd, enum role self, enum role peer,
    const struct message *message, const int *fds, size_t fd_count,
    struct error *error)
{
	static uint8_t data[MESSAGE_MAX_SIZE];
	size_t size;

	packet_encode(message, self, peer, fd_count, data, &size);
	while (packet_send(fd, data, size, fds, fd_count) == -1) {
		if (errno != EAGAIN) {
			error_set_errno(error, "send to %s", role_name(peer));
			return -1;
		}
		if (wait_for(fd, POLLOUT, CHANNEL_SEND_TIMEOUT_MS, error) == -1)
			return -1;
	}
	return 0;
}

int
channel_receive_now(int fd, enum role self, enum role peer, int timeout_ms,
    uint8_t *storage, struct message *message, int *fds, size_t *fd_count,
    struct error *error)
{
	ssize_t size;

	*fd_count = 0;
	do {
		if (wait_for(fd, POLLIN, timeout_ms, error) == -1)
			return -1;
		size = packet_receive(fd, storage, fds, fd_count);
	} while (size == -1 && errno == EAGAIN);
	if (size == -1)
		return error_set_errno(
		    error, "receive from %s", role_name(peer));
	if (size == 0)
		return error_set(error, ERROR_UNAVAILABLE,
		    "%s closed the channel", role_name(peer));
	if (packet_check(storage, (size_t)size, *fd_count, peer, self, message,
		error) == NULL) {
		packet_close_all(fds, *fd_count);
		*fd_count = 0;
		return -1;
	}
	return 0;
}
