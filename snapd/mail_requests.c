/*
 * What queue and workers may ask of the store: add and read, no more.  The
 * account of a worker is that of its channel.  Mail is accepted here; batches
 * go on in mail_batches.c, questions in mail_readings.c.  Nothing here can
 * remove anything.
 */
#include "snapd/mail_parts.h"

#include "common/memory.h"
#include "snapd/accept_log.h"
#include "snapd/claim.h"
#include "snapd/reconcile.h"
#include "snapd/restore.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint8_t *
mail_read_descriptor(int fd, uint64_t size)
{
	struct stat st;
	uint8_t *data;
	size_t done = 0;
	ssize_t n;

	if (fd < 0 || size > JOURNAL_MAX_BODY || fstat(fd, &st) != 0 ||
	    !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return NULL;
	data = memory_new(1, size + 1);
	while (done < size) {
		n = pread(fd, data + done, size - done, (off_t)done);
		if (n <= 0) {
			free(data);
			return NULL;
		}
		done += (size_t)n;
	}
	return data;
}

static void
answer_accepted(struct client *client, uint64_t tag, enum status status,
    const struct accept_record *record)
{
	struct message answer = { .type = MESSAGE_accepted };

	answer.accepted.tag = tag;
	answer.accepted.status = (uint8_t)status;
	if (status == STATUS_OK)
		snapd_answer_accepted(client, &answer, record);
	else
		snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_accept(
    struct client *client, const struct message_accept *accept, int fd)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;
	struct text body = accept->data;
	uint8_t *read_data = NULL;
	struct accept_record record;

	if (accept->size != body.size) {
		read_data = mail_read_descriptor(fd, accept->size);
		body = text_make(read_data, accept->size);
	}
	if (journal != NULL && accept->form <= FORM_EXACT && body.data != NULL)
		status = journal_accept(journal, &accept->delivery,
		    accept->form, accept->time, accept->sender,
		    accept->recipients, body, &error);
	else if (journal != NULL)
		status = STATUS_INVALID;
	record = (struct accept_record){ accept->delivery, accept->form,
		accept->time, accept->sender, accept->recipients, body };
	answer_accepted(client, accept->tag, status, &record);
	free(read_data);
}

static void
receive_find_delivery(
    struct client *client, const struct message_find_delivery *find)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct message answer = { .type = MESSAGE_delivery_found };
	struct error error = { .code = ERROR_NONE };

	answer.delivery_found.tag = find->tag;
	answer.delivery_found.status = STATUS_UNAVAILABLE;
	if (journal != NULL)
		answer.delivery_found.status = (uint8_t)journal_find_delivery(
		    journal, find->account, &find->delivery, &error);
	snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_queue_hello(struct client *client, uint64_t tag)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct message answer = { .type = MESSAGE_store_state };
	struct message_store_state *state = &answer.store_state;

	state->tag = tag;
	state->status = STATUS_UNAVAILABLE;
	if (journal != NULL) {
		state->status = STATUS_OK;
		state->store = *store_identity(journal->store);
		state->incarnation = journal->state.incarnation;
		state->sequence = journal->committed.sequence;
	}
	snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_worker_hello(struct client *client, uint64_t tag)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct message answer = { .type = MESSAGE_account_state };
	struct message_account_state *state = &answer.account_state;
	struct error error = { .code = ERROR_NONE };
	struct claim is;

	state->tag = tag;
	state->status = STATUS_UNAVAILABLE;
	if (journal != NULL) {
		state->status =
		    (uint8_t)claim_state(journal, client->account, &is, &error);
		state->store = *store_identity(journal->store);
		state->incarnation = is.incarnation;
		state->sequence = is.sequence;
		state->counter = is.counter;
	}
	snapd_answer(client, &answer, text_make(NULL, 0));
}

/* A worker may be taken over: what it says is judged, for its own account, and
 * once a channel. */
static void
receive_witness(struct client *client, const struct message_witness *witness)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct claim is = { 0 }, claimed = { witness->incarnation,
		witness->sequence, witness->counter };
	struct message answer = { .type = MESSAGE_witness_heard };
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;

	if (client->has_claimed)
		status = STATUS_LIMIT;
	else if (journal != NULL &&
		 memcmp(&witness->store, store_identity(journal->store),
		     sizeof(witness->store)) != 0)
		status = STATUS_REFUSED;
	else if (journal != NULL)
		status = claim_heard(
		    journal, client->account, &claimed, &is, &error);
	client->has_claimed = true;
	answer.witness_heard.tag = witness->tag;
	answer.witness_heard.status = (uint8_t)status;
	answer.witness_heard.incarnation = is.incarnation;
	answer.witness_heard.sequence = is.sequence;
	snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_caught_up(
    struct client *client, const struct message_caught_up *caught_up, int fd)
{
	struct text missing = caught_up->missing;
	uint8_t *read_data = NULL;

	if (caught_up->size != missing.size) {
		read_data = mail_read_descriptor(fd, caught_up->size);
		missing = text_make(
		    read_data, read_data != NULL ? caught_up->size : 0);
	}
	/* What cannot be read is no list: one byte is none. */
	if (read_data == NULL && caught_up->size != missing.size)
		missing = TEXT("?");
	if (!reconcile_caught_up(
		snapd_reconciler(client->snapd), client->account, caught_up))
		restore_caught_up(client, caught_up, missing);
	free(read_data);
}

/* A batch is put together while others wait: its commit waits. */
static bool
is_of_batch(const struct message *message)
{
	return message->type == MESSAGE_batch_begin ||
	       message->type == MESSAGE_batch_commit ||
	       message_rule_find((uint16_t)message->type)->flow == FLOW_PART;
}

void
mail_request_received(
    struct client *client, const struct message *message, int *fds)
{
	if (is_of_batch(message) || !bulk_takes_request(client, message, fds))
		mail_request_carry_out(client, message, fds);
}

void
mail_request_carry_out(
    struct client *client, const struct message *message, int *fds)
{
	switch ((int)message->type) {
	case MESSAGE_find_delivery:
		receive_find_delivery(client, &message->find_delivery);
		break;
	case MESSAGE_accept:
		receive_accept(client, &message->accept, fds[0]);
		break;
	case MESSAGE_queue_hello:
		receive_queue_hello(client, message->queue_hello.tag);
		break;
	case MESSAGE_worker_hello:
		receive_worker_hello(client, message->worker_hello.tag);
		break;
	case MESSAGE_witness:
		receive_witness(client, &message->witness);
		break;
	case MESSAGE_batch_begin:
		mail_begin_batch(client, &message->batch_begin);
		break;
	case MESSAGE_batch_commit:
		mail_end_batch(client, message->batch_commit.counter);
		break;
	case MESSAGE_caught_up:
		receive_caught_up(client, &message->caught_up, fds[0]);
		break;
	case MESSAGE_list_snapshots:
	case MESSAGE_list_expunged:
	case MESSAGE_list_vanished:
	case MESSAGE_list_saved:
		mail_read_past(client, message);
		break;
	default:
		if (message_rule_find((uint16_t)message->type)->flow ==
		    FLOW_PART)
			mail_add_part(client, message, fds[0]);
		else
			mail_read(client, message);
	}
}
