/*
 * See relay_policies.h.  A question goes through up to two others: the TXT record
 * first, which names the version of the policy, and HTTPS only if that version is
 * not the one that is kept.  Whatever fails on the way, a policy that is kept and
 * has not expired is in force (section 5.1).
 */
#include "smtpd/relay_policies.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"
#include "common/table.h"
#include "smtpd/relay_reply.h"
#include "smtpd/sts_policy.h"

#include <stdio.h>
#include <string.h>

enum {
	RETRY_S = 300 /* after a fetch that failed: the domain's last answer */
};

struct kept {
	char domain[256];
	char id[STS_ID_SIZE];
	char *text;
	size_t size;
	int64_t expires_us;
	int64_t retry_us;       /* not to be fetched before */
	enum tls_result result; /* of the last fetch */
};

struct question {
	struct relay_policies *policies;
	uint64_t number;
	char domain[256];
	uint64_t lookup;   /* of the record; 0: it waits for a fetch */
	bool is_announced; /* the domain says that it has one */
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
	struct table *questions;
	struct table *fetches;
	struct table *kept; /* by domain */
	uint64_t last;
};

/* -- What is kept -- */

static struct kept *
find_kept(const struct relay_policies *policies, const char *domain)
{
	return table_find(policies->kept, domain, strlen(domain));
}

static void
free_kept(struct kept *kept)
{
	memory_free(&kept->text);
	memory_free(&kept);
}

/* Room for one more: any other goes. */
static void
make_room(struct relay_policies *policies)
{
	size_t position = 0;
	void *value;

	if (table_count(policies->kept) < RELAY_POLICIES_MAX ||
	    !table_next(policies->kept, &position, NULL, NULL, &value))
		return;
	(void)table_remove(policies->kept, ((struct kept *)value)->domain,
	    strlen(((struct kept *)value)->domain));
	free_kept(value);
}

static struct kept *
get_kept(struct relay_policies *policies, const char *domain)
{
	struct kept *kept = find_kept(policies, domain);

	if (kept != NULL)
		return kept;
	make_room(policies);
	kept = memory_new(1, sizeof(*kept));
	memcpy(kept->domain, domain, sizeof(kept->domain));
	(void)table_put(policies->kept, domain, strlen(domain), kept);
	return kept;
}

static bool
is_in_force(const struct kept *kept)
{
	return kept != NULL && kept->text != NULL &&
	       clock_monotonic_us() < kept->expires_us;
}

/* The policy that is in force answers the question. */
static void
answer_with(struct question *question, enum tls_result result)
{
	struct relay_policies *policies = question->policies;
	struct kept *kept = find_kept(policies, question->domain);
	relay_policies_found *found = question->found;
	void *context = question->context;

	(void)table_remove_u64(policies->questions, question->number);
	memory_free(&question);
	found(
	    is_in_force(kept) ? text_make(kept->text, kept->size) : text_of(""),
	    result, context);
}

static void
answer(struct question *question)
{
	const struct kept *kept =
	    find_kept(question->policies, question->domain);

	answer_with(question, kept != NULL && question->is_announced
				  ? kept->result
				  : TLS_RESULT_SUCCESS);
}

static void
keep(struct kept *kept, const char *id, struct text text, uint32_t max_age_s)
{
	memory_free(&kept->text);
	kept->text = memory_copy(text.data, text.size);
	kept->size = text.size;
	kept->expires_us = clock_monotonic_us() + (int64_t)max_age_s * 1000000;
	memcpy(kept->id, id, sizeof(kept->id));
	kept->result = TLS_RESULT_SUCCESS;
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
	struct sts_policy policy;
	struct error error;
	struct kept *kept;
	char why[201];

	if (fetch == NULL)
		return;
	kept = get_kept(policies, fetch->domain);
	relay_reply_clean(fetched->why, why, sizeof(why));
	if (fetched->status == STATUS_OK &&
	    sts_policy_parse(fetched->policy, &policy, &error) == 0) {
		keep(kept, fetch->id, fetched->policy, policy.max_age_s);
	} else {
		kept->retry_us =
		    clock_monotonic_us() + (int64_t)RETRY_S * 1000000;
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

/* The question waits from here on, unless there is nobody to ask. */
static void
fetch(struct question *question, const char *id)
{
	struct relay_policies *policies = question->policies;
	struct message message = { .type = MESSAGE_fetch_policy };
	struct fetch *fetch;

	if (is_fetching(policies, question->domain))
		return;
	message.fetch_policy.tag = ++policies->last;
	message.fetch_policy.domain = text_of(question->domain);
	if (policies->fetcher == NULL ||
	    channel_send(policies->fetcher, &message, NULL, 0) == -1) {
		answer(question);
		return;
	}
	fetch = memory_new(1, sizeof(*fetch));
	fetch->number = message.fetch_policy.tag;
	memcpy(fetch->domain, question->domain, sizeof(fetch->domain));
	memcpy(fetch->id, id, sizeof(fetch->id));
	(void)table_put_u64(policies->fetches, fetch->number, fetch);
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

static void
record_found(const struct message_relay_found *found, void *context)
{
	struct question *question = context;
	const struct kept *kept =
	    find_kept(question->policies, question->domain);
	char id[STS_ID_SIZE];

	question->lookup = 0;
	question->is_announced = read_records(found, id);
	if (!question->is_announced ||
	    (is_in_force(kept) && strcmp(kept->id, id) == 0) ||
	    (kept != NULL && clock_monotonic_us() < kept->retry_us))
		answer(question);
	else
		fetch(question, id);
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
	(void)text_copy(domain, question->domain, sizeof(question->domain));
	for (char *p = question->domain; *p != '\0'; p++)
		*p = text_lower_byte(*p);
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
	policies->kept = table_new();
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
	position = 0;
	while (table_next((*policies)->kept, &position, NULL, NULL, &value))
		free_kept(value);
	free_fetches(*policies);
	table_free(&(*policies)->fetches);
	table_free(&(*policies)->questions);
	table_free(&(*policies)->kept);
	memory_free(policies);
}
