/*
 * What becomes of a message in the end: its rows go, and in a while that its
 * delivery was ever there.
 */
#include "smtpd/spool_store_state.h"

#include "smtpd/spool_senders.h"

#include <string.h>

enum {
	/* A queue asks again within its own deadline, which is nine
	 * minutes. */
	REMEMBER_S = 3600,
	FORGET_AT_ONCE = 8
};

int
spool_store_remove_rows(struct spool_store *store, uint64_t id,
    const struct spool_message *message, struct error *error)
{
	struct spool_key key = spool_message_key(id), recipient;

	for (uint16_t i = 0; i < message->recipients; i++) {
		recipient = spool_numbered_key(id, i);
		if (spool_env_remove(
			store->env, SPOOL_RECIPIENT, &recipient, error) == -1)
			return -1;
	}
	if (spool_bodies_remove(store->bodies, id, message, error) == -1)
		return -1;
	return spool_env_remove(store->env, SPOOL_MESSAGE, &key, error);
}

static int
end_message(struct spool_store *store, uint64_t id,
    const struct spool_message *message, int64_t now, struct error *error)
{
	struct spool_key delivery = spool_delivery_key(&message->delivery);
	struct spool_key gone = { .size = 0 };

	spool_key_u64(&gone, (uint64_t)now);
	spool_key_u64(&gone, id);
	if (spool_store_remove_rows(store, id, message, error) == -1)
		return -1;
	return spool_env_put(
	    store->env, SPOOL_GONE, &gone, spool_key_text(&delivery), error);
}

/* The texts of a message that is to be written lie in a page that may move. */
static int
put_parcels_left(struct spool_store *store, uint64_t id,
    struct spool_message *message, struct error *error)
{
	char sender[SPOOL_MAX_ADDRESS], envelope_id[SPOOL_MAX_ENVELOPE_ID];

	if (message->sender.size > 0)
		memcpy(sender, message->sender.data, message->sender.size);
	if (message->envelope_id.size > 0)
		memcpy(envelope_id, message->envelope_id.data,
		    message->envelope_id.size);
	message->sender.data = sender;
	message->envelope_id.data = envelope_id;
	return spool_store_put_message(store, id, message, error);
}

int
spool_store_end_parcel(struct spool_store *store, uint64_t id, uint16_t number,
    int64_t now, struct error *error)
{
	struct spool_key key = spool_numbered_key(id, number);
	struct spool_message message;

	if (spool_env_remove(store->env, SPOOL_PARCEL, &key, error) == -1)
		return -1;
	if (spool_store_message(store, id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	if (--message.parcels > 0)
		return put_parcels_left(store, id, &message, error);
	return end_message(store, id, &message, now, error);
}

int
spool_store_end_message(
    struct spool_store *store, uint64_t id, int64_t now, struct error *error)
{
	struct spool_message message;

	if (spool_store_message(store, id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	return end_message(store, id, &message, now, error);
}

int
spool_store_end_report(
    struct spool_store *store, uint64_t id, int64_t now, struct error *error)
{
	struct spool_key key = spool_message_key(id);
	struct spool_message message;
	struct text value;
	/* Of the number of any other message nothing happens. */
	int found =
	    spool_env_get(store->env, SPOOL_REPORT, &key, &value, error);

	if (found != 1)
		return found;
	if (spool_env_remove(store->env, SPOOL_REPORT, &key, error) == -1)
		return -1;
	if (spool_store_message(store, id, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	return end_message(store, id, &message, now, error);
}

/* The oldest of those that went; 1 if it was removed. */
static int
forget_one(struct spool_store *store, int64_t before, struct error *error)
{
	struct spool_key gone = { .size = 0 }, delivery = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(store->env, SPOOL_GONE, &gone, error);
	struct text key, value;
	int found;

	if (cursor == NULL)
		return -1;
	found = spool_cursor_next(cursor, &key, &value, error);
	if (found == 1) {
		spool_key_raw(&gone, key.data, key.size);
		spool_key_raw(&delivery, value.data, value.size);
	}
	spool_cursor_close(&cursor);
	if (found != 1 ||
	    (int64_t)spool_key_get(spool_key_text(&gone), 0, 8) > before)
		return found == -1 ? -1 : 0;
	if (spool_env_remove(store->env, SPOOL_GONE, &gone, error) == -1 ||
	    spool_env_remove(store->env, SPOOL_DELIVERY, &delivery, error) ==
		-1)
		return -1;
	return 1;
}

int
spool_store_forget(struct spool_store *store, int64_t now, struct error *error)
{
	int result = 1;

	for (int i = 0; i < FORGET_AT_ONCE && result == 1; i++)
		result = forget_one(store, now - REMEMBER_S, error);
	return result == -1 ? -1 : spool_senders_forget(store->env, now, error);
}
