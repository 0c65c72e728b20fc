/*
 * How a message is to reach its destination, and what became of it: what the
 * spool tells the relay and the relay tells the spool.
 */
#ifndef COMMON_RELAY_ROUTE_H
#define COMMON_RELAY_ROUTE_H

#include "common/codec.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

/* How much TLS a destination must show. */
enum relay_tls {
	RELAY_TLS_DEFAULT, /* what DNS and MTA-STS say, else opportunistic */
	RELAY_TLS_NEVER,
	RELAY_TLS_ENCRYPT, /* any certificate, but never in the clear */
	RELAY_TLS_VERIFY,  /* of the host's name, by the public authorities */
	RELAY_TLS_DANE,    /* TLSA records that DNSSEC vouches for */
	RELAY_TLS_MAY      /* opportunistic, whatever DNS and MTA-STS say */
};

enum relay_protocol {
	RELAY_SMTP,
	RELAY_LMTP
};

/* `host` "": the destination's MX. A name in brackets would be one too many:
 * a host that is given is looked up as it is, never its MX. */
struct relay_route {
	enum relay_protocol protocol;
	enum relay_tls tls;
	bool is_implicit_tls; /* TLS from the first byte (465) */
	uint16_t port;        /* 0: 25 */
	struct text host;     /* a name or a numeric address */
	struct text source;   /* local address to connect from; "": any */
	struct text user;     /* AUTH with these, under TLS only */
	struct text password;
};

enum relay_outcome {
	RELAY_DELIVERED, /* the next host has said 250 for it */
	RELAY_DEFERRED,
	RELAY_FAILED,
	/* Delivered, to one who knows no DSN: the sender who wants to hear of
	 * success is told so (RFC 3461 section 5.2.2). */
	RELAY_PASSED_ON
};

enum relay_trouble {
	RELAY_NO_TROUBLE,          /* the outcomes say all */
	RELAY_MESSAGE_TROUBLE,     /* of this message: others may go there */
	RELAY_DESTINATION_TROUBLE, /* nobody there, or none who may be trusted
				    */
	RELAY_BUSY                 /* ours: too many connections */
};

void relay_route_put(struct writer *w, const struct relay_route *route);
int relay_route_get(struct reader *r, struct relay_route *route);

#endif
