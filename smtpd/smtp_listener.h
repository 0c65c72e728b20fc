/*
 * A bound socket of one `listen` line: takes connections, within the limits,
 * and begins a session for each.
 */
#ifndef SMTPD_SMTP_LISTENER_H
#define SMTPD_SMTP_LISTENER_H

#include "smtpd/smtp_front.h"

struct smtp_listener;

/* Takes over `fd`, which listens. `listen` is copied. */
struct smtp_listener *smtp_listener_new(
    struct smtp_front *front, int fd, const struct listen_setting *listen);
void smtp_listener_free(struct smtp_listener **listener);

#endif
