/*
 * Notices what other programs do in the folders that were looked at, that
 * sessions have open or that we write to: one inotify instance for the process,
 * two watches a folder.  Each event is held against the index, file by file, so
 * that what another program does between two writes of our own is not taken for
 * ours; directory times alone cannot tell them apart.
 *
 * The names that do not agree are kept until somebody looks (mailbox_sync.c):
 * then only at them.  The kernel queues an event before the call that made it
 * returns, so whoever reads until nothing is left knows all that was done
 * before he began.  A queue that ran over, a list that is full, a directory
 * that was moved or removed, one that changed without an event (on a network
 * file system others' changes come without): the folder is looked at whole.
 *
 * Where there is no instance or no watch left, directory times are compared
 * when a mailbox is opened or counted, and nothing is believed of a folder
 * that we wrote to: it is looked at whole the next time.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "imapd/noticed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WATCH_DELAY_MS = 200,   /* others write several files in a row */
	WATCH_AGAIN_MS = 30000, /* what could not be looked at */
	WATCH_MAX_FOLDERS = 1000,
	WATCH_MAX_NAMES = 32768, /* that wait to be looked at */
	PART_CUR = 0,
	PART_NEW = 1
};

struct watched {
	uint64_t mailbox;
	int wd[2];
	struct directory_stamp stamps[2]; /* which directories they are of */
	/* Since then all that was not told of was looked at. */
	bool is_trusted;
	bool was_told; /* anything, since directory times were compared */
	struct noticed noticed;
};

struct watcher {
	struct account_store *account;
	int fd;
	struct watch *watch;
	struct timer *timer; /* to look at what changed */
	bool is_soon;        /* it runs */
	struct timer *again; /* at what could not be looked at */
	struct table *by_mailbox;
	struct table *by_descriptor;
	size_t name_count;
};

/* -- Looking, later -- */

static void
look(void *context)
{
	struct watcher *watcher = context;
	struct account_store *account = watcher->account;
	bool is_left = false;

	watcher->is_soon = false;
	if (account->status != STATUS_OK)
		return;
	for (size_t i = 0; i < account->folder_count; i++) {
		struct folder *folder = account->folders[i];
		bool is_watched = folder->needs_watch &&
				  folder->views != NULL &&
				  watcher_add(account, folder);

		folder->needs_watch = false;
		if (is_watched || folder->needs_scan ||
		    watcher_sees(account, folder))
			sync_folder_patiently(account, folder);
		is_left |= folder->needs_scan;
	}
	if (is_left)
		timer_start(watcher->again, WATCH_AGAIN_MS);
}

static struct watcher *
get_watcher(struct account_store *account)
{
	struct watcher *watcher = account->watcher;

	if (watcher != NULL)
		return watcher;
	watcher = memory_new(1, sizeof(*watcher));
	watcher->account = account;
	watcher->fd = -1;
	watcher->timer = timer_new(account->loop, look, watcher);
	watcher->again = timer_new(account->loop, look, watcher);
	watcher->by_mailbox = table_new();
	watcher->by_descriptor = table_new();
	account->watcher = watcher;
	return watcher;
}

/* Not put off by what comes meanwhile: there may be no end of it. */
void
watcher_look_soon(struct account_store *account)
{
	struct watcher *watcher = get_watcher(account);

	if (!watcher->is_soon)
		timer_start(watcher->timer, WATCH_DELAY_MS);
	watcher->is_soon = true;
}

void
watcher_look_later(struct account_store *account)
{
	timer_start(get_watcher(account)->again, WATCH_AGAIN_MS);
}

/* -- Events -- */

static struct watched *
find_watched(const struct account_store *account, const struct folder *folder)
{
	return account->watcher == NULL
		   ? NULL
		   : table_find_u64(
			 account->watcher->by_mailbox, folder->info.id);
}

static void
suspect(struct account_store *account, struct folder *folder)
{
	folder->needs_scan = true;
	watcher_look_soon(account);
}

/* The index has the file exactly where it is, or neither has it.  An older
 * event of ours, of a file that we have since renamed or removed, agrees too;
 * only for those the directory is asked. */
