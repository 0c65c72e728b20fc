/*
 * Sessions of TLS, told to the spool for those domains that want reports of
 * them (RFC 8460).  Whether one does is asked for when there is something to
 * tell, and never on the way of mail: what is told waits for the answer.
 */
#ifndef SMTPD_RELAY_TLSRPT_H
#define SMTPD_RELAY_TLSRPT_H

#include "common/channel.h"
#include "smtpd/relay_names.h"

#include <stdbool.h>

enum {
	RELAY_TLSRPT_MAX_DOMAINS = 10000, /* whose answer is kept */
	RELAY_TLSRPT_MAX_WAITING = 1000,  /* sessions that wait for one */
	RELAY_TLSRPT_MAX_POLICY = 2000,   /* bytes, as in the row */
	RELAY_TLSRPT_MAX_RECORD = 2000
};

struct relay_tlsrpt;

struct relay_tlsrpt *relay_tlsrpt_new(struct relay_names *names);
void relay_tlsrpt_free(struct relay_tlsrpt **reports);
/* NULL: there is none now, and nobody is told. */
void relay_tlsrpt_use(struct relay_tlsrpt *reports, struct channel *spool);
void relay_tlsrpt_enable(struct relay_tlsrpt *reports, bool is_enabled);

/* `said` without its record; the domain in lower case. */
void relay_tlsrpt_tell(
    struct relay_tlsrpt *reports, const struct message_tls_session *said);

#endif
