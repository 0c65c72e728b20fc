/*
 * Rounds, batches, events and the clock: see journal.h.
 *
 * meta "state": form u8, sequence, next blob, next mailbox, incarnation, guard
 * clock (u64 each), then the roots of the Merkle tree's complete subtrees.
 * Events, their entries and what they cover: event_form.h. Signed heads:
 * journal_head.c.
 */
#include "snapd/journal.h"

#include "common/memory.h"
#include "snapd/guard_clock.h"
#include "snapd/step.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct key
state_key(void)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "state", 5);
	return key;
}

static struct journal_point
point_of(const struct journal_state *state)
{
	return (struct journal_point){ state->sequence, state->next_blob,
		state->next_mailbox };
}

/* All of it is on disk. */
static void
set_committed(struct journal *journal)
{
	struct hash root =
	    merkle_log_root(&journal->state.merkle, journal->digest);

	journal->committed = journal->state;
	journal->repeated = point_of(&journal->state);
	memcpy(&journal->history, root.bytes, sizeof(journal->history));
}

static int
load_state(struct journal *journal, struct error *error)
{
	struct journal_state *state = &journal->state;
	struct key key = state_key();
	struct transaction *t;
	struct text value;
	struct reader r;
	int found;

	t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return -1;
	found = store_get(t, DB_META, &key, &value, error);
	*state = (struct journal_state){
		.next_blob = 1, .next_mailbox = 1, .incarnation = 1
	};
	if (found == 1) {
		reader_init(&r, value.data, value.size);
		reader_get_u8(&r);
		state->sequence = reader_get_u64(&r);
		state->next_blob = reader_get_u64(&r);
		state->next_mailbox = reader_get_u64(&r);
		state->incarnation = reader_get_u64(&r);
		state->guard_us = reader_get_u64(&r);
		state->merkle.count = state->sequence;
		while (r.size > 0 && !r.failed && state->merkle.root_count < 64)
			reader_get_raw(&r,
			    state->merkle.roots[state->merkle.root_count++]
				.bytes,
			    32);
		if (reader_done(&r) != 0)
			found = error_set(error, ERROR_DAMAGED, "store state");
	}
	transaction_abort(&t);
	set_committed(journal);
	return found < 0 ? -1 : 0;
}

static int
save_state(struct journal *journal, struct error *error)
{
	const struct journal_state *state = &journal->state;
	uint8_t data[64 + 64 * 32];
	struct key key = state_key();
	struct writer w;
	size_t i;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, state->sequence);
	writer_put_u64(&w, state->next_blob);
	writer_put_u64(&w, state->next_mailbox);
	writer_put_u64(&w, state->incarnation);
	writer_put_u64(&w, state->guard_us);
	for (i = 0; i < state->merkle.root_count; i++)
		writer_put_raw(&w, state->merkle.roots[i].bytes, 32);
	return store_put(
	    journal->round, DB_META, &key, text_make(data, w.size), error);
}

static int
load_allowance(struct journal *journal, struct error *error)
{
	struct transaction *t = transaction_begin(journal->store, false, error);
	int result;

	if (t == NULL)
		return -1;
	result = allowance_load(
	    journal->allowance, t, journal->state.guard_us, error);
	transaction_abort(&t);
	return result;
}

struct journal *
journal_new(struct store *store, struct error *error)
{
	struct journal *journal = memory_new(1, sizeof(*journal));

	journal->store = store;
	journal->digest = digest_new();
	journal->alarms = table_new();
	journal->allowance = allowance_new();
	if (load_state(journal, error) != 0 ||
	    load_allowance(journal, error) != 0 ||
	    journal_load_heads(journal, error) != 0 ||
	    journal_load_promises(journal, error) != 0)
		journal_free(&journal);
	return journal;
}

void
journal_free(struct journal **journal)
{
	if (*journal == NULL)
		return;
	transaction_abort(&(*journal)->batch);
	transaction_abort(&(*journal)->round);
	digest_free(&(*journal)->digest);
	table_free(&(*journal)->alarms);
	allowance_free(&(*journal)->allowance);
	explicit_bzero(&(*journal)->key, sizeof((*journal)->key));
	free((*journal)->touched);
	memory_free(journal);
}

