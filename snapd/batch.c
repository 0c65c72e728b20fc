/*
 * Batches: see batch.h.  What each change does to the rows is in
 * batch_messages.c and batch_mailboxes.c; here they are kept, walked, answered
 * and remembered.
 *
 * reply value: form u8, counter u64, sequence u64, results.
 */
#include "snapd/batch.h"

#include "common/memory.h"
#include "snapd/batch_changes.h"
#include "snapd/batch_state.h"
#include "snapd/seal_bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REPLY_SLOTS = 64, /* as many batches may be unanswered */
	ROWS_ROOM = 3 * 4096
};

struct batch *
batch_new(uint64_t counter)
{
	struct batch *batch = memory_new(1, sizeof(*batch));

	batch->counter = counter;
	batch->last = &batch->first;
	return batch;
}

void
batch_free(struct batch **batch)
{
	struct part *part, *next;

	if (*batch == NULL)
		return;
	for (part = (*batch)->first; part != NULL; part = next) {
		next = part->next;
		free(part->body);
		free(part);
	}
	memory_free(batch);
}

void
batch_set_note(struct batch *batch, const struct change_note *note)
{
	batch->note = *note;
}

uint64_t
batch_bytes(const struct batch *batch)
{
	return batch->bytes;
}

uint64_t
batch_counter(const struct batch *batch)
{
	return batch->counter;
}

void
batch_spoil(struct batch *batch, enum status status)
{
	if (batch->spoiled == STATUS_OK)
		batch->spoiled = status;
}

int
batch_add(struct batch *batch, const struct message *message, uint8_t *body,
    size_t body_size)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct part *part;
	size_t size = message_encode(message, packet);

	if (size == 0 ||
	    batch->bytes + size + body_size > JOURNAL_MAX_BATCH_BYTES)
		batch_spoil(batch, STATUS_LIMIT);
	if (batch->spoiled != STATUS_OK) {
		free(body);
		return -1;
	}
	part = memory_new(1, sizeof(*part) + size);
	memcpy(part->packet, packet, size);
	part->size = size;
	part->body = body;
	part->body_size = body_size;
	batch->bytes += size + body_size;
	*batch->last = part;
	batch->last = &part->next;
	return 0;
}

size_t
batch_only_files(const struct batch *batch)
{
	const struct part *part;
	size_t count = 0;

	for (part = batch->first; part != NULL; part = part->next, count++)
		if (part_type(part) != MESSAGE_change_file)
			return 0;
	return count;
}

static int
decode_part(
    const struct part *part, struct message *message, struct error *error)
{
	return message_decode(
	    part->packet, part->size, ROLE_WORKER, ROLE_SNAPD, message, error);
}

size_t
batch_bodies(const struct batch *batch, struct bulk_body *to)
{
	const struct part *part;
	struct message message;
	struct error error;
	size_t count = 0;

	for (part = batch->first; part != NULL; part = part->next) {
		if (part_type(part) != MESSAGE_change_append)
			continue;
		if (to != NULL && decode_part(part, &message, &error) == 0)
			to[count].bytes =
			    part->body != NULL
				? text_make(part->body, part->body_size)
				: message.change_append.data;
		count++;
	}
	return count;
}

void
batch_set_bulk(struct batch *batch, struct bulk *bulk)
{
	batch->bulk = bulk;
}

bool
batch_is_welcome(
    const struct batch *batch, struct journal *journal, uint32_t account)
{
	struct error error;
	struct account_row row = { .counter = 0 };
	struct transaction *t =
	    transaction_begin(journal->store, false, &error);
	int found = 0;

	if (t != NULL)
		found = row_find_account(t, account, &row, &error);
	transaction_abort(&t);
	return found == 1 && batch->spoiled == STATUS_OK &&
	       batch->counter > row.counter &&
	       allowance_has(
		   journal->allowance, account, journal->state.guard_us);
}

/* Does it need room beside the reserve?  Deaths and flags do not. */
static bool
batch_adds(const struct batch *batch)
{
	const struct part *part;
	unsigned int type;

	for (part = batch->first; part != NULL; part = part->next) {
		type = part_type(part);
		if (type == MESSAGE_change_append ||
		    type == MESSAGE_change_copy ||
		    type == MESSAGE_change_recall ||
		    type == MESSAGE_change_create)
			return true;
	}
	return false;
}

