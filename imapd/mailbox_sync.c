/*
 * The Maildir against the rows: what other programs added is adopted by
 * append, flags that they changed are taken over, and files that are missing
 * are made again from the store.  A missing file never kills a row, and an
 * empty Maildir never makes an empty mailbox: what is missing beyond
 * max(20, 5 %) raises an alarm and is served from the store meanwhile.
 *
 * From a directory that cannot be read (no descriptor left, no permission, an
 * input error) nothing is concluded: it is looked at again.
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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MISSING_FEW = 20,
	/* Directory times go in steps of the kernel's tick (10 ms at most): a
	 * change may carry the time of one that was seen. */
	YOUNG_NS = 50 * 1000 * 1000,
	COMPARE_SECONDS = 15 * 60 /* what a file system may not have written */
};

static int
open_listing(int home_fd, const char *path, DIR **listing, struct error *error)
{
	int fd = file_open_directory(home_fd, path, error);

	if (fd == -1)
		return -1;
	*listing = fdopendir(fd);
	if (*listing != NULL)
		return 0;
	error_set_errno(error, "%s", path);
	close(fd);
	return -1;
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

/* -- Looking -- */

struct look {
	struct account_store *account;
	struct folder *folder;
	uint8_t *seen; /* a byte for each row */
	struct found *found;
	size_t found_count;
	struct index_row *flagged; /* rows whose file carries other flags */
	size_t flagged_count;
	int64_t *changed; /* ctime of each row's file, after an unclean stop */
	int64_t newest;
	bool is_blind; /* something could not be looked at */
};

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
	found->name = memory_copy_text(file);
	found->is_new = is_new;
	adopt_delivery(look->folder, base, &found->delivery);
}

/* Keywords that have a letter in file names and a name in the mailbox. */
static uint64_t
known_letters(const struct folder *folder)
{
	size_t count = folder->info.keyword_count;

	if (count > MAILDIR_MAX_KEYWORDS)
		count = MAILDIR_MAX_KEYWORDS;
	return ((uint64_t)1 << count) - 1;
}

/* After an unclean stop a file may be shorter than it was: false then. Notes
 * when the others were written. */
static bool
look_inside(struct look *look, size_t at, const char *file, bool is_new,
    uint64_t stored_size)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	if (look->changed == NULL)
		return true;
	files_path(look->folder, is_new, text_of(file), path);
	if (fstatat(look->account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
	    -1) {
		look->is_blind |= errno != ENOENT;
		return false;
	}
	if ((uint64_t)info.st_size != stored_size)
		return false;
	look->changed[at] = info.st_ctim.tv_sec;
	if (info.st_ctim.tv_sec > look->newest)
		look->newest = info.st_ctim.tv_sec;
	return true;
}

/* What was written in the last minutes before the stop is compared byte by
 * byte with what the store has. */
static void
compare_newest(struct look *look)
{
	struct folder *folder = look->folder;

	for (size_t i = 0; look->changed != NULL && i < folder->row_count; i++)
		if (look->seen[i] &&
		    look->changed[i] >= look->newest - COMPARE_SECONDS)
			heal_compare(look->account, folder->info.id,
			    folder->rows[i].uid);
	folder->must_compare = look->is_blind;
	free(look->changed);
}

/* A file that we could not rename when its flags changed. */
static void
look_at_flags(struct look *look, const struct index_row *row, uint64_t born,
    const struct maildir_name *name)
{
	uint64_t letters = known_letters(look->folder);
	struct message_record record = { .mailbox = look->folder->info.id,
		.uid = row->uid,
		.born = born,
		.flags = row->flags & FLAG_ALL,
		.keywords = row->keywords };

	if (name->flags != record.flags ||
	    (name->keywords & letters) != (record.keywords & letters))
		apply_file_name(look->account, look->folder, &record);
}

/* What another program changed in the name, on top of the row's flags, which
 * may have changed as well: true if the row is to follow. */
static bool
wish_flags(const struct look *look, const struct index_file *known,
    const struct maildir_name *name, struct index_row *row)
{
	uint64_t letters = known_letters(look->folder), keywords;
	struct maildir_name old;
	uint32_t flags;

	if (!name->has_flags)
		return false;
	/* Of a change that was cut off the old name is not known any more. */
	if (known->has_new_flags ||
	    maildir_name_parse(known->name, &old) == -1) {
		old.flags = row->flags & FLAG_ALL;
		old.keywords = row->keywords;
	}
	flags = ((row->flags & FLAG_ALL) | (name->flags & ~old.flags)) &
		~(old.flags & ~name->flags);
	keywords =
	    (row->keywords | (name->keywords & ~old.keywords & letters)) &
	    ~(old.keywords & ~name->keywords & letters);
	if (flags == (row->flags & FLAG_ALL) && keywords == row->keywords)
		return false;
	row->flags = flags;
	row->keywords = keywords;
	return true;
}

