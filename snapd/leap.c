/*
 * See leap.h.
 */
#include "snapd/leap.h"

#include "common/control_record.h"
#include "common/log.h"
#include "snapd/as_of.h"
#include "snapd/expunged.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* -- Notes -- */

static struct key
note_key(uint32_t account)
{
	struct key key = { .size = 0 };

	key_put_raw(&key, "leap", 4);
	key_put_u32(&key, account);
	return key;
}

static int
decode_note(struct text value, struct leap_note *note, struct error *error)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (reader_get_u8(&r) != 1)
		r.failed = true;
	note->guard_us = reader_get_u64(&r);
	note->incarnation = reader_get_u64(&r);
	if (reader_done(&r) == 0)
		return 0;
	return error_set(error, ERROR_DAMAGED, "meta: malformed leap");
}

int
leap_find_note(struct transaction *transaction, uint32_t account,
    struct leap_note *note, struct error *error)
{
	struct key key = note_key(account);
	struct text value;
	int found = store_get(transaction, DB_META, &key, &value, error);

	*note = (struct leap_note){ 0 };
	return found == 1 ? decode_note(value, note, error) : found;
}

int
leap_find_other(struct transaction *transaction, uint32_t account,
    uint64_t *guard_us, struct error *error)
{
	struct key from = note_key(1);
	struct cursor *cursor = cursor_open(transaction, DB_META, &from, error);
	struct leap_note note;
	struct text key, value;
	int got = -1;

	*guard_us = 0;
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		if (key.size != from.size || memcmp(key.data, "leap", 4) != 0)
			break;
		got = decode_note(value, &note, error);
		if (got == -1)
			break;
		if (key_u32_at(key, 4) != account && note.guard_us > *guard_us)
			*guard_us = note.guard_us;
	}
	cursor_close(&cursor);
	return got == -1 ? -1 : 0;
}

static int
put_note(struct journal *journal, uint32_t account, uint64_t incarnation,
    struct error *error)
{
	struct key key = note_key(account);
	uint8_t data[32];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u8(&w, 1);
	/* The guard clock begins at 0, which stands for never. */
	writer_put_u64(&w, journal->state.guard_us | 1);
	writer_put_u64(&w, incarnation);
	return store_put(
	    journal->batch, DB_META, &key, text_make(data, w.size), error);
}

/* -- How far -- */

enum {
	MAX_AGE = 1 << 25 /* of a copy, in seconds: a year */
};

/* Since the store's last event, in seconds, and what is left of the one that
 * has begun. The same copy may be put back again when nothing but the time
 * tells the two leaps apart. */
static uint64_t
age_of_copy(const struct journal *journal, uint64_t last, int64_t *rest_us,
    struct error *error)
{
	int64_t then;

	*rest_us = 0;

	if (last == 0 ||
	    as_of_event_time(journal->batch, last, &then, error) != 0 ||
	    journal->now_us <= then)
		return 0;
	*rest_us = 1000000 - (journal->now_us - then) % 1000000;
	then = (journal->now_us - then) / 1000000;
	return then < MAX_AGE ? (uint64_t)then : MAX_AGE;
}

/* Nobody is given a UID in the second of the leap: whoever puts the same copy
 * back later finds it older than it was, and its leap is another one. */
static void
wait_for_next_second(int64_t rest_us)
{
	struct timespec left = { .tv_sec = rest_us / 1000000,
		.tv_nsec = rest_us % 1000000 * 1000 };

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		continue;
}

/* 2^20 for each doubling of the age, evenly in between, and one a second: of a
 * young copy leaps one second apart are far apart, those of an old one use up
 * few UIDs. */
static uint32_t
uid_distance(uint64_t age)
{
	unsigned int doublings = 0;
	uint64_t part;

	while ((age + 1) >> (doublings + 1) != 0)
		doublings++;
	part = ((age + 1) * LEAP_UIDNEXT >> doublings) - LEAP_UIDNEXT;
	return (uint32_t)((doublings + 1) * LEAP_UIDNEXT + part + age);
}

/* A part of RECORD_MODSEQ_LEAP for each second. */
static uint64_t
modseq_distance(uint64_t age)
{
	return LEAP_MODSEQ + age * RECORD_MODSEQ_PART;
}

/* -- Mailboxes -- */

/* A mailbox whose UIDs are used up takes no message any more: better than a
 * UID for two. */
