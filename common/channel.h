/*
 * One end of a SOCK_SEQPACKET socketpair between two processes.  It knows who
 * is at the other end, and takes only the messages that messages.def lets that
 * role send to this one, with the right length and the right number of
 * descriptors.  Anything else ends the channel: the handler's `closed` is told
 * why, the receiver lives on.
 *
 * Outgoing messages wait in memory, up to a limit, when the kernel's buffer is
 * full.  At most CHANNEL_CREDIT requests may be without their answer; further
 * ones wait, while answers and notices pass them.  The order among requests and
 * parts of a batch, and the order among answers and notices, is kept.
 */
#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include "common/error.h"
#include "common/event_loop.h"
#include "common/messages.h"

#include <stddef.h>

enum {
	CHANNEL_CREDIT = 64,
	CHANNEL_MAX_DESCRIPTORS = 24
};

struct channel;

/*
 * What the owner of a channel is told.  `message` was checked against the
 * table and is decoded; texts in it point into the packet and are valid during
 * the call only.  Descriptors are close-on-exec; the handler takes each one it
 * wants to keep by putting -1 into its place in message->fds, the rest are
 * closed after the call.  In both calls channel_free of this channel is
 * allowed.
 */
struct channel_handler {
	void (*received)(struct channel *channel, const struct message *message,
	    int *fds, void *context);
	/* The other end closed (error->code ERROR_UNAVAILABLE), or misbehaved
	 * (ERROR_INPUT: say so to whoever started it). No further call comes;
	 * the owner frees the channel. */
	void (*closed)(
	    struct channel *channel, const struct error *error, void *context);
};

/* Takes over `fd`. `self` and `peer` are the roles of the two ends. */
struct channel *channel_new(struct event_loop *loop, int fd, enum role self,
    enum role peer, const struct channel_handler *handler, void *context);
void channel_free(struct channel **channel);

/*
 * Queues `message`, whose kind must be one that `self` may send to `peer`
 * (else fatal: it is our own bug); `fds` are duplicated, the caller's stay the
 * caller's. 0, or -1 if more than `limit` bytes would wait: the caller must
 * refuse work, or drop the peer, as fits. A closed channel takes nothing (-1).
 */
int channel_send(struct channel *channel, const struct message *message,
    const int *fds, size_t fd_count);

/* Bytes that wait for the peer; the limit (default 8 MiB) of them. */
size_t channel_waiting_bytes(const struct channel *channel);
void channel_set_limit(struct channel *channel, size_t limit_bytes);

/* Called once when nothing waits any more after something did. */
void channel_on_drained(struct channel *channel,
    void (*callback)(struct channel *channel, void *context));

/* While paused nothing is read, so that the peer feels back-pressure. */
void channel_pause(struct channel *channel);
void channel_resume(struct channel *channel);

enum role channel_peer(const struct channel *channel);
void channel_set_context(struct channel *channel, void *context);

/*
 * Before the loop runs (start-up, command line tools): sends one message now,
 * or waits up to timeout_ms for the next one, without a loop. A message that
 * the table does not permit is an error. `storage` holds the packet that the
 * texts of `message` point into (MESSAGE_MAX_SIZE bytes). Received descriptors
 * are the caller's: fds has room for CHANNEL_MAX_DESCRIPTORS.
 */
/* Connects to a control socket, for these two. Descriptor, or -1. */
int channel_connect_now(const char *path, struct error *error);
int channel_send_now(int fd, enum role self, enum role peer,
    const struct message *message, const int *fds, size_t fd_count,
    struct error *error);
int channel_receive_now(int fd, enum role self, enum role peer, int timeout_ms,
    uint8_t *storage, struct message *message, int *fds, size_t *fd_count,
    struct error *error);

/* Two close-on-exec, non-blocking SOCK_SEQPACKET ends. 0, or -1 and error. */
int channel_pair(int ends[2], struct error *error);

#endif