/* A file of a row: other name, other flags? */
static void
look_known(struct look *look, uint32_t uid, const char *file, bool is_new,
    const struct maildir_name *name)
{
	struct account_store *account = look->account;
	struct index_row *row = folder_row(look->folder, uid);
	struct index_file known;
	struct index_row wished;

	if (!index_find_file(
		account->index, look->folder->info.id, uid, &known))
		return;
	if (row == NULL) { /* an expunge that could not take the file */
		known.name = text_of(file);
		known.is_new = is_new;
		if (files_unlink(account, look->folder, &known) == 0)
			index_remove_row(
			    account->index, look->folder->info.id, uid, 0);
		return;
	}
	look->seen[row - look->folder->rows] =
	    look_inside(look, (size_t)(row - look->folder->rows), file, is_new,
		known.stored_size);
	if (known.is_new == is_new && text_is(known.name, file) &&
	    !known.has_new_flags) {
		look_at_flags(look, row, known.born, name);
		return;
	}
	wished = *row;
	/* After an unclean stop an old name may be a rename of ours that did
	 * not reach the disk: what was answered counts. */
	known.has_new_flags =
	    look->changed == NULL && wish_flags(look, &known, name, &wished);
	known.base = name->base;
	known.name = text_of(file);
	known.is_new = is_new;
	index_put_file(account->index, look->folder->info.id, uid, &known);
	if (look->changed != NULL)
		look_at_flags(look, row, known.born, name);
	if (!known.has_new_flags)
		return;
	look->flagged = memory_resize(
	    look->flagged, look->flagged_count + 1, sizeof(struct index_row));
	look->flagged[look->flagged_count++] = wished;
}

static void
look_into(struct look *look, const char *part, bool is_new)
{
	char path[ACCOUNT_PATH_MAX];
	struct dirent *entry;
	struct error error;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (open_listing(look->account->home_fd, path, &listing, &error) ==
	    -1) {
		look->is_blind |= error.code != ERROR_MISSING;
		return;
	}
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
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
	look->is_blind |= errno != 0;
	closedir(listing);
}

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
	bool may_come = status == STATUS_UNAVAILABLE || status == STATUS_FULL;

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

/* A row without its file, of which the store was not told yet. */
static bool
must_mark(const struct look *look, size_t at)
{
	const struct folder *folder = look->folder;

	return !look->seen[at] && !heal_is_marked(look->account,
				      folder->info.id, folder->rows[at].uid);
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
			if (must_mark(look, i))
				writer_put_u32(&w, folder->rows[i].uid);
		m.change_missing.uids = text_make(bytes, w.size);
		if (w.size > 0)
			store_batch_add(batch, &m, -1);
	}
	look->account->changing++;
	store_client_commit(
	    look->account->client, &batch, heal_marked, look->account);
}

