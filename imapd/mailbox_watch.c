/*
 * Notices what other programs do in the folders that sessions have open: one
 * inotify instance for the process, two watches a folder.  Where there is no
 * instance left, directory times are compared when a mailbox is opened or
 * counted, which also finds everything, only later.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	WATCH_DELAY_MS = 200 /* others write several files in a row */
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
	struct timer *timer;
	struct watched *watched;
};

static void
fired(int fd, int events, void *context)
{
	struct watcher *watcher = context;
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	timer_start(watcher->timer, WATCH_DELAY_MS);
}

static void
look(void *context)
{
	struct watcher *watcher = context;
	struct account_store *account = watcher->account;

	for (struct watched *w = watcher->watched; w != NULL; w = w->next) {
		struct folder *folder = folder_find_id(account, w->mailbox);

		if (folder != NULL && account->status == STATUS_OK)
			sync_folder_if_changed(account, folder);
	}
}

static bool
start(struct account_store *account)
{
	struct watcher *watcher;
	int fd;

	if (account->watcher != NULL)
		return account->watcher->fd != -1;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watcher = memory_new(1, sizeof(*watcher));
	watcher->account = account;
	watcher->fd = fd;
	if (fd != -1)
		watcher->watch =
		    watch_new(account->loop, fd, WATCH_READ, fired, watcher);
	watcher->timer = timer_new(account->loop, look, watcher);
	account->watcher = watcher;
	return fd != -1;
}

void
watcher_add(struct account_store *account, struct folder *folder)
{
	static const char *const parts[2] = { "cur", "new" };
	struct watched *w;

	if (folder->views == NULL && folder->is_loaded == false)
		return;
	if (!start(account))
		return;
	for (w = account->watcher->watched; w != NULL; w = w->next)
		if (w->mailbox == folder->info.id)
			return;
	w = memory_new(1, sizeof(*w));
	w->mailbox = folder->info.id;
	for (size_t i = 0; i < 2; i++) {
		char path[ACCOUNT_PATH_MAX + 40];

		snprintf(
		    path, sizeof(path), "%s/%s", folder->directory, parts[i]);
		w->wd[i] = inotify_add_watch(account->watcher->fd, path,
		    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
			IN_ONLYDIR | IN_DONT_FOLLOW);
	}
	w->next = account->watcher->watched;
	account->watcher->watched = w;
}

void
watcher_remove(struct account_store *account, struct folder *folder)
{
	struct watched **at, *w;

	if (account->watcher == NULL)
		return;
	for (at = &account->watcher->watched; (w = *at) != NULL; at = &w->next)
		if (w->mailbox == folder->info.id)
			break;
	if (w == NULL)
		return;
	*at = w->next;
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
	memory_free(&account->watcher);
}