static bool
agrees(struct account_store *account, const struct folder *folder, bool is_new,
    const char *name, bool has_come)
{
	char path[ACCOUNT_PATH_MAX];
	struct maildir_name parsed;
	struct index_file file;
	struct stat info;
	bool is_known;
	uint32_t uid;

	if (maildir_name_parse(text_of(name), &parsed) == -1)
		return true; /* no message */
	uid = index_find_name(account->index, folder->info.id, parsed.base);
	is_known =
	    uid != 0 &&
	    index_find_file(account->index, folder->info.id, uid, &file) &&
	    file.is_new == is_new && text_is(file.name, name);
	if (is_known == has_come)
		return true;
	files_path(folder, is_new, text_of(name), path);
	return is_known == (fstatat(account->home_fd, path, &info,
				AT_SYMLINK_NOFOLLOW) == 0);
}

bool
watcher_notice(struct account_store *account, const struct folder *folder,
    bool is_new, const char *name)
{
	struct watched *w = find_watched(account, folder);

	if (w == NULL || account->watcher->name_count == WATCH_MAX_NAMES)
		return false;
	account->watcher->name_count++;
	noticed_add(&w->noticed, is_new, name);
	watcher_look_soon(account);
	return true;
}

static void
overflowed(struct watcher *watcher)
{
	struct folder *folder;
	size_t position = 0;
	void *value;

	log_info(
	    "watch-overflow", "folders=%zu", table_count(watcher->by_mailbox));
	while (table_next(watcher->by_mailbox, &position, NULL, NULL, &value)) {
		const struct watched *w = value;

		folder = folder_find_id(watcher->account, w->mailbox);
		if (folder != NULL)
			suspect(watcher->account, folder);
	}
}

static void
received(struct watcher *watcher, const struct inotify_event *event)
{
	struct account_store *account = watcher->account;
	struct folder *folder = NULL;
	struct watched *w;
	bool is_new;

	if (event->mask & IN_Q_OVERFLOW) {
		overflowed(watcher);
		return;
	}
	w = table_find_u64(watcher->by_descriptor, (uint64_t)event->wd);
	if (w != NULL)
		folder = folder_find_id(account, w->mailbox);
	if (folder == NULL)
		return;
	w->was_told |= event->len > 0;
	is_new = w->wd[PART_NEW] == event->wd;
	if (event->mask &
	    (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
		watcher_remove(account, folder);
		suspect(account, folder);
	} else if (event->len > 0 && !folder->needs_scan &&
		   !agrees(account, folder, is_new, event->name,
		       (event->mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)) !=
			   0) &&
		   !watcher_notice(account, folder, is_new, event->name)) {
		suspect(account, folder);
	}
}

