/*
 * The Maildir against the rows: what other programs added is adopted by
 * append, flags that they changed are taken over, and files that are missing
 * are made again from the store.  A missing file never kills a row, and an
 * empty Maildir never makes an empty mailbox: what is missing beyond
 * max(20, 5 %) raises an alarm and is served from the store meanwhile.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MISSING_FEW = 20,
	ADOPT_A_BATCH = 100,
	UIDLIST_MAX = 64 * 1024 * 1024,
	ADOPT_MAX_SIZE = 256 * 1024 * 1024
};

static int
open_listing(int home_fd, const char *path, DIR **listing)
{
	struct error error;
	int fd = file_open_directory(home_fd, path, &error);

	*listing = fd == -1 ? NULL : fdopendir(fd);
	if (*listing == NULL && fd != -1)
		close(fd);
	return *listing == NULL ? -1 : 0;
}

static int64_t
changed_ns(struct account_store *account, const struct folder *folder,
    const char *part)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, part);
	if (fstatat(account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	return (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
}

static void
missing_marked(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct account_store *account = context;

	account->changing--;
	if (status == STATUS_OK)
		apply_sequence(account, sequence);
	else
		log_warning("missing-mark", "status=%s", status_name(status));
}

/* -- Healing -- */

struct healing {
	struct account_store *account;
	struct heal *heal;
};

static void heal_some(void *context);

/* Tells the store that the files of all marked rows are there again. */
static void
tell_healed(struct account_store *account)
{
	struct message m = { .type = MESSAGE_change_missing };
	struct store_batch *batch = store_batch_new();
	struct heal *heal;

	while ((heal = account->healed) != NULL) {
		uint8_t bytes[4000];
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		m.change_missing.mailbox = heal->mailbox;
		while ((heal = account->healed) != NULL &&
		       heal->mailbox == m.change_missing.mailbox &&
		       w.size < sizeof(bytes)) {
			writer_put_u32(&w, heal->uid);
			account->healed = heal->next;
			free(heal);
		}
		m.change_missing.uids = text_make(bytes, w.size);
		store_batch_add(batch, &m, -1);
	}
	account->changing++;
	store_client_commit(account->client, &batch, missing_marked, account);
}

static void
heal_done(struct account_store *account, struct heal *heal, bool is_healed)
{
	if (is_healed)
		account->files_written++;
	else
		account->files_failed++;
	if (is_healed && heal->is_marked) {
		heal->next = account->healed;
		account->healed = heal;
	} else {
		free(heal);
	}
	account->healing--;
	if (account->heals != NULL)
		timer_start(account->heal_timer, 0);
	else if (account->healing == 0 && account->healed != NULL)
		tell_healed(account);
}

static void
heal_read(enum status status, const struct text *envelope, int *fd,
    uint64_t size, void *context)
{
	struct healing *h = context;
	struct account_store *account = h->account;
	struct heal *heal = h->heal;
	struct folder *folder = folder_find_id(account, heal->mailbox);
	struct message_source source = { .fd = *fd };
	struct index_file file;
	struct index_row row;
	struct error error = { .text = "" };
	bool is_healed = false;

	free(h);
	if (status == STATUS_OK && folder != NULL &&
	    index_find_row(account->index, heal->mailbox, heal->uid, &row) &&
	    index_find_file(account->index, heal->mailbox, heal->uid, &file))
		is_healed = files_write(account, folder, &file,
				row.internaldate, &source, &error) == 0;
	if (!is_healed && folder != NULL)
		log_warning("heal",
		    "mailbox=%llu uid=%u status=%s error=\"%s\"",
		    (unsigned long long)heal->mailbox, heal->uid,
		    status_name(status), error.text);
	heal_done(account, heal, is_healed);
}

static void
heal_one(struct account_store *account, struct heal *heal)
{
	struct folder *folder = folder_find_id(account, heal->mailbox);
	struct index_file file;
	struct healing *h;
	struct error error;
	int fd;

	account->healing++;
	if (folder == NULL ||
	    !index_find_file(account->index, heal->mailbox, heal->uid, &file)) {
		heal_done(account, heal, true);
		return;
	}
	fd = files_open(account, folder, &file, &error);
	if (fd != -1) {
		close(fd);
		heal_done(account, heal, true);
		return;
	}
	h = memory_new(1, sizeof(*h));
	h->account = account;
	h->heal = heal;
	store_read_blob(account->client, file.blob, heal_read, h);
}

