/*
 * Rows whose files a look did not find: few are made again from the store, many
 * raise an alarm first, and where the settings say that others may delete, few
 * are an expunge.  A missing file alone never kills a row.
 */
#include "imapd/folder_look.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A row without its file, of which the store was not told yet. */
static bool
must_mark(const struct look *look, size_t at)
{
	const struct folder *folder = look->folder;

	return !look->seen[at] && !heal_is_marked(look->account,
				      folder->info.id, folder_uid(folder, at));
}

/* Tells the store which files are gone: a mark on rows, an alarm. */
static void
mark_missing(struct look *look, size_t count)
{
	struct folder *folder = look->folder;
	uint32_t *uids = memory_new(folder_count(folder), sizeof(*uids));
	size_t unmarked = 0;

	log_alarm("files-missing", "mailbox=%llu missing=%zu of=%zu",
	    (unsigned long long)folder->info.id, count, folder_count(folder));
	for (size_t i = 0; i < folder_count(folder); i++)
		if (must_mark(look, i))
			uids[unmarked++] = folder_uid(folder, i);
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
	       look->changed == NULL && count < folder_count(look->folder);
}

/* A file that another program renamed while we read the directory may have been
 * in neither half of what we read: it is now. */
static void
look_once_more(struct look *look, const char *part)
{
	char path[ACCOUNT_PATH_MAX];
	struct maildir_name name;
	struct dirent *entry;
	struct error error;
	DIR *listing;
	size_t at;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (files_list(look->account->home_fd, path, &listing, &error) == -1) {
		look->is_blind = true;
		return;
	}
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
			continue;
		if (folder_position_of(look->folder,
			index_find_name(look->account->index,
			    look->folder->info.id, name.base),
			&at))
			look->seen[at] = 1;
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
	uint32_t *uids = memory_new(folder_count(folder), sizeof(*uids));
	size_t count = 0;

	look_once_more(look, "new");
	look_once_more(look, "cur");
	for (size_t i = 0; i < folder_count(folder) && !look->is_blind; i++) {
		uint32_t uid = folder_uid(folder, i);
		struct index_row row;

		if (look->seen[i] || !folder_row(folder, uid, &row) ||
		    (row.flags & RECORD_MISSING) ||
		    heal_waits(look->account, folder->info.id, uid))
			continue;
		uids[count++] = uid;
		look->seen[i] = 1;
	}
	if (count > 0) {
		log_info("external-deletes", "mailbox=%llu deleted=%zu",
		    (unsigned long long)folder->info.id, count);
		change_let_go(look->account, folder, uids, count);
	}
	free(uids);
}

void
look_for_losses(struct look *look)
{
	struct folder *folder = look->folder;
	size_t few = folder_count(folder) / LOSS_SHARE;
	size_t count = 0, unmarked = 0;
	bool is_marked;

	if (look->is_blind) {
		log_warning("folder-unreadable", "mailbox=%llu",
		    (unsigned long long)folder->info.id);
		return;
	}
	for (size_t i = 0; i < folder_count(folder); i++) {
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
	for (size_t i = 0; i < folder_count(folder); i++)
		if (!look->seen[i])
			sync_heal(look->account, folder->info.id,
			    folder_uid(folder, i), is_marked);
}
