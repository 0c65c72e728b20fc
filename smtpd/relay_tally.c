/* See relay_tally.h. */
#include "smtpd/relay_tally.h"

#include <stdio.h>
#include <string.h>

enum {
	TLSA_LINE = 12 + 2 * 64 /* of digests; a longer record is cut */
};

/* Whose reports it belongs in: the domain's, or the smarthost's. */
static struct text
domain_of(const struct relay_tally *tally, char to[256])
{
	struct text name =
	    tally->route->host.size > 0 ? tally->route->host : tally->domain;
	struct relay_address address;

	if (!relay_hosts_is_name(name) || relay_address_parse(name, &address))
		return text_of("");
	for (size_t i = 0; i < name.size; i++)
		to[i] = text_lower_byte(name.data[i]);
	return text_make(to, name.size);
}

/* What the administrator demands is no policy of the domain's. */
static bool
counts(const struct relay_route *route)
{
	return route->protocol == RELAY_SMTP && !route->is_implicit_tls &&
	       (route->tls == RELAY_TLS_DEFAULT ||
		   route->tls == RELAY_TLS_DANE);
}

/* A line "3 1 1 AB..." for each record. */
static struct text
write_tlsa(const struct relay_target *target, char *to, size_t size)
{
	struct buf lines;
	size_t used;

	buf_init(&lines, size);
	for (size_t i = 0; i < target->tlsa_count; i++) {
		const struct tls_tlsa *tlsa = &target->tlsa[i];
		char hex[2 * 64 + 1];

		text_format_hex(tlsa->data.data,
		    tlsa->data.size < 64 ? tlsa->data.size : 64, hex);
		if (lines.size + TLSA_LINE > size)
			break;
		(void)buf_put_format(&lines, "%u %u %u %s\n", tlsa->usage,
		    tlsa->selector, tlsa->matching, hex);
	}
	used = lines.size;
	if (used > 0)
		memcpy(to, lines.data, used);
	buf_clear(&lines);
	return text_make(to, used);
}

/* Whole lines of what is too long. */
static struct text
cut_policy(struct text policy)
{
	if (policy.size <= RELAY_TLSRPT_MAX_POLICY)
		return policy;
	policy.size = RELAY_TLSRPT_MAX_POLICY;
	while (policy.size > 0 && policy.data[policy.size - 1] != '\n')
		policy.size--;
	return policy;
}

static void
tell(const struct relay_tally *tally, const struct relay_target *target,
    struct message_tls_session *said)
{
	char domain[256], tlsa[RELAY_TLSRPT_MAX_POLICY];

	said->domain = domain_of(tally, domain);
	if (said->domain.size == 0)
		return;
	said->policy_type = (uint8_t)target->policy_type;
	said->policy_domain = target->policy_domain != NULL
				  ? text_of(target->policy_domain)
				  : said->domain;
	if (target->policy_type == TLS_POLICY_TLSA)
		said->policy = write_tlsa(target, tlsa, sizeof(tlsa));
	else if (target->policy_type == TLS_POLICY_STS)
		said->policy = cut_policy(target->policy);
	said->mx = text_of(target->name);
	relay_tlsrpt_tell(tally->tlsrpt, said);
}

void
relay_tally_unsafe(const struct relay_tally *tally,
    const struct relay_target *target, enum tls_result result)
{
	struct message_tls_session said = { .result = (uint8_t)result };

	if (!counts(tally->route))
		return;
	if (target->security.level == RELAY_LEVEL_REFUSED)
		said.reason = text_of(target->security.why);
	tell(tally, target, &said);
}

/* TLS_RESULTS: it did not come so far. */
static enum tls_result
result_of(
    const struct relay_target *target, const struct relay_session *session)
{
	const struct relay_client *client = relay_session_client(session);
	const struct tls_outcome *outcome = relay_session_outcome(session);

	if (client->is_tls && !outcome->is_done)
		return outcome->result != TLS_RESULT_SUCCESS ? outcome->result
							     : TLS_RESULT_OTHER;
	if (client->is_tls && target->is_unlisted &&
	    target->policy_type == TLS_POLICY_STS)
		return TLS_RESULT_OTHER;
	if (client->is_tls)
		return target->security.proof != TLS_PROOF_NONE
			   ? outcome->result
			   : TLS_RESULT_SUCCESS;
	if (client->state == RELAY_CLIENT_READY ||
	    client->end == RELAY_END_NO_TLS)
		return TLS_RESULT_NO_STARTTLS;
	return client->end == RELAY_END_INJECTED ? TLS_RESULT_OTHER
						 : TLS_RESULTS;
}

bool
relay_tally_session(const struct relay_tally *tally,
    const struct relay_target *target, const struct relay_session *session)
{
	const struct relay_client *client = relay_session_client(session);
	enum tls_result result = result_of(target, session);
	struct message_tls_session said = { .result = (uint8_t)result };

	if (!counts(tally->route) || result == TLS_RESULTS)
		return false;
	if (result != TLS_RESULT_SUCCESS) {
		said.helo = text_of(client->server);
		said.sending_ip = text_of(relay_session_source(session));
		said.receiving_ip = text_of(relay_session_address(session));
		said.reason = text_of(client->why);
		if (target->is_unlisted && said.reason.size == 0)
			said.reason = TEXT("the host is not in the policy");
	}
	tell(tally, target, &said);
	return true;
}
