/*
 * What others want over HTTPS: the relay the policies of MTA-STS (RFC 8461
 * section 3.3), the spool that reports of TLS are posted (RFC 8460 section
 * 5.4).  A request in; the names are asked for at the resolver, the exchange is
 * made, one answer goes out, within a deadline.
 */
#ifndef FETCHER_FETCHES_H
#define FETCHER_FETCHES_H

#include "common/messages.h"
#include "fetcher/transfer.h"

enum {
	FETCHES_DEADLINE_MS = 60000,
	FETCHES_MAX_PENDING = 200 /* more fail at once */
};

struct fetches;

/* `transfers` becomes theirs. */
struct fetches *fetches_new(
    struct event_loop *loop, struct transfers *transfers, int64_t deadline_ms);
void fetches_free(struct fetches **fetches);

/* Serves the channel `fd` (taken over) to ROLE_RELAY or ROLE_SPOOL, or asks
 * ROLE_RESOLVER on it, instead of the one before it. -1 and closed for any
 * other role. */
int fetches_meet(
    struct fetches *fetches, int fd, enum role peer, uint64_t instance);

#endif
