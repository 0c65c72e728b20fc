/*
 * One packet of a channel: its bytes, the descriptors that go along, and the
 * row of messages.def that permits it.  For channel.c and channel_now.c.
 */
#ifndef COMMON_PACKET_H
#define COMMON_PACKET_H

#include "common/error.h"
#include "common/messages.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Those that are not -1. */
void packet_close_all(int *fds, size_t count);

/* sendmsg of one packet: 0, or -1 and errno. */
int packet_send(
    int fd, const uint8_t *data, size_t size, const int *fds, size_t fd_count);

/*
 * recvmsg of one packet into MESSAGE_MAX_SIZE bytes and room for
 * CHANNEL_MAX_DESCRIPTORS: its size, 0 at the end of the channel, -1 and errno.
 * A packet that was cut (too long, too many descriptors) is EMSGSIZE.
 */
ssize_t packet_receive(int fd, uint8_t *data, int *fds, size_t *fd_count);

/* The rule of a packet, decoded into `message`, after its descriptors were
 * counted; NULL and error. */
const struct message_rule *packet_check(const uint8_t *data, size_t size,
    size_t fd_count, enum role from, enum role to, struct message *message,
    struct error *error);

/* The packet of our own message; what the table forbids is our own bug. */
const struct message_rule *packet_encode(const struct message *message,
    enum role self, enum role peer, size_t fd_count, uint8_t *data,
    size_t *size);

#endif
