/* See expire.h. */
#include "snapd/expire.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/blob_use.h"
#include "snapd/forget.h"
#include "snapd/promises.h"
#include "snapd/reap.h"
#include "snapd/step.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	STEP_ROWS = 1000,   /* that are taken away at most */
	RETRY_DAYS = 30,    /* in which a delivery may be asked for again */
	LOOK_AT_CLOCK = 64, /* rows that were looked at */
	WRITE_AT_CLOCK = 8  /* and taken away, between looks at the clock */
};

struct place {
	uint64_t mailbox;
	uint64_t died;
	uint32_t uid;
};

struct expire {
	bool is_running;
	uint64_t next_pass_us; /* guard clock */
	struct place place;    /* where the pass goes on */
	struct promises promises;
	bool is_reaping; /* before dead rows are looked at */
	struct reap reap;
	struct place free[STEP_ROWS];
	size_t free_count;
	struct digest *digest; /* over the entries of the step */
	struct writer entry;   /* the one that is being filled */
	uint8_t entry_data[FORGET_MAX_SIZE];
	uint64_t entry_mailbox;
	uint32_t entry_rows;
	uint32_t entries;
	struct expire_counts counts;
};

struct expire *
expire_new(void)
{
	struct expire *expire = memory_new(1, sizeof(*expire));

	expire->digest = digest_new();
	return expire;
}

void
expire_free(struct expire **expire)
{
	if (*expire == NULL)
		return;
	promises_clear(&(*expire)->promises);
	digest_free(&(*expire)->digest);
	memory_free(expire);
}

const struct expire_counts *
expire_counts(const struct expire *expire)
{
	return &expire->counts;
}

static struct key
key_of(const struct place *place)
{
	struct key key = { .size = 0 };

	key_put_u64(&key, place->mailbox);
	key_put_u64(&key, place->died);
	key_put_u32(&key, place->uid);
	return key;
}

/* -- Looking: nothing is written -- */

/* Looks at the next row: 1, 0 at the end, -1; 2: `place` is another mailbox. */
static int
look_at_next(struct expire *expire, struct transaction *t,
    struct cursor *cursor, struct error *error)
{
	struct place *place = &expire->place;
	struct message_row row;
	struct text key, value;
	int got = cursor_next(cursor, &key, &value, error);

	if (got != 1)
		return got;
	if (row_decode_dead(key, value, &row, error) != 0)
		return -1;
	expire->counts.looked++;
	/* Rows stand in the order of their deaths: all behind it are young. */
	if (promises_hold_for_minimum(&expire->promises, row.died_guard_us)) {
		*place = (struct place){ row.record.mailbox + 1, 0, 0 };
		return 2;
	}
	*place = (struct place){ row.record.mailbox, row.died, row.record.uid };
	got = promises_are_over(&expire->promises, t, &row, error);
	if (got < 0)
		return -1;
	if (got == 1)
		expire->free[expire->free_count++] = *place;
	place->uid++;
	return 1;
}

/* 1: there is more behind `place`; 0: the pass is at its end; -1. */
static int
look(struct expire *expire, struct transaction *t, struct error *error)
{
	int64_t start_us = clock_monotonic_us();
	struct cursor *cursor = NULL;
	unsigned int looked = 0;
	struct key from;
	int got = 2;

	expire->free_count = 0;
	while (got > 0 && expire->free_count < STEP_ROWS) {
		if (got == 2) {
			cursor_close(&cursor);
			from = key_of(&expire->place);
			cursor = cursor_open(t, DB_DEAD, &from, error);
			if (cursor == NULL)
				return -1;
		}
		if (++looked % LOOK_AT_CLOCK == 0 &&
		    clock_monotonic_us() - start_us > EXPIRE_LOOK_US)
			break;
		got = look_at_next(expire, t, cursor, error);
	}
	cursor_close(&cursor);
	return got > 0 ? 1 : got;
}

/* -- Taking away -- */

