/*
 * Files that follow their rows a little later: when thousands of flags are set,
 * or as many messages expunged, with one command, renaming and removing the
 * files is most of the work, and nobody who looks through us sees it.  So it is
 * done in the background, some files a step, as other sessions allow. Meanwhile
 * the index has the name that a file has, so that it is read; and of a message
 * that is expunged, the name without a row.  A command that comes meanwhile,
 * and those that follow it closely, go before.
 *
 * A clean end leaves nothing.  What a kill leaves is done by the next start,
 * which looks at whole folders after one (folder_look.c), as with a file that
 * could not be renamed.
 */
#include "imapd/account_state.h"

#include "common/clock.h"
#include "common/memory.h"

#include <stdlib.h>

enum {
	LATER_A_STEP = 64,
	LATER_PAUSE_MS = 1,
	LATER_YIELD_MS = 10, /* without a command: sessions come first, */
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

/* The next ones of the folder, at most so many. */
static void
do_some(struct account_store *account, struct folder *folder, size_t count)
{
	bool was_current = sync_begin_change(account, folder);

	directories_hold(account);
	index_begin(account->index);
	/* A name that only the disk knows would pass for another program's
	 * wish: the row goes before it. */
	index_flush(account->index);
	while (count-- > 0 && folder->later_count > 0)
		do_file(account, folder, folder->later[--folder->later_count]);
	if (folder->later_count == 0)
		memory_free(&folder->later);
	directories_release(account);
	if (was_current)
		sync_end_change(account, folder);
	folder_put(account, folder);
	index_commit(account->index);
	watcher_read(account);
}

static void
step(void *context)
{
	struct account_store *account = context;

	account->later_step_us = clock_monotonic_us();

	for (size_t i = 0; i < account->folder_count; i++)
		if (account->folders[i]->later_count > 0) {
			do_some(account, account->folders[i], LATER_A_STEP);
			timer_start(account->later_timer, LATER_PAUSE_MS);
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

void
later_add(struct account_store *account, struct folder *folder, uint32_t uid)
{
	if (account->later_timer == NULL)
		account->later_timer = timer_new(account->loop, step, account);
	if (!account->has_later) {
		account->has_later = true;
		account->later_step_us = clock_monotonic_us();
		timer_start(account->later_timer, LATER_PAUSE_MS);
	}
	view_add_uid(&folder->later, &folder->later_count, uid);
}

void
later_finish(struct account_store *account, struct folder *folder)
{
	while (folder->later_count > 0)
		do_some(account, folder, folder->later_count);
}

void
later_free(struct account_store *account)
{
	timer_free(&account->later_timer);
}
