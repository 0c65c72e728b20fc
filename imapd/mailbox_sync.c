/*
 * The Maildir against the rows: what other programs added is adopted by
 * append, flags that they changed are taken over, and files that are missing
 * are made again from the store.  A missing file alone never kills a row, and an
 * empty Maildir never makes an empty mailbox: what is missing beyond
 * max(20, 5 %) raises an alarm and is served from the store meanwhile.  Where the
 * settings say that others may delete, what is less than that is an expunge.
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
	/* Directory times go in steps of the kernel's tick (10 ms at most): a
	 * change may carry the time of one that was seen. */
	YOUNG_NS = 50 * 1000 * 1000,
	COMPARE_SECONDS = 15 * 60 /* what a file system may not have written */
};

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
	struct known_files *known; /* NULL after an unclean stop */
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
	struct message_record record = { .mailbox = look->folder->info.id,
		.uid = row->uid,
		.born = born,
		.flags = row->flags & FLAG_ALL,
		.keywords = row->keywords };

	if (!file_name_agrees(look->folder, name, row))
		apply_file_name(look->account, look->folder, &record);
}

/* What another program changed in the name, on top of the row's flags, which
 * may have changed as well: true if the row is to follow. */
static bool
wish_flags(const struct look *look, const struct index_file *known,
    const struct maildir_name *name, struct index_row *row)
{
	uint64_t letters = file_name_letters(look->folder), keywords;
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
look_at_entry(struct look *look, const struct dirent *entry, bool is_new)
{
	struct maildir_name name;
	uint32_t uid;

	if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
		return;
	uid = index_find_name(
	    look->account->index, look->folder->info.id, name.base);
	if (uid != 0)
		look_known(look, uid, entry->d_name, is_new, &name);
	else if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
		look_unknown(look, entry->d_name, is_new, name.base);
}

static void
look_into(struct look *look, const char *part, bool is_new)
{
	char path[ACCOUNT_PATH_MAX];
	struct dirent *entry;
	struct error error;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (files_list(look->account->home_fd, path, &listing, &error) == -1) {
		look->is_blind |= error.code != ERROR_MISSING;
		return;
	}
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		size_t at;

		if (look->known != NULL &&
		    known_files_find(look->known, entry->d_name, is_new, &at))
			look->seen[at] = 1;
		else
			look_at_entry(look, entry, is_new);
	}
	look->is_blind |= errno != 0;
	closedir(listing);
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
	struct folder *folder = look->folder;
	uint32_t *uids = memory_new(folder->row_count, sizeof(*uids));
	size_t unmarked = 0;

	log_alarm("files-missing", "mailbox=%llu missing=%zu of=%zu",
	    (unsigned long long)folder->info.id, count, folder->row_count);
	for (size_t i = 0; i < folder->row_count; i++)
		if (must_mark(look, i))
			uids[unmarked++] = folder->rows[i].uid;
	marks_send(look->account, CAUSE_RECONCILE, true, folder->info.id, uids,
	    unmarked);
}

/* Files that are about to be made are no loss: a restore of many messages makes
 * them one by one. */
static size_t
count_healing(const struct account_store *account, const struct folder *folder)
{
	size_t count = account->healing;

	for (const struct heal *h = account->heals; h != NULL; h = h->next)
		count += h->mailbox == folder->info.id;
	return count;
}

/* -- What other programs deleted, where the settings say that it is gone -- */

/* Few, and not the whole of a mailbox: that is a loss, whatever was set. And
 * only where the files are known to have been there. */
static bool
are_deletes(const struct look *look, size_t count)
{
	const struct account_store *account = look->account;

	return account->takes_deletes && !account->is_refilling &&
	       !account->is_rebuilt && !account->is_put_back &&
	       look->changed == NULL && count < look->folder->row_count;
}

/* A file that another program renamed while we read the directory may have been
 * in neither half of what we read: it is now. */
static void
look_once_more(struct look *look, const char *part)
{
	char path[ACCOUNT_PATH_MAX];
	const struct index_row *row;
	struct maildir_name name;
	struct dirent *entry;
	struct error error;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (files_list(look->account->home_fd, path, &listing, &error) == -1) {
		look->is_blind = true;
		return;
	}
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
			continue;
		row = folder_row(
		    look->folder, index_find_name(look->account->index,
				      look->folder->info.id, name.base));
		if (row != NULL)
			look->seen[row - look->folder->rows] = 1;
	}
	look->is_blind |= errno != 0;
	closedir(listing);
}

/* Those that wait to be made again are not meant. What is let go counts as
 * seen. */
static void
let_go(struct look *look)
{
	struct folder *folder = look->folder;
	uint32_t *uids = memory_new(folder->row_count, sizeof(*uids));
	size_t count = 0;

	look_once_more(look, "new");
	look_once_more(look, "cur");
	for (size_t i = 0; i < folder->row_count && !look->is_blind; i++) {
		const struct index_row *row = &folder->rows[i];

		if (look->seen[i] || (row->flags & RECORD_MISSING) ||
		    heal_waits(look->account, folder->info.id, row->uid))
			continue;
		uids[count++] = row->uid;
		look->seen[i] = 1;
	}
	if (count > 0) {
		log_info("external-deletes", "mailbox=%llu deleted=%zu",
		    (unsigned long long)folder->info.id, count);
		change_let_go(look->account, folder, uids, count);
	}
	free(uids);
}

static void
look_for_missing(struct look *look)
{
	struct folder *folder = look->folder;
	size_t few = folder->row_count / LOSS_SHARE;
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
	if (count == 0 || folder->is_letting_go)
		return;
	heal_resume(look->account);
	is_marked = count > (few > LOSS_FEW ? few : LOSS_FEW) +
				count_healing(look->account, folder);
	if (is_marked && unmarked > 0)
		mark_missing(look, count);
	if (!is_marked && are_deletes(look, count))
		let_go(look);
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
	/* What was written before an unclean stop is looked at one by one. */
	if (look->changed == NULL)
		look->known = known_files_new(account, folder);
	look_into(look, "new", true);
	look_into(look, "cur", false);
	known_files_free(&look->known);
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
	heal_file_settle(account);
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
		flags_take_over(
		    account, folder, look.flagged, look.flagged_count);
	if (look.found_count > 0)
		adopt_files(account, folder, look.found, look.found_count);
	else if (!look.is_blind)
		adopt_identity(account, folder);
}

static bool
is_current(struct account_store *account, const struct folder *folder)
{
	heal_file_settle(account);
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
	heal_file_settle(account);
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
