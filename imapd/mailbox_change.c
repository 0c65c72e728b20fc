/*
 * Changes to messages: flags, copy, move, expunge, append.  Each is one batch
 * to the store; when it is committed, its results and what was asked for make
 * the new rows, which account_apply.c brings in.  Nothing is changed before.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum change_what {
	WHAT_FLAGS,
	WHAT_COPY,
	WHAT_EXPUNGE,
	WHAT_APPEND
};

enum {
	RECORDS_A_PART = 1800
};

struct item {
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords;
	struct delivery_id delivery;
};

struct change {
	struct account_store *account;
	enum change_what what;
	uint64_t mailbox;
	uint64_t target;
	bool is_move;
	struct mailbox_view *origin; /* compared only */
	size_t item_count;
	struct item *items;
	size_t new_keywords; /* parts before the first item's */
	struct mailbox_answer answer;
	uint32_t *modified;
	uint32_t *source_uids;
	uint32_t *target_uids;
	mailbox_done *done;
	void *context;
	struct append *append;
};

static struct change *
change_new(struct account_store *account, enum change_what what,
    const struct folder *folder, size_t count, mailbox_done *done,
    void *context)
{
	struct change *change = memory_new(1, sizeof(*change));

	change->account = account;
	change->what = what;
	change->mailbox = folder->info.id;
	change->items = memory_new(count + 1, sizeof(struct item));
	change->modified = memory_new(count + 1, sizeof(uint32_t));
	change->source_uids = memory_new(count + 1, sizeof(uint32_t));
	change->target_uids = memory_new(count + 1, sizeof(uint32_t));
	change->done = done;
	change->context = context;
	account->changing++;
	return change;
}

static void
finish(struct change *change, enum status status)
{
	change->account->changing--;
	change->answer.status = status;
	change->answer.source_uids = change->source_uids;
	change->answer.target_uids = change->target_uids;
	change->answer.modified_uids = change->modified;
	if (status != STATUS_OK)
		change->answer.count = 0;
	change->done(&change->answer, change->context);
	append_abort(&change->append);
	free(change->items);
	free(change->modified);
	free(change->source_uids);
	free(change->target_uids);
	free(change);
}

static void
draw_delivery(struct delivery_id *delivery)
{
	memset(delivery, 0, sizeof(*delivery));
	if (getrandom(delivery->bytes, 16, 0) != 16)
		fatal("getrandom failed");
}

/* The record of a row, whole; texts are valid until the next index call, so
 * the base is copied to `base`. */
static bool
record_of(struct account_store *account, uint64_t mailbox, uint32_t uid,
    struct message_record *record, char base[RECORD_MAX_BASE_SIZE + 1])
{
	struct index_file file;
	struct index_row row;

	memset(record, 0, sizeof(*record));
	if (!index_find_row(account->index, mailbox, uid, &row) ||
	    !index_find_file(account->index, mailbox, uid, &file))
		return false;
	record->mailbox = mailbox;
	record->uid = uid;
	record->modseq = row.modseq;
	record->born = file.born;
	record->internaldate = row.internaldate;
	record->size = row.size;
	record->stored_size = file.stored_size;
	record->flags = row.flags;
	record->keywords = row.keywords;
	record->blob = file.blob;
	record->form = file.form;
	record->hash = file.hash;
	text_copy(file.base, base, RECORD_MAX_BASE_SIZE + 1);
	record->base = text_of(base);
	return true;
}

/* -- Keywords -- */

/* Bits of the names in the folder; missing ones get a part in the batch.
 * STATUS_LIMIT beyond 64. */
static enum status
keyword_bits(struct folder *folder, const struct text *names, size_t count,
    struct store_batch *batch, size_t *added, uint64_t *bits)
{
	struct text fresh[RECORD_MAX_KEYWORDS];
	size_t known = folder->info.keyword_count;

	*bits = 0;
	*added = 0;
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;

