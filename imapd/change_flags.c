/*
 * STORE and EXPUNGE as batches to the store; when one is committed, its
 * results and what was asked for make the new rows.
 */
#include "imapd/mailbox_change.h"

#include "common/log.h"
#include "common/memory.h"
#include "imapd/loss_notice.h"

#include <stdlib.h>
#include <string.h>

/* -- Flags -- */

static void
flags_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct account_store *account = change->account;
	struct message_record record = { .mailbox = change->mailbox,
		.born = sequence };
	bool is_later = change->item_count >= ACCOUNT_LATER_FROM;
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		apply_begin(account);
		change_learn_keywords(account, change->mailbox,
		    change->names->list, change->names->count);
		for (size_t i = 0; i < change->new_keywords; i++)
			change_next_result(&r, &result);
		for (size_t i = 0; i < change->item_count; i++) {
			if (i % RECORDS_A_PART == 0)
				change_next_result(&r, &result);
			record.uid = change->items[i].uid;
			record.flags = change->items[i].flags;
			record.keywords = change->items[i].keywords;
			record.modseq = result.modseq;
			apply_flags(account, &record, change->origin, is_later);
			change->answer.modseq = result.modseq;
			change->source_uids[change->answer.count++] =
			    record.uid;
		}
		apply_sequence(account, sequence);
		apply_end(account);
	}
	change_finish(change, status);
}

static void
add_flags(struct store_batch *batch, const struct change *change)
{
	struct message m = { .type = MESSAGE_change_flags };
	static uint8_t bytes[RECORDS_A_PART * RECORD_FLAGS_SIZE];

	for (size_t i = 0; i < change->item_count;) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do {
			struct flag_record record = { change->items[i].uid,
				change->items[i].flags,
				change->items[i].keywords };

			record_put_flags(&w, &record);
		} while (++i < change->item_count && i % RECORDS_A_PART != 0);
		m.change_flags.mailbox = change->mailbox;
		m.change_flags.records = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
}

static void
pick_flags(struct change *change, const struct index_row *row,
    const struct flag_change *wish, uint64_t keywords)
{
	struct item *item = &change->items[change->item_count];
	uint32_t old_flags = row->flags & FLAG_ALL;
	uint32_t flags = wish->flags & FLAG_ALL;

	if (wish->has_unchanged_since && row->modseq > wish->unchanged_since) {
		change->modified[change->answer.modified_count++] = row->uid;
		return;
	}
	item->uid = row->uid;
	item->flags = flags;
	item->keywords = keywords;
	if (wish->mode == FLAGS_ADD) {
		item->flags = old_flags | flags;
		item->keywords = row->keywords | keywords;
	} else if (wish->mode == FLAGS_REMOVE) {
		item->flags = old_flags & ~flags;
		item->keywords = row->keywords & ~keywords;
	}
	if (item->flags != old_flags || item->keywords != row->keywords)
		change->item_count++;
}

static void
start_flags(struct turn *turn)
{
	struct account_store *account = turn->account;
	struct mailbox_view *view = turn->view;
	struct folder *folder = view->folder;
	struct store_batch *batch = store_batch_new(&account->note);
	const struct flag_change *wish = &turn->wish;
	struct change *change;
	uint64_t keywords;
	enum status status;
	size_t added;

	status = folder->is_gone
		     ? STATUS_MISSING
		     : change_keyword_bits(folder, wish->keywords,
			   wish->keyword_count,
			   wish->mode == FLAGS_REMOVE ? NULL : batch, &added,
			   &keywords);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		turn_refuse(turn, status);
		return;
	}
	change = change_of_turn(turn, folder, turn->uid_count);
	change->origin = view;
	change->new_keywords = added;
	change->names = change_copy_names(
	    wish->keywords, added > 0 ? wish->keyword_count : 0);
	for (size_t i = 0; i < turn->uid_count; i++) {
		struct index_row row;

		if (folder_row(folder, turn->uids[i], &row))
			pick_flags(change, &row, wish, keywords);
	}
	add_flags(batch, change);
	if (!store_batch_is_empty(batch)) {
		store_client_commit(
		    account->client, &batch, flags_committed, change);
		return;
	}
	store_batch_free(&batch);
	change->answer.modseq = folder->info.highest_modseq;
	change_finish(change, STATUS_OK);
}

