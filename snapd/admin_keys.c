/* See admin_keys.h. */
#include "snapd/admin_keys.h"

#include <string.h>

static struct key
keys_key(void)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "admin_keys", 10);
	return key;
}

int
admin_keys_read(struct transaction *transaction, struct admin_keys *keys,
    struct error *error)
{
	struct key key = keys_key();
	struct text value;
	int found = store_get(transaction, DB_META, &key, &value, error);

	memset(keys, 0, sizeof(*keys));
	if (found != 1)
		return found;
	value = text_skip(value, 1);
	if (value.size % ADMIN_KEY_SIZE != 0 || value.size > sizeof(keys->keys))
		return error_set(error, ERROR_DAMAGED, "store: admin keys");
	keys->count = value.size / ADMIN_KEY_SIZE;
	memcpy(keys->keys, value.data, value.size);
	return 0;
}

static bool
has_key(const struct admin_keys *keys, const void *key)
{
	size_t i;

	for (i = 0; i < keys->count; i++)
		if (memcmp(keys->keys[i], key, ADMIN_KEY_SIZE) == 0)
			return true;
	return false;
}

/* -- What is signed -- */

static void
begin(struct writer *w, uint8_t *to, const struct journal *journal,
    const char *what, uint64_t number)
{
	writer_init(w, to, ADMIN_STATEMENT_MAX);
	writer_put_raw(w, what, strlen(what) + 1);
	writer_put_raw(w, store_identity(journal->store)->bytes, 16);
	writer_put_u64(w, number);
}

size_t
admin_policy_statement(
    const struct journal *journal, const struct retention *policy, uint8_t *to)
{
	struct writer w;

	begin(&w, to, journal, "firnmail policy 1", journal->ratchet.changes);
	retention_policy_put(&w, policy);
	return w.size;
}

size_t
admin_key_statement(const struct journal *journal,
    const struct admin_keys *keys, const uint8_t *key, uint8_t *to)
{
	struct writer w;

	begin(&w, to, journal, "firnmail key 1", keys->count);
	writer_put_raw(&w, key, ADMIN_KEY_SIZE);
	return w.size;
}

bool
admin_keys_agree(const struct admin_keys *keys, struct text statement,
    struct text signatures)
{
	struct admin_keys signers = { .count = 0 };
	const uint8_t *p = (const uint8_t *)signatures.data;
	size_t left = signatures.size;

	if (keys->count < ADMIN_KEYS_NEEDED)
		return true;
	for (; left >= ADMIN_SIGNATURE_SIZE && signers.count < ADMIN_KEYS_MAX;
	     left -= ADMIN_SIGNATURE_SIZE, p += ADMIN_SIGNATURE_SIZE)
		if (has_key(keys, p) && !has_key(&signers, p) &&
		    head_check_signature(p, p + ADMIN_KEY_SIZE, statement))
			memcpy(
			    signers.keys[signers.count++], p, ADMIN_KEY_SIZE);
	return signers.count >= ADMIN_KEYS_NEEDED;
}

/* -- One more -- */

static enum status
put(struct journal *journal, const struct admin_keys *keys, struct error *error)
{
	uint8_t data[1 + sizeof(keys->keys)] = { 1 };
	struct key key = keys_key();

	memcpy(data + 1, keys->keys, keys->count * ADMIN_KEY_SIZE);
	return store_put(journal->batch, DB_META, &key,
		   text_make(data, 1 + keys->count * ADMIN_KEY_SIZE),
		   error) == 0
		   ? STATUS_OK
		   : journal_status_of(error);
}

static enum status
add(struct journal *journal, const uint8_t *key, struct text signatures,
    struct error *error)
{
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct admin_keys keys;
	size_t size;

	if (admin_keys_read(journal->batch, &keys, error) != 0)
		return journal_status_of(error);
	if (has_key(&keys, key))
		return STATUS_EXISTS;
	if (keys.count == ADMIN_KEYS_MAX)
		return STATUS_LIMIT;
	size = admin_key_statement(journal, &keys, key, statement);
	if (!admin_keys_agree(&keys, text_make(statement, size), signatures)) {
		error_set(error, ERROR_REFUSED,
		    "the signatures of %d admin keys are needed",
		    ADMIN_KEYS_NEEDED);
		return STATUS_REFUSED;
	}
	memcpy(keys.keys[keys.count++], key, ADMIN_KEY_SIZE);
	return put(journal, &keys, error);
}

enum status
admin_key_add(struct journal *journal, const uint8_t *key,
    struct text signatures, struct error *error)
{
	char detail[80] = "admin key ";
	enum status status = journal_begin(journal, 0, error);

	if (status != STATUS_OK)
		return status;
	status = add(journal, key, signatures, error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	text_format_hex(key, ADMIN_KEY_SIZE, detail + strlen(detail));
	return journal_finish(
	    journal, EVENT_POLICY, ROLE_SNAPCTL, 0, detail, error);
}