		if (names[i].size == 0 ||
		    names[i].size > RECORD_MAX_KEYWORD_SIZE)
			return STATUS_LIMIT;
		while (n < known &&
		       !text_equal_nocase(folder->info.keywords[n], names[i]))
			n++;
		for (size_t f = 0; n >= known && f < *added; f++, n++)
			if (text_equal_nocase(fresh[f], names[i]))
				break;
		if (n == known + *added && batch != NULL) {
			struct message m = { .type = MESSAGE_change_keyword };

			if (n >= RECORD_MAX_KEYWORDS)
				return STATUS_LIMIT;
			m.change_keyword.mailbox = folder->info.id;
			m.change_keyword.number = (uint8_t)n;
			m.change_keyword.name = names[i];
			store_batch_add(batch, &m, -1);
			fresh[(*added)++] = names[i];
		}
		if (n < known + *added)
			*bits |= (uint64_t)1 << n;
	}
	return STATUS_OK;
}

/* The store has the new keywords now: so has the folder, from the batch's
 * own parts (a listing would ask once more). */
static void
learn_keywords(struct account_store *account, uint64_t mailbox,
    const struct text *names, size_t count)
{
	static struct mailbox_record record;
	struct folder *folder = folder_find_id(account, mailbox);

	if (folder == NULL || count == 0)
		return;
	memset(&record, 0, sizeof(record));
	record.id = mailbox;
	record.uidvalidity = folder->info.uidvalidity;
	record.uidnext = folder->info.uidnext;
	record.highest_modseq = folder->info.highest_modseq;
	record.special_use = folder->info.special_use;
	record.name = folder->info.name;
	record.keyword_count = (uint8_t)folder->info.keyword_count;
	for (size_t i = 0; i < folder->info.keyword_count; i++)
		record.keywords[i] = folder->info.keywords[i];
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;

		while (n < record.keyword_count &&
		       !text_equal_nocase(record.keywords[n], names[i]))
			n++;
		if (n == record.keyword_count && n < RECORD_MAX_KEYWORDS)
			record.keywords[record.keyword_count++] = names[i];
	}
	if (record.keyword_count != folder->info.keyword_count)
		apply_mailbox(account, &record);
}

/* Keeps copies of keyword names over the way to the store. */
struct names {
	size_t count;
	struct text list[RECORD_MAX_KEYWORDS];
	char bytes[RECORD_MAX_KEYWORDS * RECORD_MAX_KEYWORD_SIZE];
};

static struct names *
names_copy(const struct text *names, size_t count)
{
	struct names *copy = memory_new(1, sizeof(*copy));
	size_t used = 0;

	for (size_t i = 0; i < count && i < RECORD_MAX_KEYWORDS &&
			   names[i].size <= RECORD_MAX_KEYWORD_SIZE;
	     i++) {
		memcpy(copy->bytes + used, names[i].data, names[i].size);
		copy->list[copy->count++] =
		    text_make(copy->bytes + used, names[i].size);
		used += names[i].size;
	}
	return copy;
}

/* -- Results -- */

static bool
next_result(struct reader *r, struct result_record *result)
{
	if (record_get_result(r, result) == 1)
		return true;
	log_error("store-results", "error=too-few");
	return false;
}

struct flags_change {
	struct change *change;
	struct names *names;
};

static void
flags_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct flags_change *f = context;
	struct change *change = f->change;
	struct account_store *account = change->account;
	char base[RECORD_MAX_BASE_SIZE + 1];
	struct result_record result = { 0 };
	struct message_record record;
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		apply_begin(account);
		learn_keywords(
		    account, change->mailbox, f->names->list, f->names->count);
		for (size_t i = 0; i < change->new_keywords; i++)
			next_result(&r, &result);
		for (size_t i = 0; i < change->item_count; i++) {
			if (i % RECORDS_A_PART == 0)
				next_result(&r, &result);
			if (!record_of(account, change->mailbox,
				change->items[i].uid, &record, base))
				continue;
			record.flags = change->items[i].flags |
				       (record.flags & RECORD_MISSING);
			record.keywords = change->items[i].keywords;
			record.modseq = result.modseq;
			record.born = sequence;
			apply_message(account, &record, NULL, change->origin);
			change->answer.modseq = result.modseq;
			change->source_uids[change->answer.count++] =
			    record.uid;
		}
		apply_sequence(account, sequence);
		apply_end(account);
	}
	finish(change, status);
	free(f->names);
	free(f);
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

