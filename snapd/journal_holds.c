/*
 * Holds that an administrator places and releases.  A release is a promise,
 * too: that the hold goes on for the minimum of the policy of now.
 */
#include "snapd/journal.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>

static bool
is_wanted(
    const struct hold *hold, struct text tag, const struct retention_pin *scope)
{
	return text_equal(hold->tag, tag) &&
	       hold->pin.sequence == scope->sequence &&
	       (scope->account == 0 || hold->pin.account == scope->account) &&
	       (scope->mailbox == 0 || hold->pin.mailbox == scope->mailbox) &&
	       (scope->uid == 0 || hold->pin.uid == scope->uid);
}

static bool
is_same_scope(const struct retention_pin *a, const struct retention_pin *b)
{
	return a->account == b->account && a->mailbox == b->mailbox &&
	       a->uid == b->uid;
}

/* The next hold from number `from` on that is not released: 1, 0, -1. */
static int
next_hold(struct transaction *t, uint64_t from, struct text tag,
    const struct retention_pin *scope, struct hold *hold, struct error *error)
{
	struct key start = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&start, from);
	cursor = cursor_open(t, DB_HOLD, &start, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		got = hold_decode(key, value, hold, error) == 0 ? 1 : -1;
		if (got < 0 || (hold->pin.until_us == RETENTION_NEVER &&
				   is_wanted(hold, tag, scope)))
			break;
	}
	cursor_close(&cursor);
	return got;
}

static enum status
finish(struct journal *journal, enum event_kind kind, struct text tag,
    const struct retention_pin *scope, struct error *error)
{
	char detail[200];
	enum status status;

	snprintf(detail, sizeof(detail),
	    "tag=%.*s sequence=%" PRIu64 " mailbox=%" PRIu64 " uid=%" PRIu32,
	    TEXT_FMT(tag), scope->sequence, scope->mailbox, scope->uid);
	status = journal_finish(
	    journal, kind, ROLE_SNAPCTL, scope->account, detail, error);
	if (status == STATUS_OK)
		journal->promises++;
	return status;
}

static enum status
put_new(struct journal *journal, const struct hold *hold, struct error *error)
{
	struct hold other;
	uint64_t from = 0;
	int got;

	while ((got = next_hold(journal->batch, from, hold->tag, &hold->pin,
		    &other, error)) == 1) {
		if (is_same_scope(&other.pin, &hold->pin))
			return STATUS_EXISTS;
		from = other.number + 1;
	}
	if (got < 0 || hold_put(journal->batch, hold, error) != 0)
		return journal_status_of(error);
	return STATUS_OK;
}

enum status
journal_hold(struct journal *journal, struct text tag,
    const struct retention_pin *scope, struct text why, struct error *error)
{
	struct hold hold = { .number = journal_sequence(journal),
		.pin = *scope,
		.wall_us = (uint64_t)journal->now_us,
		.tag = tag,
		.why = why };
	enum status status;

	hold.pin.kind = PIN_HOLD;
	hold.pin.until_us = RETENTION_NEVER;
	if (scope->sequence > journal->state.sequence || tag.size == 0)
		return STATUS_INVALID;
	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	status = put_new(journal, &hold, error);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	return finish(journal, EVENT_HOLD, tag, scope, error);
}

/* All of them: how many, or -1. The texts of a hold move when it is put. */
static int
release_all(struct journal *journal, struct text tag,
    const struct retention_pin *scope, uint64_t until_us, struct error *error)
{
	char why_storage[MARK_MAX_WHY + 1];
	struct hold hold;
	uint64_t from = 0;
	int count = 0, got;

	while ((got = next_hold(
		    journal->batch, from, tag, scope, &hold, error)) == 1) {
		if (text_copy(hold.why, why_storage, sizeof(why_storage)) != 0)
			why_storage[0] = '\0';
		hold.why = text_of(why_storage);
		hold.tag = tag;
		hold.pin.until_us = until_us;
		if (hold_put(journal->batch, &hold, error) != 0)
			return -1;
		from = hold.number + 1;
		count++;
	}
	return got < 0 ? -1 : count;
}

enum status
journal_release(struct journal *journal, struct text tag,
    const struct retention_pin *scope, uint64_t *until_us, struct error *error)
{
	enum status status;
	int count;

	/* The minimum of now, whatever it was when the hold was placed. */
	*until_us = journal_lock_us(journal);
	status = journal_begin(journal, 0, error);
	if (status != STATUS_OK)
		return status;
	count = release_all(journal, tag, scope, *until_us, error);
	if (count <= 0) {
		journal_drop(journal);
		return count == 0 ? STATUS_MISSING : journal_status_of(error);
	}
	return finish(journal, EVENT_RELEASE, tag, scope, error);
}
