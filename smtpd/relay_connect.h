/*
 * A stream to one of a host's addresses: the first that answers.  Those that do
 * not answer soon are left to try on while the next one is tried (as RFC 8305
 * does it), so that a dead address costs seconds, not minutes.
 */
#ifndef SMTPD_RELAY_CONNECT_H
#define SMTPD_RELAY_CONNECT_H

#include "common/error.h"
#include "common/event_loop.h"
#include "smtpd/relay_hosts.h"

#include <stdint.h>

struct relay_connect;

struct relay_connect_setup {
	struct event_loop *loop;
	const struct relay_addresses *addresses;
	uint16_t port;
	struct text source;  /* numeric: only addresses of its family are tried;
			       "": any */
	int64_t next_ms;     /* patience with one before the next is tried */
	int64_t deadline_ms; /* of the last one */
};

/* Once, from the loop; `fd` is the callee's: non-blocking, close-on-exec. -1:
 * none answered, and why. */
typedef void relay_connected(int fd, const struct relay_address *address,
    const struct error *error, void *context);

struct relay_connect *relay_connect_new(const struct relay_connect_setup *setup,
    relay_connected *done, void *context);
void relay_connect_free(struct relay_connect **connect);

#endif
