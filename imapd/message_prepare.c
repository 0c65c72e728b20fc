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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories that stay open, so that a name costs no walk to it. */
struct prepare {
	int tmp_fd; /* -1: not open */
	/* Where the last file went, and which directory that was. */
	uint64_t mailbox;
	bool is_new;
	int fd; /* -1: nowhere yet */
	dev_t device;
	ino_t inode;
	uint64_t application; /* in which that was last looked at */
};

static struct prepare *
get_prepare(struct account_store *account)
{
	struct prepare *prepare = account->prepare;

	if (prepare != NULL)
		return prepare;
	prepare = memory_new(1, sizeof(*prepare));
	prepare->tmp_fd = -1;
	prepare->fd = -1;
	account->prepare = prepare;
	return prepare;
}

static void
close_directory(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
message_prepare_close(struct account_store *account)
{
	if (account->prepare == NULL)
		return;
	close_directory(&account->prepare->tmp_fd);
	close_directory(&account->prepare->fd);
	memory_free(&account->prepare);
}

bool
source_has_bytes(const struct message_source *source)
{
	return source->fd != -1 || source->data.data != NULL;
}

/* -- In tmp/ -- */

static int
write_in_tmp(struct account_store *account, const char *name,
    int64_t internaldate, const struct message_source *source,
    struct error *error)
{
	struct prepare *prepare = get_prepare(account);

	if (prepare->tmp_fd == -1)
		prepare->tmp_fd =
		    file_open_directory(account->home_fd, "Maildir/tmp", error);
	if (prepare->tmp_fd == -1)
		return -1;
	return files_write_temporary(
	    prepare->tmp_fd, name, internaldate, source, error);
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
		close_directory(&account->prepare->tmp_fd);
		prepared->fd =
		    write_in_tmp(account, name, internaldate, source, &error);
	}
	prepared->is_placed = false;
	prepared->name = prepared->fd == -1 ? NULL : memory_copy_text(name);
}

/* -- Where it belongs -- */

/* Whether `path` still leads to the directory that is open: once for all that
 * is applied together. */
static bool
is_still_there(struct account_store *account, const char *path)
{
	struct prepare *prepare = account->prepare;
	struct stat info;

	if (prepare->application == account->application)
		return true;
	if (fstatat(account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) == -1 ||
	    info.st_dev != prepare->device || info.st_ino != prepare->inode)
		return false;
	prepare->application = account->application;
	return true;
}

static int
directory_of(
    struct account_store *account, const struct folder *folder, bool is_new)
{
	struct prepare *prepare = get_prepare(account);
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s", folder->directory,
	    is_new ? "new" : "cur");
	if (prepare->fd != -1 && prepare->mailbox == folder->info.id &&
	    prepare->is_new == is_new && is_still_there(account, path))
		return prepare->fd;
	close_directory(&prepare->fd);
	prepare->fd = file_open_directory(account->home_fd, path, &error);
	if (prepare->fd == -1 || fstat(prepare->fd, &info) == -1)
		return -1;
	prepare->mailbox = folder->info.id;
	prepare->is_new = is_new;
	prepare->device = info.st_dev;
	prepare->inode = info.st_ino;
	prepare->application = account->application;
	return prepare->fd;
}

bool
message_place(struct account_store *account, struct prepared *prepared,
    const struct folder *folder, const struct index_file *file)
{
	char name[ACCOUNT_PATH_MAX];
	struct error error;
	int fd;

	if (prepared == NULL || prepared->name == NULL || prepared->is_placed ||
	    account->prepare->tmp_fd == -1)
		return false;
	fd = directory_of(account, folder, file->is_new);
	if (fd == -1 || text_copy(file->name, name, sizeof(name)) == -1)
		return false;
	prepared->is_placed = file_rename(account->prepare->tmp_fd,
				  prepared->name, fd, name, &error) == 0;
	return prepared->is_placed;
}

void
message_prepare_end(struct account_store *account, struct prepared *prepared)
{
	struct error ignored;

	if (prepared->name == NULL)
		return;
	if (!prepared->is_placed && account->prepare->tmp_fd != -1)
		file_unlink(account->prepare->tmp_fd, prepared->name, &ignored);
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
