/*
 * MTA-STS policies (RFC 8461) of domains: announced by a TXT record, fetched by
 * the fetcher, and kept for as long as they say, so that one who hides the
 * record from us later does not hide the policy.  The spool remembers them: it
 * hears of each, and says it with the jobs for its domain.
 */
#ifndef SMTPD_RELAY_POLICIES_H
#define SMTPD_RELAY_POLICIES_H

#include "common/channel.h"
#include "common/tls_result.h"
#include "smtpd/relay_names.h"

#include <stdint.h>

enum {
	RELAY_POLICY_MAX_SPOOLED = 16000 /* as in the row `sts_keep` */
};

struct relay_policies;

/* From the loop only. The text of the policy, which sts_policy_parse takes; ""
 * if the domain has none. Valid during the call. `result` is why the one that
 * it announces cannot be had, for reports: then the policy is one of before. */
typedef void relay_policies_found(
    struct text policy, enum tls_result result, void *context);

struct relay_policies *relay_policies_new(struct relay_names *names);
void relay_policies_free(struct relay_policies **policies);
/* NULL: there is none now. */
void relay_policies_use(
    struct relay_policies *policies, struct channel *fetcher);

/* The number of the question, never 0. */
uint64_t relay_policies_ask(struct relay_policies *policies, struct text domain,
    relay_policies_found *found, void *context);
/* Not to be waited for any longer: it is answered, in this call, with what is
 * in force from before. */
void relay_policies_hurry(struct relay_policies *policies, uint64_t question);
/* *question becomes 0; nobody is told. */
void relay_policies_forget(struct relay_policies *policies, uint64_t *question);

/* What the spool remembers of a domain, with texts of a message; it counts if
 * it is newer than what is known, and has not expired. */
struct relay_spooled_policy {
	struct text id;
	struct text policy;
	int64_t since; /* seconds since 1970 */
	int64_t until;
};

void relay_policies_learn(struct relay_policies *policies, struct text domain,
    const struct relay_spooled_policy *spooled);
/* Fetched again if it is old, for nobody who waits. */
void relay_policies_refresh(
    struct relay_policies *policies, struct text domain);
/* Who hears what was fetched; NULL: nobody is there now. */
void relay_policies_tell(
    struct relay_policies *policies, struct channel *spool);

void relay_policies_answer(struct relay_policies *policies,
    const struct message_policy_fetched *fetched);

#endif
