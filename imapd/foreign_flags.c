/*
 * Takes over flags that other programs wrote into the names of files: to the
 * store, and when it has committed them to the rows.  Meanwhile the index says
 * of such a file that its name waits (has_new_flags), so that nobody renames it
 * back, whoever dies in between.  What others changed is kept as a difference,
 * and goes on top of what the rows are when its turn has come: a client's STORE
 * may be on its way to the store.
 */
#include "imapd/turns.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	RECORDS_A_BATCH = 1800
};

/* What others changed of one row. */
struct wished {
	uint32_t uid;
	uint32_t added, taken;
	uint64_t added_keywords, taken_keywords;
};

struct taken_over {
	struct account_store *account;
	struct turn *turn;
	uint64_t mailbox;
	size_t count;
	struct wished *wishes;
	struct index_row *rows; /* by now, those of them that are there */
	size_t row_count;
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
		settle_flags(t->account, t->mailbox, t->wishes[i].uid);
	if (folder == NULL)
		return;
	folder->needs_scan = true;
	folder_put(t->account, folder);
	watcher_look_later(t->account);
}

static void
apply_taken_over(struct taken_over *t, uint64_t sequence, struct text results)
{
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, results.data, results.size);
	for (size_t i = 0; i < t->row_count; i++) {
		struct message_record record = { .mailbox = t->mailbox,
			.uid = t->rows[i].uid,
			.born = sequence,
			.flags = t->rows[i].flags,
			.keywords = t->rows[i].keywords };

		if (i % RECORDS_A_BATCH == 0)
			record_get_result(&r, &result);
		record.modseq = result.modseq;
		apply_flags(t->account, &record, NULL, false);
		settle_flags(t->account, t->mailbox, record.uid);
	}
	apply_sequence(t->account, sequence);
}

static void
flags_taken_over(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct taken_over *t = context;

	t->account->taking_flags--;
	apply_begin(t->account);
	if (status == STATUS_OK)
		apply_taken_over(t, sequence, results);
	else
		flags_refused(t, status);
	apply_end(t->account);
	turn_end(&t->turn);
	free(t->wishes);
	free(t->rows);
	free(t);
}

/* The rows as the wishes make them of what they are now. */
static void
wish_rows(struct taken_over *t, struct folder *folder)
{
	t->rows = memory_new(t->count + 1, sizeof(*t->rows));
	for (size_t i = 0; folder != NULL && i < t->count; i++) {
		const struct wished *wished = &t->wishes[i];
		struct index_row *row = &t->rows[t->row_count];

		if (!folder_row(folder, wished->uid, row))
			continue;
		row->flags &= FLAG_ALL;
		row->flags = (row->flags | wished->added) & ~wished->taken;
		row->keywords = (row->keywords | wished->added_keywords) &
				~wished->taken_keywords;
		t->row_count++;
	}
}

static void
start_taking_over(struct turn *turn)
{
	struct taken_over *t = turn->subject;
	struct account_store *account = turn->account;
	struct store_batch *batch = store_batch_new_for(CAUSE_RECONCILE);
	struct message m = { .type = MESSAGE_change_flags };
	static uint8_t bytes[RECORDS_A_BATCH * RECORD_FLAGS_SIZE];

	t->turn = turn;
	wish_rows(t, folder_find_id(account, t->mailbox));
	for (size_t i = 0; i < t->row_count;) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		do {
			struct flag_record record = { t->rows[i].uid,
				t->rows[i].flags, t->rows[i].keywords };

			record_put_flags(&w, &record);
		} while (++i < t->row_count && i % RECORDS_A_BATCH != 0);
		m.change_flags.mailbox = t->mailbox;
		m.change_flags.records = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
	if (!store_batch_is_empty(batch)) {
		store_client_commit(
		    account->client, &batch, flags_taken_over, t);
		return;
	}
	store_batch_free(&batch);
	flags_taken_over(STATUS_MISSING, 0, text_make(NULL, 0), t);
}

void
flags_take_over(struct account_store *account, const struct folder *folder,
    struct index_row *rows, size_t count)
{
	struct taken_over *t = memory_new(1, sizeof(*t));
	const struct turn turn = { .mailboxes = { folder->info.id },
		.subject = t,
		.start = start_taking_over };

	t->account = account;
	t->mailbox = folder->info.id;
	t->wishes = memory_new(count, sizeof(*t->wishes));
	for (size_t i = 0; i < count; i++) {
		struct index_row is;
		uint32_t flags;

		if (!folder_row(folder, rows[i].uid, &is))
			continue;
		flags = is.flags & FLAG_ALL;
		t->wishes[t->count++] = (struct wished){ .uid = rows[i].uid,
			.added = rows[i].flags & ~flags,
			.taken = flags & ~rows[i].flags,
			.added_keywords = rows[i].keywords & ~is.keywords,
			.taken_keywords = is.keywords & ~rows[i].keywords };
	}
	free(rows);
	account->taking_flags++;
	turn_take(account, &turn);
}
