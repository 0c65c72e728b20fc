/*
 * See repeat.h.
 */
#include "snapd/repeat.h"

#include "common/log.h"
#include "snapd/batch.h"

struct repetition {
	struct journal *journal;
	struct error *error;
	int count;
	int lost; /* of them */
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

static int
apply_again(const struct accept_batch *record, void *context)
{
	struct repetition *repetition = context;
	struct journal *journal = repetition->journal;
	struct batch *batch;
	struct batch_reply reply;
	bool is_same;

	repetition->count++;
	if (record->history != journal->history) {
		repetition->lost++;
		return 0;
	}
	batch = batch_of_parts(record->parts);
	if (batch == NULL)
		return error_set(
		    repetition->error, ERROR_DAMAGED, "parts of a batch");
	journal->now_us = record->wall_us;
	batch_apply(batch, journal, record->account, &reply);
	is_same = reply.status == STATUS_OK &&
		  journal->state.sequence == record->sequence &&
		  journal->state.next_blob == record->next_blob;
	buf_clear(&reply.results);
	batch_free(&batch);
	return is_same ? 0
		       : error_set(repetition->error, ERROR_DAMAGED,
			     "a batch is not what it was");
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
		    "batches=%d why=\"the index is older than the log\"",
		    repetition.lost);
	return result == 0 ? repetition.count : -1;
}