static void
look_for_missing(struct look *look)
{
	struct folder *folder = look->folder;
	size_t few = folder->row_count / 20;
	size_t count = 0, unmarked = 0;
	bool is_marked;

	if (look->is_blind) {
		log_warning("folder-unreadable", "mailbox=%llu",
		    (unsigned long long)folder->info.id);
		return;
	}
	for (size_t i = 0; i < folder->row_count; i++) {
		count += !look->seen[i];
		unmarked += must_mark(look, i);
	}
	if (count == 0)
		return;
	heal_resume(look->account);
	is_marked = count > (few > MISSING_FEW ? few : MISSING_FEW);
	if (is_marked && unmarked > 0)
		mark_missing(look, count);
	for (size_t i = 0; i < folder->row_count; i++)
		if (!look->seen[i])
			sync_heal(look->account, folder->info.id,
			    folder->rows[i].uid, is_marked);
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What changes now may get the time that was noted. */
static bool
is_young(const struct folder *folder)
{
	int64_t limit = now_ns() - YOUNG_NS;

	return folder->state.cur_changed_ns > limit ||
	       folder->state.new_changed_ns > limit;
}

static void
note_times(struct account_store *account, struct folder *folder)
{
	folder->state.cur_changed_ns = changed_ns(account, folder, "cur");
	folder->state.new_changed_ns = changed_ns(account, folder, "new");
}

/* Both parts, under one transaction of the index. */
static void
look_at_files(struct look *look)
{
	struct account_store *account = look->account;
	struct folder *folder = look->folder;

	index_begin(account->index);
	look_into(look, "new", true);
	look_into(look, "cur", false);
	folder->needs_scan =
	    look->is_blind ||
	    (!watcher_sees(account, folder) && is_young(folder));
	folder->is_adopting = look->found_count > 0;
	folder_put(account, folder);
	index_commit(account->index);
	if (folder->needs_scan)
		watcher_look_later(account);
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
	if (folder->views != NULL)
		watcher_add(account, folder);
	watcher_read(account);
	note_times(account, folder);
	look.seen = memory_new(folder->row_count + 1, 1);
	if (folder->must_compare)
		look.changed =
		    memory_new(folder->row_count + 1, sizeof(int64_t));
	look_at_files(&look);
	look_for_missing(&look);
	compare_newest(&look);
	free(look.seen);
	if (look.flagged_count > 0)
		take_over_flags(&look);
	if (look.found_count > 0)
		adopt_files(account, folder, look.found, look.found_count);
}

static bool
is_current(struct account_store *account, const struct folder *folder)
{
	return !folder->needs_scan &&
	       changed_ns(account, folder, "cur") ==
		   folder->state.cur_changed_ns &&
	       changed_ns(account, folder, "new") ==
		   folder->state.new_changed_ns;
}

bool
sync_begin_change(struct account_store *account, struct folder *folder)
{
	return watcher_add(account, folder) && is_current(account, folder);
}

void
sync_end_change(struct account_store *account, struct folder *folder)
{
	note_times(account, folder);
}

void
sync_settle(struct account_store *account)
{
	watcher_read(account);
	for (size_t i = 0; i < account->folder_count; i++) {
		struct folder *folder = account->folders[i];

		folder->needs_scan |= is_young(folder);
		if (folder->needs_scan)
			folder_put(account, folder);
	}
}

void
sync_folder_if_changed(struct account_store *account, struct folder *folder)
{
	watcher_read(account);
	if (!is_current(account, folder))
		sync_folder(account, folder);
}

/* -- Folders -- */

/* A folder that carries the id of a live mailbox of another name is a RENAME
 * that a crash cut, one with the id of a retired mailbox a DELETE; one without
 * any is a mailbox of another program.  If the store was put back to an older
 * state, an id that it does not know may be one that it has forgotten. */
static void
sync_directory(struct account_store *account, const char *name)
{
	char path[ACCOUNT_PATH_MAX];
	struct folder *folder = NULL;
	struct store_id store;
	struct error error;
	uint64_t mailbox;
	bool has_id;

	snprintf(path, sizeof(path), "Maildir/%s", name);
	for (size_t i = 0; i < account->folder_count; i++)
		if (strcmp(account->folders[i]->directory, path) == 0)
			return;
	has_id = files_read_id(account, path, &store, &mailbox) == 0 &&
		 memcmp(&store, &account->meta.store, sizeof(store)) == 0;
	if (has_id)
		folder = folder_find_id(account, mailbox);
	if (folder != NULL &&
	    file_rename_new(account->home_fd, path, account->home_fd,
		folder->directory, &error) == 0) {
		log_info("rename-finished", "mailbox=%llu",
		    (unsigned long long)mailbox);
		folder->needs_scan = true;
	} else if (folder == NULL && has_id && account->is_put_back) {
		files_forget_id(account, path); /* of the lost time: adopted */
	} else if (folder == NULL && has_id) {
		files_set_aside(account, path, mailbox);
	}
}

struct folder_adoption {
	struct account_store *account;
	char *name;
};

static void
adopted_folder(const struct mailbox_answer *answer, void *context)
{
	struct folder_adoption *a = context;
	struct folder *folder = folder_find(a->account, text_of(a->name));

	if (answer->status != STATUS_OK)
		log_warning(
		    "folder-adopt", "status=%s", status_name(answer->status));
	else if (folder != NULL)
		sync_folder(a->account, folder);
	free(a->name);
	free(a);
}

static void
adopt_directory(struct account_store *account, const char *name)
{
	struct folder_adoption *a;
	struct text mailbox;
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE + 1);
	if (maildir_folder_parse(text_of(name), &buf) == 0 &&
	    mailbox_name_check(mailbox = text_make(buf.data, buf.size)) ==
		STATUS_OK &&
	    folder_find(account, mailbox) == NULL) {
		a = memory_new(1, sizeof(*a));
		a->account = account;
		a->name = memory_new(1, mailbox.size + 1);
		memcpy(a->name, mailbox.data, mailbox.size);
		mailbox_list_create(account, mailbox, 0, adopted_folder, a);
	}
	buf_clear(&buf);
}

void
sync_folders(struct account_store *account)
{
	struct dirent *entry;
	struct error error;
	DIR *listing;

	for (int pass = 0; pass < 2; pass++) {
		if (open_listing(
			account->home_fd, "Maildir", &listing, &error) == -1) {
			log_warning(
			    "folders-unreadable", "error=\"%s\"", error.text);
			break;
		}
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
	heal_resume(account);
}