static void
heal_some(void *context)
{
	struct account_store *account = context;
	unsigned int steps = 0;

	if (!store_client_is_present(account->client))
		return; /* goes on when the store is back */
	while (account->heals != NULL && steps++ < 64 &&
	       account->healing < ACCOUNT_MAX_HEALING) {
		struct heal *heal = account->heals;

		account->heals = heal->next;
		if (account->heals == NULL)
			account->heals_end = &account->heals;
		heal_one(account, heal);
	}
	if (account->heals != NULL && account->healing < ACCOUNT_MAX_HEALING)
		timer_start(account->heal_timer, 0);
}

void
sync_heal(struct account_store *account, uint64_t mailbox, uint32_t uid,
    bool is_marked)
{
	struct heal *heal = memory_new(1, sizeof(*heal));

	heal->mailbox = mailbox;
	heal->uid = uid;
	heal->is_marked = is_marked;
	*account->heals_end = heal;
	account->heals_end = &heal->next;
	if (account->heal_timer == NULL)
		account->heal_timer =
		    timer_new(account->loop, heal_some, account);
	timer_start(account->heal_timer, 0);
}

void
sync_free(struct account_store *account)
{
	struct heal *const lists[] = { account->heals, account->healed };

	for (size_t i = 0; i < 2; i++)
		for (struct heal *heal = lists[i], *next; heal != NULL;
		     heal = next) {
			next = heal->next;
			free(heal);
		}
	account->heals = account->healed = NULL;
	timer_free(&account->heal_timer);
}

/* -- Adopting -- */

struct found {
	char name[MAILDIR_MAX_NAME + 1];
	bool is_new;
	uint32_t uid; /* wished for, from dovecot-uidlist; 0: the next one */
	struct delivery_id delivery;
	struct message_record record; /* as it will be */
};

struct adoption {
	struct account_store *account;
	uint64_t mailbox;
	struct found *found;
	size_t found_count;
	size_t done; /* of them, in batches before */
	size_t in_batch;
	size_t extra_results; /* identity and keywords in front */
	uint32_t uidvalidity;
	uint32_t uidnext;
	struct buf keywords; /* dovecot-keywords, for the first batch */
};

static void adopt_next(struct adoption *adoption);

static void
adoption_free(struct adoption *adoption)
{
	struct folder *folder =
	    folder_find_id(adoption->account, adoption->mailbox);

	if (folder != NULL)
		folder->is_adopting = false;
	adoption->account->changing--;
	buf_clear(&adoption->keywords);
	free(adoption->found);
	free(adoption);
}

/* The row of a file that stays where it is, under its own name. */
static void
adopt_row(struct adoption *adoption, struct folder *folder, struct found *found,
    const struct result_record *result, uint64_t sequence)
{
	static const struct message_source there = { .is_assumed = true };
	struct account_store *account = adoption->account;
	struct message_record *record = &found->record;
	struct maildir_name name;
	struct index_file file;
	struct index_row row;

	if (maildir_name_parse(text_of(found->name), &name) == -1)
		return;
	if (index_find_row(account->index, folder->info.id, result->uid, &row))
		return;
	record->mailbox = folder->info.id;
	record->uid = result->uid;
	record->modseq = result->modseq;
	record->born = sequence;
	record->size = result->size;
	record->blob = result->blob;
	record->hash = result->hash;
	record->base = name.base;
	apply_message(account, record, &there, NULL);
	if (!index_find_file(
		account->index, record->mailbox, record->uid, &file))
		return;
	file.name = text_of(found->name);
	file.base = name.base;
	file.is_new = found->is_new;
	index_put_file(account->index, record->mailbox, record->uid, &file);
}

static void
adopted(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct adoption *adoption = context;
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);
	struct result_record result;
	struct reader r;

	if (status != STATUS_OK || folder == NULL) {
		log_warning("adopt", "mailbox=%llu status=%s",
		    (unsigned long long)adoption->mailbox, status_name(status));
		adoption_free(adoption);
		return;
	}
	reader_init(&r, results.data, results.size);
	index_begin(account->index);
	if (adoption->done == 0 && adoption->uidvalidity != 0) {
		folder->info.uidvalidity = adoption->uidvalidity;
		if (folder->info.uidnext < adoption->uidnext)
			folder->info.uidnext = adoption->uidnext;
	}
	for (size_t i = 0; i < adoption->extra_results; i++)
		record_get_result(&r, &result);
	for (size_t i = 0;
	     i < adoption->in_batch && record_get_result(&r, &result) == 1; i++)
		if (adoption->found[adoption->done + i].name[0] != '\0')
			adopt_row(adoption, folder,
			    &adoption->found[adoption->done + i], &result,
			    sequence);
	apply_sequence(account, sequence);
	index_commit(account->index);
	adoption->done += adoption->in_batch;
	adopt_next(adoption);
}

