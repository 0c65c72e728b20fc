/*
 * A worker's batches: put together while others are served, applied at their
 * commit (batch.h), answered when that is on disk.  What is large goes to the
 * sealer first: bulk_requests.c.
 */
#include "snapd/mail_parts.h"

#include "snapd/accept_log.h"
#include "snapd/batch.h"
#include "snapd/seal_bulk.h"

enum {
	BULK_BYTES = 256 << 10 /* of a batch: more than a person sends */
};

void
mail_begin_batch(struct client *client, const struct message_batch_begin *begin)
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

void
mail_add_part(struct client *client, const struct message *message, int fd)
{
	const struct message_change_append *append = &message->change_append;
	uint8_t *body = NULL;
	size_t size = 0;

	if (client->batch == NULL)
		return; /* its commit says STATUS_INVALID */
	if (message->type == MESSAGE_change_append &&
	    append->size != append->data.size) {
		size = append->size;
		body = mail_read_descriptor(fd, size);
		if (body == NULL) {
			batch_spoil(client->batch, STATUS_INVALID);
			return;
		}
	}
	batch_add(client->batch, message, body, size);
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

void
mail_end_batch(struct client *client, uint64_t counter)
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
