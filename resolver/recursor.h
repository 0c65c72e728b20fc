/*
 * The validating resolver: libunbound on our loop, and its only user.  It asks
 * the forwarders that the settings name, or the root's servers and downwards;
 * whatever it is told, DNSSEC is checked here, down from the trust anchors.
 */
#ifndef RESOLVER_RECURSOR_H
#define RESOLVER_RECURSOR_H

#include "common/dns.h"
#include "common/event_loop.h"
#include "common/settings.h"

#include <stddef.h>
#include <stdint.h>

struct recursor;
struct recursor_query;

struct recursor_reply {
	enum dns_security security;
	const uint8_t *packet; /* NULL: there is none, it failed */
	size_t size;
	const char *why; /* bogus: what is wrong; may be NULL */
};

/* Valid during the call only. */
typedef void (*recursor_callback)(
    const struct recursor_reply *reply, void *context);

/* NULL and error if libunbound does not take the settings. */
struct recursor *recursor_new(struct event_loop *loop,
    const struct settings *settings, struct error *error);
/* Queries that run end without a call. */
void recursor_free(struct recursor **recursor);

/*
 * Asks; `callback` is called once, unless the query is cancelled first.  NULL
 * if it was called already: the answer was at hand, or there never will be
 * one.
 */
struct recursor_query *recursor_ask(struct recursor *recursor, const char *name,
    enum dns_type type, recursor_callback callback, void *context);
void recursor_cancel(struct recursor_query **query);

#endif