void
watcher_read(struct account_store *account)
{
	struct watcher *watcher = account->watcher;
	union {
		struct inotify_event event;
		char bytes[16384];
	} buf;
	ssize_t n;

	if (watcher == NULL || watcher->fd == -1)
		return;
	while ((n = read(watcher->fd, buf.bytes, sizeof(buf.bytes))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event =
			    (const void *)(buf.bytes + at);

			received(watcher, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
}

static void
fired(int fd, int events, void *context)
{
	struct watcher *watcher = context;

	watcher_read(watcher->account);
}

/* -- Folders -- */

static bool
has_instance(struct watcher *watcher)
{
	if (watcher->fd != -1)
		return true;
	watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watcher->fd != -1)
		watcher->watch = watch_new(watcher->account->loop, watcher->fd,
		    WATCH_READ, fired, watcher);
	return watcher->fd != -1;
}

static const char *const parts[2] = { "cur", "new" };

/* -1: there is none, or it was exchanged meanwhile. */
static int
watch_part(struct account_store *account, const struct folder *folder,
    size_t part, struct directory_stamp *stamp)
{
	char path[ACCOUNT_PATH_MAX + 40];
	struct directory_stamp before;
	int wd;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, parts[part]);
	files_stamp(account, folder, parts[part], &before);
	wd = inotify_add_watch(account->watcher->fd, path,
	    IN_CREATE | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
		IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW);
	files_stamp(account, folder, parts[part], stamp);
	if (wd == -1 || files_are_one(&before, stamp))
		return wd;
	inotify_rm_watch(account->watcher->fd, wd);
	return -1;
}

bool
watcher_add(struct account_store *account, struct folder *folder)
{
	struct watcher *watcher = get_watcher(account);
	struct watched *w;

	if (watcher_sees(account, folder))
		return true;
	watcher_remove(account, folder); /* one that came to nothing */
	if (table_count(watcher->by_mailbox) == WATCH_MAX_FOLDERS ||
	    !has_instance(watcher))
		return false;
	w = memory_new(1, sizeof(*w));
	w->mailbox = folder->info.id;
	for (size_t i = 0; i < 2; i++) {
		w->wd[i] = watch_part(account, folder, i, &w->stamps[i]);
		if (w->wd[i] != -1)
			table_put_u64(
			    watcher->by_descriptor, (uint64_t)w->wd[i], w);
	}
	table_put_u64(watcher->by_mailbox, w->mailbox, w);
	return watcher_sees(account, folder);
}

void
watcher_add_soon(struct account_store *account, struct folder *folder)
{
	if (watcher_sees(account, folder))
		return;
	folder->needs_watch = true;
	watcher_look_soon(account);
}

bool
watcher_sees(struct account_store *account, const struct folder *folder)
{
	const struct watched *w = find_watched(account, folder);

	return w != NULL && w->wd[PART_CUR] != -1 && w->wd[PART_NEW] != -1;
}

void
watcher_trust(struct account_store *account, const struct folder *folder)
{
	struct watched *w = find_watched(account, folder);

	if (w != NULL)
		w->is_trusted = true;
}

bool
watcher_knows(struct account_store *account, struct folder *folder,
    const struct directory_stamp stamps[2], bool has_moved)
{
	struct watched *w = find_watched(account, folder);
	bool was_told;

	if (!watcher_sees(account, folder))
		return false;
	if (!files_are_one(&w->stamps[PART_CUR], &stamps[PART_CUR]) ||
	    !files_are_one(&w->stamps[PART_NEW], &stamps[PART_NEW])) {
		watcher_remove(account, folder);
		folder->needs_scan = true;
		return false;
	}
	was_told = w->is_trusted && w->was_told;
	w->was_told = false;
	w->is_trusted |= !has_moved;
	return was_told || !has_moved;
}

size_t
watcher_noticed(
    const struct account_store *account, const struct folder *folder)
{
	const struct watched *w = find_watched(account, folder);

	return w == NULL ? 0 : w->noticed.count;
}

void
watcher_take(struct account_store *account, const struct folder *folder,
    struct noticed *taken)
{
	struct watched *w = find_watched(account, folder);

	memset(taken, 0, sizeof(*taken));
	if (w == NULL)
		return;
	account->watcher->name_count -= w->noticed.count;
	noticed_take(&w->noticed, taken);
}

static void
free_watched(struct watcher *watcher, struct watched *w)
{
	for (size_t i = 0; i < 2; i++)
		if (w->wd[i] != -1) {
			table_remove_u64(
			    watcher->by_descriptor, (uint64_t)w->wd[i]);
			inotify_rm_watch(watcher->fd, w->wd[i]);
		}
	watcher->name_count -= w->noticed.count;
	noticed_clear(&w->noticed);
	free(w);
}

void
watcher_remove(struct account_store *account, struct folder *folder)
{
	struct watched *w = find_watched(account, folder);

	if (w == NULL)
		return;
	table_remove_u64(account->watcher->by_mailbox, w->mailbox);
	free_watched(account->watcher, w);
}

void
watcher_free(struct account_store *account)
{
	struct watcher *watcher = account->watcher;
	size_t position = 0;
	void *value;

	if (watcher == NULL)
		return;
	while (table_next(watcher->by_mailbox, &position, NULL, NULL, &value))
		free_watched(watcher, value);
	table_free(&watcher->by_mailbox);
	table_free(&watcher->by_descriptor);
	if (watcher->fd != -1) {
		watch_free(&watcher->watch);
		close(watcher->fd);
	}
	timer_free(&watcher->timer);
	timer_free(&watcher->again);
	memory_free(&account->watcher);
}
