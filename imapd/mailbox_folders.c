/*
 * The folders of the Maildir against the list of mailboxes, at start: a RENAME
 * or DELETE that a crash cut is finished, a folder of another program becomes a
 * mailbox, and what stands in each is looked at (mailbox_sync.c).
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	PLACE_TURNS = 100, /* one that is in the way moves first */
	MAX_NAMES_BYTES = 64 << 20
};

/* The mailbox whose id it carries; false: it carries none of this store. */
static bool
find_id(struct account_store *account, const char *path, uint64_t *mailbox)
{
	struct store_id store;

	return files_read_id(account, path, &store, mailbox) == 0 &&
	       memcmp(&store, &account->meta.store, sizeof(store)) == 0;
}

/* Where it belongs stands another directory: true if that is changed. */
static bool
make_way(struct account_store *account, const struct folder *folder,
    const char *path)
{
	uint64_t mailbox;

	if (!find_id(account, folder->directory, &mailbox)) {
		files_set_aside(account, folder->directory, folder->info.id);
		return true;
	}
	if (mailbox != folder->info.id)
		return false;           /* it goes where it belongs itself */
	files_forget_id(account, path); /* a copy that somebody made */
	return true;
}

/* The mailbox whose messages would be there. */
static struct folder *
find_by_directory(struct account_store *account, const char *name)
{
	struct folder *folder = NULL;
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE + 1);
	if (maildir_folder_parse(text_of(name), &buf) == 0)
		folder = folder_find(account, text_make(buf.data, buf.size));
	buf_clear(&buf);
	return folder;
}

/* It is where it belongs, unless a crash cut something. */
static bool
is_in_place(struct account_store *account, const char *name, const char *path)
{
	struct folder *folder = find_by_directory(account, name);

	return folder != NULL && strcmp(folder->directory, path) == 0 &&
	       !index_was_killed(account->index) && !account->is_rebuilt &&
	       !account->is_put_back;
}

/*
 * A folder that carries the id of a live mailbox of another name is a RENAME
 * that a crash cut, one with the id of a retired mailbox a DELETE; one without
 * any is a mailbox of another program.  If the store was put back to an older
 * state, an id that it does not know may be one that it has forgotten.  True if
 * something was moved; `is_last`: what is in each other's way is put aside, and
 * its files are made again.
 */
static bool
place_directory(struct account_store *account, const char *name, bool is_last)
{
	char path[ACCOUNT_PATH_MAX];
	struct folder *folder;
	struct error error;
	uint64_t mailbox;

	snprintf(path, sizeof(path), "Maildir/%s", name);
	if (is_in_place(account, name, path) ||
	    !find_id(account, path, &mailbox))
		return false;
	folder = folder_find_id(account, mailbox);
	if (folder == NULL && account->is_put_back)
		files_forget_id(account, path); /* of the lost time: adopted */
	else if (folder == NULL)
		files_set_aside(account, path, mailbox);
	if (folder == NULL)
		return true;
	if (strcmp(folder->directory, path) == 0)
		return false;
	if (file_rename_new(account->home_fd, path, account->home_fd,
		folder->directory, &error) == 0) {
		log_info("rename-finished", "mailbox=%llu",
		    (unsigned long long)mailbox);
		folder->needs_scan = true;
		return true;
	}
	if (is_last)
		files_set_aside(account, path, mailbox);
	return is_last || make_way(account, folder, path);
}

/* The names, a NUL behind each, of what may be folders. */
static int
list_directories(struct account_store *account, struct buf *names)
{
	struct dirent *entry;
	struct error error;
	DIR *listing;

	if (files_list(account->home_fd, "Maildir", &listing, &error) == -1) {
		log_warning("folders-unreadable", "error=\"%s\"", error.text);
		return -1;
	}
	while ((entry = readdir(listing)) != NULL)
		if (entry->d_name[0] == '.' && entry->d_name[1] != '.' &&
		    entry->d_name[1] != '\0')
			(void)buf_put(
			    names, entry->d_name, strlen(entry->d_name) + 1);
	closedir(listing);
	return 0;
}

static const char *
next_name(const struct buf *names, size_t *at)
{
	const char *name = (const char *)names->data + *at;

	if (*at >= names->size)
		return NULL;
	*at += strlen(name) + 1;
	return name;
}

