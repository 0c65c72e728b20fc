/*
 * What queue and workers may ask of the store: add and read, no more.  The
 * account of a worker is that of its channel.  Requests go to journal (changes)
 * and reading (the rest); nothing here can remove anything.
 */
#include "snapd/snapd.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/accept_log.h"
#include "snapd/batch.h"
#include "snapd/claim.h"
#include "snapd/reconcile.h"
#include "snapd/restore.h"
#include "snapd/seal_bulk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes of a body that came as a descriptor: a regular file of exactly the
 * size that was announced, read once and never mapped. */
static uint8_t *
read_descriptor(int fd, uint64_t size)
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
		read_data = read_descriptor(fd, accept->size);
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

/* -- Readings -- */

/* A restore's progress, and what is damaged by name. */
static void
tell_restore(struct client *client, const struct reading *reading)
{
	struct body_record record;
	struct reader r;

	if (reading->kind == READ_BLOB)
		restore_body_read(client->snapd, client->account, reading->blob,
		    reading->status);
	if (reading->kind != READ_BLOBS)
		return;
	reader_init(&r, reading->envelope.data, reading->envelope.size);
	for (size_t i = 0;
	     i < reading->blob_count && record_get_body(&r, &record) == 1; i++)
		if (record.status != STATUS_LIMIT) /* asked for again */
			restore_body_read(client->snapd, client->account,
			    reading->blobs[i], (enum status)record.status);
}

void
mail_reading_done(struct client *client, struct reading *reading)
{
	struct text data = text_make(reading->data.data, reading->data.size);
	struct message answer = { .type = MESSAGE_listing };
	size_t inline_max = 60000;
	struct error error;
	int fd = -1;

	if (reading->kind == READ_BLOB || reading->kind == READ_UNFILED_BODY)
		inline_max = 16384;
	if (data.size > inline_max) {
		fd =
		    file_sealed_memory("listing", data.data, data.size, &error);
		data = text_make(NULL, 0);
		if (fd < 0)
			reading->status = STATUS_UNAVAILABLE;
	}
	if (reading->kind == READ_UNFILED_ACCOUNTS) {
		answer.type = MESSAGE_unfiled_accounts;
		answer.unfiled_accounts =
		    (struct message_unfiled_accounts){ reading->tag,
			    (uint8_t)reading->status, data };
	} else if (reading->kind == READ_BLOBS) {
		answer.type = MESSAGE_bodies;
		answer.bodies = (struct message_bodies){ reading->tag,
			(uint8_t)reading->status,
			text_make(
			    reading->envelope.data, reading->envelope.size),
			reading->data.size, data };
	} else if (inline_max == 16384) {
		answer.type = MESSAGE_body;
		answer.body = (struct message_body){ reading->tag,
			(uint8_t)reading->status,
			text_make(
			    reading->envelope.data, reading->envelope.size),
			reading->data.size, data };
	} else {
		answer.listing = (struct message_listing){ reading->tag,
			(uint8_t)reading->status, reading->sequence,
			reading->data.size, data };
	}
	if (channel_send(client->channel, &answer, &fd, fd >= 0) != 0)
		log_warning("answer-dropped", "account=%u", client->account);
	if (fd >= 0)
		close(fd);
	tell_restore(client, reading);
}

static struct reading *
new_reading(enum reading_kind kind, uint64_t tag)
{
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->kind = kind;
	reading->tag = tag;
	return reading;
}

/* Who can name these bytes was told of them: is it of such as the index has, or
 * of such as only the log may have? */
static bool
has_index(const struct client *client, const struct journal *journal,
    const struct reading *reading)
{
	uint64_t next = journal->committed.next_blob;
	size_t i;

	switch (reading->kind) {
	case READ_BLOB:
		return reading->blob < next;
	case READ_BLOBS:
		for (i = 0; i < reading->blob_count; i++)
			if (reading->blobs[i] >= next)
				return false;
		return true;
	case READ_UNFILED_BODY:
		return !snapd_has_delivery(client->snapd, &reading->delivery);
	default:
		return false;
	}
}

static void
start_reading(struct client *client, struct reading *reading)
{
	struct journal *journal = snapd_journal(client->snapd);

	reading->account = client->account;
	if (journal != NULL) {
		reading->store = *store_identity(journal->store);
		reading->retention = *snapd_retention(client->snapd);
		reading->now = journal->now_us / 1000000;
		if (has_index(client, journal, reading))
			snapd_read_on(client, reading);
		else if (reading->kind == READ_UNFILED_BODY)
			snapd_read_round(client, reading);
		else
			snapd_read(client, reading);
		return;
	}
	reading->status = STATUS_UNAVAILABLE;
	mail_reading_done(client, reading);
	reading_free(&reading);
}