static int
put_entry(struct expire *expire, struct journal *journal, struct error *error)
{
	struct text value = text_make(expire->entry_data, expire->entry.size);
	struct key key;

	if (expire->entry_rows == 0)
		return 0;
	forget_key(&key, journal_sequence(journal), expire->entries++);
	digest_add(expire->digest, key.bytes, key.size);
	digest_add(expire->digest, value.data, value.size);
	expire->entry_rows = 0;
	if (store_put(journal->batch, DB_FORGOTTEN, &key, value, error) != 0)
		return -1;
	step_reached(STEP_EXPIRE_NAMED);
	return 0;
}

static int
name_row(struct expire *expire, struct journal *journal,
    const struct message_row *row, struct error *error)
{
	const struct forget_row named = { row->record.uid, row->record.born,
		row->died };

	if ((expire->entry_rows == FORGET_ROWS ||
		expire->entry_mailbox != row->record.mailbox) &&
	    put_entry(expire, journal, error) != 0)
		return -1;
	if (expire->entry_rows == 0)
		forget_put_head(&expire->entry, expire->entry_data,
		    expire->promises.account, row->record.mailbox);
	expire->entry_mailbox = row->record.mailbox;
	expire->entry_rows++;
	forget_put_row(&expire->entry, &named);
	return 0;
}

static int
take_body(struct expire *expire, struct transaction *t, uint64_t blob,
    struct error *error)
{
	uint32_t left;

	if (blob_use_drop(t, blob, &left, error) != 0)
		return -1;
	step_reached(STEP_EXPIRE_DROPPED);
	if (left > 0)
		return 0;
	expire->counts.bodies++;
	if (object_store_remove(t, blob, error) != 0)
		return -1;
	step_reached(STEP_EXPIRE_EMPTIED);
	return 0;
}

/* Where its delivery went, too, once no retry can ask for it: after a store a
 * newer row still needs it. */
static int
take_delivery(struct expire *expire, struct transaction *t,
    const struct message_row *row, struct error *error)
{
	const uint64_t retry_us = UINT64_C(86400000000) * RETRY_DAYS;
	struct result_record result;
	struct text value;
	struct key key;
	int found;

	if (row->death == DEATH_STORE ||
	    row->died_guard_us + retry_us > expire->promises.all.now_us)
		return 0;
	journal_delivery_key(&key, expire->promises.account, &row->delivery);
	found = store_get(t, DB_DELIVERY, &key, &value, error);
	if (found != 1)
		return found;
	if (row_decode_filed(value, &result) != 1 ||
	    result.mailbox != row->record.mailbox ||
	    result.uid != row->record.uid)
		return 0;
	if (store_take(t, DB_DELIVERY, &key, error) != 0)
		return -1;
	step_reached(STEP_EXPIRE_UNDELIVERED);
	return 0;
}

/* Asks again, in the transaction that takes it away: 1, 0 if it is not free
 * any more, -1. */
static int
forget_one(struct expire *expire, struct journal *journal,
    const struct place *place, struct error *error)
{
	struct transaction *t = journal->batch;
	struct key key = key_of(place);
	struct message_row row;
	struct text value;
	int got = store_get(t, DB_DEAD, &key, &value, error);

	if (got != 1)
		return got;
	if (row_decode_dead(
		text_make(key.bytes, key.size), value, &row, error) != 0)
		return -1;
	got = promises_are_over(&expire->promises, t, &row, error);
	if (got != 1)
		return got;
	if (store_take(t, DB_DEAD, &key, error) != 0)
		return -1;
	step_reached(STEP_EXPIRE_TAKEN);
	if (take_body(expire, t, row.record.blob, error) != 0 ||
	    take_delivery(expire, t, &row, error) != 0 ||
	    name_row(expire, journal, &row, error) != 0)
		return -1;
	expire->counts.rows++;
	return 1;
}

/* As many as the time allows; `done` is how many were looked at. */
static int
forget_some(struct expire *expire, struct journal *journal, size_t *done,
    uint64_t *forgotten, struct error *error)
{
	int64_t start_us = clock_monotonic_us();
	size_t i;
	int got;

	expire->entries = 0;
	expire->entry_rows = 0;
	digest_start(expire->digest);
	for (i = 0; i < expire->free_count; i++) {
		if (i > 0 && i % WRITE_AT_CLOCK == 0 &&
		    clock_monotonic_us() - start_us > EXPIRE_WRITE_US)
			break;
		got = forget_one(expire, journal, &expire->free[i], error);
		if (got < 0)
			return -1;
		*forgotten += (uint64_t)got;
	}
	*done = i;
	return put_entry(expire, journal, error);
}

