/*
 * Writes the file of a new message before the store has committed it: while
 * the store waits for its disk, so that only a rename and the index are left
 * when it answers.
 *
 * Nobody is shown anything of it: without the commit the file in tmp/ is
 * removed again, and where it could not be written it is written afterwards.
 * The tmp/ is that of INBOX, which no DELETE or RENAME takes away meanwhile.
 * What a killed worker left there is removed at the next one's start.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool
source_has_bytes(const struct message_source *source)
{
	return source->fd != -1 || source->data.data != NULL;
}

static int
write_in_tmp(struct account_store *account, const char *name,
    int64_t internaldate, const struct message_source *source,
    struct error *error)
{
	int fd = directories_inbox_tmp(account, error);

	if (fd == -1)
		return -1;
	return files_write_temporary(fd, name, internaldate, source, error);
}

void
message_prepare(struct account_store *account,
    const struct delivery_id *delivery, int64_t internaldate,
    const struct message_source *source, struct prepared *prepared)
{
	char name[2 * sizeof(delivery->bytes) + 1];
	struct error error;

	text_format_hex(delivery->bytes, sizeof(delivery->bytes), name);
	prepared->fd =
	    write_in_tmp(account, name, internaldate, source, &error);
	if (prepared->fd == -1 && error.code == ERROR_MISSING) {
		/* The directory was removed, and made anew perhaps. */
		directories_forget(account);
		prepared->fd =
		    write_in_tmp(account, name, internaldate, source, &error);
	}
	prepared->is_placed = false;
	prepared->name = prepared->fd == -1 ? NULL : memory_copy_text(name);
}

bool
message_place(struct account_store *account, struct prepared *prepared,
    const struct folder *folder, const struct index_file *file)
{
	char name[ACCOUNT_PATH_MAX];
	struct error error;
	int from, to;

	if (prepared == NULL || prepared->name == NULL || prepared->is_placed)
		return false;
	from = directories_inbox_tmp(account, &error);
	to = directories_part(
	    account, folder, file->is_new ? FOLDER_NEW : FOLDER_CUR, &error);
	if (from == -1 || to == -1 ||
	    text_copy(file->name, name, sizeof(name)) == -1)
		return false;
	prepared->is_placed =
	    file_rename(from, prepared->name, to, name, &error) == 0;
	return prepared->is_placed;
}

void
message_prepare_end(struct account_store *account, struct prepared *prepared)
{
	struct error ignored;
	int fd;

	if (prepared->name == NULL)
		return;
	fd = directories_inbox_tmp(account, &ignored);
	if (!prepared->is_placed && fd != -1)
		file_unlink(fd, prepared->name, &ignored);
	close(prepared->fd);
	memory_free(&prepared->name);
}

void
message_prepare_clean(struct account_store *account)
{
	uint8_t delivery[sizeof(struct delivery_id)];
	struct error ignored;
	struct dirent *entry;
	DIR *listing;
	int fd = file_open_directory(account->home_fd, "Maildir/tmp", &ignored);

	if (fd == -1)
		return;
	listing = fdopendir(fd);
	if (listing == NULL) {
		close(fd);
		return;
	}
	while ((entry = readdir(listing)) != NULL)
		if (text_parse_hex(text_of(entry->d_name), delivery,
			sizeof(delivery)) == 0)
			file_unlink(fd, entry->d_name, &ignored);
	closedir(listing);
}