/* What is no list of numbers is one of none. */
static void
take_blobs(struct reading *reading, struct text blobs)
{
	struct reader r;

	reader_init(&r, blobs.data, blobs.size);
	while (r.size >= sizeof(reading->blobs[0]) &&
	       reading->blob_count < BODIES_MAX)
		reading->blobs[reading->blob_count++] = reader_get_u64(&r);
	if (reader_done(&r) == -1)
		reading->blob_count = 0;
}

/* What was asked for of the past, beside the past of all listings. */
static void
receive_past(struct client *client, const struct message *message)
{
	struct reading *reading =
	    new_reading(READ_SNAPSHOTS, message->list_snapshots.tag);

	if (message->type == MESSAGE_list_expunged) {
		reading->kind = READ_EXPUNGED;
		reading->tag = message->list_expunged.tag;
		reading->after = message->list_expunged.after;
	} else if (message->type == MESSAGE_list_vanished) {
		reading->kind = READ_VANISHED;
		reading->tag = message->list_vanished.tag;
	} else if (message->type == MESSAGE_list_saved) {
		reading->kind = READ_SAVED;
		reading->tag = message->list_saved.tag;
		reading->as_of = message->list_saved.since;
	}
	start_reading(client, reading);
}

static void
receive_reading(struct client *client, const struct message *message)
{
	struct reading *reading = new_reading(READ_UNFILED, 0);

	switch ((int)message->type) {
	case MESSAGE_list_mailboxes:
		reading->kind = READ_MAILBOXES;
		reading->tag = message->list_mailboxes.tag;
		reading->as_of = message->list_mailboxes.as_of;
		break;
	case MESSAGE_list_messages:
		reading->kind = READ_MESSAGES;
		reading->tag = message->list_messages.tag;
		reading->as_of = message->list_messages.as_of;
		reading->mailbox = message->list_messages.mailbox;
		break;
	case MESSAGE_list_changes:
		reading->kind = READ_CHANGES;
		reading->tag = message->list_changes.tag;
		reading->as_of = message->list_changes.since;
		break;
	case MESSAGE_list_unfiled:
		reading->tag = message->list_unfiled.tag;
		break;
	case MESSAGE_read_blob:
		reading->kind = READ_BLOB;
		reading->tag = message->read_blob.tag;
		reading->blob = message->read_blob.blob;
		break;
	case MESSAGE_read_blobs:
		reading->kind = READ_BLOBS;
		reading->tag = message->read_blobs.tag;
		take_blobs(reading, message->read_blobs.blobs);
		break;
	case MESSAGE_read_unfiled:
		reading->kind = READ_UNFILED_BODY;
		reading->tag = message->read_unfiled.tag;
		reading->delivery = message->read_unfiled.delivery;
		break;
	case MESSAGE_list_unfiled_accounts:
		reading->kind = READ_UNFILED_ACCOUNTS;
		reading->tag = message->list_unfiled_accounts.tag;
		reading->after = message->list_unfiled_accounts.after;
		break;
	default:
		reading_free(&reading);
		return;
	}
	start_reading(client, reading);
}

/* -- Batches -- */

enum {
	BULK_BYTES = 256 << 10 /* of a batch: more than a person sends */
};

static void
receive_begin(struct client *client, const struct message_batch_begin *begin)
{
	struct change_note note = { .cause = CAUSE_NONE };
	bool is_note = change_note_take(
	    &note, begin->cause, begin->note_user, begin->note_address);

	batch_free(&client->batch);
	client->batch = batch_new(begin->counter);
	if (is_note)
		batch_set_note(client->batch, &note);
	else
		batch_spoil(client->batch, STATUS_INVALID);
}

/* What stands in segments and is not in the index after all. */
static void
settle_bulk(struct client *client, const struct batch *batch, struct bulk *bulk,
    enum status status)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct error error;

	if (status == STATUS_OK && bulk->is_known)
		return;
	(void)seal_bulk_disown(journal, bulk, &error);
	/* It took room all the same. */
	allowance_spend(journal->allowance, client->account,
	    journal->state.guard_us, bulk->count, batch_bytes(batch));
}

/* For the log: one that was applied now, with the numbers that it led to. */
static bool
put_record(const struct client *client, const struct batch *batch,
    const struct batch_reply *reply, struct buf *parts,
    struct accept_batch *record)
{
	const struct journal *journal = snapd_journal(client->snapd);

