/*
 * MTA-STS (RFC 8461): the TXT record that says that a domain has a policy, the
 * policy's text, and whether a host is one of the domain's by it.  Pure.  Both
 * texts are what anybody may have written.
 */
#ifndef SMTPD_STS_POLICY_H
#define SMTPD_STS_POLICY_H

#include "common/error.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STS_MAX_POLICY_BYTES = 65536,
	STS_MAX_MX = 64,
	STS_ID_SIZE = 33,         /* with its NUL */
	STS_MAX_AGE_S = 31557600, /* a year: what is more is a year */
	STS_REFRESH_S = 86400     /* so old it is fetched again at the latest */
};

enum sts_mode {
	STS_NONE,    /* there is no policy any more */
	STS_TESTING, /* report only */
	STS_ENFORCE  /* to no other host, and not without TLS */
};

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;
	size_t mx_count;
	/* Lower case; "*.example.org" is a pattern. */
	char mx[STS_MAX_MX][256];
};

/*
 * The policy of a text (section 3.2), with CRLF or LF behind its lines. Unknown
 * keys are passed over; of a key that comes again the first one counts, but of
 * mx. 0, or -1 with ERROR_INPUT or ERROR_LIMIT, what is wrong in words.
 */
int sts_policy_parse(
    struct text text, struct sts_policy *policy, struct error *error);

/* Whether a host (any case, with or without its last dot) is one of the
 * policy's (section 4.1): a pattern stands for exactly one label. */
bool sts_policy_matches(const struct sts_policy *policy, struct text host);

/*
 * The id of one TXT record of _mta-sts.DOMAIN, with a NUL (section 3.1). 1; 0
 * if it is another record, that does not begin with v=STSv1; -1 if it does and
 * is malformed. A domain with not exactly one that counts has no policy.
 */
int sts_record_parse(struct text record, char id[STS_ID_SIZE]);

/* Whether one that was fetched then and counts so long is to be fetched again,
 * well before it counts no more (section 10.2): who keeps us from it for a
 * while must not win by that. Times are in seconds. */
bool sts_policy_is_old(int64_t since, int64_t until, int64_t now);

#endif