static bool
place_all(struct account_store *account, const struct buf *names, bool is_last)
{
	bool has_moved = false;
	const char *name;
	size_t at = 0;

	while ((name = next_name(names, &at)) != NULL)
		has_moved |= place_directory(account, name, is_last);
	return has_moved;
}

/* -- Folders of other programs -- */

/* One after the other: two that are missing the same mailbox above them would
 * both make it, and the second one fail. */
struct folder_adoption {
	struct folder_adoption *next;
	struct account_store *account;
	char *name;
};

static void
free_adoption(struct folder_adoption *a)
{
	free(a->name);
	free(a);
}

static struct folder_adoption *
take_adoption(struct account_store *account)
{
	struct folder_adoption *a = account->adoptions;

	account->adoptions = a->next;
	return a;
}

void
folders_free(struct account_store *account)
{
	while (account->adoptions != NULL)
		free_adoption(take_adoption(account));
}

static void adopt_next(struct account_store *account);

static void
adopted_folder(const struct mailbox_answer *answer, void *context)
{
	struct folder_adoption *a = context;
	struct account_store *account = a->account;
	struct folder *folder = folder_find(account, text_of(a->name));

	account->is_making_folder = false;
	if (answer->status != STATUS_OK)
		log_warning(
		    "folder-adopt", "status=%s", status_name(answer->status));
	else if (folder != NULL)
		sync_folder(account, folder);
	if (answer->status == STATUS_UNAVAILABLE) /* all begins anew later */
		folders_free(account);
	free_adoption(a);
	adopt_next(account);
}

/* Not in the name of a session that may be at work. */
static void
make_mailbox(struct account_store *account, struct folder_adoption *a)
{
	static const struct change_note note = { .cause = CAUSE_RECONCILE };
	struct change_note before = account->note;

	account_store_act_for(account, &note);
	mailbox_list_create(account, text_of(a->name), 0, adopted_folder, a);
	account_store_act_for(account, &before);
}

static void
adopt_next(struct account_store *account)
{
	struct folder_adoption *a;
	struct folder *folder;

	if (account->is_adopting_folders) /* it was answered at once */
		return;
	account->is_adopting_folders = true;
	while (!account->is_making_folder && account->adoptions != NULL) {
		a = take_adoption(account);
		folder = folder_find(account, text_of(a->name));
		if (folder != NULL) { /* it was above another */
			sync_folder_if_changed(account, folder);
			free_adoption(a);
			continue;
		}
		account->is_making_folder = true;
		make_mailbox(account, a);
	}
	account->is_adopting_folders = false;
}

static void
add_adoption(struct account_store *account, struct text mailbox)
{
	struct folder_adoption **at = &account->adoptions;

	for (; *at != NULL; at = &(*at)->next)
		if (text_is(mailbox, (*at)->name))
			return; /* of the look before */
	*at = memory_new(1, sizeof(**at));
	(*at)->account = account;
	(*at)->name = memory_new(1, mailbox.size + 1);
	memcpy((*at)->name, mailbox.data, mailbox.size);
}

/* One that was being removed, or made, is none. */
static bool
is_maildir(struct account_store *account, const char *name)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	snprintf(path, sizeof(path), "Maildir/%s/cur", name);
	return fstatat(account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISDIR(info.st_mode);
}

static void
adopt_directory(struct account_store *account, const char *name)
{
	struct text mailbox;
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE + 1);
	if (maildir_folder_parse(text_of(name), &buf) == 0 &&
	    mailbox_name_check(mailbox = text_make(buf.data, buf.size)) ==
		STATUS_OK &&
	    folder_find(account, mailbox) == NULL && is_maildir(account, name))
		add_adoption(account, mailbox);
	buf_clear(&buf);
}

static void
place_and_adopt(struct account_store *account)
{
	struct buf names;
	const char *name;
	size_t at = 0;

	buf_init(&names, MAX_NAMES_BYTES);
	if (list_directories(account, &names) == 0) {
		for (int turn = 0; turn < PLACE_TURNS; turn++)
			if (!place_all(account, &names, false))
				break;
		(void)place_all(account, &names, true);
		while ((name = next_name(&names, &at)) != NULL)
			adopt_directory(account, name);
	}
	buf_clear(&names);
}

void
sync_folders(struct account_store *account)
{
	place_and_adopt(account);
	adopt_next(account);
	for (size_t i = 0; i < account->folder_count; i++)
		sync_folder_if_changed(account, account->folders[i]);
	heal_resume(account);
}
