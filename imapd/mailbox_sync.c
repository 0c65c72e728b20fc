/*
 * The Maildir against the rows: what other programs added is adopted by
 * append, flags that they changed are taken over, and files that are missing
 * are made again from the store.  A missing file alone never kills a row, and
 * an empty Maildir never makes an empty mailbox: what is missing beyond max(20,
 * 5 %) raises an alarm and is served from the store meanwhile.  Where the
 * settings say that others may delete, what is less than that is an expunge.
 *
 * From a directory that cannot be read (no descriptor left, no permission, an
 * input error) nothing is concluded: it is looked at again.
 *
 * A whole folder is read when its directories changed since they were read last
 * and the watch (mailbox_watch.c) cannot say by which files.
 */
#include "imapd/folder_look.h"

#include "common/log.h"
#include "common/memory.h"
#include "imapd/noticed.h"

#include <stdlib.h>
#include <time.h>

enum {
	/* Directory times go in steps of the kernel's tick (10 ms at most): a
	 * change may carry the time of one that was seen. */
	YOUNG_NS = 50 * 1000 * 1000
};

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
take_stamps(struct account_store *account, const struct folder *folder,
    struct directory_stamp stamps[2])
{
	files_stamp(account, folder, "cur", &stamps[0]);
	files_stamp(account, folder, "new", &stamps[1]);
}

static bool
has_moved(const struct folder *folder, const struct directory_stamp stamps[2])
{
	return stamps[0].changed_ns != folder->state.cur_changed_ns ||
	       stamps[1].changed_ns != folder->state.new_changed_ns;
}

static void
note_stamps(struct folder *folder, const struct directory_stamp stamps[2])
{
	folder->state.cur_changed_ns = stamps[0].changed_ns;
	folder->state.new_changed_ns = stamps[1].changed_ns;
}

static void
note_times(struct account_store *account, struct folder *folder)
{
	struct directory_stamp stamps[2];

	take_stamps(account, folder, stamps);
	note_stamps(folder, stamps);
}

bool
sync_is_unseen(const struct account_store *account, const struct folder *folder)
{
	return folder->needs_scan || watcher_noticed(account, folder) > 0;
}

/* -- Looks -- */

static void
begin_look(struct look *look)
{
	folder_load(look->folder);
	look->seen = memory_new(folder_count(look->folder) + 1, 1);
	index_begin(look->account->index);
}

/* The folder's record says what was seen. */
static void
settle_look(struct look *look)
{
	struct account_store *account = look->account;
	struct folder *folder = look->folder;

	folder->is_adopting = look->found_count > 0;
	later_follow(account, folder);
	folder_put(account, folder);
	index_commit(account->index);
	if (folder->needs_scan)
		watcher_look_later(account);
}

static void
end_look(struct look *look)
{
	free(look->seen);
	if (look->flagged_count > 0)
		flags_take_over(look->account, look->folder, look->flagged,
		    look->flagged_count);
	if (look->found_count > 0)
		adopt_files(look->account, look->folder, look->found,
		    look->found_count);
}

/* All of both halves. What was noticed before is among it. */
static void
look_at_whole(struct look *look)
{
	struct account_store *account = look->account;
	struct folder *folder = look->folder;
	struct noticed noticed;

	watcher_add(account, folder);
	watcher_read(account);
	watcher_take(account, folder, &noticed);
	noticed_clear(&noticed);
	note_times(account, folder);
	begin_look(look);
	if (folder->must_compare)
		look->changed =
		    memory_new(folder_count(folder) + 1, sizeof(int64_t));
	look_into_all(look);
	folder->needs_scan =
	    look->is_blind || look->has_left ||
	    (!watcher_sees(account, folder) && is_young(folder));
	if (!look->is_blind)
		watcher_trust(account, folder);
	settle_look(look);
	look_for_losses(look);
	look_compare_newest(look);
	end_look(look);
}

/* Those alone that the watch tells of: all that there is to be seen. */
static void
look_at_names(struct look *look, const struct directory_stamp stamps[2])
{
	struct folder *folder = look->folder;
	struct noticed noticed;

	watcher_take(look->account, folder, &noticed);
	begin_look(look);
	look_at_noticed(look, &noticed);
	noticed_clear(&noticed);
	note_stamps(folder, stamps);
	folder->needs_scan |= look->is_blind || look->has_left;
	settle_look(look);
	if (look->has_gone)
		look_for_losses(look);
	end_look(look);
}

static bool
may_look(const struct account_store *account, const struct folder *folder)
{
	return !folder->is_adopting && !index_is_broken(account->index) &&
	       store_client_is_present(account->client);
}

static void
sync_whole(
    struct account_store *account, struct folder *folder, bool is_patient)
{
	struct look look = {
		.account = account, .folder = folder, .is_patient = is_patient
	};
	struct error error;

	heal_file_settle(account);
	if (files_make_folder(account, folder, &error) == -1)
		log_warning("folder-make", "mailbox=%llu error=\"%s\"",
		    (unsigned long long)folder->info.id, error.text);
	look_at_whole(&look);
	/* With its messages, if it has some: their UIDs stand in its list. */
	if (look.found_count == 0 && !look.is_blind && !look.is_early)
		adopt_identity(account, folder);
}

void
sync_folder(struct account_store *account, struct folder *folder)
{
	if (may_look(account, folder))
		sync_whole(account, folder, false);
}

/* The stamps are taken before the watch is read: what happened up to then is
 * among what it tells. */
static void
sync_changed(
    struct account_store *account, struct folder *folder, bool is_patient)
{
	struct look look = {
		.account = account, .folder = folder, .is_patient = is_patient
	};
	struct directory_stamp stamps[2];
	bool is_known, is_moved;

	heal_file_settle(account);
	take_stamps(account, folder, stamps);
	watcher_read(account);
	if (!may_look(account, folder))
		return;
	is_moved = has_moved(folder, stamps);
	is_known = !folder->needs_scan &&
		   watcher_knows(account, folder, stamps, is_moved);
	if (is_known && watcher_noticed(account, folder) > 0) {
		look_at_names(&look, stamps);
	} else if (is_known && is_moved) { /* by what needs no look */
		note_stamps(folder, stamps);
		folder_put(account, folder);
	} else if (!is_known && (folder->needs_scan || is_moved)) {
		sync_whole(account, folder, is_patient);
	}
}

void
sync_folder_if_changed(struct account_store *account, struct folder *folder)
{
	sync_changed(account, folder, false);
}

void
sync_folder_patiently(struct account_store *account, struct folder *folder)
{
	sync_changed(account, folder, true);
}

/* -- Changes of our own -- */

bool
sync_begin_change(struct account_store *account, struct folder *folder)
{
	struct directory_stamp stamps[2];

	if (!watcher_add(account, folder))
		return false;
	heal_file_settle(account);
	take_stamps(account, folder, stamps);
	if (sync_is_unseen(account, folder) || has_moved(folder, stamps))
		return false;
	watcher_trust(account, folder);
	return true;
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

		later_finish(account, folder);
		folder->needs_scan |= is_young(folder);
		if (sync_is_unseen(account, folder))
			folder_put(account, folder);
	}
}
