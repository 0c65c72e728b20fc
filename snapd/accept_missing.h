/* What is missing is to be gone: see accept_missing.c. */
#ifndef SNAPD_ACCEPT_MISSING_H
#define SNAPD_ACCEPT_MISSING_H

#include "snapd/snapd.h"

/* One event, or nothing: STATUS_REFUSED if a file of them is not missing. */
enum status accept_missing(struct journal *journal,
    const struct message_control_accept_missing *request, struct error *error);

void accept_missing_received(struct client *client,
    const struct message_control_accept_missing *request);

#endif
