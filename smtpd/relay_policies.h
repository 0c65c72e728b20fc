/*
 * MTA-STS policies (RFC 8461) of domains: announced by a TXT record, fetched by
 * the fetcher, and kept in memory for as long as they say, so that one who hides
 * the record from us later does not hide the policy.
 */
#ifndef SMTPD_RELAY_POLICIES_H
#define SMTPD_RELAY_POLICIES_H

#include "common/channel.h"
#include "common/tls_result.h"
#include "smtpd/relay_names.h"

#include <stdint.h>

enum {
	RELAY_POLICIES_MAX = 10000, /* domains whose policy is kept */
	RELAY_POLICY_MAX_SIZE = 60000
};

struct relay_policies;

/* From the loop only. The text of the policy, which sts_policy_parse takes; ""
 * if the domain has none. Valid during the call. `result` is why the one that it
 * announces cannot be had, for reports: then the policy is one of before. */
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
/* Not to be waited for any longer: it is answered, in this call, with what is in
 * force from before. */
void relay_policies_hurry(struct relay_policies *policies, uint64_t question);
/* *question becomes 0; nobody is told. */
void relay_policies_forget(struct relay_policies *policies, uint64_t *question);

void relay_policies_answer(struct relay_policies *policies,
    const struct message_policy_fetched *fetched);

#endif
