/*
 * A front's way to keyd: asks for one signature and waits for it.  The wait is
 * bounded; a keyd that is away fails the handshake that needed it.
 */
#ifndef COMMON_KEY_CLIENT_H
#define COMMON_KEY_CLIENT_H

#include "common/messages.h"
#include "common/tls.h"

struct key_client;

/* `self` is ROLE_SMTPD or ROLE_IMAPD. */
struct key_client *key_client_new(enum role self);
void key_client_free(struct key_client **client);

/* The channel that the broker introduced; taken over, replaces the one before.
 */
void key_client_set_channel(struct key_client *client, int fd);

/* For tls_server_new; valid as long as the client. */
struct tls_signer key_client_signer(struct key_client *client);

#endif