static int
leap_mailbox(struct journal *journal, struct text value, uint64_t age,
    struct error *error)
{
	uint32_t distance = uid_distance(age);
	static struct mailbox_row row;
	struct text copy;

	/* The value moves when the row is put. */
	if (value.size > sizeof(row.storage))
		return error_set(error, ERROR_DAMAGED, "store: mailbox row");
	memcpy(row.storage, value.data, value.size);
	copy = text_make(row.storage, value.size);
	if (row_decode_mailbox(copy, &row, error) != 0)
		return -1;
	if (row.record.uidnext < UINT32_MAX - distance)
		row.record.uidnext += distance;
	else
		row.record.uidnext = UINT32_MAX;
	if (row.record.highest_modseq < INT64_MAX - modseq_distance(MAX_AGE))
		row.record.highest_modseq += modseq_distance(age);
	return row_put_mailbox(journal->batch, &row, error);
}

/* Those of one account; 0: all. */
static int
leap_mailboxes(struct journal *journal, uint32_t account, uint64_t age,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got = 1;

	key_put_u32(&from, account);
	while (got == 1) {
		cursor = cursor_open(journal->batch, DB_MAILBOX, &from, error);
		if (cursor == NULL)
			return -1;
		got = cursor_next(cursor, &key, &value, error);
		if (got == 1 && account != 0 && key_u32_at(key, 0) != account)
			got = 0;
		if (got == 1) {
			from.size = 0;
			key_put_u32(&from, key_u32_at(key, 0));
			key_put_u64(&from, key_u64_at(key, 4) + 1);
		}
		if (got == 1 && leap_mailbox(journal, value, age, error) != 0)
			got = -1;
		cursor_close(&cursor);
	}
	return got;
}

/* -- The whole -- */

/* One that no store of this line had before; never one that the lost time may
 * have used. */
static uint64_t
next_incarnation(const struct journal *journal, uint64_t last)
{
	uint64_t now = (uint64_t)journal->now_us;

	return now > last ? now : last + 1;
}

static int
note_account(struct journal *journal, uint32_t account, bool is_whole,
    struct error *error)
{
	uint64_t incarnation = journal->state.incarnation;
	struct leap_note note;

	if (leap_find_note(journal->batch, account, &note, error) != 0)
		return -1;
	if (!is_whole)
		incarnation = next_incarnation(
		    journal, note.incarnation > incarnation ? note.incarnation
							    : incarnation);
	return put_note(journal, account, incarnation, error);
}

static int
leap(struct journal *journal, uint32_t account, bool is_whole, uint64_t age,
    struct error *error)
{
	struct journal_state *state = &journal->state;

	if (leap_mailboxes(journal, is_whole ? 0 : account, age, error) != 0 ||
	    expunged_leap(journal->batch, is_whole ? 0 : account, LEAP_UIDNEXT,
		error) != 0)
		return -1;
	state->next_mailbox += LEAP_UIDNEXT;
	if (is_whole) {
		state->next_blob += LEAP_MODSEQ;
		state->incarnation =
		    next_incarnation(journal, state->incarnation);
		if (put_note(journal, 0, state->incarnation, error) != 0)
			return -1;
	}
	return account == 0 ? 0
			    : note_account(journal, account, is_whole, error);
}

enum status
journal_leap(struct journal *journal, uint32_t account, bool is_whole,
    const char *why, struct error *error)
{
	uint32_t scope = is_whole ? 0 : account;
	struct journal_state before;
	uint64_t last = journal->state.sequence, sequence, age = 0;
	int64_t rest_us = 0;
	enum status status;

	log_alarm("store-rolled-back", "sequence=%llu account=%u why=\"%s\"",
	    (unsigned long long)journal->state.sequence, scope, why);
	status = journal_mark(journal, SNAPSHOT_ALARM, scope,
	    TEXT("before-leap"), text_of(why), &sequence, error);
	if (status == STATUS_OK)
		status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	before = journal->state;
	/* Whoever claims it could make mailboxes use up their UIDs. */
	if (account == 0)
		age = age_of_copy(journal, last, &rest_us, error);
	if (leap(journal, account, is_whole, age, error) == 0)
		status = journal_finish(journal, EVENT_LEAP,
		    account != 0 ? ROLE_WORKER : ROLE_SNAPD, account, why,
		    error);
	else
		status = journal_status_of(error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		journal->state = before;
	} else {
		wait_for_next_second(rest_us);
	}
	return status;
}