/* Its bytes and what is known of it into the batch; false: pass it over. */
static bool
adopt_file(struct adoption *adoption, struct folder *folder,
    struct found *found, struct store_batch *batch)
{
	struct account_store *account = adoption->account;
	struct message m = { .type = MESSAGE_change_append };
	struct maildir_name name;
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	struct buf bytes;
	struct stat info;
	int fd;

	files_path(folder, found->is_new, text_of(found->name), path);
	if (maildir_name_parse(text_of(found->name), &name) == -1 ||
	    (fd = file_open_read(account->home_fd, path, &error)) == -1)
		return false;
	buf_init(&bytes, ADOPT_MAX_SIZE);
	if (fstat(fd, &info) == -1 || file_read_all(fd, &bytes, &error) == -1) {
		log_warning("adopt-read", "error=\"%s\"", error.text);
		close(fd);
		buf_clear(&bytes);
		return false;
	}
	close(fd);
	found->record.internaldate = info.st_mtim.tv_sec;
	found->record.flags = name.flags;
	found->record.keywords = name.keywords;
	found->record.form =
	    memchr(bytes.data == NULL ? (uint8_t *)"" : bytes.data, '\r',
		bytes.size) == NULL
		? FORM_LF
		: FORM_EXACT;
	found->record.stored_size = bytes.size;
	m.change_append.delivery = found->delivery;
	m.change_append.mailbox = adoption->mailbox;
	m.change_append.uid = found->uid;
	m.change_append.internaldate = found->record.internaldate;
	m.change_append.flags = name.flags;
	m.change_append.keywords = name.keywords;
	m.change_append.form = found->record.form;
	m.change_append.base = name.base;
	m.change_append.size = bytes.size;
	fd = -1;
	if (bytes.size > 16384)
		fd =
		    file_sealed_memory("adopt", bytes.data, bytes.size, &error);
	else
		m.change_append.data = text_make(bytes.data, bytes.size);
	if (bytes.size <= 16384 || fd != -1)
		store_batch_add(batch, &m, fd);
	if (fd != -1)
		close(fd);
	buf_clear(&bytes);
	return bytes.size <= 16384 || m.change_append.size > 0;
}

/* On first sight: UIDVALIDITY, UIDNEXT and keyword names of Dovecot. */
static void
add_identity(struct adoption *adoption, struct store_batch *batch)
{
	struct message m = { .type = MESSAGE_change_identity };
	struct text rest =
	    text_make(adoption->keywords.data, adoption->keywords.size);
	struct text name;
	unsigned int number, next = 0;

	if (adoption->uidvalidity != 0) {
		m.change_identity.mailbox = adoption->mailbox;
		m.change_identity.uidvalidity = adoption->uidvalidity;
		m.change_identity.uidnext = 1;
		store_batch_add(batch, &m, -1);
		adoption->extra_results++;
	}
	m.type = MESSAGE_change_keyword;
	while (
	    keywords_parse_line(&rest, &number, &name) == 1 && number == next) {
		m.change_keyword.mailbox = adoption->mailbox;
		m.change_keyword.number = (uint8_t)number;
		m.change_keyword.name = name;
		store_batch_add(batch, &m, -1);
		adoption->extra_results++;
		next++;
	}
}

static void
adopt_next(struct adoption *adoption)
{
	struct account_store *account = adoption->account;
	struct folder *folder = folder_find_id(account, adoption->mailbox);
	struct store_batch *batch;
	size_t kept = adoption->done;

	if (folder == NULL || adoption->done == adoption->found_count) {
		adoption_free(adoption);
		return;
	}
	batch = store_batch_new();
	adoption->extra_results = 0;
	if (adoption->done == 0)
		add_identity(adoption, batch);
	adoption->in_batch = 0;
	for (size_t i = adoption->done;
	     i < adoption->found_count && adoption->in_batch < ADOPT_A_BATCH;
	     i++) {
		if (!adopt_file(adoption, folder, &adoption->found[i], batch))
			continue;
		if (kept != i)
			adoption->found[kept] = adoption->found[i];
		kept++;
		adoption->in_batch++;
		if (i + 1 == adoption->found_count)
			adoption->found_count = kept;
	}
	if (adoption->in_batch == 0)
		adoption->found_count = adoption->done;
	if (store_batch_is_empty(batch)) {
		store_batch_free(&batch);
		adoption_free(adoption);
		return;
	}
	store_client_commit(account->client, &batch, adopted, adoption);
}