void
mailbox_change_flags(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, const struct flag_change *wish, mailbox_done *done,
    void *context)
{
	const struct turn turn = { .view = view,
		.mailboxes = { view->folder->info.id },
		.uids = uids,
		.uid_count = uid_count,
		.wish = *wish,
		.done = done,
		.context = context,
		.start = start_flags };

	if (view->is_read_only)
		account_answer(done, context, STATUS_REFUSED);
	else
		turn_take(view->account, &turn);
}

/* -- Expunge -- */

static void
expunge_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct account_store *account = change->account;
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		apply_begin(account);
		for (size_t i = 0; i < change->item_count; i++) {
			if (i % RECORDS_A_PART == 0)
				change_next_result(&r, &result);
			apply_expunge(account, change->mailbox,
			    change->items[i].uid, result.modseq,
			    change->item_count >= ACCOUNT_LATER_FROM);
			change->source_uids[change->answer.count++] =
			    change->items[i].uid;
			change->answer.modseq = result.modseq;
		}
		apply_sequence(account, sequence);
		apply_end(account);
		loss_notice_send(
		    account, change->mailbox, change->answer.count);
	}
	change_finish(change, status);
}

static void
add_expunges(struct store_batch *batch, const struct change *change)
{
	struct message m = { .type = MESSAGE_change_expunge };
	static uint8_t bytes[RECORDS_A_PART * 4];

	for (size_t i = 0; i < change->item_count;) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do
			writer_put_u32(&w, change->items[i].uid);
		while (++i < change->item_count && i % RECORDS_A_PART != 0);
		m.change_expunge.mailbox = change->mailbox;
		m.change_expunge.uids = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
}

static bool
pick_run(uint32_t first, uint32_t last, void *context)
{
	struct change *change = context;

	do
		change->items[change->item_count++].uid = first;
	while (first++ != last);
	return true;
}

/* Those of `uids` that are deleted, or without any, of all. */
static void
pick_deleted(struct change *change, const struct folder *folder,
    const uint32_t *uids, size_t count)
{
	struct index_row row;

	if (uids == NULL)
		index_each_run(folder->index, folder->info.id, INDEX_DELETED, 1,
		    pick_run, change);
	for (size_t i = 0; uids != NULL && i < count; i++)
		if (folder_row(folder, uids[i], &row) &&
		    (row.flags & FLAG_DELETED))
			change->items[change->item_count++].uid = uids[i];
}

static void
start_expunge(struct turn *turn)
{
	struct account_store *account = turn->account;
	struct folder *folder = turn->view->folder;
	size_t count = turn->uid_count;
	struct store_batch *batch;
	struct change *change;

	if (folder->is_gone) {
		turn_refuse(turn, STATUS_MISSING);
		return;
	}
	if (turn->uids == NULL)
		count = index_set_count(
		    account->index, folder->info.id, INDEX_DELETED, 1);
	change = change_of_turn(turn, folder, count);
	pick_deleted(change, folder, turn->uids, turn->uid_count);
	batch = store_batch_new(&account->note);
	add_expunges(batch, change);
	if (change->item_count > 0) {
		store_client_commit(
		    account->client, &batch, expunge_committed, change);
		return;
	}
	store_batch_free(&batch);
	change->answer.modseq = folder->info.highest_modseq;
	change_finish(change, STATUS_OK);
}

void
mailbox_expunge(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, mailbox_done *done, void *context)
{
	const struct turn turn = { .view = view,
		.mailboxes = { view->folder->info.id },
		.uids = uids,
		.uid_count = uid_count,
		.done = done,
		.context = context,
		.start = start_expunge };

	if (view->is_read_only)
		account_answer(done, context, STATUS_REFUSED);
	else
		turn_take(view->account, &turn);
}

static void
gone(const struct mailbox_answer *answer, void *context)
{
	struct change *change = context;
	struct folder *folder =
	    folder_find_id(change->account, change->mailbox);

	if (answer->status != STATUS_OK)
		log_warning("external-deletes", "status=%s",
		    status_name(answer->status));
	if (folder != NULL)
		folder->is_letting_go = false;
}

void
change_let_go(struct account_store *account, struct folder *folder,
    const uint32_t *uids, size_t count)
{
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);
	struct change *change = change_new(account, folder, count, gone, NULL);

	change->context = change;
	for (size_t i = 0; i < count; i++)
		change->items[change->item_count++].uid = uids[i];
	add_expunges(batch, change);
	folder->is_letting_go = true;
	store_client_commit(account->client, &batch, expunge_committed, change);
}
