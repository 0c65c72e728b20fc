/* See transport.h. */
#include "smtpd/transport.h"

#include <string.h>

enum {
	SUBMISSIONS_PORT = 465 /* RFC 8314: TLS from the first byte */
};

static bool
fits(const struct transport_setting *transport, struct text domain)
{
	size_t size = strlen(transport->domain);

	if (transport->domain[0] != '.')
		return text_is_nocase(domain, transport->domain);
	return domain.size > size &&
	       text_is_nocase(
		   text_skip(domain, domain.size - size), transport->domain);
}

static const struct transport_setting *
find(const struct settings *settings, struct text domain)
{
	const struct transport_setting *best = NULL;

	for (size_t i = 0; i < settings->transport_count; i++) {
		const struct transport_setting *one = &settings->transports[i];

		if (fits(one, domain) &&
		    (best == NULL ||
			strlen(one->domain) > strlen(best->domain)))
			best = one;
	}
	return best;
}

static void
set_host(struct relay_route *route, const struct transport_setting *transport)
{
	route->host = text_of(transport->host);
	route->port = transport->port;
	route->protocol = transport->is_lmtp ? RELAY_LMTP : RELAY_SMTP;
	route->is_implicit_tls = transport->port == SUBMISSIONS_PORT;
}

/* A domain's line without a host says only what TLS is needed on the way that
 * its mail has anyway; the login is for the host of `relay` alone. */
struct relay_route
relay_route_for(const struct settings *settings, struct text domain)
{
	const struct transport_setting *own = find(settings, domain);
	bool has_own_host = own != NULL && own->host[0] != '\0';
	struct relay_route route = { .source =
					 text_of(settings->relay_source) };

	set_host(&route, has_own_host ? own : &settings->relay);
	route.tls =
	    (enum relay_tls)(own != NULL ? own->tls : settings->relay.tls);
	if (!has_own_host && settings->relay.host[0] != '\0') {
		route.user = text_of(settings->relay_user);
		route.password = text_of(settings->relay_password);
	}
	return route;
}
