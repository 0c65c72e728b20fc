/* See packet.h. */
#include "common/packet.h"

#include "common/channel.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_MAX_DESCRIPTORS)];
};

void
packet_close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

int
packet_send(
    int fd, const uint8_t *data, size_t size, const int *fds, size_t fd_count)
{
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	union control control;

	if (fd_count > 0) {
		struct cmsghdr *rights;

		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		rights = &control.header;
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
	}
	for (;;) {
		if (sendmsg(fd, &header, MSG_NOSIGNAL) != -1)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

static void
take_descriptors(struct msghdr *header, int *fds, size_t *fd_count)
{
	*fd_count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL;
	     c = CMSG_NXTHDR(header, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count > CHANNEL_MAX_DESCRIPTORS - *fd_count)
			count = CHANNEL_MAX_DESCRIPTORS - *fd_count;
		memcpy(fds + *fd_count, CMSG_DATA(c), count * sizeof(int));
		*fd_count += count;
	}
}

ssize_t
packet_receive(int fd, uint8_t *data, int *fds, size_t *fd_count)
{
	struct iovec part = { data, MESSAGE_MAX_SIZE };
	union control control;
	struct msghdr header = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t size;

	*fd_count = 0;
	do
		size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (size == -1 && errno == EINTR);
	if (size == -1)
		return -1;
	take_descriptors(&header, fds, fd_count);
	if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		packet_close_all(fds, *fd_count);
		*fd_count = 0;
		errno = EMSGSIZE;
		return -1;
	}
	return size;
}

const struct message_rule *
packet_check(const uint8_t *data, size_t size, size_t fd_count, enum role from,
    enum role to, struct message *message, struct error *error)
{
	const struct message_rule *rule;

	if (message_decode(data, size, from, to, message, error) == -1)
		return NULL;
	rule = message_rule_find((uint16_t)message->type);
	if (fd_count > rule->max_fds) {
		error_set(error, ERROR_INPUT,
		    "message %s came with %zu descriptors", rule->name,
		    fd_count);
		return NULL;
	}
	return rule;
}

const struct message_rule *
packet_encode(const struct message *message, enum role self, enum role peer,
    size_t fd_count, uint8_t *data, size_t *size)
{
	const struct message_rule *rule;
	struct message probe;
	struct error error;

	*size = message_encode(message, data);
	if (*size == 0)
		fatal("what=\"message does not fit its row\" type=0x%04x",
		    (unsigned int)message->type);
	rule = packet_check(data, *size, fd_count, self, peer, &probe, &error);
	if (rule == NULL)
		fatal("what=\"message that may not be sent\" why=\"%s\"",
		    error.text);
	return rule;
}