/* `has_more` becomes true if the time was up before the end. */
static enum status
forget(struct expire *expire, struct journal *journal, bool *has_more,
    struct error *error)
{
	struct expire_counts before = expire->counts;
	uint64_t forgotten = 0;
	enum status status;
	struct hash content;
	char detail[60];
	size_t done = 0;

	/* Of the reserve: it makes room, and must work when there is none. */
	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	if (forget_some(expire, journal, &done, &forgotten, error) != 0) {
		journal_drop(journal);
		expire->counts = before;
		return journal_status_of(error);
	}
	if (done < expire->free_count) {
		expire->place = expire->free[done];
		*has_more = true;
	}
	if (forgotten == 0) {
		journal_drop(journal);
		return STATUS_OK;
	}
	content = digest_finish(expire->digest);
	snprintf(detail, sizeof(detail), "%" PRIu64 " rows, %" PRIu64 " bodies",
	    forgotten, expire->counts.bodies - before.bodies);
	status = journal_finish_with(
	    journal, EVENT_FORGET, expire->entries, &content, detail, error);
	if (status == STATUS_OK)
		step_reached(STEP_EXPIRE_LOGGED);
	return status;
}

/* -- Passes -- */

/* A twenty-fourth of the minimum is early enough. */
static void
end_pass(struct expire *expire, const struct journal *journal)
{
	uint64_t pause_s = ratchet_minimum_s(&journal->ratchet) / 24;

	if (pause_s < EXPIRE_MIN_PASS_S)
		pause_s = EXPIRE_MIN_PASS_S;
	if (pause_s > EXPIRE_MAX_PASS_S)
		pause_s = EXPIRE_MAX_PASS_S;
	expire->is_running = false;
	expire->next_pass_us = journal->state.guard_us + pause_s * 1000000;
	if (expire->counts.rows > 0)
		log_info("expired",
		    "rows=%" PRIu64 " bodies=%" PRIu64 " looked=%" PRIu64,
		    expire->counts.rows, expire->counts.bodies,
		    expire->counts.looked);
}

static void
begin_pass(struct expire *expire)
{
	expire->is_running = true;
	expire->is_reaping = true;
	expire->place = (struct place){ 0 };
	expire->counts = (struct expire_counts){ 0 };
}

static int
look_once(struct expire *expire, struct journal *journal, struct error *error)
{
	struct transaction *t = journal->round;
	int got = -1;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return -1;
	if (promises_read(&expire->promises, journal, t, error) == 0)
		got = look(expire, t, error);
	if (t != journal->round)
		transaction_abort(&t);
	return got;
}

enum status
expire_step(struct expire *expire, struct journal *journal, bool *has_more,
    struct error *error)
{
	enum status status = STATUS_OK;
	int got;

	*has_more = false;
	if (journal->ratchet.count == 0 || journal->is_failed)
		return STATUS_OK;
	if (!expire->is_running) {
		if (journal->state.guard_us < expire->next_pass_us)
			return STATUS_OK;
		begin_pass(expire);
	}
	if (expire->is_reaping) {
		got =
		    reap_step(&expire->reap, &expire->promises, journal, error);
		expire->is_reaping = got == 1;
		*has_more = got >= 0;
		if (got < 0)
			end_pass(expire, journal);
		return got < 0 ? journal_status_of(error) : STATUS_OK;
	}
	got = look_once(expire, journal, error);
	*has_more = got > 0;
	step_reached(STEP_EXPIRE_LOOKED);
	if (got >= 0 && expire->free_count > 0)
		status = forget(expire, journal, has_more, error);
	if (got < 0)
		status = journal_status_of(error);
	if (status != STATUS_OK)
		*has_more = false;
	if (!*has_more)
		end_pass(expire, journal);
	return status;
}
