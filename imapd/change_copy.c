/*
 * COPY and MOVE as one batch to the store: the target's keywords, then a row
 * for each message, under a delivery id of its own.
 */
#include "imapd/mailbox_change.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* `left`: the MODSEQ with which a message that is moved leaves its mailbox. */
static void
copy_one(struct change *change, const struct item *item,
    const struct result_record *result, uint64_t left, uint64_t sequence)
{
	struct account_store *account = change->account;
	struct folder *source = folder_find_id(account, change->mailbox);
	struct message_source bytes = { .fd = -1 };
	char base[RECORD_MAX_BASE_SIZE + 1], hex[2 * 18 + 1];
	struct message_record record;

	if (source == NULL ||
	    !change_record(account, change->mailbox, item->uid, &record, base))
		return;
	if (change->is_move) {
		bytes.moved_from = source;
	} else {
		bytes.copied_from = source;
	}
	bytes.source_uid = item->uid;
	record.mailbox = change->target;
	record.uid = result->uid;
	record.modseq = result->modseq;
	record.born = sequence;
	record.flags &= FLAG_ALL;
	record.keywords = item->keywords;
	record.blob = result->blob;
	text_format_hex(
	    item->delivery.bytes, sizeof(item->delivery.bytes), hex);
	record.base = text_of(hex);
	apply_message(account, &record, &bytes, NULL);
	if (change->is_move)
		apply_expunge(account, change->mailbox, item->uid, left, false);
	change->source_uids[change->answer.count] = item->uid;
	change->target_uids[change->answer.count++] = result->uid;
	change->answer.modseq = result->modseq;
}

/* What stands behind the results of a part's messages. */
static uint64_t
modseq_of_source(struct reader ahead, size_t count)
{
	struct result_record result = { 0 };

	while (count-- > 0 && record_get_result(&ahead, &result) == 1)
		;
	return change_next_result(&ahead, &result) ? result.modseq : 0;
}

static void
apply_copies(struct change *change, struct reader *r, uint64_t sequence)
{
	struct result_record result = { 0 };
	uint64_t left = 0;

	for (size_t i = 0; i < change->item_count; i++) {
		size_t count = change->item_count - i;

		if (change->is_move && i % RECORDS_A_PART == 0) {
			if (i > 0)
				change_next_result(r, &result);
			left = modseq_of_source(*r,
			    count < RECORDS_A_PART ? count : RECORDS_A_PART);
		}
		if (!change_next_result(r, &result))
			return;
		copy_one(change, &change->items[i], &result, left, sequence);
	}
}

static void
copy_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct account_store *account = change->account;
	struct folder *target = folder_find_id(account, change->target);
	struct reader r;

	if (status == STATUS_OK) {
		apply_begin(account);
		change_begin_results(change, results, &r);
		apply_copies(change, &r, sequence);
		apply_sequence(account, sequence);
		apply_end(account);
		if (target != NULL)
			change->answer.uidvalidity = target->info.uidvalidity;
	}
	change_finish(change, status);
}

static void
add_copies(struct store_batch *batch, const struct change *change)
{
	struct message m = { .type = MESSAGE_change_copy };
	static uint8_t bytes[RECORDS_A_PART * RECORD_COPY_SIZE];

	for (size_t i = 0; i < change->item_count;) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do {
			struct copy_record record = { change->items[i].uid,
				change->items[i].keywords,
				change->items[i].delivery };

			record_put_copy(&w, &record);
		} while (++i < change->item_count && i % RECORDS_A_PART != 0);
		m.change_copy.source = change->mailbox;
		m.change_copy.target = change->target;
		m.change_copy.is_move = change->is_move;
		m.change_copy.records = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
}

