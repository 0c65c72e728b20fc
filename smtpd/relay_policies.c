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
	int64_t retry_us; /* not to be fetched before */
};

struct question {
	struct relay_policies *policies;
	uint64_t number;
	char domain[256];
	char id[STS_ID_SIZE];
	uint64_t lookup;
	relay_policies_found *found;
	void *context;
};

struct relay_policies {
	struct relay_names *names;
	struct channel *fetcher;
	struct table *questions;
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
answer(struct question *question)
{
	struct relay_policies *policies = question->policies;
	struct kept *kept = find_kept(policies, question->domain);
	relay_policies_found *found = question->found;
	void *context = question->context;

	(void)table_remove_u64(policies->questions, question->number);
	memory_free(&question);
	found(
	    is_in_force(kept) ? text_make(kept->text, kept->size) : text_of(""),
	    context);
}

static void
keep(struct kept *kept, const char *id, struct text text, uint32_t max_age_s)
{
	memory_free(&kept->text);
	kept->text = memory_copy(text.data, text.size);
	kept->size = text.size;
	kept->expires_us = clock_monotonic_us() + (int64_t)max_age_s * 1000000;
	memcpy(kept->id, id, sizeof(kept->id));
}

void
relay_policies_answer(struct relay_policies *policies,
    const struct message_policy_fetched *fetched)
{
	struct question *question =
	    table_find_u64(policies->questions, fetched->tag);
	struct sts_policy policy;
	struct error error;
	struct kept *kept;
	char why[201];

	if (question == NULL)
		return;
	kept = get_kept(policies, question->domain);
	relay_reply_clean(fetched->why, why, sizeof(why));
	if (fetched->status == STATUS_OK &&
	    sts_policy_parse(fetched->policy, &policy, &error) == 0) {
		keep(kept, question->id, fetched->policy, policy.max_age_s);
	} else {
		kept->retry_us =
		    clock_monotonic_us() + (int64_t)RETRY_S * 1000000;
		log_info("sts-policy", "domain=%s why=\"%s\"", question->domain,
		    fetched->status == STATUS_OK ? error.text : why);
	}
	answer(question);
}

/* -- The record -- */

static void
fetch(struct question *question)
{
	struct relay_policies *policies = question->policies;
	struct message message = { .type = MESSAGE_fetch_policy };

	message.fetch_policy.tag = question->number;
	message.fetch_policy.domain = text_of(question->domain);
	if (policies->fetcher == NULL ||
	    channel_send(policies->fetcher, &message, NULL, 0) == -1)
		answer(question);
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

	question->lookup = 0;
	if (!read_records(found, question->id) ||
	    (is_in_force(kept) && strcmp(kept->id, question->id) == 0) ||
	    (kept != NULL && clock_monotonic_us() < kept->retry_us))
		answer(question);
	else
		fetch(question);
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

/* What was asked of one that went away is answered with what is kept. */
void
relay_policies_use(struct relay_policies *policies, struct channel *fetcher)
{
	size_t position = 0;
	void *value;

	policies->fetcher = fetcher;
	while (fetcher == NULL &&
	       table_next(policies->questions, &position, NULL, NULL, &value)) {
		if (((struct question *)value)->lookup == 0) {
			answer(value);
			position = 0; /* a callback may ask on */
		}
	}
}

struct relay_policies *
relay_policies_new(struct relay_names *names)
{
	struct relay_policies *policies = memory_new(1, sizeof(*policies));

	policies->names = names;
	policies->questions = table_new();
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
	table_free(&(*policies)->questions);
	table_free(&(*policies)->kept);
	memory_free(policies);
}
