/* See walk.h. */
#include "snapd/walk.h"

#include <string.h>

enum {
	BETWEEN_ACCOUNTS,
	IN_ACCOUNT,
	IN_MAILBOX,
	AT_END
};

/* The texts of the mailbox's row into its own storage: it outlives the
 * transaction. */
static int
keep_mailbox(struct walk *walk, const struct mailbox_row *row, uint64_t of_now)
{
	struct writer w;
	struct reader r;
	int got;

	walk->mailbox.account = row->account;
	walk->mailbox.born = row->born;
	walk->was_renewed = row->born != of_now;
	writer_init(&w, walk->mailbox.storage, sizeof(walk->mailbox.storage));
	record_put_mailbox(&w, &row->record);
	reader_init(&r, walk->mailbox.storage, w.size);
	got = w.failed ? -1 : record_get_mailbox(&r, &walk->mailbox.record);
	return got == 1 ? 0 : -1;
}

static bool
is_named(const struct walk *walk, struct text key, size_t size,
    const struct error *error)
{
	return walk->names_damage && error->code == ERROR_DAMAGED &&
	       key.size == size;
}

static enum walk_event
next_account(struct walk *walk, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key = { NULL, 0 }, value;
	struct cursor *cursor;
	bool is_damaged;
	int got;

	if (walk->only_account != 0 && walk->account != 0)
		return WALK_END;
	key_put_u32(&from,
	    walk->only_account != 0 ? walk->only_account : walk->account + 1);
	cursor = cursor_open(walk->transaction, DB_ACCOUNT, &from, error);
	if (cursor == NULL)
		return WALK_FAILED;
	got = cursor_next(cursor, &key, &value, error);
	/* Only its key is needed. */
	is_damaged = got < 0 && is_named(walk, key, 4, error);
	if (is_damaged)
		got = 1;
	if (got == 1)
		walk->account = key_u32_at(key, 0);
	cursor_close(&cursor);
	if (got == 1 && walk->only_account != 0 &&
	    walk->account != walk->only_account)
		got = 0;
	if (got == 1 && walk->is_of_users && walk->account == ACCOUNT_SERVICE)
		got = 0; /* the last one there can be */
	if (got == 0 && walk->only_account != 0)
		got = error_set(
		    error, ERROR_MISSING, "no account %u", walk->only_account);
	if (got != 1)
		return got < 0 ? WALK_FAILED : WALK_END;
	walk->after_mailbox = 0;
	walk->state = IN_ACCOUNT;
	return is_damaged ? WALK_DAMAGED : WALK_ACCOUNT;
}

static bool
is_wanted(const struct walk *walk, const struct mailbox_row *row)
{
	struct text name = row->record.name;

	if (row->record.is_retired)
		return false;
	return walk->only_mailbox.size == 0 ||
	       text_equal(name, walk->only_mailbox) ||
	       (text_is_nocase(walk->only_mailbox, "INBOX") &&
		   text_is(name, "INBOX"));
}

/* 1: this mailbox is the next one; 0: not; -1. */
static int
try_mailbox(struct walk *walk, struct text value, struct error *error)
{
	static _Thread_local struct mailbox_row row;
	uint64_t of_now;
	int got;

	if (row_decode_mailbox(value, &row, error) != 0)
		return -1;
	of_now = row.born;
	walk->after_mailbox = row.record.id;
	got = as_of_mailbox(walk->transaction, walk->sequence, &row, error);
	if (got != 1 || !is_wanted(walk, &row))
		return got < 0 ? -1 : 0;
	return keep_mailbox(walk, &row, of_now) == 0
		   ? 1
		   : error_set(error, ERROR_DAMAGED, "store: mailbox row");
}

static enum walk_event
next_mailbox(struct walk *walk, struct error *error)
{
	struct key from = { .size = 0 };
	struct text key = { NULL, 0 }, value;
	struct cursor *cursor;
	bool is_damaged;
	int got, found = 0;

	key_put_u32(&from, walk->account);
	key_put_u64(&from, walk->after_mailbox + 1);
	cursor = cursor_open(walk->transaction, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return WALK_FAILED;
	while (found == 0 &&
	       (got = cursor_next(cursor, &key, &value, error)) != 0) {
		if (key.size == 12 && key_u32_at(key, 0) != walk->account) {
			error->code = ERROR_NONE; /* not of this account */
			break;
		}
		found = got < 0 ? -1 : try_mailbox(walk, value, error);
	}
	is_damaged = found < 0 && is_named(walk, key, 12, error);
	if (is_damaged)
		walk->after_mailbox = key_u64_at(key, 4);
	cursor_close(&cursor);
	if (found < 0)
		return is_damaged ? WALK_DAMAGED : WALK_FAILED;
	if (found == 0) {
		walk->state = BETWEEN_ACCOUNTS;
		return WALK_ACCOUNT_END;
	}
	as_of_start(&walk->messages, walk->mailbox.record.id, walk->sequence,
	    walk->only_uid == 0 ? 0 : walk->only_uid - 1);
	walk->messages.names_damage = walk->names_damage;
	if (as_of_resume(&walk->messages, walk->transaction, error) != 0)
		return WALK_FAILED;
	walk->state = IN_MAILBOX;
	return WALK_MAILBOX;
}

static enum walk_event
next_message(struct walk *walk, struct message_row *row, struct error *error)
{
	int got = as_of_next(&walk->messages, row, error);

	if (got > 0 && walk->only_uid != 0 && row->record.uid != walk->only_uid)
		got = 0;
	if (got > 0)
		return got == 1 ? WALK_MESSAGE : WALK_DAMAGED;
	as_of_pause(&walk->messages);
	walk->state = IN_ACCOUNT;
	return got < 0 ? WALK_FAILED : WALK_MAILBOX_END;
}

int
walk_resume(
    struct walk *walk, struct transaction *transaction, struct error *error)
{
	walk->transaction = transaction;
	return walk->state == IN_MAILBOX
		   ? as_of_resume(&walk->messages, transaction, error)
		   : 0;
}

enum walk_event
walk_next(struct walk *walk, struct message_row *row, struct error *error)
{
	enum walk_event event;

	if (walk->state != IN_MAILBOX)
		row->record.uid = 0;
	switch (walk->state) {
	case BETWEEN_ACCOUNTS:
		event = next_account(walk, error);
		if (event == WALK_END)
			walk->state = AT_END;
		return event;
	case IN_ACCOUNT:
		return next_mailbox(walk, error);
	case IN_MAILBOX:
		return next_message(walk, row, error);
	default:
		return WALK_END;
	}
}

void
walk_pause(struct walk *walk)
{
	as_of_pause(&walk->messages);
	walk->transaction = NULL;
}

void
walk_clear(struct walk *walk)
{
	as_of_clear(&walk->messages);
	walk->transaction = NULL;
}

void
walk_restart(struct walk *walk)
{
	as_of_clear(&walk->messages);
	walk->account = 0;
	walk->after_mailbox = 0;
	walk->state = BETWEEN_ACCOUNTS;
}