static int
compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	/* Wished-for UIDs first and in order, then by name (arrival). */
	if (x->uid != y->uid)
		return x->uid == 0 || (y->uid != 0 && x->uid > y->uid) ? 1 : -1;
	return strcmp(x->name, y->name);
}

static struct text
read_control(struct account_store *account, const struct folder *folder,
    const char *name, struct buf *buf)
{
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, name);
	fd = file_open_read(account->home_fd, path, &error);
	if (fd != -1) {
		if (file_read_all(fd, buf, &error) == -1)
			buf_reset(buf);
		close(fd);
	}
	return text_make(buf->data, buf->size);
}

/* The UIDs that Dovecot gave, if this mailbox was never used here. */
static void
import_uidlist(struct adoption *adoption, const struct folder *folder)
{
	struct uidlist_header header;
	struct uidlist_entry entry;
	struct table *uids = table_new();
	struct text rest;
	struct buf buf;
	uint32_t after = 0;

	buf_init(&buf, UIDLIST_MAX);
	rest = read_control(adoption->account, folder, "dovecot-uidlist", &buf);
	if (uidlist_parse_header(&rest, &header) == 0) {
		adoption->uidvalidity = header.uidvalidity;
		adoption->uidnext = header.uidnext;
		while (uidlist_parse_entry(&rest, after, &entry) == 1) {
			struct maildir_name name;

			after = entry.uid;
			if (maildir_name_parse(entry.whole, &name) == 0)
				table_put(uids, name.base.data, name.base.size,
				    (void *)(uintptr_t)entry.uid);
		}
		read_control(adoption->account, folder, "dovecot-keywords",
		    &adoption->keywords);
	}
	for (size_t i = 0; i < adoption->found_count; i++) {
		struct maildir_name name;

		if (maildir_name_parse(
			text_of(adoption->found[i].name), &name) == 0)
			adoption->found[i].uid =
			    (uint32_t)(uintptr_t)table_find(
				uids, name.base.data, name.base.size);
	}
	table_free(&uids);
	buf_clear(&buf);
}

static void
adopt(struct account_store *account, struct folder *folder, struct found *found,
    size_t count)
{
	struct adoption *adoption = memory_new(1, sizeof(*adoption));

	adoption->account = account;
	adoption->mailbox = folder->info.id;
	adoption->found = found;
	adoption->found_count = count;
	buf_init(&adoption->keywords, 65536);
	folder->is_adopting = true;
	account->changing++;
	if (folder->row_count == 0 && folder->info.uidnext == 1)
		import_uidlist(adoption, folder);
	qsort(found, count, sizeof(*found), compare_found);
	adopt_next(adoption);
}

/* -- Looking -- */

struct look {
	struct account_store *account;
	struct folder *folder;
	uint8_t *seen; /* a byte for each row */
	struct found *found;
	size_t found_count;
	struct index_row *flagged; /* rows whose file carries other flags */
	size_t flagged_count;
};

/* A delivery id that the same file always gets: its own base name if that is
 * one of ours, else one made of mailbox and base. */
static void
delivery_of(
    const struct folder *folder, struct text base, struct delivery_id *delivery)
{
	static const uint8_t keys[2][16] = { "firnmail adopts",
		"from a maildir" };
	uint8_t bytes[8 + MAILDIR_MAX_NAME];

	if (text_parse_hex(base, delivery->bytes, sizeof(delivery->bytes)) == 0)
		return;
	memset(delivery->bytes, 0xff, sizeof(delivery->bytes));
	memcpy(bytes, &folder->info.id, 8);
	memcpy(bytes + 8, base.data, base.size);
	for (size_t i = 0; i < 2; i++) {
		uint64_t half = table_siphash(keys[i], bytes, 8 + base.size);

		memcpy(delivery->bytes + 8 * i, &half, 8);
	}
}

static void
look_unknown(struct look *look, const char *file, bool is_new, struct text base)
{
	struct found *found;

	if ((look->found_count & (look->found_count - 1)) == 0)
		look->found = memory_resize(look->found,
		    look->found_count == 0 ? 1 : 2 * look->found_count,
		    sizeof(*found));
	found = &look->found[look->found_count++];
	memset(found, 0, sizeof(*found));
	text_copy(text_of(file), found->name, sizeof(found->name));
	found->is_new = is_new;
	delivery_of(look->folder, base, &found->delivery);
}

