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

void
message_prepare(struct account_store *account,
    const struct delivery_id *delivery, int64_t internaldate,
    const struct message_source *source, struct prepared *prepared)
{
	char path[ACCOUNT_PATH_MAX], hex[2 * sizeof(delivery->bytes) + 1];
	struct error error;

	text_format_hex(delivery->bytes, sizeof(delivery->bytes), hex);
	snprintf(path, sizeof(path), "Maildir/tmp/%s", hex);
	prepared->fd =
	    files_write_temporary(account, path, internaldate, source, &error);
	prepared->is_placed = false;
	prepared->path = prepared->fd == -1 ? NULL : memory_copy_text(path);
}

bool
message_place(
    struct account_store *account, struct prepared *prepared, const char *path)
{
	struct error error;

	if (prepared == NULL || prepared->path == NULL || prepared->is_placed ||
	    file_rename(account->home_fd, prepared->path, account->home_fd,
		path, &error) == -1)
		return false;
	prepared->is_placed = true;
	return true;
}

void
message_prepare_end(struct account_store *account, struct prepared *prepared)
{
	struct error ignored;

	if (prepared->path == NULL)
		return;
	if (!prepared->is_placed)
		file_unlink(account->home_fd, prepared->path, &ignored);
	close(prepared->fd);
	memory_free(&prepared->path);
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
