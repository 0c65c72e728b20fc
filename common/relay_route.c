/* See relay_route.h. */
#include "common/relay_route.h"

enum {
	MAX_NAME = 255,
	MAX_SECRET = 500
};

void
relay_route_put(struct writer *w, const struct relay_route *route)
{
	writer_put_u8(w, (uint8_t)route->protocol);
	writer_put_u8(w, (uint8_t)route->tls);
	writer_put_u8(w, route->is_implicit_tls);
	writer_put_u16(w, route->port);
	writer_put_text(w, route->host, MAX_NAME);
	writer_put_text(w, route->source, MAX_NAME);
	writer_put_text(w, route->user, MAX_SECRET);
	writer_put_text(w, route->password, MAX_SECRET);
}

int
relay_route_get(struct reader *r, struct relay_route *route)
{
	unsigned int protocol = reader_get_u8(r);
	unsigned int tls = reader_get_u8(r);

	route->protocol = (enum relay_protocol)protocol;
	route->tls = (enum relay_tls)tls;
	route->is_implicit_tls = reader_get_u8(r) != 0;
	route->port = reader_get_u16(r);
	route->host = reader_get_text(r, MAX_NAME);
	route->source = reader_get_text(r, MAX_NAME);
	route->user = reader_get_text(r, MAX_SECRET);
	route->password = reader_get_text(r, MAX_SECRET);
	if (protocol > RELAY_LMTP || tls > RELAY_TLS_MAY)
		r->failed = true;
	return r->failed ? -1 : 0;
}