	if (reply->status != STATUS_OK || !reply->is_new ||
	    !batch_put_parts(batch, parts))
		return false;
	*record = (struct accept_batch){ .account = client->account,
		.history = journal->history,
		.wall_us = journal->now_us,
		.sequence = journal->state.sequence,
		.next_blob = journal->state.next_blob,
		.parts = text_make(parts->data, parts->size) };
	return true;
}

static void
answer_batch(struct client *client, const struct batch *batch,
    const struct batch_reply *reply, bool is_staged)
{
	struct message answer = { .type = MESSAGE_batch_done };
	struct message_batch_done *done = &answer.batch_done;
	struct text results =
	    text_make(reply->results.data, reply->results.size);
	size_t files = batch_only_files(batch);
	uint64_t bytes = batch_bytes(batch);
	struct accept_batch record;
	struct buf parts;

	buf_init(&parts, ACCEPT_LOG_MAX_RECORD);
	done->counter = batch_counter(batch);
	done->status = (uint8_t)reply->status;
	done->sequence = reply->sequence;
	if (reply->status == STATUS_OK && is_staged && bytes >= BULK_BYTES)
		snapd_answer_bulk(client, &answer, results, bytes);
	else if (put_record(client, batch, reply, &parts, &record))
		snapd_answer_applied(client, &answer, results, &record, files);
	else if (files > 0)
		snapd_answer_patiently(client, &answer, results, files);
	else
		snapd_answer(client, &answer, results);
	buf_clear(&parts);
}

void
mail_commit_batch(struct client *client, struct batch *batch, struct bulk *bulk)
{
	bool is_placed = bulk != NULL && bulk->placed.count > 0;
	struct batch_reply reply;

	if (is_placed)
		batch_set_bulk(batch, bulk);
	batch_apply(
	    batch, snapd_journal(client->snapd), client->account, &reply);
	client->has_committed |= reply.status == STATUS_OK;
	if (is_placed)
		settle_bulk(client, batch, bulk, reply.status);
	answer_batch(client, batch, &reply, !is_placed);
	buf_clear(&reply.results);
}

static void
refuse_commit(struct client *client, uint64_t counter, enum status status)
{
	struct message answer = { .type = MESSAGE_batch_done };

	answer.batch_done.counter = counter;
	answer.batch_done.status = (uint8_t)status;
	snapd_answer(client, &answer, text_make(NULL, 0));
}

static void
receive_commit(struct client *client, uint64_t counter)
{
	bool is_right =
	    client->batch != NULL && batch_counter(client->batch) == counter;

	if (!is_right)
		refuse_commit(client, counter, STATUS_INVALID);
	else if (snapd_journal(client->snapd) == NULL)
		refuse_commit(client, counter, STATUS_UNAVAILABLE);
	else if (!bulk_takes_batch(client, &client->batch))
		mail_commit_batch(client, client->batch, NULL);
	batch_free(&client->batch);
}

static void
receive_part(struct client *client, const struct message *message, int fd)
{
	const struct message_change_append *append = &message->change_append;
	uint8_t *body = NULL;
	size_t size = 0;

	if (client->batch == NULL)
		return; /* its commit says STATUS_INVALID */
	if (message->type == MESSAGE_change_append &&
	    append->size != append->data.size) {
		size = append->size;
		body = read_descriptor(fd, size);
		if (body == NULL) {
			batch_spoil(client->batch, STATUS_INVALID);
			return;
		}
	}
	batch_add(client->batch, message, body, size);
}

static void
receive_caught_up(
    struct client *client, const struct message_caught_up *caught_up, int fd)
{
	struct text missing = caught_up->missing;
	uint8_t *read_data = NULL;

	if (caught_up->size != missing.size) {
		read_data = read_descriptor(fd, caught_up->size);
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
		receive_begin(client, &message->batch_begin);
		break;
	case MESSAGE_batch_commit:
		receive_commit(client, message->batch_commit.counter);
		break;
	case MESSAGE_caught_up:
		receive_caught_up(client, &message->caught_up, fds[0]);
		break;
	case MESSAGE_list_snapshots:
	case MESSAGE_list_expunged:
	case MESSAGE_list_vanished:
	case MESSAGE_list_saved:
		receive_past(client, message);
		break;
	default:
		if (message_rule_find((uint16_t)message->type)->flow ==
		    FLOW_PART)
			receive_part(client, message, fds[0]);
		else
			receive_reading(client, message);
	}
}
