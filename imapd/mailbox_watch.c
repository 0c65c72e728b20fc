/*
 * Notices what other programs do in the folders that sessions have open or
 * that we write to: one inotify instance for the process, two watches a
 * folder.  Each event is held against the index, file by file, so that what
 * another program does between two writes of our own is not taken for ours;
 * directory times alone cannot tell them apart.
 *
 * Where there is no instance or no watch left, directory times are compared
 * when a mailbox is opened or counted, and nothing is believed of a folder
 * that we wrote to: it is looked at whole the next time.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

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
	PART_CUR = 0,
	PART_NEW = 1
};

struct watched {
	struct watched *next;
	uint64_t mailbox;
	int wd[2];
};

struct watcher {
	struct account_store *account;
	int fd;
	struct watch *watch;
	struct timer *timer; /* to look at what changed */
	struct timer *again; /* at what could not be looked at */
	struct watched *watched;
	size_t count;
};

/* -- Looking, later -- */

static void
look(void *context)
{
	struct watcher *watcher = context;
	struct account_store *account = watcher->account;
	bool is_left = false;

	if (account->status != STATUS_OK)
		return;
	for (size_t i = 0; i < account->folder_count; i++) {
		struct folder *folder = account->folders[i];

		if (folder->needs_scan || watcher_sees(account, folder))
			sync_folder_if_changed(account, folder);
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
	account->watcher = watcher;
	return watcher;
}

void
watcher_look_soon(struct account_store *account)
{
	timer_start(get_watcher(account)->timer, WATCH_DELAY_MS);
}

void
watcher_look_later(struct account_store *account)
{
	timer_start(get_watcher(account)->again, WATCH_AGAIN_MS);
}

/* -- Events -- */

static struct watched *
find_watched(
    struct watcher *watcher, const struct folder *folder, struct watched ***at)
{
	struct watched **w = &watcher->watched;

	while (*w != NULL && (*w)->mailbox != folder->info.id)
		w = &(*w)->next;
	if (at != NULL)
		*at = w;
	return *w;
}

static struct folder *
folder_of(struct watcher *watcher, int wd, bool *is_new)
{
	for (struct watched *w = watcher->watched; w != NULL; w = w->next)
		if (w->wd[PART_CUR] == wd || w->wd[PART_NEW] == wd) {
			*is_new = w->wd[PART_NEW] == wd;
			return folder_find_id(watcher->account, w->mailbox);
		}
	return NULL;
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

static void
received(struct watcher *watcher, const struct inotify_event *event)
{
	struct account_store *account = watcher->account;
	struct folder *folder;
	bool is_new;

	if (event->mask & IN_Q_OVERFLOW) {
		for (struct watched *w = watcher->watched; w != NULL;
		     w = w->next) {
			folder = folder_find_id(account, w->mailbox);
			if (folder != NULL)
				suspect(account, folder);
		}
		return;
	}
	folder = folder_of(watcher, event->wd, &is_new);
	if (folder == NULL)
		return;
	if (event->mask &
	    (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
		watcher_remove(account, folder);
		suspect(account, folder);
	} else if (event->len > 0 && !folder->needs_scan &&
		   !agrees(account, folder, is_new, event->name,
		       (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)) {
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

bool
watcher_add(struct account_store *account, struct folder *folder)
{
	static const char *const parts[2] = { "cur", "new" };
	struct watcher *watcher = get_watcher(account);
	struct watched *w;

	if (watcher_sees(account, folder))
		return true;
	watcher_remove(account, folder); /* one that came to nothing */
	if (watcher->count == WATCH_MAX_FOLDERS || !has_instance(watcher))
		return false;
	w = memory_new(1, sizeof(*w));
	w->mailbox = folder->info.id;
	for (size_t i = 0; i < 2; i++) {
		char path[ACCOUNT_PATH_MAX + 40];

		snprintf(
		    path, sizeof(path), "%s/%s", folder->directory, parts[i]);
		w->wd[i] = inotify_add_watch(watcher->fd, path,
		    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
			IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
			IN_DONT_FOLLOW);
	}
	w->next = watcher->watched;
	watcher->watched = w;
	watcher->count++;
	return watcher_sees(account, folder);
}

bool
watcher_sees(struct account_store *account, const struct folder *folder)
{
	struct watched *w;

	if (account->watcher == NULL)
		return false;
	w = find_watched(account->watcher, folder, NULL);
	return w != NULL && w->wd[PART_CUR] != -1 && w->wd[PART_NEW] != -1;
}

void
watcher_remove(struct account_store *account, struct folder *folder)
{
	struct watched **at, *w;

	if (account->watcher == NULL)
		return;
	w = find_watched(account->watcher, folder, &at);
	if (w == NULL)
		return;
	*at = w->next;
	account->watcher->count--;
	for (size_t i = 0; i < 2; i++)
		if (w->wd[i] != -1)
			inotify_rm_watch(account->watcher->fd, w->wd[i]);
	free(w);
}

void
watcher_free(struct account_store *account)
{
	struct watcher *watcher = account->watcher;

	if (watcher == NULL)
		return;
	while (watcher->watched != NULL) {
		struct watched *w = watcher->watched;

		watcher->watched = w->next;
		free(w);
	}
	if (watcher->fd != -1) {
		watch_free(&watcher->watch);
		close(watcher->fd);
	}
	timer_free(&watcher->timer);
	timer_free(&watcher->again);
	memory_free(&account->watcher);
}
