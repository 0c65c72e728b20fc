/*
 * See relay_security.h.  DANE comes before MTA-STS (RFC 8461 section 2), and an
 * answer about TLSA that did not come, or was forged, is never taken for "there
 * is none" (RFC 7672 section 2.1.2).
 */
#include "smtpd/relay_security.h"

#include "common/dns.h"

static void
set(struct relay_security *security, enum relay_level level,
    enum tls_proof proof)
{
	security->level = level;
	security->proof = proof;
	security->why = NULL;
}

static void
refuse(struct relay_security *security, const char *why)
{
	set(security, RELAY_LEVEL_REFUSED, TLS_PROOF_NONE);
	security->why = why;
}

/* What DNS and the policy say. */
static void
decide_default(const struct relay_facts *facts, struct relay_security *security)
{
	if (facts->tlsa == RELAY_TLSA_FAILED)
		refuse(security, "whether it has TLSA records cannot be "
				 "learned");
	else if (facts->tlsa == RELAY_TLSA_USABLE)
		set(security, RELAY_LEVEL_DANE, TLS_PROOF_DANE);
	else if (facts->policy == RELAY_POLICY_UNLISTED)
		refuse(security, "it is not in the MTA-STS policy of the "
				 "domain");
	else if (facts->policy == RELAY_POLICY_ENFORCED)
		set(security, RELAY_LEVEL_VERIFY, TLS_PROOF_NAME);
	else if (facts->tlsa == RELAY_TLSA_UNUSABLE)
		set(security, RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE);
	else if (facts->policy == RELAY_POLICY_TESTING)
		set(security, RELAY_LEVEL_MAY, TLS_PROOF_TRIED);
	else
		set(security, RELAY_LEVEL_MAY, TLS_PROOF_NONE);
}

void
relay_security_decide(
    const struct relay_facts *facts, struct relay_security *security)
{
	switch (facts->wanted) {
	case RELAY_TLS_NEVER:
		set(security, RELAY_LEVEL_NONE, TLS_PROOF_NONE);
		break;
	case RELAY_TLS_MAY:
		set(security, RELAY_LEVEL_MAY, TLS_PROOF_NONE);
		break;
	case RELAY_TLS_ENCRYPT:
		set(security, RELAY_LEVEL_ENCRYPT, TLS_PROOF_NONE);
		break;
	case RELAY_TLS_VERIFY:
		set(security, RELAY_LEVEL_VERIFY, TLS_PROOF_NAME);
		break;
	case RELAY_TLS_DANE:
		if (facts->tlsa == RELAY_TLSA_USABLE)
			set(security, RELAY_LEVEL_DANE, TLS_PROOF_DANE);
		else
			refuse(security, "DANE is wanted, and it has no "
					 "usable TLSA records");
		break;
	default:
		decide_default(facts, security);
		break;
	}
	/* Our password is for one who has proven his name, unless the
	 * administrator says otherwise. */
	if (facts->has_login && facts->wanted == RELAY_TLS_DEFAULT &&
	    (security->level == RELAY_LEVEL_MAY ||
		security->level == RELAY_LEVEL_ENCRYPT))
		set(security, RELAY_LEVEL_VERIFY, TLS_PROOF_NAME);
	if (facts->is_implicit_tls && security->level == RELAY_LEVEL_MAY)
		set(security, RELAY_LEVEL_ENCRYPT, security->proof);
}

enum tls_policy
relay_security_policy(const struct relay_facts *facts)
{
	if (facts->wanted == RELAY_TLS_DANE ||
	    facts->tlsa == RELAY_TLSA_FAILED ||
	    facts->tlsa == RELAY_TLSA_USABLE)
		return TLS_POLICY_TLSA;
	if (facts->policy == RELAY_POLICY_ENFORCED ||
	    facts->policy == RELAY_POLICY_UNLISTED)
		return TLS_POLICY_STS;
	if (facts->tlsa == RELAY_TLSA_UNUSABLE)
		return TLS_POLICY_TLSA;
	return facts->policy == RELAY_POLICY_TESTING ? TLS_POLICY_STS
						     : TLS_POLICY_NONE;
}

bool
relay_security_allows_clear(const struct relay_security *security)
{
	return security->level == RELAY_LEVEL_MAY ||
	       security->level == RELAY_LEVEL_NONE;
}

static bool
is_usable(const struct dns_record *record)
{
	static const size_t sizes[] = { 0, 32, 64 };

	if (record->usage != 2 && record->usage != 3)
		return false;
	if (record->selector > 1 || record->matching > 2 ||
	    record->data.size == 0)
		return false;
	return record->matching == 0 ||
	       record->data.size == sizes[record->matching];
}

enum relay_tlsa
relay_security_records(const struct message_relay_found *answer,
    struct tls_tlsa records[RELAY_MAX_TLSA], size_t *count)
{
	struct dns_record record;
	struct reader reader;

	*count = 0;
	if (answer->security == DNS_BOGUS || answer->result >= DNS_FAILED)
		return RELAY_TLSA_FAILED;
	if (answer->result != DNS_FOUND || answer->security != DNS_SECURE)
		return RELAY_TLSA_NONE;
	reader_init(&reader, answer->records.data, answer->records.size);
	while (*count < RELAY_MAX_TLSA &&
	       dns_get_record(&reader, DNS_TLSA, &record) == 1) {
		if (!is_usable(&record))
			continue;
		records[*count].usage = record.usage;
		records[*count].selector = record.selector;
		records[*count].matching = record.matching;
		records[(*count)++].data = record.data;
	}
	return *count > 0 ? RELAY_TLSA_USABLE : RELAY_TLSA_UNUSABLE;
}

const char *
relay_level_name(enum relay_level level)
{
	static const char *const names[] = { "never", "may", "encrypt",
		"verify", "dane", "refused" };

	return names[level];
}
