/* See tlsrpt_store.h. */
#include "smtpd/tlsrpt_store.h"

#include "common/tls_result.h"

#include <string.h>

static const struct spool_key closed_key = { "tlsrpt-closed", 13 };

/* -- Rows -- */

static int
put(struct spool_env *env, const struct spool_key *key, const uint8_t *value,
    size_t size, struct error *error)
{
	if (size == 0)
		return error_set(
		    error, ERROR_INPUT, "tlsrpt: a text is too long");
	return spool_env_put(
	    env, SPOOL_TLSRPT, key, text_make(value, size), error);
}

int
tlsrpt_store_get(struct spool_env *env, struct tlsrpt_id id,
    struct tlsrpt_domain *domain, struct error *error)
{
	struct spool_key key = tlsrpt_domain_key(id);
	struct text value;
	int found = spool_env_get(env, SPOOL_TLSRPT, &key, &value, error);

	if (found == 1 &&
	    tlsrpt_get_domain(spool_key_text(&key), value, domain) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a TLS report");
	return found;
}

int
tlsrpt_store_set(struct spool_env *env, const struct tlsrpt_domain *domain,
    struct error *error)
{
	struct spool_key key = tlsrpt_domain_key(domain->id);
	uint8_t value[SPOOL_MAX_VALUE];

	return put(env, &key, value, tlsrpt_put_domain(value, domain), error);
}

int
tlsrpt_store_find(struct spool_env *env, struct tlsrpt_id from,
    struct tlsrpt_domain *domain, struct error *error)
{
	struct spool_key start = tlsrpt_domain_key(from);
	struct spool_cursor *cursor =
	    spool_cursor_open(env, SPOOL_TLSRPT, &start, error);
	struct text key, value;
	int found = cursor == NULL ? -1 : 1;

	while (found == 1) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found == 1 && tlsrpt_key_row(key) == TLSRPT_DOMAIN)
			break;
	}
	spool_cursor_close(&cursor);
	if (found == 1 && tlsrpt_get_domain(key, value, domain) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: a TLS report");
	return found;
}

static bool
is_of(struct text key, struct tlsrpt_id id)
{
	struct tlsrpt_id own = tlsrpt_key_id(key);

	return own.period == id.period && own.domain == id.domain;
}

int
tlsrpt_store_each(struct spool_env *env, struct tlsrpt_id id,
    void (*callback)(void *context, const struct tlsrpt_policy *policy,
	const struct tlsrpt_failure *failure),
    void *context, struct error *error)
{
	struct spool_key from = tlsrpt_domain_key(id);
	struct spool_cursor *cursor =
	    spool_cursor_open(env, SPOOL_TLSRPT, &from, error);
	struct tlsrpt_failure failure;
	struct tlsrpt_policy policy;
	struct text key, value;
	int found = cursor == NULL ? -1 : 1;

	while (found == 1) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found != 1 || !is_of(key, id))
			break;
		if (tlsrpt_key_row(key) == TLSRPT_POLICY &&
		    tlsrpt_get_policy(value, &policy) == 0)
			callback(context, &policy, NULL);
		else if (tlsrpt_key_row(key) == TLSRPT_FAILURE &&
			 tlsrpt_get_failure(value, &failure) == 0)
			callback(context, NULL, &failure);
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : 0;
}

/* 1 and the first key of the report, 0, -1. */
static int
first_key(struct spool_env *env, struct tlsrpt_id id, struct spool_key *first,
    struct error *error)
{
	struct spool_key from = tlsrpt_domain_key(id);
	struct spool_cursor *cursor =
	    spool_cursor_open(env, SPOOL_TLSRPT, &from, error);
	struct text key, value;
	int found = -1;

	if (cursor != NULL)
		found = spool_cursor_next(cursor, &key, &value, error);
	if (found == 1 && !is_of(key, id))
		found = 0;
	if (found == 1) {
		*first = (struct spool_key){ .size = 0 };
		spool_key_raw(first, key.data, key.size);
	}
	spool_cursor_close(&cursor);
	return found;
}

int
tlsrpt_store_remove(
    struct spool_env *env, struct tlsrpt_id id, struct error *error)
{
	struct spool_key key = { .size = 0 };
	int found;

	while ((found = first_key(env, id, &key, error)) == 1)
		if (spool_env_remove(env, SPOOL_TLSRPT, &key, error) == -1)
			return -1;
	return found;
}

/* -- Counting -- */

/* What is there already, else a new one if there is room. */
static int
open_domain(struct spool_env *env, uint32_t period,
    const struct message_tls_session *said, struct tlsrpt_domain *domain,
    struct error *error)
{
	struct tlsrpt_id id = { period, tlsrpt_hash(said->domain) };
	int found = tlsrpt_store_get(env, id, domain, error);

