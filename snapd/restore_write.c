/*
 * The writing half of a restore: what was looked at becomes one event, whole
 * or not at all.  Each item is decided again inside the write, so a step that
 * is done twice, or meets what a client did meanwhile, adds nothing twice and
 * undoes nothing.
 */
#include "snapd/restore_parts.h"

#include "snapd/batch_changes.h"
#include "snapd/behind.h"

#include <stdio.h>
#include <string.h>

struct writing {
	struct change_context change;
	struct restore *restore;
	uint64_t done;
};

/* -- Where copies and what came later go -- */

static enum status
make_mailbox(struct writing *w, struct text name, uint64_t *mailbox)
{
	static _Thread_local struct mailbox_row row;
	struct change_context *change = &w->change;
	enum status status;

	if (!change_is_name(name))
		return STATUS_INVALID;
	status = journal_make_mailbox(
	    change->journal, change->account, name, 0, &row, change->error);
	*mailbox = row.record.id;
	return status == STATUS_OK ? change_subscribe(change, name, true)
				   : status;
}

/* The mailbox of the name in `target`, which is made if need be. */
static enum status
get_target(struct writing *w, uint64_t *mailbox)
{
	struct change_context *change = &w->change;
	struct text name = text_of(w->restore->target);
	int found;

	if (text_is_nocase(name, "INBOX"))
		name = TEXT("INBOX");
	found = restore_find_name(change->journal, change->journal->batch,
	    change->account, name, mailbox, change->error);
	if (found < 0)
		return change_failed(change);
	return found == 1 ? STATUS_OK : make_mailbox(w, name, mailbox);
}

/* -- Items -- */

/* In the mailbox of then, or in the copies'. */
static enum status
find_mailboxes(struct writing *w, const struct message_row *row,
    struct mailbox_row *from, struct mailbox_row *to)
{
	struct change_context *change = &w->change;
	bool is_copy = w->restore->plan.mode == MODE_COPY;
	uint64_t target = row->record.mailbox;
	enum status status = STATUS_OK;
	int found;

	if (is_copy)
		status = get_target(w, &target);
	if (status == STATUS_OK)
		status = change_find_mailbox(change, target, to);
	if (status != STATUS_OK || !is_copy)
		return status;
	/* It may be retired by now. */
	found = row_find_mailbox(change->journal->batch, change->account,
	    row->record.mailbox, from, change->error);
	return found == 1   ? STATUS_OK
	       : found == 0 ? STATUS_MISSING
			    : change_failed(change);
}

static enum status
add_message(struct writing *w, struct message_row *row)
{
	static _Thread_local struct mailbox_row from, to;
	struct change_context *change = &w->change;
	struct journal *journal = change->journal;
	bool is_copy = w->restore->plan.mode == MODE_COPY;
	struct message_row now;
	enum status status;
	int is_lost;

	status = find_mailboxes(w, row, &from, &to);
	if (status != STATUS_OK)
		return status;
	is_lost = restore_find_copy(journal->batch, journal->digest,
	    change->account, row, is_copy ? to.record.id : 0, &row->delivery,
	    &now, change->error);
	if (is_lost != 1)
		return is_lost < 0 ? change_failed(change) : STATUS_OK;
	row->record.flags &= FLAG_ALL;
	if (is_copy)
		status = change_carry_keywords(
		    change, &from, &to, &row->record.keywords);
	if (status == STATUS_OK && change_refer(change, row) != 0)
		status = change_failed(change);
	if (status == STATUS_OK)
		status = change_add_message(change, &to, row, 0);
	if (status != STATUS_OK)
		return status;
	w->done++;
	return row_put_mailbox(journal->batch, &to, change->error) == 0
		   ? STATUS_OK
		   : change_failed(change);
}

/* The live row that is to change or to be moved: STATUS_MISSING if a client
 * was faster. */
static enum status
find_row(
    struct writing *w, uint64_t mailbox, uint32_t uid, struct message_row *row)
{
	int found = row_find_message(
	    w->change.journal->batch, mailbox, uid, row, w->change.error);

	return found == 1   ? STATUS_OK
	       : found == 0 ? STATUS_MISSING
			    : change_failed(&w->change);
}

static enum status
change_message(struct writing *w, const struct restore_item *item)
{
	const struct message_record *then = &item->row.record;
	struct message_row now;
	enum status status = find_row(w, then->mailbox, item->uid, &now);

	if (status == STATUS_MISSING)
		return STATUS_OK;
	if (status == STATUS_OK)
		status = change_set_flags(
		    &w->change, &now, then->flags & FLAG_ALL, then->keywords);
	w->done += status == STATUS_OK;
	return status;
}

static enum status
move_message(struct writing *w, const struct message_record *record)
{
	struct delivery_id delivery;
	struct message_row now;
	enum status status;
	uint64_t target;

	status = find_row(w, record->mailbox, record->uid, &now);
	if (status == STATUS_MISSING)
		return STATUS_OK;
	if (status == STATUS_OK)
		status = get_target(w, &target);
	if (status != STATUS_OK)
		return status;
	delivery = restore_moved_delivery(w->change.journal->digest, &now);
	status = change_move_message(&w->change, &now, target, &delivery);
	w->done += status == STATUS_OK;
	return status;
}

/* A mailbox as a whole: it keeps what it is and gets another name. */
static enum status
move_mailbox(struct writing *w, uint64_t mailbox)
{
	static _Thread_local struct mailbox_row row;
	struct restore *restore = w->restore;
	char name[RECORD_MAX_NAME_SIZE + 1];
	enum status status;

	status = change_find_mailbox(&w->change, mailbox, &row);
	if (status != STATUS_OK)
		return status == STATUS_MISSING ? STATUS_OK : status;
	for (int number = 1; number < 100; number++) {
		int size = snprintf(name, sizeof(name),
		    number == 1 ? "%s/%.*s" : "%s/%.*s (%d)", restore->base,
		    TEXT_FMT(row.record.name), number);

		if (size > RECORD_MAX_NAME_SIZE)
			break;
		status = change_rename(&w->change, mailbox, text_of(name));
		if (status != STATUS_EXISTS)
			return status;
	}
	restore->skipped++;
	return STATUS_OK;
}

