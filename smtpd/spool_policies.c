/* See spool_policies.h. */
#include "smtpd/spool_policies.h"

#include "common/log.h"
#include "common/memory.h"
#include "smtpd/spool_env.h"
#include "smtpd/sts_policy.h"

#include <stdlib.h>
#include <string.h>

struct spool_policies {
	struct spool *spool;
	struct timer *timer;
	struct spool_key from; /* where the look goes on; empty: a new one */
};

static struct spool_env *
env_of(const struct spool_policies *policies)
{
	return spool_store_env(policies->spool->store);
}

/* -- One that was fetched -- */

struct fetched {
	struct spool_change change;
	struct spool_policies *policies;
	struct spool_policy policy;
	char texts[]; /* which it points into */
};

/* Of two domains with one hash the first is remembered. */
static int
check_place(
    struct fetched *fetched, const struct spool_key *key, struct error *error)
{
	struct spool_env *env = env_of(fetched->policies);
	struct spool_policy there;
	struct text value;
	int found = spool_env_get(env, SPOOL_POLICY, key, &value, error);

	if (found == 1 && spool_get_policy(value, &there) == 0 &&
	    !text_equal(there.domain, fetched->policy.domain))
		return error_set(error, ERROR_LIMIT, "one hash");
	if (found == 0 &&
	    (spool_env_count(env, SPOOL_POLICY) >= SPOOL_MAX_POLICIES ||
		!spool_env_has_room(env, SPOOL_MAX_POLICY_VALUE)))
		return error_set(error, ERROR_LIMIT, "there are too many");
	return found == -1 ? -1 : 0;
}

static int
keep_apply(struct spool_change *change, struct error *error)
{
	struct fetched *fetched = (struct fetched *)change;
	struct spool_key key = spool_policy_key(fetched->policy.domain);
	uint8_t *value;
	size_t size;
	int result = check_place(fetched, &key, error);

	if (result == -1 && error->code == ERROR_LIMIT)
		log_warning("sts-policy",
		    "domain=%.*s why=\"%s: not remembered\"",
		    TEXT_FMT(fetched->policy.domain), error->text);
	if (result == -1)
		return -1;
	value = memory_new(1, SPOOL_MAX_POLICY_VALUE);
	size = spool_put_policy(value, &fetched->policy);
	result = size == 0
		     ? error_set(error, ERROR_INPUT, "a long policy")
		     : spool_env_put(env_of(fetched->policies), SPOOL_POLICY,
			   &key, text_make(value, size), error);
	free(value);
	return result;
}

static void
free_change(struct spool_change *change, enum status status)
{
	free(change);
}

static struct text
copy(char **place, struct text text)
{
	char *to = *place;

	if (text.size > 0)
		memcpy(to, text.data, text.size);
	*place += text.size;
	return text_make(to, text.size);
}

void
spool_policies_keep(
    struct spool_policies *policies, const struct message_sts_keep *said)
{
	struct fetched *fetched =
	    memory_new(1, sizeof(*fetched) + said->domain.size + said->id.size +
			      said->policy.size);
	uint32_t age_s =
	    said->max_age_s < STS_MAX_AGE_S ? said->max_age_s : STS_MAX_AGE_S;
	char *place = fetched->texts;

	fetched->policies = policies;
	fetched->change.apply = keep_apply;
	fetched->change.done = free_change;
	fetched->policy.since = spool_now() / 1000;
	fetched->policy.until = fetched->policy.since + age_s;
	fetched->policy.domain = copy(&place, said->domain);
	fetched->policy.id = copy(&place, said->id);
	fetched->policy.policy = copy(&place, said->policy);
	spool_round_add(policies->spool->round, &fetched->change);
}

/* -- What is remembered -- */

void
spool_policies_add(
    struct spool_policies *policies, struct message_relay_job *job)
{
	struct spool_key key = spool_policy_key(job->domain);
	struct spool_policy policy;
	struct error error;
	struct text value;

