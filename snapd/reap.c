/* See reap.h. */
#include "snapd/reap.h"

#include "common/clock.h"
#include "snapd/as_of.h"
#include "snapd/step.h"

#include <string.h>

enum {
	STEP_US = 2000,
	STEP_ROWS = 200, /* of one event */
	STEP_MAILBOXES = 2000
};

struct victims {
	uint64_t mailbox;
	uint32_t account;
	size_t count;
	uint32_t uids[STEP_ROWS];
};

/* -- Looking -- */

/* As if it had died when its mailbox was retired. */
static int
is_over(struct promises *promises, struct transaction *t,
    const struct mailbox_row *mailbox, uint64_t retired_us,
    struct message_row *row, struct error *error)
{
	if (promises_erase(promises, mailbox->account))
		return 1;
	row->died = mailbox->born;
	row->died_guard_us = retired_us;
	row->death = DEATH_EXPUNGE;
	if (promises_hold_for_minimum(promises, retired_us))
		return 0;
	return promises_are_over(promises, t, row, error);
}

/* Rows of one mailbox behind reap->uid: 1 if there is more, 0, -1. */
static int
look_at_mailbox(struct reap *reap, struct promises *promises,
    struct transaction *t, const struct mailbox_row *mailbox,
    struct victims *victims, struct error *error)
{
	int64_t start_us = clock_monotonic_us();
	struct key from = { .size = 0 };
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	uint64_t retired_us;
	int got = 1, over = 0;

	if (as_of_event_guard(t, mailbox->born, &retired_us, error) != 0)
		return -1;
	key_put_u64(&from, mailbox->record.id);
	key_put_u32(&from, reap->uid + 1);
	cursor = cursor_open(t, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	while (victims->count < STEP_ROWS && over >= 0 &&
	       clock_monotonic_us() - start_us < STEP_US &&
	       (got = cursor_next(cursor, &key, &value, error)) != 0) {
		if (got == 1 && key_u64_at(key, 0) != mailbox->record.id) {
			got = 0;
			break;
		}
		over = -1;
		if (got == 1 && row_decode_live(key, value, &row, error) == 0)
			over = is_over(
			    promises, t, mailbox, retired_us, &row, error);
		reap->uid = row.record.uid;
		if (over == 1)
			victims->uids[victims->count++] = row.record.uid;
	}
	cursor_close(&cursor);
	return over < 0 ? -1 : got;
}

/* The next mailbox from `reap` on whose rows may have to go: 1, 0, -1; 2:
 * none of many, and `reap` is at the last of them. */
static int
find_mailbox(struct reap *reap, const struct promises *promises,
    struct transaction *t, struct mailbox_row *mailbox, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	unsigned int looked = 0;
	int got;

	key_put_u32(&from, reap->account);
	key_put_u64(&from, reap->mailbox);
	cursor = cursor_open(t, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1) {
		if (row_decode_mailbox(value, mailbox, error) != 0) {
			got = -1;
			break;
		}
		if (mailbox->record.is_retired ||
		    promises_erase(promises, mailbox->account))
			break;
		if (++looked == STEP_MAILBOXES) {
			got = 2;
			break;
		}
	}
	cursor_close(&cursor);
	if (got > 0 && (reap->account != mailbox->account ||
			   reap->mailbox != mailbox->record.id))
		*reap =
		    (struct reap){ mailbox->account, mailbox->record.id, 0 };
	return got;
}

static int
look(struct reap *reap, struct promises *promises, struct transaction *t,
    struct victims *victims, struct error *error)
{
	static struct mailbox_row mailbox;
	int got = find_mailbox(reap, promises, t, &mailbox, error);

	victims->count = 0;
	if (got != 1)
		return got == 2 ? 1 : got;
	victims->account = mailbox.account;
	victims->mailbox = mailbox.record.id;
	got = look_at_mailbox(reap, promises, t, &mailbox, victims, error);
	if (got == 0)
		*reap =
		    (struct reap){ mailbox.account, mailbox.record.id + 1, 0 };
	return got < 0 ? -1 : 1;
}

/* -- Ending -- */

static int
end_rows(
    struct journal *journal, const struct victims *victims, struct error *error)
{
	static struct mailbox_row mailbox;
	struct message_row row;
	uint64_t modseq;
	size_t i;
	int found;

	found = row_find_mailbox(journal->batch, victims->account,
	    victims->mailbox, &mailbox, error);
	if (found != 1)
		return found;
	modseq = ++mailbox.record.highest_modseq;
	for (i = 0; i < victims->count; i++) {
		found = row_find_message(journal->batch, victims->mailbox,
		    victims->uids[i], &row, error);
		if (found < 0)
			return -1;
		if (found == 0)
			continue;
		if (row_kill_message(journal->batch, &row, DEATH_EXPUNGE,
			journal_sequence(journal), journal->state.guard_us,
			error) != 0)
			return -1;
		mailbox.record.message_count--;
		journal_touch(journal, victims->mailbox, row.record.uid,
		    TOUCH_DIED, modseq);
	}
	return row_put_mailbox(journal->batch, &mailbox, error);
}

static int
end_all(
    struct journal *journal, const struct victims *victims, struct error *error)
{
	if (journal_begin(journal, 0, error) != STATUS_OK)
		return -1;
	if (end_rows(journal, victims, error) < 0) {
		journal_drop(journal);
		return -1;
	}
	if (journal_finish(journal, EVENT_BATCH, ROLE_SNAPD, victims->account,
		"out of reach", error) != STATUS_OK)
		return -1;
	step_reached(STEP_EXPIRE_REAPED);
	return 0;
}

int
reap_step(struct reap *reap, struct promises *promises, struct journal *journal,
    struct error *error)
{
	static struct victims victims;
	struct transaction *t = journal->round;
	int got = -1;

	if (t == NULL)
		t = transaction_begin(journal->store, false, error);
	if (t == NULL)
		return -1;
	if (promises_read(promises, journal, t, error) == 0)
		got = look(reap, promises, t, &victims, error);
	if (t != journal->round)
		transaction_abort(&t);
	if (got >= 0 && victims.count > 0 &&
	    end_all(journal, &victims, error) != 0)
		got = -1;
	if (got <= 0)
		*reap = (struct reap){ 0 };
	return got;
}
