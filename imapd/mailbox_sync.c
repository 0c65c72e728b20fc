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
#include "imapd/folder_look.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
	/* Directory times go in steps of the kernel's tick (10 ms at most): a
	 * change may carry the time of one that was seen. */
	YOUNG_NS = 50 * 1000 * 1000
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
	look_into_all(look);
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
	look_for_losses(&look);
	look_compare_newest(&look);
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
