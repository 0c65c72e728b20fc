/*
 * How a host must prove itself before it gets mail: what the administrator
 * wants, what DNSSEC vouches for (RFC 7672) and what the domain's policy says
 * (RFC 8461), made into one decision.  Pure: it is the place where a downgrade
 * would have to happen.
 */
#ifndef SMTPD_RELAY_SECURITY_H
#define SMTPD_RELAY_SECURITY_H

#include "common/messages.h"
#include "common/relay_route.h"
#include "common/tls_client.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	RELAY_MAX_TLSA = 16 /* usable ones of a host; more are left out */
};

enum relay_level {
	RELAY_LEVEL_NONE,    /* no TLS, because the administrator says so */
	RELAY_LEVEL_MAY,     /* if it is offered, and works */
	RELAY_LEVEL_ENCRYPT, /* with any certificate */
	RELAY_LEVEL_VERIFY,  /* with one of the host's name */
	RELAY_LEVEL_DANE,    /* with one that the TLSA records name */
	RELAY_LEVEL_REFUSED  /* this host gets no mail now: `why` */
};

/* What the domain's policy says of this host. */
enum relay_policy {
	RELAY_POLICY_NONE,
	RELAY_POLICY_TESTING,
	RELAY_POLICY_ENFORCED,
	RELAY_POLICY_UNLISTED /* enforced, and the host is not in it */
};

/* What came of asking for TLSA records. */
enum relay_tlsa {
	RELAY_TLSA_NONE,     /* there are none, or names are not signed */
	RELAY_TLSA_FAILED,   /* no answer, or a forged one */
	RELAY_TLSA_UNUSABLE, /* signed ones, but none that we can use */
	RELAY_TLSA_USABLE
};

struct relay_facts {
	enum relay_tls wanted;
	enum relay_policy policy;
	enum relay_tlsa tlsa;
	bool is_implicit_tls;
	bool has_login;
};

struct relay_security {
	enum relay_level level;
	enum tls_proof proof;
	const char *why; /* of REFUSED */
};

void relay_security_decide(
    const struct relay_facts *facts, struct relay_security *security);

/* Whose word it is, for reports. */
enum tls_policy relay_security_policy(const struct relay_facts *facts);

/* Is there a way without TLS, after TLS has failed? */
bool relay_security_allows_clear(const struct relay_security *security);

/*
 * TLSA records of an answer that can be used for SMTP: DANE-TA and DANE-EE,
 * selector 0 or 1, matching 0 to 2 with digests of their size.  Their bytes are
 * the answer's.
 */
enum relay_tlsa relay_security_records(const struct message_relay_found *answer,
    struct tls_tlsa records[RELAY_MAX_TLSA], size_t *count);

/* "never", "may", "encrypt", "verify", "dane" for logs. */
const char *relay_level_name(enum relay_level level);

#endif
