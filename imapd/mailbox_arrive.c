/*
 * Changes that the store made without us, in order.  A mailbox that is new here
 * and holds messages already (a restore brought it back, or filled it) appears
 * together with them, when the store has listed them: a client that selects it
 * a moment earlier finds no such mailbox, and never one that is empty.
 */
#include "imapd/account_state.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

struct arriving {
	struct account_store *account;
	void (*done)(enum status status, void *context);
	void *context;
	enum status status;
	size_t left; /* mailboxes, and 1 until all are asked for */
};

struct arrival {
	struct arriving *whole;
	size_t size;
	uint8_t record[]; /* of the mailbox */
};

static void
arrived(struct arriving *whole, enum status status)
{
	if (status != STATUS_OK)
		whole->status = status;
	if (--whole->left > 0)
		return;
	whole->done(whole->status, whole->context);
	free(whole);
}

/* The mailbox and its messages, in one go. */
static enum status
appear(struct account_store *account, const struct arrival *arrival,
    struct text data)
{
	static struct mailbox_record mailbox;
	static struct message_record message;
	struct reader r;
	int more;

	reader_init(&r, arrival->record, arrival->size);
	if (record_get_mailbox(&r, &mailbox) != 1)
		return STATUS_DAMAGED;
	reader_init(&r, data.data, data.size);
	apply_begin(account);
	apply_mailbox(account, &mailbox);
	while ((more = record_get_message(&r, &message)) == 1)
		apply_message(account, &message, NULL, NULL);
	apply_end(account);
	return more == 0 ? STATUS_OK : STATUS_DAMAGED;
}

static void
listed(enum status status, uint64_t sequence, struct text data, void *context)
{
	struct arrival *arrival = context;
	struct arriving *whole = arrival->whole;

	if (status == STATUS_OK)
		status = appear(whole->account, arrival, data);
	else if (status == STATUS_MISSING)
		status = STATUS_OK; /* it has gone again */
	free(arrival);
	arrived(whole, status);
}

static void
ask_for_messages(struct arriving *whole, const struct mailbox_record *mailbox)
{
	static uint8_t record[RECORD_MAILBOX_MAX];
	struct arrival *arrival;
	struct writer w;

	writer_init(&w, record, sizeof(record));
	record_put_mailbox(&w, mailbox);
	arrival = memory_new(1, sizeof(*arrival) + w.size);
	arrival->whole = whole;
	arrival->size = w.size;
	memcpy(arrival->record, record, w.size);
	whole->left++;
	store_list_messages(
	    whole->account->client, mailbox->id, 0, listed, arrival);
}

static bool
comes_with_messages(
    struct account_store *account, const struct change_record *change)
{
	return change->kind == CHANGE_MAILBOX && !change->mailbox.is_retired &&
	       change->mailbox.message_count > 0 &&
	       folder_find_id(account, change->mailbox.id) == NULL;
}

/* -1 if the listing is malformed. */
static int
apply_changes(
    struct account_store *account, struct text data, struct arriving *whole)
{
	static struct change_record change;
	struct reader r;
	int more;

	reader_init(&r, data.data, data.size);
	apply_begin(account);
	while ((more = record_get_change(&r, &change)) == 1)
		if (!comes_with_messages(account, &change))
			apply_change(account, &change);
		else if (whole != NULL)
			ask_for_messages(whole, &change.mailbox);
	apply_end(account);
	return more;
}

int
arrive_own_changes(struct account_store *account, struct text data)
{
	return apply_changes(account, data, NULL);
}

void
arrive_changes(struct account_store *account, struct text data,
    void (*done)(enum status status, void *context), void *context)
{
	struct arriving *whole = memory_new(1, sizeof(*whole));
	int result;

	whole->account = account;
	whole->done = done;
	whole->context = context;
	whole->left = 1;
	result = apply_changes(account, data, whole);
	arrived(whole, result == 0 ? STATUS_OK : STATUS_DAMAGED);
}
