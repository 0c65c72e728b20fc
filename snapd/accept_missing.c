/*
 * An administrator's word that files which are missing are meant to be: their
 * rows die as if they had been expunged, and what they held stays for its
 * retention, behind a mark of the state before.  Rows whose files are not
 * marked as missing are refused, all of the request with them.  The request
 * comes on snapctl's channel only; no process that reads mail can say it.
 */
#include "snapd/accept_missing.h"

#include "common/log.h"
#include "snapd/batch_changes.h"
#include "snapd/reconcile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* STATUS_OK: each of them is live, and missing. */
static enum status
check_missing(struct change_context *context,
    const struct message_control_accept_missing *request)
{
	struct message_row row;
	struct reader r;
	int found;

	reader_init(&r, request->uids.data, request->uids.size);
	while (r.size > 0 && !r.failed) {
		found = row_find_message(context->journal->batch,
		    request->mailbox, reader_get_u32(&r), &row, context->error);
		if (found < 0)
			return change_failed(context);
		if (found == 0)
			return STATUS_MISSING;
		if ((row.record.flags & RECORD_MISSING) == 0) {
			error_set(context->error, ERROR_REFUSED,
			    "the file of UID %u is not missing",
			    row.record.uid);
			return STATUS_REFUSED;
		}
	}
	return r.failed ? STATUS_INVALID : STATUS_OK;
}

/* On the batch that is open: looks, and with `is_final` kills. */
static enum status
look_or_kill(struct change_context *context,
    const struct message_control_accept_missing *request, bool is_final)
{
	struct message expunge = { .type = MESSAGE_change_expunge };
	struct mailbox_row mailbox;
	enum status status =
	    change_find_mailbox(context, request->mailbox, &mailbox);

	if (status == STATUS_OK)
		status = check_missing(context, request);
	if (status != STATUS_OK || !is_final)
		return status;
	expunge.change_expunge.mailbox = request->mailbox;
	expunge.change_expunge.uids = request->uids;
	return change_apply(context, &expunge);
}

static enum status
try_it(struct change_context *context,
    const struct message_control_accept_missing *request, bool is_final,
    const char *detail)
{
	struct journal *journal = context->journal;
	enum status status = journal_begin(journal, 0, context->error);

	if (status != STATUS_OK)
		return status;
	status = look_or_kill(context, request, is_final);
	if (status == STATUS_OK && is_final)
		return journal_finish(journal, EVENT_BATCH, ROLE_SNAPCTL,
		    context->account, detail, context->error);
	journal_drop(journal);
	return status;
}

/* The mark is of the state before, and only if it will not stay. */
enum status
accept_missing(struct journal *journal,
    const struct message_control_accept_missing *request, struct error *error)
{
	struct buf results;
	struct change_context context = { .journal = journal,
		.account = request->account,
		.results = &results,
		.error = error };
	char detail[100];
	enum status status;

	snprintf(detail, sizeof(detail),
	    "accept-missing mailbox=%" PRIu64 " messages=%zu", request->mailbox,
	    request->uids.size / 4);
	buf_init(&results, 2 * RECORD_RESULT_SIZE);
	status = try_it(&context, request, false, detail);
	if (status == STATUS_OK) {
		journal_mark_loss(journal, request->account, detail);
		status = try_it(&context, request, true, detail);
	}
	buf_clear(&results);
	if (status == STATUS_OK)
		log_info("accept-missing", "account=%u %s", request->account,
		    detail + strlen("accept-missing "));
	return status;
}

void
accept_missing_received(
    struct client *client, const struct message_control_accept_missing *request)
{
	struct journal *journal = snapd_journal(client->snapd);
	struct message done = { .type = MESSAGE_control_done };
	struct error error = { .code = ERROR_NONE };
	enum status status = STATUS_UNAVAILABLE;

	if (journal != NULL)
		status = accept_missing(journal, request, &error);
	if (status == STATUS_OK)
		reconcile_tell_worker(client->snapd, request->account);
	done.control_done.tag = request->tag;
	done.control_done.status = (uint8_t)status;
	snapd_answer(client, &done,
	    error.code != ERROR_NONE ? text_of(error.text)
				     : text_make(NULL, 0));
}
