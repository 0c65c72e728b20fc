/*
 * COPY out of the past as one batch to the store: the target's keywords, then
 * a new message for each, whose bytes the store has already.  The file of each
 * is made from the store, as where a file is missing.
 */
#include "imapd/mailbox_change.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

struct recalled {
	struct recall_record record;
	uint32_t uid; /* in the view */
	uint64_t size;
	uint64_t stored_size;
};

struct recall {
	struct change *change;
	size_t count;
	struct recalled items[];
};

static void
apply_one(struct change *change, const struct recalled *item,
    const struct result_record *result, uint64_t sequence)
{
	char hex[2 * 18 + 1];
	struct message_record record = { .mailbox = change->target,
		.uid = result->uid,
		.modseq = result->modseq,
		.born = sequence,
		.internaldate = item->record.internaldate,
		.size = item->size,
		.stored_size = item->stored_size,
		.flags = item->record.flags,
		.keywords = item->record.keywords,
		.blob = result->blob,
		.form = item->record.form,
		.hash = result->hash };

	text_format_hex(item->record.delivery.bytes,
	    sizeof(item->record.delivery.bytes), hex);
	record.base = text_of(hex);
	apply_message(change->account, &record, NULL, NULL);
	change->source_uids[change->answer.count] = item->uid;
	change->target_uids[change->answer.count++] = result->uid;
	change->answer.modseq = result->modseq;
}

static void
recalled(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct recall *recall = context;
	struct change *change = recall->change;
	struct account_store *account = change->account;
	struct result_record result = { 0 };
	struct reader r;

	if (status == STATUS_OK) {
		apply_begin(account);
		change_begin_results(change, results, &r);
		for (size_t i = 0;
		     i < recall->count && change_next_result(&r, &result); i++)
			apply_one(change, &recall->items[i], &result, sequence);
		apply_sequence(account, sequence);
		apply_end(account);
	}
	free(recall);
	change_finish(change, status);
}

static void
add_parts(struct store_batch *batch, const struct recall *recall)
{
	struct message m = { .type = MESSAGE_change_recall };
	static uint8_t bytes[60000];
	size_t i = 0;

	m.change_recall.mailbox = recall->change->target;
	while (i < recall->count) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do
			record_put_recall(&w, &recall->items[i].record);
		while (++i < recall->count &&
		       w.size + RECORD_RECALL_SIZE <= sizeof(bytes));
		m.change_recall.records = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
}

static enum status
pick(struct recall *recall, const struct folder *source, const uint32_t *uids,
    size_t count, const uint64_t bits[RECORD_MAX_KEYWORDS])
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const struct past_message *past = folder_past(source, uids[i]);
		struct recalled *item = &recall->items[recall->count];
		const struct index_row *row;

		if (past == NULL)
			continue;
		row = &past->row;
		memset(item, 0, sizeof(*item));
		item->uid = uids[i];
		item->size = row->size;
		item->stored_size = past->stored_size;
		item->record.blob = past->blob;
		item->record.form = past->form;
		item->record.internaldate = row->internaldate;
		item->record.flags =
		    row->flags & FLAG_ALL & ~(uint32_t)FLAG_DELETED;
		for (size_t k = 0; k < RECORD_MAX_KEYWORDS; k++)
			if (row->keywords >> k & 1)
				item->record.keywords |= bits[k];
		change_draw_delivery(&item->record.delivery);
		recall->count++;
		bytes += row->size;
	}
	return change_take_quota(recall->change, recall->count, bytes);
}

void
recall_messages(struct turn *turn, struct folder *target)
{
	struct account_store *account = turn->account;
	struct folder *source = turn->view->folder;
	uint64_t bits[RECORD_MAX_KEYWORDS];
	struct store_batch *batch = store_batch_new(&account->note);
	struct recall *recall = memory_new(1,
	    sizeof(*recall) + (turn->uid_count + 1) * sizeof(struct recalled));
	struct change *change = change_of_turn(turn, source, turn->uid_count);
	enum status status;

	recall->change = change;
	change->target = target->info.id;
	change->answer.uidvalidity = target->info.uidvalidity;
	status = change_map_keywords(
	    change, source, target, turn->uids, turn->uid_count, batch, bits);
	if (status == STATUS_OK)
		status =
		    pick(recall, source, turn->uids, turn->uid_count, bits);
	if (status == STATUS_OK && recall->count > 0) {
		add_parts(batch, recall);
		store_client_commit(account->client, &batch, recalled, recall);
		return;
	}
	store_batch_free(&batch);
	free(recall);
	change_finish(change, status);
}
