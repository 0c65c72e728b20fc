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
	for (size_t i = 0; i < account->folder_count; i++)
		if (strcmp(account->folders[i]->directory, path) == 0)
			return;
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

struct folder_adoption {
	struct account_store *account;
	char *name;
};

static void
adopted_folder(const struct mailbox_answer *answer, void *context)
{
	struct folder_adoption *a = context;
	struct folder *folder = folder_find(a->account, text_of(a->name));

	if (answer->status != STATUS_OK)
		log_warning(
		    "folder-adopt", "status=%s", status_name(answer->status));
	else if (folder != NULL)
		sync_folder(a->account, folder);
	free(a->name);
	free(a);
}

static void
adopt_directory(struct account_store *account, const char *name)
{
	struct folder_adoption *a;
	struct text mailbox;
	struct buf buf;

	buf_init(&buf, RECORD_MAX_NAME_SIZE + 1);
	if (maildir_folder_parse(text_of(name), &buf) == 0 &&
	    mailbox_name_check(mailbox = text_make(buf.data, buf.size)) ==
		STATUS_OK &&
	    folder_find(account, mailbox) == NULL) {
		a = memory_new(1, sizeof(*a));
		a->account = account;
		a->name = memory_new(1, mailbox.size + 1);
		memcpy(a->name, mailbox.data, mailbox.size);
		mailbox_list_create(account, mailbox, 0, adopted_folder, a);
	}
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
	for (size_t i = 0; i < account->folder_count; i++)
		sync_folder_if_changed(account, account->folders[i]);
	heal_resume(account);
}