/* Of the index, beside the reserve. */
static uint64_t
room_needed(const struct batch *batch)
{
	const struct bulk *bulk = batch->bulk;
	uint64_t bytes = batch->bytes + 1;
	size_t i;

	if (!batch_adds(batch))
		return 0;
	for (i = 0; bulk != NULL && i < bulk->count; i++) {
		bytes -= seal_bulk_placed_bytes(&bulk->bodies[i]);
		/* Rows of one message, or of a piece, are in as many pages. */
		bytes += (1 + bulk->bodies[i].piece_count) * ROWS_ROOM;
	}
	return bytes;
}

static struct key
reply_key(uint32_t account, uint64_t counter)
{
	struct key key = { .size = 0 };

	key_put_u32(&key, account);
	key_put_u8(&key, (uint8_t)(counter % REPLY_SLOTS));
	return key;
}

/* The answer of then. */
static void
find_reply(struct journal *journal, uint32_t account, uint64_t counter,
    struct batch_reply *reply, struct error *error)
{
	struct key key = reply_key(account, counter);
	struct text value;
	struct reader r;
	int found;

	reply->status = STATUS_INVALID;
	found = store_get(journal->batch, DB_REPLY, &key, &value, error);
	if (found < 0)
		reply->status = journal_status_of(error);
	if (found != 1)
		return;
	reader_init(&r, value.data, value.size);
	reader_get_u8(&r);
	if (reader_get_u64(&r) != counter)
		return;
	reply->sequence = reader_get_u64(&r);
	if (!r.failed && buf_put(&reply->results, r.data, r.size) == 0)
		reply->status = STATUS_OK;
}

static int
put_reply(struct journal *journal, uint32_t account, uint64_t counter,
    const struct batch_reply *reply, struct error *error)
{
	struct key key = reply_key(account, counter);
	uint8_t head[17] = { 0 };
	struct writer w;
	struct buf value;
	int result = -1;

	writer_init(&w, head, sizeof(head));
	writer_put_u8(&w, 1);
	writer_put_u64(&w, counter);
	writer_put_u64(&w, reply->sequence);
	buf_init(&value, sizeof(head) + reply->results.size);
	if (buf_put(&value, head, sizeof(head)) == 0 &&
	    buf_put(&value, reply->results.data, reply->results.size) == 0)
		result = store_put(journal->batch, DB_REPLY, &key,
		    text_make(value.data, value.size), error);
	buf_clear(&value);
	return result;
}

/* The last thing in the batch: mailbox counters, account counter, reply. */
static int
close_batch(
    struct change_context *context, uint64_t counter, struct batch_reply *reply)
{
	struct journal *journal = context->journal;
	struct account_row account;

	reply->sequence = journal_sequence(journal);
	if (row_find_account(journal->batch, context->account, &account,
		context->error) != 1)
		return -1;
	account.counter = counter;
	if (row_put_account(journal->batch, context->account, &account,
		context->error) != 0)
		return -1;
	return put_reply(
	    journal, context->account, counter, reply, context->error);
}

/* The next body of the bulk, if it has a place. */
static struct bulk_body *
take_placed(struct bulk *bulk, size_t *next)
{
	struct bulk_body *body = &bulk->bodies[(*next)++];

	return seal_bulk_is_placed(body) ? body : NULL;
}

static enum status
apply_parts(struct change_context *context, const struct batch *batch)
{
	struct bulk *bulk = batch->bulk;
	size_t next = 0;
	const struct part *part;
	struct message message;
	enum status status;

	for (part = batch->first; part != NULL; part = part->next) {
		if (decode_part(part, &message, context->error) != 0)
			return STATUS_INVALID;
		context->body = part->body != NULL
				    ? text_make(part->body, part->body_size)
				    : text_make(NULL, 0);
		context->has_body = part->body != NULL;
		context->placed = NULL;
		if (bulk != NULL && part_type(part) == MESSAGE_change_append)
			context->placed = take_placed(bulk, &next);
		status = change_apply(context, &message);
		if (status != STATUS_OK)
			return status;
	}
	if (bulk != NULL &&
	    seal_bulk_know(context->journal, bulk, context->error) != 0)
		return change_failed(context);
	return STATUS_OK;
}

static void
apply_new(struct batch *batch, struct journal *journal, uint32_t account,
    struct batch_reply *reply, struct error *error)
{
	struct change_context context = { .journal = journal,
		.account = account,
		.results = &reply->results,
		.error = error };

	struct journal_state before = journal->state;