	if (found == 0 && spool_env_count(env, SPOOL_TLSRPT) >= TLSRPT_MAX_ROWS)
		return error_set(
		    error, ERROR_LIMIT, "tlsrpt: too many are counted");
	if (found == 0)
		*domain = (struct tlsrpt_domain){ .id = id };
	/* Two of one hash: the first one of the period has it. */
	if (found == 1 && !text_equal(domain->name, said->domain))
		return error_set(error, ERROR_LIMIT, "tlsrpt: one hash");
	domain->name = said->domain;
	return found;
}

/* 1: it is a new row, 0: it was there, -1. */
static int
count_policy(struct spool_env *env, const struct tlsrpt_domain *domain,
    const struct message_tls_session *said, struct spool_key *key,
    struct error *error)
{
	struct tlsrpt_policy policy = { .type = said->policy_type,
		.domain = said->policy_domain,
		.lines = said->policy },
			     stored;
	uint8_t bytes[SPOOL_MAX_VALUE];
	struct text value;
	int found;

	*key = tlsrpt_policy_key(domain->id, &policy);
	found = spool_env_get(env, SPOOL_TLSRPT, key, &value, error);
	if (found == 0 && domain->policies >= TLSRPT_MAX_POLICIES)
		return error_set(
		    error, ERROR_LIMIT, "tlsrpt: too many policies");
	if (found == 1 && tlsrpt_get_policy(value, &stored) == 0) {
		policy.good = stored.good;
		policy.bad = stored.bad;
	}
	if (said->result == TLS_RESULT_SUCCESS)
		policy.good++;
	else
		policy.bad++;
	if (found == -1 || put(env, key, bytes,
			       tlsrpt_put_policy(bytes, &policy), error) == -1)
		return -1;
	return found == 0;
}

/* As above; one that is too many is in the sum of its policy alone. */
static int
count_failure(struct spool_env *env, const struct tlsrpt_domain *domain,
    const struct message_tls_session *said, const struct spool_key *policy,
    struct error *error)
{
	struct tlsrpt_failure failure = { .result = said->result,
		.mx = said->mx,
		.helo = said->helo,
		.sending_ip = said->sending_ip,
		.receiving_ip = said->receiving_ip,
		.reason = said->reason },
			      stored;
	struct spool_key key = tlsrpt_failure_key(policy, &failure);
	uint8_t bytes[SPOOL_MAX_VALUE];
	struct text value;
	int found = spool_env_get(env, SPOOL_TLSRPT, &key, &value, error);

	if (found == 0 && domain->failures >= TLSRPT_MAX_FAILURES)
		return 0;
	if (found == 1 && tlsrpt_get_failure(value, &stored) == 0)
		failure.count = stored.count;
	failure.count++;
	if (found == -1 ||
	    put(env, &key, bytes, tlsrpt_put_failure(bytes, &failure), error) ==
		-1)
		return -1;
	return found == 0;
}

int
tlsrpt_store_count(struct spool_env *env, uint32_t period,
    const struct message_tls_session *said, struct error *error)
{
	struct tlsrpt_domain domain;
	struct spool_key policy;
	int known, is_new = 0, is_new_failure = 0;
	bool has_changed;

	if (said->policy_type >= TLS_POLICIES || said->result >= TLS_RESULTS ||
	    said->domain.size == 0)
		return error_set(error, ERROR_INPUT, "tlsrpt: no session");
	known = open_domain(env, period, said, &domain, error);
	if (known == -1)
		return -1;
	has_changed = known == 0 || !text_equal(domain.record, said->record);
	domain.record = said->record;
	is_new = count_policy(env, &domain, said, &policy, error);
	if (is_new != -1 && said->result != TLS_RESULT_SUCCESS)
		is_new_failure =
		    count_failure(env, &domain, said, &policy, error);
	if (is_new == -1 || is_new_failure == -1)
		return -1;
	domain.policies = (uint16_t)(domain.policies + is_new);
	domain.failures = (uint16_t)(domain.failures + is_new_failure);
	if (!has_changed && !is_new && !is_new_failure)
		return 0;
	return tlsrpt_store_set(env, &domain, error);
}

/* -- Periods that the administrator ended -- */

int
tlsrpt_store_closed(struct spool_env *env, int64_t *closed, struct error *error)
{
	struct text value;
	int found = spool_env_get(env, SPOOL_META, &closed_key, &value, error);

	*closed = found == 1 ? (int64_t)spool_key_get(value, 0, 8) : 0;
	return found == -1 ? -1 : 0;
}

int
tlsrpt_store_close(struct spool_env *env, int64_t closed, struct error *error)
{
	struct spool_key value = spool_message_key((uint64_t)closed);

	return spool_env_put(
	    env, SPOOL_META, &closed_key, spool_key_text(&value), error);
}