/* Names of the source's keywords that any of the messages carries. */
static size_t
used_keywords(const struct folder *folder, const uint32_t *uids, size_t count,
    struct text names[RECORD_MAX_KEYWORDS],
    unsigned int numbers[RECORD_MAX_KEYWORDS])
{
	struct index_row row;
	uint64_t used = 0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (folder_row(folder, uids[i], &row))
			used |= row.keywords;
	for (unsigned int k = 0; k < folder->info.keyword_count; k++)
		if (used >> k & 1) {
			names[n] = folder->info.keywords[k];
			numbers[n++] = k;
		}
	return n;
}

enum status
change_map_keywords(struct change *change, const struct folder *source,
    struct folder *target, const uint32_t *uids, size_t uid_count,
    struct store_batch *batch, uint64_t bits[RECORD_MAX_KEYWORDS])
{
	struct text names[RECORD_MAX_KEYWORDS];
	unsigned int numbers[RECORD_MAX_KEYWORDS];
	uint64_t numbered[RECORD_MAX_KEYWORDS];
	size_t count = used_keywords(source, uids, uid_count, names, numbers);
	enum status status = change_number_keywords(
	    target, names, count, batch, &change->new_keywords, numbered);

	memset(bits, 0, RECORD_MAX_KEYWORDS * sizeof(*bits));
	change->names =
	    change_copy_names(names, change->new_keywords > 0 ? count : 0);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		bits[numbers[i]] = numbered[i];
	return status;
}

static enum status
pick_copies(struct change *change, const struct folder *source,
    struct folder *target, const uint32_t *uids, size_t uid_count,
    struct store_batch *batch)
{
	uint64_t bits[RECORD_MAX_KEYWORDS];
	enum status status = change_map_keywords(
	    change, source, target, uids, uid_count, batch, bits);
	uint64_t bytes = 0;

	for (size_t i = 0; status == STATUS_OK && i < uid_count; i++) {
		struct item *item = &change->items[change->item_count];
		struct index_row row;

		if (!folder_row(source, uids[i], &row))
			continue;
		item->uid = uids[i];
		change_draw_delivery(&item->delivery);
		for (size_t k = 0; k < RECORD_MAX_KEYWORDS; k++)
			if (row.keywords >> k & 1)
				item->keywords |= bits[k];
		change->item_count++;
		bytes += row.size;
	}
	/* What is moved is there already. */
	if (status == STATUS_OK && !change->is_move)
		status = change_take_quota(change, change->item_count, bytes);
	return status;
}

static void
start_copy(struct turn *turn)
{
	struct account_store *account = turn->account;
	struct folder *source = turn->view->folder;
	struct folder *target = folder_find(account, turn->target);
	struct store_batch *batch;
	struct change *change;
	enum status status;

	if (target == NULL || source->is_gone) {
		turn_refuse(turn, STATUS_MISSING);
		return;
	}
	if (source->past != NULL) {
		recall_messages(turn, target);
		return;
	}
	change = change_of_turn(turn, source, turn->uid_count);
	change->target = target->info.id;
	change->is_move = turn->is_move;
	batch = store_batch_new(&account->note);
	status = pick_copies(
	    change, source, target, turn->uids, turn->uid_count, batch);
	change->answer.uidvalidity = target->info.uidvalidity;
	if (status == STATUS_OK && change->item_count > 0) {
		add_copies(batch, change);
		store_client_commit(
		    account->client, &batch, copy_committed, change);
		return;
	}
	store_batch_free(&batch);
	change_finish(change, status);
}

void
mailbox_copy(struct mailbox_view *view, const uint32_t *uids, size_t uid_count,
    struct text target_name, bool is_move, mailbox_done *done, void *context)
{
	const struct folder *target = folder_find(view->account, target_name);
	const struct turn turn = { .view = view,
		/* What is past does not change. */
		.mailboxes = { view->folder->past != NULL
				   ? 0
				   : view->folder->info.id,
		    target == NULL ? 0 : target->info.id },
		.uids = uids,
		.uid_count = uid_count,
		.target = target_name,
		.is_move = is_move,
		.done = done,
		.context = context,
		.start = start_copy };

	turn_take(view->account, &turn);
}
