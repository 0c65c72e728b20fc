/*
 * When the journal signs a head of its event log: with each mark, and when
 * something changed and the newest head is an hour old.  The head stands in
 * the same transaction as the events that it covers.
 */
#include "snapd/journal.h"

#include <string.h>

enum {
	HEAD_INTERVAL_S = 3600
};

static int
load_key(struct journal *journal, struct transaction *t, struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_raw(&key, "signing_key", 11);
	found = store_get(t, DB_META, &key, &value, error);
	if (found < 0)
		return -1;
	if (found == 0 || value.size != 1 + sizeof(journal->key))
		return error_set(
		    error, ERROR_DAMAGED, "the store has no signing key");
	memcpy(&journal->key, value.data + 1, sizeof(journal->key));
	return 0;
}

static int
load_last(struct journal *journal, struct transaction *t, struct error *error)
{
	struct key before = { .size = 0 };
	struct text key, value;
	struct head head;
	int found;

	memset(&journal->last_head, 0, sizeof(journal->last_head));
	journal->last_head_events = 0;
	journal->last_head_us = 0;
	key_put_u64(&before, UINT64_MAX);
	found = store_last_before(t, DB_HEAD, &before, &key, &value, error);
	if (found != 1)
		return found;
	if (head_decode(value, &head, error) != 0)
		return -1;
	journal->last_head = digest_of(journal->digest, value.data, value.size);
	journal->last_head_events = head.events;
	journal->last_head_us = head.wall_us;
	return 0;
}

int
journal_load_heads(struct journal *journal, struct error *error)
{
	struct transaction *t = transaction_begin(journal->store, false, error);
	int result;

	if (t == NULL)
		return -1;
	result = load_key(journal, t, error);
	if (result == 0)
		result = load_last(journal, t, error);
	transaction_abort(&t);
	return result;
}

static bool
is_due(const struct journal *journal)
{
	uint64_t now_us = (uint64_t)journal->now_us;

	if (journal->state.sequence == journal->last_head_events)
		return false;
	return journal->is_head_due || now_us < journal->last_head_us ||
	       now_us - journal->last_head_us >=
		   (uint64_t)HEAD_INTERVAL_S * 1000000;
}

int
journal_put_head(struct journal *journal, struct error *error)
{
	struct head head = { .wall_us = (uint64_t)journal->now_us,
		.guard_us = journal->state.guard_us,
		.incarnation = journal->state.incarnation,
		.events = journal->state.sequence,
		.previous = journal->last_head };
	struct key key = { .size = 0 };
	uint8_t data[HEAD_SIZE];

	if (!is_due(journal))
		return 0;
	head.root = merkle_log_root(&journal->state.merkle, journal->digest);
	key_put_u64(&key, head.events);
	if (head_sign(&head, &journal->key, store_identity(journal->store),
		data, error) != 0 ||
	    store_put(journal->round, DB_HEAD, &key,
		text_make(data, sizeof(data)), error) != 0)
		return -1;
	journal->last_head = digest_of(journal->digest, data, sizeof(data));
	journal->last_head_events = head.events;
	journal->last_head_us = head.wall_us;
	journal->is_head_due = false;
	return 0;
}
