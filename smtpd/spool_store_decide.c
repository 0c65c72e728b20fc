/*
 * A message that is for accounts of ours too waits, whole and on disk, for what
 * the snapshot store says of it (docs/design, SU).  Its parcels lie in a table
 * of their own, so that nothing else here has to know of it.
 */
#include "smtpd/spool_store_state.h"

#include "smtpd/spool_sent.h"

#include <string.h>

/* 1 and the number of the undecided message of that delivery, 0, or -1. */
static int
find_undecided(struct spool_store *store, const struct delivery_id *delivery,
    uint64_t *id, struct error *error)
{
	struct spool_key key = spool_delivery_key(delivery);
	struct text value;
	int found =
	    spool_env_get(store->env, SPOOL_DELIVERY, &key, &value, error);

	if (found != 1)
		return found;
	*id = spool_key_get(value, 0, 8);
	key = spool_message_key(*id);
	return spool_env_get(store->env, SPOOL_UNDECIDED, &key, &value, error);
}

/* Out of the drafts; with `is_kept` into the parcels. */
static int
move_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    bool is_kept, struct error *error)
{
	struct spool_key key = spool_numbered_key(id, number);
	uint8_t copy[SPOOL_MAX_VALUE];
	struct text value;

	if (spool_env_get(store->env, SPOOL_DRAFT, &key, &value, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no draft");
	/* What was read may move with the first write. */
	memcpy(copy, value.data, value.size);
	if (is_kept && spool_env_put(store->env, SPOOL_PARCEL, &key,
			   text_make(copy, value.size), error) == -1)
		return -1;
	return spool_env_remove(store->env, SPOOL_DRAFT, &key, error);
}

static int
move_parcels(struct spool_store *store, uint64_t id, uint16_t count,
    bool is_kept, struct error *error)
{
	struct spool_key key = spool_message_key(id);

	for (uint16_t i = 0; i < count; i++)
		if (move_parcel(store, id, i, is_kept, error) == -1)
			return -1;
	return spool_env_remove(store->env, SPOOL_UNDECIDED, &key, error);
}

/* How many of its recipients count as sent to: those that wait. -1 and
 * error. */
static int
count_waiting(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_recipient recipient;
	int count = 0;

	for (uint16_t i = 0; i < message->recipients; i++) {
		if (spool_store_recipient(store, id, i, &recipient, error) != 1)
			return error_set(error, ERROR_DAMAGED,
			    "spool: a recipient is missing");
		count += recipient.state == SPOOL_WAITING;
	}
	return count;
}

/* As if it had never been there. */
static int
drop(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_key delivery = spool_delivery_key(&message->delivery);
	int count = count_waiting(store, id, message, error);

	if (count == -1 ||
	    spool_sent_give_back(store->env, message->account, message->time,
		(uint32_t)count, error) == -1 ||
	    spool_env_remove(store->env, SPOOL_DELIVERY, &delivery, error) ==
		-1)
		return -1;
	return spool_store_remove_rows(store, id, message, error);
}

int
spool_store_decide(struct spool_store *store,
    const struct delivery_id *delivery, bool is_kept, uint64_t *id,
    uint32_t *account, struct error *error)
{
	struct spool_message message;
	int found = find_undecided(store, delivery, id, error);

	if (found != 1)
		return found;
	if (spool_store_message(store, *id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	*account = message.account;
	if (move_parcels(store, *id, message.parcels, is_kept, error) == -1 ||
	    (!is_kept && drop(store, *id, &message, error) == -1))
		return -1;
	return 1;
}

int
spool_store_each_undecided(struct spool_store *store,
    int (*callback)(void *context, uint64_t id, uint32_t decider),
    void *context, struct error *error)
{
	struct spool_key from = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_UNDECIDED, &from, error);
	struct text key, value;
	int found = cursor == NULL ? -1 : 1, result = 0;

	while (found == 1 && result == 0) {
		found = spool_cursor_next(cursor, &key, &value, error);
		if (found == 1)
			result = callback(context, spool_key_get(key, 0, 8),
			    (uint32_t)spool_key_get(value, 0, 4));
	}
	spool_cursor_close(&cursor);
	return found == -1 ? -1 : result;
}
