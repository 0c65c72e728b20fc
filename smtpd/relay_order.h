/*
 * What a job says, read and kept: the message's envelope, where it goes and
 * how, and the key under which its connection may serve another job.
 */
#ifndef SMTPD_RELAY_ORDER_H
#define SMTPD_RELAY_ORDER_H

#include "common/messages.h"
#include "common/relay_route.h"
#include "smtpd/relay_mail.h"

#include <stddef.h>

struct relay_order {
	struct text domain;
	struct relay_route route;
	struct text key;        /* of connections that can be used again */
	struct relay_mail mail; /* but for its body, and who decides */
	/* Private: what the texts point into. */
	char *storage;
	size_t storage_size;
};

/* 0, or -1 if it is malformed; to be cleared in both cases. Nothing of `said`
 * is needed afterwards. */
int relay_order_read(
    struct relay_order *order, const struct message_relay_job *said);
/* The login is wiped. */
void relay_order_clear(struct relay_order *order);

#endif
