/*
 * What came of TLS with another host, in the words of RFC 8460 section 4.3:
 * what the relay says of a session, and what the spool reports to the host's
 * domain.
 */
#ifndef COMMON_TLS_RESULT_H
#define COMMON_TLS_RESULT_H

/* Which policy the session was judged by. */
enum tls_policy {
	TLS_POLICY_NONE, /* opportunistic */
	TLS_POLICY_TLSA, /* DANE */
	TLS_POLICY_STS,  /* MTA-STS */
	TLS_POLICIES
};

enum tls_result {
	TLS_RESULT_SUCCESS,
	TLS_RESULT_NO_STARTTLS,   /* starttls-not-supported */
	TLS_RESULT_NAME,          /* certificate-host-mismatch */
	TLS_RESULT_EXPIRED,       /* certificate-expired */
	TLS_RESULT_UNTRUSTED,     /* certificate-not-trusted */
	TLS_RESULT_OTHER,         /* validation-failure */
	TLS_RESULT_TLSA,          /* tlsa-invalid: no record matches */
	TLS_RESULT_DNSSEC,        /* dnssec-invalid */
	TLS_RESULT_DANE_REQUIRED, /* dane-required */
	TLS_RESULT_STS_FETCH,     /* sts-policy-fetch-error */
	TLS_RESULT_STS_POLICY,    /* sts-policy-invalid */
	TLS_RESULT_STS_WEBPKI,    /* sts-webpki-invalid */
	TLS_RESULTS
};

/* "no-policy-found", "tlsa", "sts"; the words above, or "none" for success. */
const char *tls_policy_name(enum tls_policy policy);
const char *tls_result_name(enum tls_result result);

#endif
