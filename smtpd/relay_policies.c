/*
 * See relay_policies.h.  A question goes through up to two others: the TXT
 * record first, which names the version of the policy, and HTTPS only if that
 * version is not the one that is kept.  Whatever fails on the way, a policy
 * that is kept and has not expired is in force (section 5.1).
 */
#include "smtpd/relay_policies.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"
#include "common/table.h"
#include "smtpd/relay_kept.h"
#include "smtpd/relay_reply.h"
#include "smtpd/sts_policy.h"

#include <stdio.h>
#include <string.h>

enum {
	RETRY_S = 300 /* after a fetch that failed: the domain's last answer */
};

struct question {
	struct relay_policies *policies;
	uint64_t number;
	char domain[256];
	uint64_t lookup;   /* of the record; 0: it waits for a fetch */
	bool is_announced; /* the domain says that it has one, of that id */
	char id[STS_ID_SIZE];
	relay_policies_found *found;
	void *context;
};

/* What the fetcher was asked for, once for all who wait for it. */
struct fetch {
	uint64_t number;
	char domain[256];
	char id[STS_ID_SIZE];
};

struct relay_policies {
	struct relay_names *names;
	struct channel *fetcher;
	struct channel *spool;
	struct table *questions;
	struct table *fetches;
	struct relay_kept *kept;
	uint64_t last;
};

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* -- Answers -- */

/* The policy that is in force answers the question. */
static void
answer_with(struct question *question, enum tls_result result)
{
	struct relay_policies *policies = question->policies;
	struct kept_policy *kept =
	    relay_kept_find(policies->kept, question->domain);
	relay_policies_found *found = question->found;
	void *context = question->context;

	(void)table_remove_u64(policies->questions, question->number);
	memory_free(&question);
	found(relay_kept_is_in_force(kept, now_s())
		  ? text_make(kept->text, kept->size)
		  : text_of(""),
	    result, context);
}

/* It is the one that the domain announces. */
static bool
is_current(const struct kept_policy *kept, const struct question *question)
{
	return relay_kept_is_in_force(kept, now_s()) &&
	       strcmp(kept->id, question->id) == 0;
}

static void
answer(struct question *question)
{
	const struct kept_policy *kept =
	    relay_kept_find(question->policies->kept, question->domain);
	bool is_missing = question->is_announced && kept != NULL &&
			  !is_current(kept, question);

	answer_with(question, is_missing ? kept->result : TLS_RESULT_SUCCESS);
}

/* The spool remembers it, also when we are gone. */
static void
tell_spool(const struct relay_policies *policies,
    const struct kept_policy *kept, uint32_t max_age_s)
{
	struct message message = { .type = MESSAGE_sts_keep };

	if (policies->spool == NULL)
		return;
	if (kept->size > RELAY_POLICY_MAX_SPOOLED) {
		log_warning("sts-policy",
		    "domain=%s why=\"too long to be remembered after a "
		    "restart\"",
		    kept->domain);
		return;
	}
	message.sts_keep.domain = text_of(kept->domain);
	message.sts_keep.id = text_of(kept->id);
	message.sts_keep.max_age_s = max_age_s;
	message.sts_keep.policy = text_make(kept->text, kept->size);
	(void)channel_send(policies->spool, &message, NULL, 0);
}

/* Why there is none, in the words of RFC 8460. */
static enum tls_result
result_of(uint8_t status)
{
	switch (status) {
	case STATUS_OK:
		return TLS_RESULT_STS_POLICY;
	case STATUS_REFUSED:
		return TLS_RESULT_STS_WEBPKI;
	default:
		return TLS_RESULT_STS_FETCH;
	}
}

/* All who wait for the domain, or for any (NULL). A callback may ask on. */
static void
answer_all(struct relay_policies *policies, const char *domain)
{
	size_t position = 0;
	void *value;

	while (table_next(policies->questions, &position, NULL, NULL, &value)) {
		struct question *question = value;

		if (question->lookup != 0 ||
		    (domain != NULL && strcmp(question->domain, domain) != 0))
			continue;
		answer(question);
		position = 0;
	}
}

