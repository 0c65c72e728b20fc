/* See relay_kept.h. */
#include "smtpd/relay_kept.h"

#include "common/memory.h"
#include "common/table.h"

#include <string.h>

struct relay_kept {
	struct table *policies;
};

struct relay_kept *
relay_kept_new(void)
{
	struct relay_kept *kept = memory_new(1, sizeof(*kept));

	kept->policies = table_new();
	return kept;
}

static void
policy_free(struct kept_policy *policy)
{
	memory_free(&policy->text);
	memory_free(&policy);
}

void
relay_kept_free(struct relay_kept **kept)
{
	size_t position = 0;
	void *value;

	if (*kept == NULL)
		return;
	while (table_next((*kept)->policies, &position, NULL, NULL, &value))
		policy_free(value);
	table_free(&(*kept)->policies);
	memory_free(kept);
}

struct kept_policy *
relay_kept_find(const struct relay_kept *kept, const char *domain)
{
	return table_find(kept->policies, domain, strlen(domain));
}

static void
make_room(struct relay_kept *kept)
{
	struct kept_policy *policy;
	size_t position = 0;
	void *value;

	if (table_count(kept->policies) < RELAY_KEPT_MAX ||
	    !table_next(kept->policies, &position, NULL, NULL, &value))
		return;
	policy = value;
	(void)table_remove(
	    kept->policies, policy->domain, strlen(policy->domain));
	policy_free(policy);
}

struct kept_policy *
relay_kept_get(struct relay_kept *kept, const char *domain)
{
	struct kept_policy *policy = relay_kept_find(kept, domain);

	if (policy != NULL)
		return policy;
	make_room(kept);
	policy = memory_new(1, sizeof(*policy));
	(void)text_copy(
	    text_of(domain), policy->domain, sizeof(policy->domain));
	(void)table_put(
	    kept->policies, policy->domain, strlen(policy->domain), policy);
	return policy;
}

void
relay_kept_set(struct kept_policy *policy, const char *id, struct text text,
    int64_t since, int64_t until)
{
	memory_free(&policy->text);
	policy->text = memory_copy(text.data, text.size);
	policy->size = text.size;
	policy->since = since;
	policy->until = until;
	(void)text_copy(text_of(id), policy->id, sizeof(policy->id));
	policy->result = TLS_RESULT_SUCCESS;
}

bool
relay_kept_is_in_force(const struct kept_policy *policy, int64_t now)
{
	return policy != NULL && policy->text != NULL && now < policy->until;
}

bool
relay_kept_is_old(const struct kept_policy *policy, int64_t now)
{
	return relay_kept_is_in_force(policy, now) &&
	       sts_policy_is_old(policy->since, policy->until, now);
}
