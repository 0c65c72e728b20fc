/*
 * A front's way to keyd: a tls_signer over the channel that the broker made.
 * It blocks for a round trip and a signature, and does not use the loop.
 */
#ifndef COMMON_KEY_CLIENT_H
#define COMMON_KEY_CLIENT_H

#include "common/messages.h"
#include "common/tls.h"

struct key_client;

/* Takes over `fd`; `self` is ROLE_SMTPD or ROLE_IMAPD. */
struct key_client *key_client_new(int fd, enum role self);
void key_client_free(struct key_client **client);

/* A new channel after keyd or the broker started again. */
void key_client_replace(struct key_client *client, int fd);

/* For tls_server_new; valid while the client lives. */
struct tls_signer key_client_signer(struct key_client *client);

#endif
