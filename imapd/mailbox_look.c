/*
 * Which message files are not there: only looked at, for an administrator who
 * wants to know before he restores.  Nothing is marked, made or taken over.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A byte for each row whose file is in the directory; -1: it cannot be read. */
static int
see_files(struct account_store *account, struct folder *folder,
    const char *part, uint8_t *seen)
{
	char path[ACCOUNT_PATH_MAX];
	struct maildir_name name;
	struct dirent *entry;
	struct error error;
	DIR *listing;
	bool is_whole;
	size_t at;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, part);
	if (files_list(account->home_fd, path, &listing, &error) == -1)
		return error.code == ERROR_MISSING ? 0 : -1;
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
			continue;
		if (folder_position_of(folder,
			index_find_name(
			    account->index, folder->info.id, name.base),
			&at))
			seen[at] = 1;
	}
	is_whole = errno == 0;
	closedir(listing);
	return is_whole ? 0 : -1;
}

static int
look_into(
    struct account_store *account, struct folder *folder, struct buf *missing)
{
	uint8_t *seen, record[12];
	struct writer w;
	int result;

	folder_load(folder);
	seen = memory_new(folder_count(folder) + 1, 1);
	result = see_files(account, folder, "new", seen);
	if (result == 0)
		result = see_files(account, folder, "cur", seen);
	for (size_t i = 0; i < folder_count(folder) && result == 0; i++) {
		if (seen[i])
			continue;
		writer_init(&w, record, sizeof(record));
		writer_put_u64(&w, folder->info.id);
		writer_put_u32(&w, folder_uid(folder, i));
		result = buf_put(missing, record, sizeof(record));
	}
	free(seen);
	return result;
}

enum status
look_for_missing_files(struct account_store *account, struct buf *missing)
{
	for (size_t i = 0; i < account->folder_count; i++)
		if (look_into(account, account->folders[i], missing) == -1)
			return STATUS_UNAVAILABLE;
	return STATUS_OK;
}
