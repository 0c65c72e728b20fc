/*
 * A connection from a proxy until its header (proxy_header.h) is read: not a
 * byte of what follows it, in some seconds, or it is given up.
 */
#ifndef COMMON_PROXY_WAIT_H
#define COMMON_PROXY_WAIT_H

#include "common/event_loop.h"
#include "common/proxy_header.h"

struct proxy_wait;

/* Called once, by the loop: `header`, or NULL and why there is none (NULL too:
 * the proxy only looked whether we are there). The owner frees the wait, and
 * has `fd` back. */
typedef void proxy_wait_done(
    int fd, const struct proxy_header *header, const char *why, void *context);

/* `fd`, non-blocking, stays open until the owner closes it. */
struct proxy_wait *proxy_wait_new(struct event_loop *loop, int fd,
    int64_t timeout_ms, proxy_wait_done *done, void *context);
void proxy_wait_free(struct proxy_wait **wait);

#endif
