/*
 * After login: the bytes of a session, both ways between the client and its
 * worker's stream, bounded, in order, until one of them ends.
 */
#ifndef IMAPD_IMAP_RELAY_H
#define IMAPD_IMAP_RELAY_H

#include "common/connection.h"

struct imap_relay;

/*
 * The handler of a client's connection once its context is a relay; the one
 * who made the connection passes the three calls on.
 */
struct imap_relay *imap_relay_new(struct event_loop *loop,
    struct connection *client, int stream_fd, void (*ended)(void *context),
    void *context);

/* Closes the stream; the client's connection stays its owner's. */
void imap_relay_free(struct imap_relay **relay);

void imap_relay_client_readable(struct imap_relay *relay);
void imap_relay_client_writable(struct imap_relay *relay);
/* The client is gone: what he sent before still reaches the worker. */
void imap_relay_client_ended(struct imap_relay *relay);

/* The session behind it sleeps. True: nothing is on the way, nothing will be
 * sent to the worker any more, and nothing is taken from the client. */
bool imap_relay_park(struct imap_relay *relay);
bool imap_relay_is_parked(const struct imap_relay *relay);
/* It goes on. */
void imap_relay_unpark(struct imap_relay *relay);

#endif
