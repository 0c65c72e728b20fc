/*
 * See spool_senders.h.  Two rows for each: by token, and by the time when it
 * may go, both of the same write transaction.
 */
#include "smtpd/spool_senders.h"

#include "common/codec.h"
#include "common/record.h"

#include <string.h>

enum {
	DAY_S = 86400,
	FORGET_AT_ONCE = 16,
	RECORDS_SIZE = 128 * 1024
};

struct sender {
	int64_t until;
	struct text address;
};

/* ---- Rows ---- */

/* The last letters of the local part, in lower case. */
static int
token_key(struct text address, struct spool_key *key, struct error *error)
{
	ptrdiff_t at = text_find_byte(address, '@');
	char token[SPOOL_TOKEN_SIZE];

	key->size = 0;
	if (at <= SPOOL_TOKEN_SIZE)
		return error_set(error, ERROR_INPUT, "spool: no token");
	for (size_t i = 0; i < SPOOL_TOKEN_SIZE; i++)
		token[i] = text_lower_byte(
		    address.data[(size_t)at - SPOOL_TOKEN_SIZE + i]);
	spool_key_raw(key, token, sizeof(token));
	return 0;
}

static struct spool_key
due_key(int64_t until, const struct spool_key *token)
{
	struct spool_key key = { .size = 0 };

	spool_key_u64(&key, (uint64_t)until);
	spool_key_raw(&key, token->bytes, token->size);
	return key;
}

static int
get(struct spool_env *env, const struct spool_key *token, struct sender *sender,
    struct error *error)
{
	struct text value;
	struct reader r;
	int found = spool_env_get(env, SPOOL_SENDER, token, &value, error);

	if (found != 1)
		return found;
	spool_value_open(&r, value);
	sender->until = (int64_t)reader_get_u64(&r);
	sender->address = reader_get_text(&r, SPOOL_MAX_ADDRESS);
	return reader_done(&r) == 0
		   ? 1
		   : error_set(error, ERROR_DAMAGED, "spool: a sender");
}

static int
put(struct spool_env *env, const struct spool_key *token,
    const struct sender *sender, struct error *error)
{
	struct spool_key due = due_key(sender->until, token);
	uint8_t bytes[SPOOL_MAX_VALUE];
	struct writer w;
	size_t size;

	spool_value_begin(&w, bytes, sizeof(bytes));
	writer_put_u64(&w, (uint64_t)sender->until);
	writer_put_text(&w, sender->address, SPOOL_MAX_ADDRESS);
	if ((size = spool_value_end(&w)) == 0)
		return error_set(error, ERROR_INPUT, "a sender is too long");
	if (spool_env_put(
		env, SPOOL_SENDER, token, text_make(bytes, size), error) == -1)
		return -1;
	return spool_env_put(
	    env, SPOOL_SENDER_DUE, &due, text_make(NULL, 0), error);
}

static int
drop(struct spool_env *env, const struct spool_key *token, int64_t until,
    struct error *error)
{
	struct spool_key due = due_key(until, token);

	if (spool_env_remove(env, SPOOL_SENDER_DUE, &due, error) == -1)
		return -1;
	return spool_env_remove(env, SPOOL_SENDER, token, error);
}

/* The one whose time comes first, if that is before: 1, it is gone. */
static int
drop_first(struct spool_env *env, int64_t before, struct error *error)
{
	struct spool_key none = { .size = 0 }, token = { .size = 0 };
	struct spool_cursor *cursor =
	    spool_cursor_open(env, SPOOL_SENDER_DUE, &none, error);
	int64_t until = 0;
	struct text key, value;
	int found;

	if (cursor == NULL)
		return -1;
	found = spool_cursor_next(cursor, &key, &value, error);
	if (found == 1) {
		until = (int64_t)spool_key_get(key, 0, 8);
		spool_key_raw(&token, key.data + 8, key.size - 8);
	}
	spool_cursor_close(&cursor);
	if (found != 1 || until >= before)
		return found == -1 ? -1 : 0;
	return drop(env, &token, until, error) == -1 ? -1 : 1;
}

/* ---- What the spool needs ---- */

int
spool_senders_keep(struct spool_env *env, struct text address,
    struct text sender, int64_t until, struct error *error)
{
	struct sender given = { until, sender }, old;
	struct spool_key token;
	int found;

	if (token_key(address, &token, error) == -1 ||
	    (found = get(env, &token, &old, error)) == -1)
		return -1;
	/* The token is made of the sender: one mail a day tells how long. */
	if (found == 1 && old.until > until - DAY_S)
		return 0;
	if (found == 1 && drop(env, &token, old.until, error) == -1)
		return -1;
	if (found == 0 &&
	    spool_env_count(env, SPOOL_SENDER) >= SPOOL_MAX_SENDERS &&
	    drop_first(env, INT64_MAX, error) == -1)
		return -1;
	return put(env, &token, &given, error);
}

/* The record's address is the sender's: valid until the next write. */
static int
resolve(
    struct spool_env *env, struct outgoing_record *record, struct error *error)
{
	struct spool_key token;
	struct sender sender;
	int found;

	if (record->fate != OUTGOING_BACK)
		return 0;
	if (token_key(record->address, &token, error) == -1 ||
	    (found = get(env, &token, &sender, error)) == -1)
		return -1;
	if (found == 0)
		return error_set(error, ERROR_MISSING, "no such sender");
	record->address = sender.address;
	record->fate = OUTGOING_SEND;
	return 1;
}

int
spool_senders_resolve(struct spool_env *env, struct text records,
    struct buf *to, struct error *error)
{
	uint8_t bytes[SPOOL_MAX_VALUE];
	struct outgoing_record record;
	int more, result, count = 0;
	struct reader reader;
	struct writer w;

	buf_init(to, RECORDS_SIZE);
	reader_init(&reader, records.data, records.size);
	while ((more = record_get_outgoing(&reader, &record)) == 1) {
		if ((result = resolve(env, &record, error)) == -1)
			return -1;
		count += result;
		writer_init(&w, bytes, sizeof(bytes));
		record_put_outgoing(&w, &record);
		if (w.failed || buf_put(to, bytes, w.size) == -1)
			return error_set(
			    error, ERROR_INPUT, "recipients are too many");
	}
	return count > 0;
}

int
spool_senders_forget(struct spool_env *env, int64_t now, struct error *error)
{
	int result = 1;

	for (int i = 0; i < FORGET_AT_ONCE && result == 1; i++)
		result = drop_first(env, now, error);
	return result == -1 ? -1 : 0;
}
