/* See admin_keys.h. */
#include "snapd/admin_keys.h"

#include <stdio.h>
#include <string.h>

static struct key
keys_key(void)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "admin_keys", 10);
	return key;
}

/* Form 1: each change was a key more. */
static int
decode(struct text value, struct admin_keys *keys, struct error *error)
{
	struct admin_key key;
	struct reader r;
	uint8_t form;

	reader_init(&r, value.data, value.size);
	form = reader_get_u8(&r);
	keys->changes =
	    form == 1 ? r.size / ADMIN_KEY_SIZE : reader_get_u64(&r);
	while (r.size > 0 && !r.failed && keys->count < ADMIN_KEYS_MAX) {
		reader_get_raw(&r, key.bytes, sizeof(key.bytes));
		key.until_us = form == 1 ? RETENTION_NEVER : reader_get_u64(&r);
		keys->keys[keys->count++] = key;
	}
	return reader_done(&r) == 0
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "store: admin keys");
}

int
admin_keys_read(struct transaction *transaction, uint64_t guard_us,
    struct admin_keys *keys, struct error *error)
{
	struct key key = keys_key();
	struct text value;
	int found = store_get(transaction, DB_META, &key, &value, error);
	size_t i, kept = 0;

	memset(keys, 0, sizeof(*keys));
	if (found != 1)
		return found;
	if (decode(value, keys, error) != 0)
		return -1;
	for (i = 0; i < keys->count; i++)
		if (keys->keys[i].until_us > guard_us)
			keys->keys[kept++] = keys->keys[i];
	keys->count = kept;
	return 0;
}

static struct admin_key *
find(struct admin_keys *keys, const void *key)
{
	size_t i;

	for (i = 0; i < keys->count; i++)
		if (memcmp(keys->keys[i].bytes, key, ADMIN_KEY_SIZE) == 0)
			return &keys->keys[i];
	return NULL;
}

/* Those that stay; all, if these are too few to agree on anything. */
static struct admin_keys
signers_of(const struct admin_keys *keys)
{
	struct admin_keys signers = { .count = 0 };
	size_t i;

	for (i = 0; i < keys->count; i++)
		if (keys->keys[i].until_us == RETENTION_NEVER)
			signers.keys[signers.count++] = keys->keys[i];
	return signers.count >= ADMIN_KEYS_NEEDED ? signers : *keys;
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
    const struct admin_keys *keys, const uint8_t *key, bool is_leaving,
    uint8_t *to)
{
	struct writer w;

	begin(&w, to, journal,
	    is_leaving ? "firnmail key leaves 1" : "firnmail key 1",
	    keys->changes);
	writer_put_raw(&w, key, ADMIN_KEY_SIZE);
	return w.size;
}

bool
admin_keys_agree(const struct admin_keys *keys, struct text statement,
    struct text signatures)
{
	struct admin_keys may = signers_of(keys), have = { .count = 0 };
	const uint8_t *p = (const uint8_t *)signatures.data;
	size_t left = signatures.size;

	if (keys->count < ADMIN_KEYS_NEEDED)
		return true;
	for (; left >= ADMIN_SIGNATURE_SIZE && have.count < ADMIN_KEYS_MAX;
	     left -= ADMIN_SIGNATURE_SIZE, p += ADMIN_SIGNATURE_SIZE)
		if (find(&may, p) != NULL && find(&have, p) == NULL &&
		    head_check_signature(p, p + ADMIN_KEY_SIZE, statement))
			memcpy(
			    have.keys[have.count++].bytes, p, ADMIN_KEY_SIZE);
	return have.count >= ADMIN_KEYS_NEEDED;
}

/* -- One more, one less -- */

static enum status
put(struct journal *journal, struct admin_keys *keys, struct error *error)
{
	uint8_t data[9 + sizeof(keys->keys)];
	struct key key = keys_key();
	struct writer w;
	size_t i;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 2);
	writer_put_u64(&w, keys->changes + 1);
	for (i = 0; i < keys->count; i++) {
		writer_put_raw(&w, keys->keys[i].bytes, ADMIN_KEY_SIZE);
		writer_put_u64(&w, keys->keys[i].until_us);
	}
	return store_put(journal->batch, DB_META, &key, text_make(data, w.size),
		   error) == 0
		   ? STATUS_OK
		   : journal_status_of(error);
}

/* What the key is to be: until_us is RETENTION_NEVER, or when it is over. */
static enum status
change(struct journal *journal, const uint8_t *key, uint64_t until_us,
    struct text signatures, struct error *error)
{
	bool is_leaving = until_us != RETENTION_NEVER;
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct admin_keys keys;
	struct admin_key *there;
	size_t size;

	if (admin_keys_read(
		journal->batch, journal->state.guard_us, &keys, error) != 0)
		return journal_status_of(error);
	there = find(&keys, key);
	if (there == NULL && is_leaving)
		return STATUS_MISSING;
	if (there != NULL && (there->until_us != RETENTION_NEVER) == is_leaving)
		return STATUS_EXISTS;
	if (there == NULL && keys.count == ADMIN_KEYS_MAX)
		return STATUS_LIMIT;
	size = admin_key_statement(journal, &keys, key, is_leaving, statement);
	if (!admin_keys_agree(&keys, text_make(statement, size), signatures)) {
		error_set(error, ERROR_REFUSED,
		    "the signatures of %d admin keys are needed",
		    ADMIN_KEYS_NEEDED);
		return STATUS_REFUSED;
	}
	if (there == NULL)
		there = &keys.keys[keys.count++];
	memcpy(there->bytes, key, ADMIN_KEY_SIZE);
	there->until_us = until_us;
	return put(journal, &keys, error);
}

static enum status
change_and_log(struct journal *journal, const uint8_t *key, uint64_t until_us,
    struct text signatures, struct error *error)
{
	char detail[100] = "admin key ";
	enum status status = journal_begin(journal, 0, error);

	if (status != STATUS_OK)
		return status;
	status = change(journal, key, until_us, signatures, error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	text_format_hex(key, ADMIN_KEY_SIZE, detail + strlen(detail));
	if (until_us != RETENTION_NEVER)
		snprintf(detail + strlen(detail),
		    sizeof(detail) - strlen(detail), " leaves");
	return journal_finish(
	    journal, EVENT_POLICY, ROLE_SNAPCTL, 0, detail, error);
}

enum status
admin_key_add(struct journal *journal, const uint8_t *key,
    struct text signatures, struct error *error)
{
	return change_and_log(journal, key, RETENTION_NEVER, signatures, error);
}

enum status
admin_key_leave(struct journal *journal, const uint8_t *key,
    struct text signatures, uint64_t *until_us, struct error *error)
{
	*until_us = journal_lock_us(journal);
	return change_and_log(journal, key, *until_us, signatures, error);
}
