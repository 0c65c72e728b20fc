/*
 * See repeat.h.
 */
#include "snapd/repeat.h"

#include "common/log.h"
#include "snapd/batch.h"

#include <stdio.h>

struct repetition {
	struct journal *journal;
	struct error *error;
	int count;
	int lost; /* of them, and of these */
	int kept; /* messages */
	uint32_t account;
};

static int
accept_again(const struct accept_record *record, void *context)
{
	struct repetition *repetition = context;

	repetition->count++;
	return journal_accept(repetition->journal, &record->delivery,
		   record->form, record->time, record->sender,
		   record->recipients, record->body,
		   repetition->error) == STATUS_OK
		   ? 0
		   : -1;
}

/* Such that it is filed into the mailbox that it was in, if that is there
 * still; else into INBOX. */
static int
address_of(struct repetition *repetition, uint64_t mailbox,
    char to[RECORD_MAX_ADDRESS_SIZE])
{
	struct journal *journal = repetition->journal;
	struct transaction *t = journal->round;
	struct mailbox_row row;
	int found;

	if (t == NULL)
		t = transaction_begin(journal->store, false, repetition->error);
	if (t == NULL)
		return -1;
	found = row_find_mailbox(
	    t, repetition->account, mailbox, &row, repetition->error);
	if (found != 1 ||
	    row.record.name.size + sizeof("+@") > RECORD_MAX_ADDRESS_SIZE)
		row.record.name = TEXT("INBOX");
	snprintf(
	    to, RECORD_MAX_ADDRESS_SIZE, "+%.*s@", TEXT_FMT(row.record.name));
	if (t != journal->round)
		transaction_abort(&t);
	return found < 0 ? -1 : 0;
}

static int
accept_appended(
    const struct message_change_append *append, struct text body, void *context)
{
	struct repetition *repetition = context;
	struct recipient_record recipient = { .account = repetition->account };
	uint8_t recipients[RECORD_MAX_ADDRESS_SIZE + 16];
	char address[RECORD_MAX_ADDRESS_SIZE];
	struct writer w;

	if (address_of(repetition, append->mailbox, address) != 0)
		return -1;
	recipient.address = text_of(address);
	writer_init(&w, recipients, sizeof(recipients));
	record_put_recipient(&w, &recipient);
	repetition->kept++;
	return journal_accept(repetition->journal, &append->delivery,
		   append->form, append->internaldate, TEXT(""),
		   text_make(recipients, w.size), body,
		   repetition->error) == STATUS_OK
		   ? 0
		   : -1;
}

static int
apply_to_same(struct repetition *repetition, struct batch *batch,
    const struct accept_batch *record)
{
	struct journal *journal = repetition->journal;
	struct batch_reply reply;
	bool is_same;

	journal->now_us = record->wall_us;
	batch_apply(batch, journal, record->account, &reply);
	is_same = reply.status == STATUS_OK &&
		  journal->state.sequence == record->sequence &&
		  journal->state.next_blob == record->next_blob;
	buf_clear(&reply.results);
	return is_same ? 0
		       : error_set(repetition->error, ERROR_DAMAGED,
			     "a batch is not what it was");
}

/* What it is about is not there, but the messages that it brought are. */
static int
apply_to_other(struct repetition *repetition, struct batch *batch,
    const struct accept_batch *record)
{
	repetition->lost++;
	repetition->account = record->account;
	return batch_each_append(batch, accept_appended, repetition);
}

static int
apply_again(const struct accept_batch *record, void *context)
{
	struct repetition *repetition = context;
	struct batch *batch = batch_of_parts(record->parts);
	int result;

	repetition->count++;
	if (batch == NULL)
		return error_set(
		    repetition->error, ERROR_DAMAGED, "parts of a batch");
	if (record->history == repetition->journal->history)
		result = apply_to_same(repetition, batch, record);
	else
		result = apply_to_other(repetition, batch, record);
	batch_free(&batch);
	return result;
}

int
repeat_log(
    struct journal *journal, const struct accept_log *log, struct error *error)
{
	static const struct accept_log_handler handler = { accept_again,
		apply_again };
	struct repetition repetition = { .journal = journal, .error = error };
	int64_t now_us = journal->now_us;
	int result;

	journal->is_repeating = true;
	result = accept_log_replay(
	    log, journal->committed.sequence, &handler, &repetition, error);
	journal->is_repeating = false;
	journal->now_us = now_us;
	if (repetition.count > 0)
		log_info("accepted-again", "count=%d", repetition.count);
	if (repetition.lost > 0)
		log_alarm("changes-lost",
		    "batches=%d messages-kept=%d why=\"the index is older "
		    "than the log: flags, copies and expunges that were "
		    "answered last are not in it; messages that were added "
		    "are filed again\"",
		    repetition.lost, repetition.kept);
	return result == 0 ? repetition.count : -1;
}
