/*
 * The spool's count of what accounts have sent (spool_allowance.h).
 */
#include "smtpd/spool_sent.h"

#include "smtpd/spool_allowance.h"

#include <string.h>

static struct spool_key
account_key(uint32_t account)
{
	struct spool_key key = { .size = 0 };

	spool_key_u32(&key, account);
	return key;
}

static int
read_allowance(struct spool_env *env, uint32_t account,
    struct spool_allowance *allowance, struct error *error)
{
	struct spool_key key = account_key(account);
	struct text value;
	int found = spool_env_get(env, SPOOL_SENT, &key, &value, error);

	memset(allowance, 0, sizeof(*allowance));
	if (found == 1 && spool_allowance_get(value, allowance) == -1)
		return error_set(error, ERROR_DAMAGED, "spool: an allowance");
	return found == -1 ? -1 : 0;
}

int
spool_sent_find(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t *sent, struct error *error)
{
	struct spool_allowance allowance;

	if (read_allowance(env, account, &allowance, error) == -1)
		return -1;
	*sent = (uint32_t)spool_allowance_used(&allowance, now);
	return 0;
}

int
spool_sent_check(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t count, uint32_t limit, struct error *error)
{
	uint32_t sent;

	if (account == 0 || limit == 0)
		return 0;
	if (spool_sent_find(env, account, now, &sent, error) == -1)
		return -1;
	if ((uint64_t)sent + count > limit)
		return error_set(
		    error, ERROR_LIMIT, "account %u has sent enough", account);
	return 0;
}

static int
write_allowance(struct spool_env *env, uint32_t account,
    const struct spool_allowance *allowance, struct error *error)
{
	struct spool_key key = account_key(account);
	uint8_t value[ALLOWANCE_VALUE_SIZE];
	size_t size = spool_allowance_put(value, allowance);

	return spool_env_put(
	    env, SPOOL_SENT, &key, text_make(value, size), error);
}

int
spool_sent_add(struct spool_env *env, uint32_t account, int64_t now,
    uint32_t count, struct error *error)
{
	struct spool_allowance allowance;

	if (account == 0)
		return 0;
	if (read_allowance(env, account, &allowance, error) == -1)
		return -1;
	spool_allowance_add(&allowance, now, count);
	return write_allowance(env, account, &allowance, error);
}

int
spool_sent_give_back(struct spool_env *env, uint32_t account, int64_t then,
    uint32_t count, struct error *error)
{
	struct spool_allowance allowance;

	if (account == 0)
		return 0;
	if (read_allowance(env, account, &allowance, error) == -1)
		return -1;
	spool_allowance_give_back(&allowance, then, count);
	return write_allowance(env, account, &allowance, error);
}

int
spool_sent_each(struct spool_env *env, int64_t now,
    void (*callback)(void *context, uint32_t account, uint32_t sent),
    void *context, struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(env, SPOOL_SENT, &from, error);
	struct spool_allowance allowance;
	struct text key, value;
	int found = cursor == NULL ? -1 : 1;
	uint64_t sent;

	while (found == 1) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found != 1 || spool_allowance_get(value, &allowance) == -1)
			continue;
		sent = spool_allowance_used(&allowance, now);
		if (sent > 0)
			callback(context, (uint32_t)spool_key_get(key, 0, 4),
			    (uint32_t)sent);
	}
	spool_cursor_close(&cursor);
	return found;
}
