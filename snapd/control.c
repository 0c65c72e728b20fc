/*
 * The admin's requests, from snapctl: new accounts, marks, the state of the
 * store.  Like everything else they only add: there is no request here, or in
 * messages.def, that removes or shortens anything.
 */
#include "snapd/snapd.h"

static void
answer_changed(
    struct client *client, uint64_t tag, enum status status, uint64_t sequence)
{
	struct message answer = { .type = MESSAGE_store_changed };

	answer.store_changed.tag = tag;
	answer.store_changed.status = (uint8_t)status;
	answer.store_changed.sequence = sequence;
	snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_account(
    struct client *client, const struct message_account_create *request)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;

	if (journal != NULL)
		status = journal_create_account(
		    journal, request->account, request->name, &error);
	answer_changed(client, request->tag, status,
	    journal != NULL ? journal->state.sequence : 0);
}

static void
receive_mark(struct client *client, const struct message_mark_create *request)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	uint64_t sequence = 0;

	if (journal != NULL)
		status = journal_mark(journal, request->account, request->name,
		    request->why, &sequence, &error);
	answer_changed(client, request->tag, status, sequence);
}

static void
receive_status(struct client *client, uint64_t tag)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct message answer = { .type = MESSAGE_store_status };
	struct message_store_status *status = &answer.store_status;

	status->tag = tag;
	status->status = STATUS_UNAVAILABLE;
	if (journal != NULL) {
		status->status = STATUS_OK;
		status->store = *store_identity(journal->store);
		status->incarnation = journal->state.incarnation;
		status->sequence = journal->committed.sequence;
		status->guard_us = journal->state.guard_us;
		status->root = merkle_log_root(
		    &journal->committed.merkle, journal->digest);
	}
	snapd_answer(client, &answer, text_make(NULL, 0));
}

void
control_request_received(struct client *client, const struct message *message)
{
	switch ((int)message->type) {
	case MESSAGE_account_create:
		receive_account(client, &message->account_create);
		break;
	case MESSAGE_mark_create:
		receive_mark(client, &message->mark_create);
		break;
	case MESSAGE_read_status:
		receive_status(client, message->read_status.tag);
		break;
	default:
		break;
	}
}