void
mailbox_change_flags(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, const struct flag_change *wish, mailbox_done *done,
    void *context)
{
	struct account_store *account = view->account;
	struct folder *folder = view->folder;
	struct store_batch *batch = store_batch_new();
	struct flags_change *f;
	uint64_t keywords;
	enum status status;
	size_t added;

	status = view->is_read_only ? STATUS_REFUSED
		 : folder->is_gone
		     ? STATUS_MISSING
		     : keyword_bits(folder, wish->keywords, wish->keyword_count,
			   wish->mode == FLAGS_REMOVE ? NULL : batch, &added,
			   &keywords);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		account_answer(done, context, status);
		return;
	}
	f = memory_new(1, sizeof(*f));
	f->change =
	    change_new(account, WHAT_FLAGS, folder, uid_count, done, context);
	f->change->origin = view;
	f->change->new_keywords = added;
	f->names =
	    names_copy(wish->keywords, added > 0 ? wish->keyword_count : 0);
	for (size_t i = 0; i < uid_count; i++) {
		const struct index_row *row = folder_row(folder, uids[i]);

		if (row != NULL)
			pick_flags(f->change, row, wish, keywords);
	}
	add_flags(batch, f->change);
	if (!store_batch_is_empty(batch)) {
		store_client_commit(
		    account->client, &batch, flags_committed, f);
		return;
	}
	store_batch_free(&batch);
	f->change->answer.modseq = folder->info.highest_modseq;
	finish(f->change, STATUS_OK);
	free(f->names);
	free(f);
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
				next_result(&r, &result);
			apply_expunge(account, change->mailbox,
			    change->items[i].uid, result.modseq);
			change->source_uids[change->answer.count++] =
			    change->items[i].uid;
			change->answer.modseq = result.modseq;
		}
		apply_sequence(account, sequence);
		apply_end(account);
	}
	finish(change, status);
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

void
mailbox_expunge(struct mailbox_view *view, const uint32_t *uids,
    size_t uid_count, mailbox_done *done, void *context)
{
	struct account_store *account = view->account;
	struct folder *folder = view->folder;
	struct store_batch *batch;
	struct change *change;
	size_t count = uids == NULL ? folder->row_count : uid_count;

	if (view->is_read_only || folder->is_gone) {
		account_answer(done, context,
		    view->is_read_only ? STATUS_REFUSED : STATUS_MISSING);
		return;
	}
	change =
	    change_new(account, WHAT_EXPUNGE, folder, count, done, context);
	for (size_t i = 0; i < count; i++) {
		const struct index_row *row = uids == NULL
						  ? &folder->rows[i]
						  : folder_row(folder, uids[i]);

		if (row != NULL && (row->flags & FLAG_DELETED))
			change->items[change->item_count++].uid = row->uid;
	}
	batch = store_batch_new();
	add_expunges(batch, change);
	if (change->item_count > 0) {
		store_client_commit(
		    account->client, &batch, expunge_committed, change);
		return;
	}
	store_batch_free(&batch);
	change->answer.modseq = folder->info.highest_modseq;
	finish(change, STATUS_OK);
}

/* -- Copy and move -- */

static void
copy_one(struct change *change, const struct item *item,
    const struct result_record *result, uint64_t sequence)
{
	struct account_store *account = change->account;
	struct folder *source = folder_find_id(account, change->mailbox);
	struct message_source bytes = { .fd = -1 };
	char base[RECORD_MAX_BASE_SIZE + 1], hex[2 * 18 + 1];
	struct message_record record;
	struct index_file file;
	struct error error;

	if (source == NULL ||
	    !record_of(account, change->mailbox, item->uid, &record, base))
		return;
	if (change->is_move) {
		bytes.moved_from = source;
		bytes.moved_uid = item->uid;
	} else if (index_find_file(
		       account->index, change->mailbox, item->uid, &file)) {
		bytes.fd = files_open(account, source, &file, &error);
	}
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
	apply_message(account, &record,
	    change->is_move || bytes.fd != -1 ? &bytes : NULL, NULL);
	if (bytes.fd != -1)
		close(bytes.fd);
	if (change->is_move)
		apply_expunge(
		    account, change->mailbox, item->uid, result->modseq);
	change->source_uids[change->answer.count] = item->uid;
	change->target_uids[change->answer.count++] = result->uid;
	change->answer.modseq = result->modseq;
}

