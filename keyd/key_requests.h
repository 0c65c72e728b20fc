/*
 * The fronts that may ask keyd for signatures, each on a channel that the
 * broker made.
 */
#ifndef KEYD_KEY_REQUESTS_H
#define KEYD_KEY_REQUESTS_H

#include "common/event_loop.h"
#include "common/messages.h"
#include "keyd/keys.h"

struct key_requests;

/* `keys` becomes theirs.  `misbehaved` is told which front sent what it may
 * not (its channel is closed already). */
struct key_requests *key_requests_new(struct event_loop *loop,
    struct keys *keys,
    void (*misbehaved)(enum role role, uint64_t instance, void *context),
    void *context);
void key_requests_free(struct key_requests **requests);

/* After a reload: later signatures are made with these. */
void key_requests_set_keys(struct key_requests *requests, struct keys *keys);

/* Serves the channel `fd` (taken over) to a front, ROLE_SMTPD or ROLE_IMAPD,
 * until it closes. -1 and closed for any other role. */
int key_requests_serve(
    struct key_requests *requests, int fd, enum role peer, uint64_t instance);

#endif
