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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A folder that carries the id of a live mailbox of another name is a RENAME
 * that a crash cut, one with the id of a retired mailbox a DELETE; one without
 * any is a mailbox of another program.  If the store was put back to an older
 * state, an id that it does not know may be one that it has forgotten. */
static void
sync_directory(struct account_store *account, const char *name)
{
	char path[ACCOUNT_PATH_MAX];
	struct folder *folder = NULL;
	struct store_id store;
	struct error error;
	uint64_t mailbox;
	bool has_id;

	snprintf(path, sizeof(path), "Maildir/%s", name);
	folder = find_by_directory(account, name);
	if (folder != NULL && strcmp(folder->directory, path) == 0)
		return;
	folder = NULL;
	has_id = files_read_id(account, path, &store, &mailbox) == 0 &&
		 memcmp(&store, &account->meta.store, sizeof(store)) == 0;
	if (has_id)
		folder = folder_find_id(account, mailbox);
	if (folder != NULL &&
	    file_rename_new(account->home_fd, path, account->home_fd,
		folder->directory, &error) == 0) {
		log_info("rename-finished", "mailbox=%llu",
		    (unsigned long long)mailbox);
		folder->needs_scan = true;
	} else if (folder == NULL && has_id && account->is_put_back) {
		files_forget_id(account, path); /* of the lost time: adopted */
	} else if (folder == NULL && has_id) {
		files_set_aside(account, path, mailbox);
	}
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

static void
adopt_directory(struct account_store *account, const char *name)
{
	struct text mailbox;
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE + 1);
	if (maildir_folder_parse(text_of(name), &buf) == 0 &&
	    mailbox_name_check(mailbox = text_make(buf.data, buf.size)) ==
		STATUS_OK &&
	    folder_find(account, mailbox) == NULL)
		add_adoption(account, mailbox);
	buf_clear(&buf);
}

void
sync_folders(struct account_store *account)
{
	struct dirent *entry;
	struct error error;
	DIR *listing;

	for (int pass = 0; pass < 2; pass++) {
		if (files_list(account->home_fd, "Maildir", &listing, &error) ==
		    -1) {
			log_warning(
			    "folders-unreadable", "error=\"%s\"", error.text);
			break;
		}
		while ((entry = readdir(listing)) != NULL) {
			if (entry->d_name[0] != '.' ||
			    entry->d_name[1] == '.' || entry->d_name[1] == '\0')
				continue;
			if (pass == 0)
				sync_directory(account, entry->d_name);
			else
				adopt_directory(account, entry->d_name);
		}
		closedir(listing);
	}
	adopt_next(account);
	for (size_t i = 0; i < account->folder_count; i++)
		sync_folder_if_changed(account, account->folders[i]);
	heal_resume(account);
}