void
journal_set_clock(struct journal *journal, int64_t wall_us, int64_t raw_us)
{
	journal->state.guard_us += guard_clock_step(journal->raw_us, raw_us);
	journal->raw_us = raw_us;
	journal->now_us = wall_us;
	/* What is over does not lengthen locks and releases any more. */
	if (ratchet_settle(&journal->ratchet, journal->state.guard_us))
		journal->promises++;
}

enum status
journal_status_of(const struct error *error)
{
	switch (error->code) {
	case ERROR_NONE:
		return STATUS_OK;
	case ERROR_FULL:
		return STATUS_FULL;
	case ERROR_MISSING:
		return STATUS_MISSING;
	case ERROR_EXISTS:
		return STATUS_EXISTS;
	case ERROR_REFUSED:
		return STATUS_REFUSED;
	case ERROR_INPUT:
		return STATUS_INVALID;
	case ERROR_LIMIT:
		return STATUS_LIMIT;
	case ERROR_DAMAGED:
		return STATUS_DAMAGED;
	case ERROR_BUSY:
		return STATUS_BUSY;
	default:
		return STATUS_UNAVAILABLE;
	}
}

bool
journal_is_repeatable(const struct journal *journal)
{
	return journal->begun.sequence == journal->repeated.sequence &&
	       journal->begun.next_blob == journal->repeated.next_blob &&
	       journal->begun.next_mailbox == journal->repeated.next_mailbox;
}

void
journal_is_in_log(struct journal *journal)
{
	if (journal_is_repeatable(journal))
		journal->repeated = point_of(&journal->state);
}

uint64_t
journal_sequence(const struct journal *journal)
{
	return journal->state.sequence + 1;
}

enum status
journal_begin(struct journal *journal, uint64_t bytes, struct error *error)
{
	if (journal->is_failed)
		return STATUS_UNAVAILABLE;
	/* Pages are whole: a small row may cost a few of them. */
	if (bytes > 0 && !journal->is_repeating &&
	    !store_has_room(journal->store,
		journal->round_bytes + bytes + bytes / 16 + 65536)) {
		error_set(error, ERROR_FULL, "the snapshot store is full");
		return STATUS_FULL;
	}
	if (journal->round == NULL)
		journal->round = transaction_begin(journal->store, true, error);
	if (journal->round != NULL)
		journal->batch = transaction_nest(journal->round, error);
	if (journal->batch == NULL)
		return journal_status_of(error);
	journal->round_bytes += bytes + bytes / 16 + 65536;
	journal->touched_count = 0;
	journal->begun = point_of(&journal->state);
	return STATUS_OK;
}

void
journal_drop(struct journal *journal)
{
	transaction_abort(&journal->batch);
}

void
journal_touch(struct journal *journal, uint64_t mailbox, uint32_t uid,
    enum touch what, uint64_t modseq)
{
	if (journal->touched_count == journal->touched_room) {
		journal->touched_room = journal->touched_room * 2 + 64;
		journal->touched = memory_resize(journal->touched,
		    journal->touched_room, sizeof(*journal->touched));
	}
	journal->touched[journal->touched_count] = (struct touched){ mailbox,
		uid, (uint8_t)what, journal->touched_count, modseq };
	journal->touched_count++;
}