	reply->status = apply_parts(&context, batch);
	if (reply->status == STATUS_OK &&
	    close_batch(&context, batch->counter, reply) != 0)
		reply->status = journal_status_of(error);
	if (reply->status != STATUS_OK) {
		journal_drop(journal);
		/* As if it had never come. */
		journal->state.next_blob = before.next_blob;
		journal->state.next_mailbox = before.next_mailbox;
		buf_reset(&reply->results);
		return;
	}
	reply->is_new = true;
	reply->status = journal_finish(
	    journal, EVENT_BATCH, ROLE_WORKER, account, "", error);
	allowance_spend(journal->allowance, account, journal->state.guard_us,
	    journal->touched_count, batch->bytes);
}

/* -- Bulk loss -- */

/* How many messages the part takes out of which mailbox. */
static uint64_t
count_lost(const struct message *m, uint64_t *mailbox)
{
	switch ((int)m->type) {
	case MESSAGE_change_expunge:
		*mailbox = m->change_expunge.mailbox;
		return m->change_expunge.uids.size / 4;
	case MESSAGE_change_missing:
		*mailbox = m->change_missing.mailbox;
		return m->change_missing.is_missing
			   ? m->change_missing.uids.size / 4
			   : 0;
	default:
		return 0;
	}
}

static bool
is_loss(struct journal *journal, uint32_t account, uint64_t mailbox,
    uint64_t lost, char why[100])
{
	struct mailbox_row row;
	uint64_t few = LOSS_FEW;

	if (lost <= few ||
	    row_find_mailbox(journal->batch, account, mailbox, &row, NULL) != 1)
		return false;
	if (few < row.record.message_count / LOSS_SHARE)
		few = row.record.message_count / LOSS_SHARE;
	snprintf(why, 100, "%llu of %llu messages of mailbox %llu",
	    (unsigned long long)lost,
	    (unsigned long long)row.record.message_count,
	    (unsigned long long)mailbox);
	return lost > few;
}

/* Does the batch lose a lot of one mailbox?  Parts of one mailbox follow each
 * other. */
static bool
batch_loses(const struct batch *batch, struct journal *journal,
    uint32_t account, char why[100])
{
	uint64_t mailbox = 0, sum = 0, current, lost;
	const struct part *part;
	struct message message;

	for (part = batch->first; part != NULL; part = part->next) {
		current = mailbox;
		if (decode_part(part, &message, NULL) != 0)
			return false;
		lost = count_lost(&message, &current);
		sum = current == mailbox ? sum + lost : lost;
		mailbox = current;
		if (is_loss(journal, account, mailbox, sum, why))
			return true;
	}
	return false;
}

static void
apply(struct batch *batch, struct journal *journal, uint32_t account,
    struct batch_reply *reply)
{
	struct error error = { .code = ERROR_NONE };
	struct account_row row;
	char why[100];
	int found;

	buf_init(&reply->results, JOURNAL_MAX_RESULTS * RECORD_RESULT_SIZE);
	reply->sequence = 0;
	reply->is_new = false;
	reply->status = batch->spoiled;
	if (reply->status == STATUS_OK)
		reply->status =
		    journal_begin(journal, room_needed(batch), &error);
	if (reply->status != STATUS_OK)
		return;
	found = row_find_account(journal->batch, account, &row, &error);
	if (found == 1 && batch->counter > row.counter &&
	    !journal->is_repeating &&
	    !allowance_has(
		journal->allowance, account, journal->state.guard_us)) {
		reply->status = STATUS_ALLOWANCE;
		journal_drop(journal);
		return;
	}
	if (found == 1 && batch->counter > row.counter) {
		if (!journal->is_repeating &&
		    batch_loses(batch, journal, account, why)) {
			journal_drop(journal);
			journal_mark_loss(journal, account, why);
			reply->status = journal_begin(journal, 0, &error);
			if (reply->status != STATUS_OK)
				return;
		}
		apply_new(batch, journal, account, reply, &error);
		return;
	}
	if (found == 1)
		find_reply(journal, account, batch->counter, reply, &error);
	else
		reply->status =
		    found == 0 ? STATUS_MISSING : journal_status_of(&error);
	journal_drop(journal);
}

void
batch_apply(struct batch *batch, struct journal *journal, uint32_t account,
    struct batch_reply *reply)
{
	journal->note = &batch->note;
	apply(batch, journal, account, reply);
	journal->note = NULL;
}