static void
copy_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct flags_change *f = context;
	struct change *change = f->change;
	struct account_store *account = change->account;
	struct folder *target = folder_find_id(account, change->target);
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		apply_begin(account);
		learn_keywords(
		    account, change->target, f->names->list, f->names->count);
		for (size_t i = 0; i < change->new_keywords; i++)
			next_result(&r, &result);
		for (size_t i = 0;
		     i < change->item_count && next_result(&r, &result); i++)
			copy_one(change, &change->items[i], &result, sequence);
		apply_sequence(account, sequence);
		apply_end(account);
		if (target != NULL)
			change->answer.uidvalidity = target->info.uidvalidity;
	}
	finish(change, status);
	free(f->names);
	free(f);
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
	uint64_t used = 0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct index_row *row = folder_row(folder, uids[i]);

		used |= row == NULL ? 0 : row->keywords;
	}
	for (unsigned int k = 0; k < folder->info.keyword_count; k++)
		if (used >> k & 1) {
			names[n] = folder->info.keywords[k];
			numbers[n++] = k;
		}
	return n;
}

static enum status
pick_copies(struct change *change, const struct folder *source,
    struct folder *target, const uint32_t *uids, size_t uid_count,
    struct store_batch *batch, struct names **kept)
{
	struct text names[RECORD_MAX_KEYWORDS];
	unsigned int numbers[RECORD_MAX_KEYWORDS];
	uint64_t bits[RECORD_MAX_KEYWORDS], all;
	size_t count = used_keywords(source, uids, uid_count, names, numbers);
	enum status status = keyword_bits(
	    target, names, count, batch, &change->new_keywords, &all);
	size_t known = target->info.keyword_count, added;

	*kept = names_copy(names, change->new_keywords > 0 ? count : 0);
	if (status != STATUS_OK)
		return status;
	/* New ones were numbered in the order of `names`. */
	added = known;
	for (size_t i = 0; i < count; i++) {
		size_t none;

		keyword_bits(target, &names[i], 1, NULL, &none, &bits[i]);
		if (bits[i] == 0)
			bits[i] = (uint64_t)1 << added++;
	}
	for (size_t i = 0; i < uid_count; i++) {
		const struct index_row *row = folder_row(source, uids[i]);
		struct item *item = &change->items[change->item_count];

		if (row == NULL)
			continue;
		item->uid = uids[i];
		draw_delivery(&item->delivery);
		for (size_t k = 0; k < count; k++)
			if (row->keywords >> numbers[k] & 1)
				item->keywords |= bits[k];
		change->item_count++;
	}
	return STATUS_OK;
}

void
mailbox_copy(struct mailbox_view *view, const uint32_t *uids, size_t uid_count,
    struct text target_name, bool is_move, mailbox_done *done, void *context)
{
	struct account_store *account = view->account;
	struct folder *target = folder_find(account, target_name);
	struct store_batch *batch;
	struct flags_change *f;
	enum status status;

	if (target == NULL || view->folder->is_gone) {
		account_answer(done, context, STATUS_MISSING);
		return;
	}
	f = memory_new(1, sizeof(*f));
	f->change = change_new(
	    account, WHAT_COPY, view->folder, uid_count, done, context);
	f->change->target = target->info.id;
	f->change->is_move = is_move;
	batch = store_batch_new();
	status = pick_copies(
	    f->change, view->folder, target, uids, uid_count, batch, &f->names);
	f->change->answer.uidvalidity = target->info.uidvalidity;
	if (status == STATUS_OK && f->change->item_count > 0) {
		add_copies(batch, f->change);
		store_client_commit(account->client, &batch, copy_committed, f);
		return;
	}
	store_batch_free(&batch);
	finish(f->change, status);
	free(f->names);
	free(f);
}

/* -- Append -- */

enum {
	APPEND_MEMORY = 16384, /* what the packet holds */
	APPEND_STEP = 65536
};

