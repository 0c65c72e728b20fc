/*
 * Whether a message may be said to a server at all, by what that one offers: it
 * is converted where that helps, and where nothing does its recipients have
 * their verdict, before anything of it was said.
 */
#ifndef SMTPD_RELAY_FIT_H
#define SMTPD_RELAY_FIT_H

#include "smtpd/relay_client.h"

static inline bool
relay_is_lmtp(const struct relay_client *client)
{
	return client->protocol == RELAY_LMTP;
}

static inline bool
relay_has_flag(const struct relay_client *client, unsigned int flag)
{
	return (client->mail->flags & flag) != 0;
}

/* What only some servers have to know of the body; false: it cannot be read,
 * and the client is over. */
bool relay_fit_body(struct relay_client *client);
/* False: all recipients have their verdict. */
bool relay_fit_message(struct relay_client *client);
/* False: this one has; only SMTPUTF8 can name it. */
bool relay_fit_recipient(struct relay_client *client, size_t recipient);

#endif
