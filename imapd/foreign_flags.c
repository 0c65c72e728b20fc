/*
 * Takes over flags that other programs wrote into the names of files: to the
 * store, and when it has committed them to the rows.  Meanwhile the index says
 * of such a file that its name waits (has_new_flags), so that nobody renames it
 * back, whoever dies in between.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>

struct taken_over {
	struct account_store *account;
	uint64_t mailbox;
	size_t count;
	struct index_row *rows;
};

/* The store has the flags of the name, or will not have them. */
static void
settle_flags(struct account_store *account, uint64_t mailbox, uint32_t uid)
{
	struct index_file file;

	if (!index_find_file(account->index, mailbox, uid, &file) ||
	    !file.has_new_flags)
		return;
	file.has_new_flags = false;
	index_put_file(account->index, mailbox, uid, &file);
}

/* They wait in the names of the files until the store takes them; if it never
 * will, the names follow the rows again. */
static void
flags_refused(struct taken_over *t, enum status status)
{
	struct folder *folder = folder_find_id(t->account, t->mailbox);
	bool may_come = status_passes(status);

	log_warning("flags-take-over", "mailbox=%llu status=%s",
	    (unsigned long long)t->mailbox, status_name(status));
	for (size_t i = 0; i < t->count && !may_come; i++)
		settle_flags(t->account, t->mailbox, t->rows[i].uid);
	if (folder == NULL)
		return;
	folder->needs_scan = true;
	folder_put(t->account, folder);
	watcher_look_later(t->account);
}

static void
flags_taken_over(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct taken_over *t = context;
	struct result_record result = { 0 };
	struct reader r;

	t->account->taking_flags--;
	account_change_ended(t->account);
	reader_init(&r, results.data, results.size);
	apply_begin(t->account);
	for (size_t i = 0; status == STATUS_OK && i < t->count; i++) {
		struct message_record record = { 0 };
		struct index_file file;

		if (i % 1800 == 0)
			record_get_result(&r, &result);
		if (!index_find_file(
			t->account->index, t->mailbox, t->rows[i].uid, &file))
			continue;
		record.mailbox = t->mailbox;
		record.uid = t->rows[i].uid;
		record.modseq = result.modseq;
		record.born = sequence;
		record.internaldate = t->rows[i].internaldate;
		record.size = t->rows[i].size;
		record.flags = t->rows[i].flags;
		record.keywords = t->rows[i].keywords;
		apply_message(t->account, &record, NULL, NULL);
		settle_flags(t->account, t->mailbox, record.uid);
	}
	if (status == STATUS_OK)
		apply_sequence(t->account, sequence);
	else
		flags_refused(t, status);
	apply_end(t->account);
	free(t->rows);
	free(t);
}

void
flags_take_over(struct account_store *account, const struct folder *folder,
    struct index_row *rows, size_t count)
{
	struct taken_over *t = memory_new(1, sizeof(*t));
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);
	struct message m = { .type = MESSAGE_change_flags };
	static uint8_t bytes[1800 * RECORD_FLAGS_SIZE];

	t->account = account;
	t->mailbox = folder->info.id;
	t->count = count;
	t->rows = rows;
	for (size_t i = 0; i < t->count;) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do {
			struct flag_record record = { t->rows[i].uid,
				t->rows[i].flags, t->rows[i].keywords };

			record_put_flags(&w, &record);
		} while (++i < t->count && i % 1800 != 0);
		m.change_flags.mailbox = t->mailbox;
		m.change_flags.records = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
	account->changing++;
	account->taking_flags++;
	store_client_commit(account->client, &batch, flags_taken_over, t);
}