/* A file of a row: other name, other flags? */
static void
look_known(struct look *look, uint32_t uid, const char *file, bool is_new,
    const struct maildir_name *name)
{
	struct account_store *account = look->account;
	uint64_t letters = ((uint64_t)1 << MAILDIR_MAX_KEYWORDS) - 1;
	struct index_row *row = folder_row(look->folder, uid);
	struct index_file known;

	if (row == NULL || !index_find_file(account->index,
			       look->folder->info.id, uid, &known))
		return;
	look->seen[row - look->folder->rows] = 1;
	if (known.is_new == is_new && text_is(known.name, file))
		return;
	known.base = name->base;
	known.name = text_of(file);
	known.is_new = is_new;
	index_put_file(account->index, look->folder->info.id, uid, &known);
	if (is_new || !name->has_flags ||
	    (name->flags == (row->flags & FLAG_ALL) &&
		name->keywords == (row->keywords & letters)))
		return;
	look->flagged = memory_resize(
	    look->flagged, look->flagged_count + 1, sizeof(struct index_row));
	look->flagged[look->flagged_count] = *row;
	look->flagged[look->flagged_count].flags = name->flags;
	look->flagged[look->flagged_count++].keywords =
	    (row->keywords & ~letters) | name->keywords;
}

static void
look_into(struct look *look, const char *part, bool is_new)
{
	char path[ACCOUNT_PATH_MAX];
	struct dirent *entry;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (open_listing(look->account->home_fd, path, &listing) == -1)
		return;
	while ((entry = readdir(listing)) != NULL) {
		struct maildir_name name;
		uint32_t uid;

		if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
			continue;
		uid = index_find_name(
		    look->account->index, look->folder->info.id, name.base);
		if (uid != 0)
			look_known(look, uid, entry->d_name, is_new, &name);
		else if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
			look_unknown(look, entry->d_name, is_new, name.base);
	}
	closedir(listing);
}

struct taken_over {
	struct account_store *account;
	uint64_t mailbox;
	size_t count;
	struct index_row *rows;
};

static void
flags_taken_over(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct taken_over *t = context;
	struct result_record result = { 0 };
	struct reader r;

	t->account->changing--;
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
	}
	if (status == STATUS_OK)
		apply_sequence(t->account, sequence);
	apply_end(t->account);
	free(t->rows);
	free(t);
}

static void
take_over_flags(struct look *look)
{
	struct taken_over *t = memory_new(1, sizeof(*t));
	struct store_batch *batch = store_batch_new();
	struct message m = { .type = MESSAGE_change_flags };
	static uint8_t bytes[1800 * RECORD_FLAGS_SIZE];

	t->account = look->account;
	t->mailbox = look->folder->info.id;
	t->count = look->flagged_count;
	t->rows = look->flagged;
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
	look->account->changing++;
	store_client_commit(look->account->client, &batch, flags_taken_over, t);
}

/* Tells the store which files are gone: a mark on rows, an alarm. */
static void
mark_missing(struct look *look, size_t count)
{
	struct message m = { .type = MESSAGE_change_missing };
	struct store_batch *batch = store_batch_new();
	struct folder *folder = look->folder;
	static uint8_t bytes[10000 * 4];
	size_t i = 0;

	log_alarm("files-missing", "mailbox=%llu missing=%zu of=%zu",
	    (unsigned long long)folder->info.id, count, folder->row_count);
	m.change_missing.mailbox = folder->info.id;
	m.change_missing.is_missing = 1;
	while (i < folder->row_count) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		for (; i < folder->row_count && w.size < sizeof(bytes); i++)
			if (!look->seen[i])
				writer_put_u32(&w, folder->rows[i].uid);
		m.change_missing.uids = text_make(bytes, w.size);
		if (w.size > 0)
			store_batch_add(batch, &m, -1);
	}
	look->account->changing++;
	store_client_commit(
	    look->account->client, &batch, missing_marked, look->account);
}

static void
look_for_missing(struct look *look)
{
	struct folder *folder = look->folder;
	size_t few = folder->row_count / 20;
	size_t count = 0;
	bool is_marked;

	for (size_t i = 0; i < folder->row_count; i++)
		count += !look->seen[i];
	if (count == 0)
		return;
	is_marked = count > (few > MISSING_FEW ? few : MISSING_FEW);
	if (is_marked)
		mark_missing(look, count);
	for (size_t i = 0; i < folder->row_count; i++)
		if (!look->seen[i])
			sync_heal(look->account, folder->info.id,
			    folder->rows[i].uid, is_marked);
}

