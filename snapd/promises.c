/* See promises.h. */
#include "snapd/promises.h"

#include "snapd/blob_use.h"
#include "snapd/erasure.h"

#include <inttypes.h>

static int
read_pins(struct promises *promises, struct transaction *t, uint64_t longest_s,
    struct error *error)
{
	struct retention_promises *all = &promises->all;

	if (pins_load(&promises->pins, t, all->now_us, longest_s, error) != 0)
		return -1;
	all->pins = promises->pins.pins;
	all->pin_count = promises->pins.count;
	all->pin_width = promises->pins.width;
	all->erased = promises->erased;
	return erasure_list(t, promises->erased, &all->erased_count, error);
}

int
promises_read(struct promises *promises, const struct journal *journal,
    struct transaction *t, struct error *error)
{
	struct retention_promises *all = &promises->all;
	uint64_t longest_s = 0, one_s;
	size_t i;

	all->now_us = journal->state.guard_us;
	all->policy_count = 0;
	for (i = 0; i < journal->ratchet.count; i++) {
		if (journal->ratchet.entries[i].until_us <= all->now_us)
			continue;
		all->policies[all->policy_count++] =
		    journal->ratchet.entries[i].policy;
		one_s =
		    retention_longest_s(&journal->ratchet.entries[i].policy);
		longest_s = longest_s < one_s ? one_s : longest_s;
	}
	if (promises->number == journal->promises)
		return 0;
	if (read_pins(promises, t, longest_s, error) != 0)
		return -1;
	promises->number = journal->promises;
	return 0;
}

void
promises_clear(struct promises *promises)
{
	pins_clear(&promises->pins);
}

static int
read_event(struct transaction *t, uint64_t sequence, uint64_t *wall_us,
    uint64_t *guard_us, struct error *error)
{
	struct key key = { .size = 0 };
	struct event_form event;
	struct text value;
	int found;

	key_put_u64(&key, sequence);
	found = store_get(t, DB_LOG, &key, &value, error);
	if (found < 0)
		return -1;
	if (found == 0 || event_decode(value, &event) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "store: event %" PRIu64 " is gone or malformed", sequence);
	*wall_us = event.wall_us;
	*guard_us = event.guard_us;
	return 0;
}

/* The account of a mailbox is that of its bodies. */
static int
find_account(struct promises *promises, struct transaction *t,
    const struct message_row *row, struct error *error)
{
	struct object object;
	int found;

	if (promises->account_mailbox == row->record.mailbox)
		return 0;
	found = object_store_find(t, row->record.blob, &object, error);
	if (found != 1)
		return found < 0
			   ? -1
			   : error_set(error, ERROR_DAMAGED,
				 "store: blob %" PRIu64 " of a row is gone",
				 row->record.blob);
	promises->account_mailbox = row->record.mailbox;
	promises->account = object.account;
	return 0;
}

int
promises_are_over(struct promises *promises, struct transaction *t,
    const struct message_row *row, struct error *error)
{
	struct retention_row asked = { .mailbox = row->record.mailbox,
		.uid = row->record.uid,
		.born = row->record.born,
		.died = row->died,
		.died_guard_us = row->died_guard_us,
		/* After a store a newer row says whether it is missing. */
		.was_missing = (row->record.flags & RECORD_MISSING) != 0 &&
			       row->death != DEATH_STORE };
	struct blob_use use;
	uint64_t guard_us;

	if (find_account(promises, t, row, error) != 0 ||
	    read_event(t, asked.born, &asked.born_wall_us, &asked.born_guard_us,
		error) != 0 ||
	    read_event(t, asked.died, &asked.died_wall_us, &guard_us, error) !=
		0 ||
	    blob_use_find(t, row->record.blob, &use, error) < 0)
		return -1;
	asked.account = promises->account;
	asked.locked_until_us = use.locked_until_us;
	return retention_ask(&promises->all, &asked).reason == RETENTION_FREE;
}

bool
promises_hold_for_minimum(
    const struct promises *promises, uint64_t died_guard_us)
{
	uint64_t minimum_s = 0;
	size_t i;

	for (i = 0; i < promises->all.policy_count; i++)
		if (minimum_s < promises->all.policies[i].minimum_s)
			minimum_s = promises->all.policies[i].minimum_s;
	return died_guard_us + minimum_s * 1000000 > promises->all.now_us;
}

bool
promises_erase(const struct promises *promises, uint32_t account)
{
	size_t i;

	for (i = 0; i < promises->all.erased_count; i++)
		if (promises->erased[i] == account)
			return true;
	return false;
}