void
relay_policies_answer(struct relay_policies *policies,
    const struct message_policy_fetched *fetched)
{
	struct fetch *fetch = table_remove_u64(policies->fetches, fetched->tag);
	struct kept_policy *kept;
	struct sts_policy policy;
	struct error error;
	char why[201];

	if (fetch == NULL)
		return;
	kept = relay_kept_get(policies->kept, fetch->domain);
	relay_reply_clean(fetched->why, why, sizeof(why));
	if (fetched->status == STATUS_OK &&
	    sts_policy_parse(fetched->policy, &policy, &error) == 0) {
		relay_kept_set(kept, fetch->id, fetched->policy, now_s(),
		    now_s() + policy.max_age_s);
		tell_spool(policies, kept, policy.max_age_s);
	} else {
		kept->retry = now_s() + RETRY_S;
		kept->result = result_of(fetched->status);
		log_info("sts-policy", "domain=%s why=\"%s\"", fetch->domain,
		    fetched->status == STATUS_OK ? error.text : why);
	}
	answer_all(policies, fetch->domain);
	memory_free(&fetch);
}

/* -- The record -- */

static bool
is_fetching(const struct relay_policies *policies, const char *domain)
{
	size_t position = 0;
	void *value;

	while (table_next(policies->fetches, &position, NULL, NULL, &value))
		if (strcmp(((struct fetch *)value)->domain, domain) == 0)
			return true;
	return false;
}

/* False: there is nobody to ask. */
static bool
fetch(const struct question *question)
{
	struct relay_policies *policies = question->policies;
	struct message message = { .type = MESSAGE_fetch_policy };
	struct fetch *fetch;

	if (is_fetching(policies, question->domain))
		return true;
	message.fetch_policy.tag = ++policies->last;
	message.fetch_policy.domain = text_of(question->domain);
	if (policies->fetcher == NULL ||
	    channel_send(policies->fetcher, &message, NULL, 0) == -1)
		return false;
	fetch = memory_new(1, sizeof(*fetch));
	fetch->number = message.fetch_policy.tag;
	memcpy(fetch->domain, question->domain, sizeof(fetch->domain));
	memcpy(fetch->id, question->id, sizeof(fetch->id));
	(void)table_put_u64(policies->fetches, fetch->number, fetch);
	return true;
}

/* Exactly one record of the kind, else there is none (section 3.1). */
static bool
read_records(const struct message_relay_found *found, char id[STS_ID_SIZE])
{
	struct dns_record record;
	struct reader reader;
	unsigned int count = 0;
	char one[STS_ID_SIZE];

	if (found->result != DNS_FOUND)
		return false;
	reader_init(&reader, found->records.data, found->records.size);
	while (dns_get_record(&reader, DNS_TXT, &record) == 1) {
		if (sts_record_parse(record.data, one) != 1)
			continue;
		memcpy(id, one, sizeof(one));
		count++;
	}
	return count == 1;
}

/* Nobody waits for what is only grown old. */
static void
record_found(const struct message_relay_found *found, void *context)
{
	struct question *question = context;
	const struct kept_policy *kept =
	    relay_kept_find(question->policies->kept, question->domain);
	bool is_known, may_fetch;

	question->lookup = 0;
	question->is_announced = read_records(found, question->id);
	is_known = is_current(kept, question);
	may_fetch = question->is_announced &&
		    (kept == NULL || now_s() >= kept->retry) &&
		    (!is_known || relay_kept_is_old(kept, now_s()));
	if (!may_fetch || !fetch(question) || is_known)
		answer(question);
}

static void
copy_name(struct text from, char to[256])
{
	(void)text_copy(from, to, 256);
	for (char *p = to; *p != '\0'; p++)
		*p = text_lower_byte(*p);
}