static int
compare_touched(const void *a, const void *b)
{
	const struct touched *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* By mailbox and UID, and of each row only what happened to it last. */
static void
settle_touched(struct journal *journal)
{
	struct touched *touched = journal->touched;
	size_t i, kept = 0;

	if (journal->touched_count == 0)
		return;
	qsort(
	    touched, journal->touched_count, sizeof(*touched), compare_touched);
	for (i = 1; i < journal->touched_count; i++) {
		if (touched[i].mailbox != touched[kept].mailbox ||
		    touched[i].uid != touched[kept].uid)
			kept++;
		touched[kept] = touched[i];
	}
	journal->touched_count = kept + 1;
}

/* What the batch made of the row, as it stands now. */
static int
hash_message(struct journal *journal, const struct touched *touched,
    struct event_entry *entry, struct error *error)
{
	struct key key = { .size = 0 };
	struct message_row row;
	struct text value;
	int found;

	key_put_u64(&key, touched->mailbox);
	key_put_u32(&key, touched->uid);
	found = store_get(journal->batch, DB_LIVE, &key, &value, error);
	if (found < 0 ||
	    (found == 1 && row_decode_live(text_make(key.bytes, key.size),
			       value, &row, error) != 0))
		return -1;
	if (found == 1 && row.record.born == journal_sequence(journal)) {
		entry->rows |= EVENT_HAS_BORN;
		entry->born =
		    digest_of(journal->digest, value.data, value.size);
	}
	key.size = 0;
	key_put_u64(&key, touched->mailbox);
	key_put_u64(&key, journal_sequence(journal));
	key_put_u32(&key, touched->uid);
	found = store_get(journal->batch, DB_DEAD, &key, &value, error);
	if (found == 1) {
		entry->rows |= EVENT_HAS_DEAD;
		entry->dead =
		    digest_of(journal->digest, value.data, value.size);
	}
	return found < 0 ? -1 : 0;
}

static int
hash_mailbox(struct journal *journal, uint32_t account,
    const struct touched *touched, struct event_entry *entry,
    struct error *error)
{
	struct key key = { .size = 0 };
	struct text value;
	int found;

	key_put_u32(&key, account);
	key_put_u64(&key, touched->mailbox);
	found = store_get(journal->batch, DB_MAILBOX, &key, &value, error);
	if (found == 1) {
		entry->rows |= EVENT_HAS_BORN;
		entry->born = event_hash_mailbox(journal->digest, value);
	}
	return found < 0 ? -1 : 0;
}

/* The entry of one row; its bytes go into `content`. */
static int
put_entry(struct journal *journal, uint32_t account,
    const struct touched *touched, struct buf *content, struct error *error)
{
	struct event_entry entry = { .what = touched->what,
		.modseq = touched->modseq };
	uint8_t data[EVENT_ENTRY_MAX];
	int result = 0;
	struct key key;
	size_t size;

	if (touched->uid != 0)
		result = hash_message(journal, touched, &entry, error);
	else if (touched->mailbox != 0)
		result = hash_mailbox(journal, account, touched, &entry, error);
	if (result != 0)
		return -1;
	event_entry_key(&key, account, journal_sequence(journal),
	    touched->mailbox, touched->uid);
	size = event_entry_encode(&entry, data);
	if (buf_put(content, key.bytes, key.size) != 0 ||
	    buf_put(content, data, size) != 0)
		return error_set(error, ERROR_LIMIT, "rows of one batch");
	return store_put(
	    journal->batch, DB_ACCOUNT_LOG, &key, text_make(data, size), error);
}

/* One entry for each touched row; the digest of all goes into the event. */
static int
put_touched(struct journal *journal, uint32_t account, struct hash *hash,
    struct error *error)
{
	struct buf content;
	int result = 0;
	size_t i;

	settle_touched(journal);
	buf_init(&content, journal->touched_count * (24 + EVENT_ENTRY_MAX));
	for (i = 0; i < journal->touched_count && result == 0; i++)
		result = put_entry(
		    journal, account, &journal->touched[i], &content, error);
	*hash = digest_of(journal->digest, content.data, content.size);
	buf_clear(&content);
	return result;
}

static struct event_form
new_event(const struct journal *journal, enum event_kind kind, enum role actor,
    const char *detail)
{
	const struct change_note *note = journal->note;
	struct event_form event = { .wall_us = (uint64_t)journal->now_us,
		.guard_us = journal->state.guard_us,
		.incarnation = journal->state.incarnation,
		.kind = (uint8_t)kind,
		.actor = (uint8_t)actor,
		.detail = text_of(detail) };

	if (note != NULL) {
		event.cause = note->cause;
		event.user = text_of(note->user);
		event.address = text_of(note->address);
	}
	return event;
}

/* The event into the log, as the last thing of its batch. */
static int
put_event(struct journal *journal, const struct event_form *event,
    struct error *error)
{
	struct key key = { .size = 0 };
	uint8_t data[EVENT_MAX];
	size_t size = event_encode(event, data);

	key_put_u64(&key, journal_sequence(journal));
	if (store_put(journal->batch, DB_LOG, &key, text_make(data, size),
		error) != 0)
		return -1;
	if (transaction_commit(&journal->batch, error) != 0)
		return -1;
	merkle_log_add(&journal->state.merkle, journal->digest, data, size);
	journal->state.sequence++;
	return 0;
}

static enum status
finish_with(struct journal *journal, const struct event_form *event,
    struct error *error)
{
	if (put_event(journal, event, error) == 0)
		return STATUS_OK;
	journal_drop(journal);
	return journal_status_of(error);
}

enum status
journal_finish_with(struct journal *journal, enum event_kind kind,
    uint64_t entries, const struct hash *content, const char *detail,
    struct error *error)
{
	struct event_form event = new_event(journal, kind, ROLE_SNAPD, detail);

	event.entries = entries;
	event.content = *content;
	return finish_with(journal, &event, error);
}

enum status
journal_finish(struct journal *journal, enum event_kind kind, enum role actor,
    uint32_t account, const char *detail, struct error *error)
{
	struct event_form event = new_event(journal, kind, actor, detail);

	event.account = account;
	if (put_touched(journal, account, &event.content, error) != 0) {
		journal_drop(journal);
		return journal_status_of(error);
	}
	event.entries = journal->touched_count;
	return finish_with(journal, &event, error);
}

enum status
journal_keep(struct journal *journal, struct error *error)
{
	return transaction_commit(&journal->batch, error) == 0
		   ? STATUS_OK
		   : journal_status_of(error);
}

enum status
journal_keep_clock(struct journal *journal, struct error *error)
{
	if (journal->is_failed)
		return STATUS_UNAVAILABLE;
	/* The round's commit saves the state, clock and all. */
	if (journal->round == NULL)
		journal->round = transaction_begin(journal->store, true, error);
	return journal->round != NULL ? STATUS_OK : journal_status_of(error);
}

enum status
journal_commit(struct journal *journal, struct error *error)
{
	uint64_t guard_us = journal->state.guard_us;
	bool is_durable = false;

	if (journal->is_failed)
		return STATUS_UNAVAILABLE;
	journal->round_bytes = 0;
	if (journal->round == NULL)
		return STATUS_OK;
	if (journal_put_head(journal, error) != 0 ||
	    allowance_save(journal->allowance, journal->round, error) != 0 ||
	    save_state(journal, error) != 0)
		transaction_abort(&journal->round);
	else
		is_durable = transaction_commit(&journal->round, error) == 0;
	allowance_saved(journal->allowance, is_durable);
	if (is_durable) {
		step_reached(STEP_COMMITTED);
		set_committed(journal);
		return STATUS_OK;
	}
	journal->state = journal->committed;
	journal->repeated = point_of(&journal->state);
	journal->state.guard_us = guard_us;
	journal->lost_rounds++;
	if (error->code == ERROR_FULL &&
	    journal_load_heads(journal, error) == 0 &&
	    journal_load_promises(journal, error) == 0)
		return STATUS_FULL;
	journal->is_failed = true;
	return STATUS_UNAVAILABLE;
}

void
journal_delivery_key(
    struct key *key, uint32_t account, const struct delivery_id *delivery)
{
	key->size = 0;
	key_put_u32(key, account);
	key_put_raw(key, delivery->bytes, sizeof(delivery->bytes));
}

void
journal_name_key(struct journal *journal, struct key *key, uint32_t account,
    struct text name)
{
	struct hash hash = digest_of(journal->digest, name.data, name.size);

	key->size = 0;
	key_put_u32(key, account);
	key_put_raw(key, hash.bytes, sizeof(hash.bytes));
}