	if (spool_env_get(
		env_of(policies), SPOOL_POLICY, &key, &value, &error) != 1 ||
	    spool_get_policy(value, &policy) == -1 ||
	    !text_equal(policy.domain, job->domain))
		return;
	job->sts_id = policy.id;
	job->sts_since = policy.since;
	job->sts_until = policy.until;
	job->sts_policy = policy.policy;
}

/* -- All of them, now and then -- */

struct drop {
	struct spool_change change;
	struct spool_policies *policies;
	struct spool_key key;
};

static int
drop_apply(struct spool_change *change, struct error *error)
{
	struct drop *drop = (struct drop *)change;

	return spool_env_remove(
	    env_of(drop->policies), SPOOL_POLICY, &drop->key, error);
}

static void
drop(struct spool_policies *policies, struct text key)
{
	struct drop *drop = memory_new(1, sizeof(*drop));

	drop->policies = policies;
	spool_key_raw(&drop->key, key.data, key.size);
	drop->change.apply = drop_apply;
	drop->change.done = free_change;
	spool_round_add(policies->spool->round, &drop->change);
}

static void
ask_again(struct spool_policies *policies, const struct spool_policy *policy)
{
	struct message message = { .type = MESSAGE_sts_refresh };

	if (policies->spool->relay == NULL)
		return;
	message.sts_refresh.domain = policy->domain;
	message.sts_refresh.sts_id = policy->id;
	message.sts_refresh.sts_since = policy->since;
	message.sts_refresh.sts_until = policy->until;
	message.sts_refresh.sts_policy = policy->policy;
	(void)channel_send(policies->spool->relay, &message, NULL, 0);
}

/* 1: something was due for it. */
static int
look_at(struct spool_policies *policies, struct text key, struct text value)
{
	int64_t now = spool_now() / 1000;
	struct spool_policy policy;

	if (spool_get_policy(value, &policy) == -1 || policy.until <= now)
		drop(policies, key);
	else if (sts_policy_is_old(policy.since, policy.until, now))
		ask_again(policies, &policy);
	else
		return 0;
	return 1;
}

/* The key behind that one. */
static void
go_behind(struct spool_policies *policies, struct text key)
{
	policies->from = (struct spool_key){ .size = 0 };
	spool_key_raw(&policies->from, key.data, key.size);
	spool_key_raw(&policies->from, "", 1);
}

void
spool_policies_look(struct spool_policies *policies)
{
	struct text key, value;
	struct error error;
	struct spool_cursor *cursor = spool_cursor_open(
	    env_of(policies), SPOOL_POLICY, &policies->from, &error);
	int found = cursor == NULL ? -1 : 1, due = 0;

	while (due < SPOOL_POLICIES_AT_ONCE && found == 1) {
		found = spool_cursor_next(cursor, &key, &value, &error);
		if (found != 1)
			break;
		due += look_at(policies, key, value);
		go_behind(policies, key);
	}
	spool_cursor_close(&cursor);
	if (found != 1)
		policies->from = (struct spool_key){ .size = 0 };
	timer_start(policies->timer,
	    found == 1 ? SPOOL_POLICIES_STEP_MS : SPOOL_POLICIES_LOOK_S * 1000);
}

static void
on_timer(void *context)
{
	spool_policies_look(context);
}

/* -- All together -- */

struct spool_policies *
spool_policies_new(struct spool *spool)
{
	struct spool_policies *policies = memory_new(1, sizeof(*policies));

	policies->spool = spool;
	policies->timer = timer_new(spool->loop, on_timer, policies);
	timer_start(policies->timer, SPOOL_POLICIES_STEP_MS);
	return policies;
}

void
spool_policies_free(struct spool_policies **policies)
{
	if (*policies == NULL)
		return;
	timer_free(&(*policies)->timer);
	memory_free(policies);
}