uint64_t
relay_policies_ask(struct relay_policies *policies, struct text domain,
    relay_policies_found *found, void *context)
{
	struct question *question = memory_new(1, sizeof(*question));
	char name[300];

	question->policies = policies;
	question->number = ++policies->last;
	question->found = found;
	question->context = context;
	copy_name(domain, question->domain);
	(void)table_put_u64(policies->questions, question->number, question);
	(void)snprintf(name, sizeof(name), "_mta-sts.%s", question->domain);
	question->lookup = relay_names_ask(
	    policies->names, DNS_TXT, text_of(name), record_found, question);
	return question->number;
}

void
relay_policies_hurry(struct relay_policies *policies, uint64_t number)
{
	struct question *question = table_find_u64(policies->questions, number);

	if (question == NULL)
		return;
	if (question->lookup != 0)
		relay_names_forget(policies->names, &question->lookup);
	answer_with(question,
	    question->is_announced ? TLS_RESULT_STS_FETCH : TLS_RESULT_SUCCESS);
}

void
relay_policies_forget(struct relay_policies *policies, uint64_t *number)
{
	struct question *question =
	    table_remove_u64(policies->questions, *number);

	*number = 0;
	if (question != NULL && question->lookup != 0)
		relay_names_forget(policies->names, &question->lookup);
	memory_free(&question);
}

/* -- The spool -- */

void
relay_policies_learn(struct relay_policies *policies, struct text domain,
    const struct relay_spooled_policy *spooled)
{
	struct kept_policy *kept;
	char name[256], id[STS_ID_SIZE];

	if (spooled->policy.size == 0 || spooled->until <= now_s())
		return;
	copy_name(domain, name);
	kept = relay_kept_get(policies->kept, name);
	if (kept->text != NULL && kept->since >= spooled->since)
		return;
	(void)text_copy(spooled->id, id, sizeof(id));
	relay_kept_set(
	    kept, id, spooled->policy, spooled->since, spooled->until);
}

static void
nobody_waits(struct text policy, enum tls_result result, void *context)
{
}

static bool
is_asked_for(const struct relay_policies *policies, const char *domain)
{
	size_t position = 0;
	void *value;

	while (table_next(policies->questions, &position, NULL, NULL, &value)) {
		const struct question *question = value;

		if (question->found == nobody_waits &&
		    strcmp(question->domain, domain) == 0)
			return true;
	}
	return false;
}

void
relay_policies_refresh(struct relay_policies *policies, struct text domain)
{
	char name[256];

	copy_name(domain, name);
	if (!is_asked_for(policies, name))
		(void)relay_policies_ask(
		    policies, text_of(name), nobody_waits, NULL);
}

void
relay_policies_tell(struct relay_policies *policies, struct channel *spool)
{
	policies->spool = spool;
}

/* -- All together -- */

static void
free_fetches(struct relay_policies *policies)
{
	size_t position = 0;
	void *value;

	while (table_next(policies->fetches, &position, NULL, NULL, &value)) {
		(void)table_remove_u64(
		    policies->fetches, ((struct fetch *)value)->number);
		memory_free(&value);
	}
}

/* What was asked of one that went away is answered with what is kept. */
void
relay_policies_use(struct relay_policies *policies, struct channel *fetcher)
{
	policies->fetcher = fetcher;
	if (fetcher != NULL)
		return;
	free_fetches(policies);
	answer_all(policies, NULL);
}

struct relay_policies *
relay_policies_new(struct relay_names *names)
{
	struct relay_policies *policies = memory_new(1, sizeof(*policies));

	policies->names = names;
	policies->questions = table_new();
	policies->fetches = table_new();
	policies->kept = relay_kept_new();
	return policies;
}

void
relay_policies_free(struct relay_policies **policies)
{
	size_t position = 0;
	void *value;

	if (*policies == NULL)
		return;
	while (
	    table_next((*policies)->questions, &position, NULL, NULL, &value))
		memory_free(&value);
	free_fetches(*policies);
	table_free(&(*policies)->fetches);
	table_free(&(*policies)->questions);
	relay_kept_free(&(*policies)->kept);
	memory_free(policies);
}