struct append {
	struct account_store *account;
	char *mailbox;
	uint32_t flags;
	struct names *keywords;
	int64_t internaldate;
	uint64_t wire_size;
	struct buf bytes; /* in the form below, as long as fd is -1 */
	int fd;
	uint64_t fd_size;
	uint8_t form;
	bool has_cr; /* a CR that waits for its LF */
	bool has_failed;
};

struct append *
append_begin(struct account_store *account, struct text mailbox, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate)
{
	struct append *append = memory_new(1, sizeof(*append));

	append->account = account;
	append->mailbox = memory_new(1, mailbox.size + 1);
	memcpy(append->mailbox, mailbox.data, mailbox.size);
	append->flags = flags & FLAG_ALL;
	append->keywords = names_copy(keywords, keyword_count);
	append->internaldate = internaldate;
	append->fd = -1;
	append->form = FORM_LF;
	buf_init(&append->bytes, APPEND_MEMORY + 2 * APPEND_STEP);
	return append;
}

void
append_abort(struct append **append)
{
	if (*append == NULL)
		return;
	if ((*append)->fd != -1)
		close((*append)->fd);
	buf_clear(&(*append)->bytes);
	free((*append)->mailbox);
	free((*append)->keywords);
	memory_free(append);
}

/* What is in memory goes to the memfd. */
static int
spill(struct append *append)
{
	struct error error;

	if (append->fd == -1)
		append->fd =
		    memfd_create("append", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (append->fd == -1 || file_write_all(append->fd, append->bytes.data,
				    append->bytes.size, &error) == -1) {
		append->has_failed = true;
		return -1;
	}
	append->fd_size += append->bytes.size;
	buf_reset(&append->bytes);
	return 0;
}

static int
put(struct append *append, const void *data, size_t size)
{
	if (append->bytes.size + size > APPEND_MEMORY + APPEND_STEP &&
	    spill(append) == -1)
		return -1;
	if (buf_put(&append->bytes, data, size) == 0)
		return 0;
	append->has_failed = true;
	return -1;
}

/* The bytes are not of CRLF lines alone: what was written as LF becomes CRLF
 * again, which gives back exactly what came. */
static int
become_exact(struct append *append)
{
	static uint8_t step[4096];
	struct buf old = append->bytes;
	int old_fd = append->fd;
	off_t at = 0;
	ssize_t n = 0;
	int result = 0;

	append->form = FORM_EXACT;
	append->fd = -1;
	append->fd_size = 0;
	buf_init(&append->bytes, APPEND_MEMORY + 2 * APPEND_STEP);
	while (result == 0) {
		if (old_fd != -1)
			n = pread(old_fd, step, sizeof(step), at);
		if (old_fd == -1 || n <= 0) {
			n = (ssize_t)(old.size < sizeof(step) ? old.size
							      : sizeof(step));
			if (n == 0)
				break;
			memcpy(step, old.data, (size_t)n);
			buf_cut(&old, (size_t)n);
			if (old_fd != -1)
				close(old_fd);
			old_fd = -1;
		}
		at += n;
		for (ssize_t i = 0; result == 0 && i < n; i++)
			result = step[i] == '\n' ? put(append, "\r\n", 2)
						 : put(append, &step[i], 1);
	}
	buf_clear(&old);
	if (old_fd != -1)
		close(old_fd);
	return result;
}

/* One run of bytes while every line end was CRLF. Returns how many were
 * used: less than `size` if the form changed. */
static size_t
write_lines(struct append *append, const uint8_t *data, size_t size)
{
	size_t used = 0;

	while (used < size) {
		const uint8_t *end = data + used;
		size_t run = 0;

		if (append->has_cr != (data[used] == '\n'))
			break;
		if (append->has_cr) {
			append->has_cr = false;
			put(append, "\n", 1);
			used++;
			continue;
		}
		while (
		    used + run < size && end[run] != '\r' && end[run] != '\n')
			run++;
		if (run > 0)
			put(append, end, run);
		used += run;
		if (used < size && data[used] == '\r') {
			append->has_cr = true;
			used++;
		}
	}
	return used;
}

int
append_write(struct append *append, const void *data, size_t size)
{
	size_t used = 0;

	append->wire_size += size;
	while (!append->has_failed && used < size) {
		size_t step =
		    size - used < APPEND_STEP ? size - used : APPEND_STEP;

		if (append->form == FORM_LF) {
			size_t taken = write_lines(
			    append, (const uint8_t *)data + used, step);

			used += taken;
			if (taken == step)
				continue;
			become_exact(append);
			if (append->has_cr)
				put(append, "\r", 1);
			append->has_cr = false;
			continue;
		}
		put(append, (const uint8_t *)data + used, step);
		used += step;
	}
	return append->has_failed ? -1 : 0;
}

static int
append_seal(struct append *append)
{
	if (append->has_cr) { /* ends in a lone CR */
		append->has_cr = false;
		become_exact(append);
		put(append, "\r", 1);
	}
	if (append->bytes.size > APPEND_MEMORY || append->fd != -1)
		spill(append);
	if (append->has_failed)
		return -1;
	return append->fd == -1 ? 0
				: fcntl(append->fd, F_ADD_SEALS,
				      F_SEAL_SEAL | F_SEAL_SHRINK |
					  F_SEAL_GROW | F_SEAL_WRITE);
}

static void
append_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct append *append = change->append;
	struct message_source source = { .fd = append->fd,
		.data = text_make(append->bytes.data, append->bytes.size) };
	struct message_record record = { 0 };
	struct result_record result;
	char hex[2 * 18 + 1];
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (status == STATUS_OK) {
		struct folder *folder;

		apply_begin(change->account);
		learn_keywords(change->account, change->mailbox,
		    append->keywords->list, append->keywords->count);
		for (size_t i = 0; i < change->new_keywords; i++)
			next_result(&r, &result);
		if (next_result(&r, &result)) {
			text_format_hex(
			    change->items[0].delivery.bytes, 18, hex);
			record.mailbox = change->mailbox;
			record.uid = result.uid;
			record.modseq = result.modseq;
			record.born = sequence;
			record.internaldate = append->internaldate;
			record.size = append->wire_size;
			record.stored_size = append->fd == -1
						 ? append->bytes.size
						 : append->fd_size;
			record.flags = append->flags;
			record.keywords = change->items[0].keywords;
			record.blob = result.blob;
			record.form = append->form;
			record.hash = result.hash;
			record.base = text_of(hex);
			apply_message(change->account, &record, &source, NULL);
			change->answer.count = 1;
			change->target_uids[0] = result.uid;
			change->answer.modseq = result.modseq;
		}
		folder = folder_find_id(change->account, change->mailbox);
		if (folder != NULL)
			change->answer.uidvalidity = folder->info.uidvalidity;
		apply_sequence(change->account, sequence);
		apply_end(change->account);
	}
	finish(change, status);
}

