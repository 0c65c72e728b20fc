/*
 * Takes connections from a bound socket, within limits: so many in all and so
 * many from one address (for IPv6: from one /64).  Both fronts use it.  What is
 * beyond a limit is handed over as refused, so that the protocol can say so.
 */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include "common/event_loop.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LISTENER_ADDRESS_SIZE = 64
};

/* Counts the connections of a process, whatever listener they came by. */
struct listener_limits;

struct listener_limits *listener_limits_new(
    uint32_t max_connections, uint32_t max_connections_per_address);
void listener_limits_free(struct listener_limits **limits);

/* After a reload; connections that are there stay. */
void listener_limits_set(struct listener_limits *limits,
    uint32_t max_connections, uint32_t max_connections_per_address);

/* The connection from `ip` has ended: once for each that was not refused. */
void listener_limits_release(struct listener_limits *limits, const char *ip);

struct listener;

/*
 * Listens on `fd` and takes it over.  `accepted` gets each connection:
 * non-blocking, close-on-exec, without delay of small packets, with keep-alive;
 * it owns `fd`.  `ip` is the numeric address of the client.  If `is_refused`,
 * a limit was reached and the connection is not counted.
 */
struct listener *listener_new(struct event_loop *loop, int fd,
    struct listener_limits *limits,
    void (*accepted)(int fd, const char *ip, bool is_loopback, bool is_refused,
	void *context),
    void *context);
void listener_free(struct listener **listener);

/* While paused, clients wait in the kernel's backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

#endif
