/*
 * The fronts that may ask keyd for signatures.
 */
#ifndef KEYD_KEY_REQUESTS_H
#define KEYD_KEY_REQUESTS_H

#include "common/event_loop.h"
#include "common/messages.h"
#include "keyd/keys.h"

/* Serves the channel `fd` (taken over) to a front, ROLE_SMTPD or ROLE_IMAPD,
 * until it closes. -1 and closed for any other role. */
int key_requests_serve(
    struct event_loop *loop, int fd, enum role peer, struct keys *keys);

#endif
