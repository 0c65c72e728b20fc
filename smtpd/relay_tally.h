/*
 * What a session, or a host that got none, means for reports of TLS (RFC 8460):
 * the result in its words, and what the report says beside it.
 */
#ifndef SMTPD_RELAY_TALLY_H
#define SMTPD_RELAY_TALLY_H

#include "common/relay_route.h"
#include "smtpd/relay_path.h"
#include "smtpd/relay_session.h"
#include "smtpd/relay_tlsrpt.h"

#include <stdbool.h>

/* Where mail goes, and how: of a job. */
struct relay_tally {
	struct relay_tlsrpt *tlsrpt;
	struct text domain;
	const struct relay_route *route;
};

/* A policy that cannot be had, or a host that gets no session. */
void relay_tally_unsafe(const struct relay_tally *tally,
    const struct relay_target *target, enum tls_result result);

/* A session that is ready or over; false: it came to nothing that counts. */
bool relay_tally_session(const struct relay_tally *tally,
    const struct relay_target *target, const struct relay_session *session);

#endif
