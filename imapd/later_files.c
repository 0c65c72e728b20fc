/*
 * Files that follow their rows: the row is changed first, then its file gets
 * another name, or goes.  When thousands of flags are set, or as many messages
 * expunged, with one command, that is most of the work, and nobody who looks
 * through us sees it.  So it is done in the background, some files a step, as
 * other sessions allow. Meanwhile the index has the name that a file has, so
 * that it is read; and of a message that is expunged, the name without a row.
 * A command that comes meanwhile, and those that follow it closely, go before.
 *
 * A clean end leaves nothing.  What a kill leaves is done by the next start,
 * which looks at whole folders after one (folder_look.c), as with a file that
 * could not be renamed.  A name that the index does not know passes for another
 * program's wish there.  So the index has on disk that we are renaming a file
 * (is_being_named) before we do it; then such a name is ours, or will be, and
 * what the row says counts, whatever became of that meanwhile.  That it is over
 * goes to the disk with the next change.  A wish of another program's for that
 * very file is lost if we are killed in between, and only then.
 */
#include "imapd/account_state.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	LATER_A_STEP = 64,
	LATER_PAUSE_MS = 1,
	LATER_HELD_MS = 1000, /* the disk is full: nothing can be noted */
	LATER_A_TURN = 4096,  /* that are renamed at once, */
	LATER_YIELD_MS = 10,  /* without a command: sessions come first, */
	LATER_YIELD_MOST_US = 100 * 1000 /* but not for ever */
};

/* Renamed to what its row says, or removed if it has none. */
static void
do_file(struct account_store *account, struct folder *folder, uint32_t uid)
{
	uint64_t mailbox = folder->info.id;
	struct message_record record = { .mailbox = mailbox, .uid = uid };
	struct index_file file;
	struct index_row row;

	if (!index_find_file(account->index, mailbox, uid, &file))
		return;
	if (!index_find_row(account->index, mailbox, uid, &row)) {
		if (files_unlink(account, folder, &file) == 0)
			index_forget_file(account->index, mailbox, uid);
		else
			folder->needs_scan = true;
	} else if (!file.has_new_flags) {
		/* Else others have renamed it, and are asked what they
		 * meant. */
		record.born = file.born;
		record.flags = row.flags & FLAG_ALL;
		record.keywords = row.keywords;
		apply_file_name(account, folder, &record);
	}
}

static void
set_naming(struct account_store *account, uint64_t mailbox, uint32_t uid,
    struct index_file *file, bool is_being_named)
{
	file->is_being_named = is_being_named;
	index_put_file(account->index, mailbox, uid, file);
}

/* False: leave it to the look at the folder, which is still to come.  It was
 * noted by the life before, which may have renamed it. */
static bool
note_naming(struct account_store *account, struct folder *folder, uint32_t uid)
{
	uint64_t mailbox = folder->info.id;
	struct index_file file;
	struct index_row row;

	if (!index_find_file(account->index, mailbox, uid, &file) ||
	    file.has_new_flags ||
	    !index_find_row(account->index, mailbox, uid, &row))
		return true;
	if (file.is_being_named) {
		folder->needs_scan = true;
		return false;
	}
	set_naming(account, mailbox, uid, &file, true);
	return true;
}

/* Of the last ones, from there on: none twice. */
static void
note_last(struct account_store *account, struct folder *folder, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < folder->later_count; i++)
		if (note_naming(account, folder, folder->later[i]))
			folder->later[kept++] = folder->later[i];
	folder->later_count = kept;
}

/* They are noted once more when there is room. */
static void
forget_notes(struct account_store *account, struct folder *folder, size_t from)
{
	uint64_t mailbox = folder->info.id;
	struct index_file file;

	for (size_t i = from; i < folder->later_count; i++)
		if (index_find_file(
			account->index, mailbox, folder->later[i], &file) &&
		    file.is_being_named)
			set_naming(
			    account, mailbox, folder->later[i], &file, false);
}

/* The last `count` of the folder; false: none, since it cannot be noted. */
static bool
do_last(struct account_store *account, struct folder *folder, size_t count)
{
	size_t from = folder->later_count - count;
	bool is_noted;

	directories_hold(account);
	index_begin(account->index);
	note_last(account, folder, from);
	is_noted = index_flush(account->index);
	if (!is_noted)
		forget_notes(account, folder, from);
	while (is_noted && folder->later_count > from)
		do_file(account, folder, folder->later[--folder->later_count]);
	if (folder->later_count == 0)
		memory_free(&folder->later);
	index_commit_later(account->index);
	directories_release(account);
	return is_noted;
}

/* The next ones of the folder, at most so many, in the background. */
static bool
do_some(struct account_store *account, struct folder *folder, size_t count)
{
	bool was_current = sync_begin_change(account, folder), is_done;

	if (count > folder->later_count)
		count = folder->later_count;
	index_begin(account->index);
	is_done = do_last(account, folder, count);
	if (was_current)
		sync_end_change(account, folder);
	folder_put(account, folder);
	index_commit(account->index);
	watcher_read(account);
	return is_done;
}

static void
step(void *context)
{
	struct account_store *account = context;
	bool is_done;

	account->later_step_us = clock_monotonic_us();

	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->later_count > 0) {
			is_done =
			    do_some(account, account->folders[i], LATER_A_STEP);
			timer_start(account->later_timer,
			    is_done ? LATER_PAUSE_MS : LATER_HELD_MS);
			return;
		}
	account->has_later = false;
}

void
later_yield(struct account_store *account)
{
	if (account->has_later &&
	    clock_monotonic_us() - account->later_step_us < LATER_YIELD_MOST_US)
		timer_start(account->later_timer, LATER_YIELD_MS);
}

static void
start_in(struct account_store *account, int64_t pause_ms)
{
	if (account->later_timer == NULL)
		account->later_timer = timer_new(account->loop, step, account);
	if (!account->has_later) {
		account->has_later = true;
		account->later_step_us = clock_monotonic_us();
		timer_start(account->later_timer, pause_ms);
	}
}

void
later_add(struct account_store *account, struct folder *folder, uint32_t uid,
    bool is_later)
{
	view_add_uid(&folder->later, &folder->later_count, uid);
	if (is_later)
		start_in(account, LATER_PAUSE_MS);
	else
		folder->later_now++;
}

void
later_follow(struct account_store *account, struct folder *folder)
{
	while (folder->later_now > 0) {
		size_t count = folder->later_now < LATER_A_TURN
				   ? folder->later_now
				   : LATER_A_TURN;

		folder->later_now -= count;
		if (!do_last(account, folder, count)) {
			folder->later_now = 0;
			start_in(account, LATER_HELD_MS);
		}
		if (folder->later_now > 0)
			watcher_read(account);
	}
}

/* But what cannot be noted: the next start does it. */
void
later_finish(struct account_store *account, struct folder *folder)
{
	folder->later_now = 0;
	while (folder->later_count > 0 &&
	       do_some(account, folder, folder->later_count))
		continue;
}

void
later_free(struct account_store *account)
{
	timer_free(&account->later_timer);
}
