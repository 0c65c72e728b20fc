/*
 * How mail for a domain is to go: what the administrator said of it, as a route
 * for the relay.
 */
#ifndef SMTPD_TRANSPORT_H
#define SMTPD_TRANSPORT_H

#include "common/relay_route.h"
#include "common/settings.h"

/* Of the domain itself, else of the longest ".parent" that it is below, else of
 * all mail. The texts are the settings'. */
struct relay_route relay_route_for(
    const struct settings *settings, struct text domain);

#endif