static enum status
write_item(struct writing *w, struct restore_item *item)
{
	if (item->what == RESTORE_ADD)
		return add_message(w, &item->row);
	if (item->what == RESTORE_CHANGE)
		return change_message(w, item);
	return item->row.record.uid != 0
		   ? move_message(w, &item->row.record)
		   : move_mailbox(w, item->row.record.mailbox);
}

/* Its name of then; if another mailbox has it, it stays as it is called. */
static enum status
rename_back(struct writing *w)
{
	const struct mailbox_record *then =
	    &w->restore->job->walk.mailbox.record;
	enum status status = change_rename(&w->change, then->id, then->name);

	if (status != STATUS_EXISTS && status != STATUS_REFUSED)
		return status;
	w->restore->skipped++;
	return STATUS_OK;
}

static enum status
write_all(struct writing *w)
{
	struct restore *restore = w->restore;
	enum status status = STATUS_OK;
	size_t i;

	if (restore->must_bring_back)
		status = change_bring_back(
		    &w->change, restore->job->walk.mailbox.record.id);
	if (status == STATUS_OK && restore->must_rename)
		status = rename_back(w);
	for (i = 0; i < restore->item_count && status == STATUS_OK; i++)
		status = write_item(w, &restore->items[i]);
	for (i = 0; i < restore->subscribe.size && status == STATUS_OK;) {
		const char *at = (const char *)restore->subscribe.data + i;

		status =
		    change_subscribe(&w->change, text_of(at + 1), at[0] != 0);
		i += strlen(at + 1) + 2;
	}
	return status;
}

/* -- The event -- */

static void
forget(struct restore *restore)
{
	restore->must_bring_back = false;
	restore->must_rename = false;
	restore->item_count = 0;
	restore->is_mailbox_done = false;
	buf_reset(&restore->subscribe);
}

static bool
has_nothing(const struct restore *restore)
{
	return !restore->must_bring_back && !restore->must_rename &&
	       restore->item_count == 0 && restore->subscribe.size == 0;
}

/* For who reads the log: of one message, the UID that it was asked for by. */
static void
describe(const struct restore *restore, uint64_t rows, char detail[100])
{
	static const char *const modes[] = { "missing", "copy", "rewind" };
	const struct control_job *job = restore->job;
	char uid[20] = "";

	if (job->uid != 0)
		snprintf(uid, sizeof(uid), " uid=%u", job->uid);
	snprintf(detail, 100, "mode=%s from=%llu rows=%llu%s",
	    modes[restore->plan.mode], (unsigned long long)job->sequence,
	    (unsigned long long)rows, uid);
}

static enum status
write_event(struct restore *restore, struct journal *journal)
{
	struct error *error = &restore->job->error;
	struct buf results;
	struct writing w = { .restore = restore,
		.change = { .journal = journal,
		    .account = restore->job->walk.account,
		    .results = &results,
		    .error = error } };
	enum status status;
	char detail[100];

	buf_init(&results, RESTORE_STEP_ITEMS * 8 * RECORD_RESULT_SIZE);
	status = write_all(&w);
	if (status == STATUS_OK &&
	    behind_note(journal, w.change.account, error) != 0)
		status = change_failed(&w.change);
	buf_clear(&results);
	if (status != STATUS_OK) {
		if (error->code == ERROR_NONE)
			error_set(error, ERROR_INPUT, "mailbox \"%s\": %s",
			    restore->target, status_name(status));
		journal_drop(journal);
		return status;
	}
	describe(restore, w.done, detail);
	restore->rows_written += w.done;
	restore->sequence = journal_sequence(journal);
	restore->is_uncommitted = true;
	restore->lost_rounds = journal->lost_rounds;
	return journal_finish(journal, EVENT_RESTORE, ROLE_SNAPCTL,
	    w.change.account, detail, error);
}

enum status
restore_write(struct restore *restore, struct journal *journal)
{
	enum status status = STATUS_OK;

	if (!restore->job->is_dry_run && !has_nothing(restore)) {
		status = journal_begin(journal,
		    (restore->item_count + 1) * sizeof(struct message_row),
		    &restore->job->error);
		if (status == STATUS_OK)
			status = write_event(restore, journal);
	}
	forget(restore);
	return status;
}

enum status
restore_mark(struct restore *restore, struct journal *journal)
{
	struct control_job *job = restore->job;
	struct control_snapshot row = { .account = job->account,
		.kind = SNAPSHOT_REWIND,
		.time = journal->now_us / 1000000,
		.name = TEXT("before-rewind") };
	uint8_t data[300];
	struct writer w;
	enum status status;
	char why[60];

	snprintf(why, sizeof(why), "rewound to event %llu",
	    (unsigned long long)job->sequence);
	status = journal_mark(journal, SNAPSHOT_REWIND, job->account, row.name,
	    text_of(why), &row.sequence, &job->error);
	if (status != STATUS_OK)
		return status;
	restore->sequence = row.sequence;
	restore->is_uncommitted = true;
	restore->lost_rounds = journal->lost_rounds;
	writer_init(&w, data, sizeof(data));
	control_put_snapshot(&w, &row);
	restore_send_row(restore, CONTROL_SNAPSHOT, text_make(w.data, w.size));
	return STATUS_OK;
}