void
sync_folder(struct account_store *account, struct folder *folder)
{
	struct look look = { .account = account, .folder = folder };
	struct error error;

	if (folder->is_adopting || !store_client_is_present(account->client))
		return;
	folder_load(account, folder);
	if (files_make_folder(account, folder, &error) == -1)
		log_warning("folder-make", "mailbox=%llu error=\"%s\"",
		    (unsigned long long)folder->info.id, error.text);
	folder->state.cur_changed_ns = changed_ns(account, folder, "cur");
	folder->state.new_changed_ns = changed_ns(account, folder, "new");
	look.seen = memory_new(folder->row_count + 1, 1);
	index_begin(account->index);
	look_into(&look, "new", true);
	look_into(&look, "cur", false);
	folder->needs_scan = false;
	folder_put(account, folder);
	index_commit(account->index);
	look_for_missing(&look);
	free(look.seen);
	if (look.flagged_count > 0)
		take_over_flags(&look);
	if (look.found_count > 0)
		adopt(account, folder, look.found, look.found_count);
}

bool
sync_is_current(struct account_store *account, const struct folder *folder)
{
	return !folder->needs_scan &&
	       changed_ns(account, folder, "cur") ==
		   folder->state.cur_changed_ns &&
	       changed_ns(account, folder, "new") ==
		   folder->state.new_changed_ns;
}

void
sync_note_times(struct account_store *account, struct folder *folder)
{
	folder->state.cur_changed_ns = changed_ns(account, folder, "cur");
	folder->state.new_changed_ns = changed_ns(account, folder, "new");
}

void
sync_folder_if_changed(struct account_store *account, struct folder *folder)
{
	if (!sync_is_current(account, folder))
		sync_folder(account, folder);
}

/* -- Folders -- */

/* A folder that carries the id of a live mailbox of another name is a RENAME
 * that a crash cut; one without any is a mailbox of another program. */
static void
sync_directory(struct account_store *account, const char *name)
{
	char path[ACCOUNT_PATH_MAX];
	struct folder *folder = NULL;
	struct store_id store;
	struct error error;
	uint64_t mailbox;

	snprintf(path, sizeof(path), "Maildir/%s", name);
	for (size_t i = 0; i < account->folder_count; i++)
		if (strcmp(account->folders[i]->directory, path) == 0)
			return;
	if (files_read_id(account, path, &store, &mailbox) == 0 &&
	    memcmp(&store, &account->meta.store, sizeof(store)) == 0)
		folder = folder_find_id(account, mailbox);
	if (folder != NULL &&
	    file_rename_new(account->home_fd, path, account->home_fd,
		folder->directory, &error) == 0) {
		log_info("rename-finished", "mailbox=%llu",
		    (unsigned long long)mailbox);
		return;
	}
	log_info("folder-found", "known=%d", folder != NULL);
}

static void
adopted_folder(const struct mailbox_answer *answer, void *context)
{
	if (answer->status != STATUS_OK)
		log_warning(
		    "folder-adopt", "status=%s", status_name(answer->status));
}

static void
adopt_directory(struct account_store *account, const char *name)
{
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE);
	if (maildir_folder_parse(text_of(name), &buf) == 0 &&
	    mailbox_name_check(text_make(buf.data, buf.size)) == STATUS_OK &&
	    folder_find(account, text_make(buf.data, buf.size)) == NULL)
		mailbox_list_create(account, text_make(buf.data, buf.size), 0,
		    adopted_folder, account);
	buf_clear(&buf);
}

void
sync_folders(struct account_store *account)
{
	struct dirent *entry;
	DIR *listing;

	for (int pass = 0; pass < 2; pass++) {
		if (open_listing(account->home_fd, "Maildir", &listing) == -1)
			break;
		while ((entry = readdir(listing)) != NULL) {
			if (entry->d_name[0] != '.' ||
			    entry->d_name[1] == '.' || entry->d_name[1] == '\0')
				continue;
			if (pass == 0)
				sync_directory(account, entry->d_name);
			else
				adopt_directory(account, entry->d_name);
		}
		closedir(listing);
	}
	for (size_t i = 0; i < account->folder_count; i++)
		sync_folder_if_changed(account, account->folders[i]);
	if (account->heals != NULL)
		timer_start(account->heal_timer, 0);
}