void
append_commit(struct append **from, mailbox_done *done, void *context)
{
	struct append *append = *from;
	struct folder *folder =
	    folder_find(append->account, text_of(append->mailbox));
	struct message m = { .type = MESSAGE_change_append };
	struct store_batch *batch = store_batch_new();
	enum status status = STATUS_MISSING;
	struct change *change;
	uint64_t keywords = 0;
	size_t added = 0;

	*from = NULL;
	if (folder != NULL)
		status = append_seal(append) == -1
			     ? STATUS_FULL
			     : keyword_bits(folder, append->keywords->list,
				   append->keywords->count, batch, &added,
				   &keywords);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		append_abort(&append);
		account_answer(done, context, status);
		return;
	}
	change =
	    change_new(append->account, WHAT_APPEND, folder, 1, done, context);
	change->append = append;
	change->new_keywords = added;
	change->items[0].keywords = keywords;
	draw_delivery(&change->items[0].delivery);
	m.change_append.delivery = change->items[0].delivery;
	m.change_append.mailbox = folder->info.id;
	m.change_append.internaldate = append->internaldate;
	m.change_append.flags = append->flags;
	m.change_append.keywords = keywords;
	m.change_append.form = append->form;
	m.change_append.size =
	    append->fd == -1 ? append->bytes.size : append->fd_size;
	if (append->fd == -1)
		m.change_append.data =
		    text_make(append->bytes.data, append->bytes.size);
	store_batch_add(batch, &m, append->fd);
	store_client_commit(
	    append->account->client, &batch, append_committed, change);
}
