/*
 * The Maildir++ folders and message files of an account: makes, renames,
 * opens and removes them, nothing more.  It is the materialised view of the
 * store's rows: no call here syncs, and none decides whether a message lives.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LEFT_MOST = 100 /* folders of one mailbox that were put aside */
};

static const char *const parts[] = { "cur", "new", "tmp" };

char *
files_directory(struct text mailbox)
{
	struct buf buf;
	char *directory;

	buf_init(&buf, 4096);
	buf_put_text(&buf, "Maildir/");
	if (maildir_folder_format(mailbox, &buf) == -1) {
		buf_clear(&buf);
		return NULL;
	}
	if (buf.size == strlen("Maildir/"))
		buf.size--;
	buf_put_byte(&buf, '\0');
	directory = memory_copy_text((const char *)buf.data);
	buf_clear(&buf);
	return directory;
}

void
files_path(const struct folder *folder, bool is_new, struct text name,
    char path[ACCOUNT_PATH_MAX])
{
	snprintf(path, ACCOUNT_PATH_MAX, "%s/%s/%.*s", folder->directory,
	    is_new ? "new" : "cur", TEXT_FMT(name));
}

void
files_stamp(struct account_store *account, const struct folder *folder,
    const char *part, struct directory_stamp *stamp)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	memset(stamp, 0, sizeof(*stamp));
	stamp->changed_ns = -1;
	snprintf(path, sizeof(path), "%s/%s", folder->directory, part);
	if (fstatat(account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	stamp->device = info.st_dev;
	stamp->inode = info.st_ino;
	stamp->changed_ns =
	    (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
}

bool
files_are_one(const struct directory_stamp *a, const struct directory_stamp *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static int
make(struct account_store *account, const char *path, struct error *error)
{
	if (file_make_directory(account->home_fd, path, 0700, error) == -1 &&
	    error->code != ERROR_EXISTS)
		return -1;
	return 0;
}

/* In the place of none, or of a wrong one.  It is synced: after a power cut a
 * folder without one would be another program's, and a mailbox that was deleted
 * or renamed come back.  INBOX stays where it is. */
static int
write_id(struct account_store *account, const struct folder *folder,
    struct error *error)
{
	char path[ACCOUNT_PATH_MAX], hex[33], line[80];
	int fd, result;

	text_format_hex(account->meta.store.bytes, 16, hex);
	snprintf(line, sizeof(line), "1 %s %llu\n", hex,
	    (unsigned long long)folder->info.id);
	snprintf(path, sizeof(path), "%s/firnmail-id", folder->directory);
	file_unlink(account->home_fd, path, error);
	fd = file_create(account->home_fd, path, 0600, error);
	if (fd == -1)
		return -1;
	result = file_write_all(fd, line, strlen(line), error);
	if (result == 0 && strcmp(folder->directory, "Maildir") != 0)
		result = file_sync(fd, error);
	close(fd);
	return result;
}

int
files_read_id(struct account_store *account, const char *directory,
    struct store_id *store, uint64_t *mailbox)
{
	char path[ACCOUNT_PATH_MAX];
	struct error error;
	struct text rest, word;
	struct buf buf;
	int result = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/firnmail-id", directory);
	fd = file_open_read(account->home_fd, path, &error);
	if (fd == -1)
		return -1;
	buf_init(&buf, 200);
	if (file_read_all(fd, &buf, &error) == 0) {
		rest = text_trim(text_make(buf.data, buf.size));
		if (text_next(&rest, ' ', &word) && text_is(word, "1") &&
		    text_next(&rest, ' ', &word) &&
		    text_parse_hex(word, store->bytes, 16) == 0 &&
		    text_parse_number(rest, UINT64_MAX, mailbox) == 0)
			result = 0;
	}
	buf_clear(&buf);
	close(fd);
	return result;
}

int
files_make_folder(
    struct account_store *account, struct folder *folder, struct error *error)
{
	char path[ACCOUNT_PATH_MAX];
	struct store_id store;
	uint64_t mailbox;

	if (make(account, folder->directory, error) == -1)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		snprintf(
		    path, sizeof(path), "%s/%s", folder->directory, parts[i]);
		if (make(account, path, error) == -1)
			return -1;
	}
	if (strcmp(folder->directory, "Maildir") != 0) {
		int fd;

		/* What Maildir++ knows a folder by. */
		snprintf(
		    path, sizeof(path), "%s/maildirfolder", folder->directory);
		fd = file_create(account->home_fd, path, 0600, error);
		if (fd != -1)
			close(fd);
	}
	if (files_read_id(account, folder->directory, &store, &mailbox) == 0 &&
	    mailbox == folder->info.id &&
	    memcmp(&store, &account->meta.store, sizeof(store)) == 0)
		return 0;
	return write_id(account, folder, error);
}

int
files_rename_folder(struct account_store *account, struct folder *folder,
    const char *directory, struct error *error)
{
	return file_rename_new(account->home_fd, folder->directory,
	    account->home_fd, directory, error);
}

void
files_forget_id(struct account_store *account, const char *directory)
{
	char path[ACCOUNT_PATH_MAX];
	struct error error;

	snprintf(path, sizeof(path), "%s/firnmail-id", directory);
	file_unlink(account->home_fd, path, &error);
}

/* Files that no row knows, in a folder whose mailbox is gone: out of the
 * Maildir, so that it is not adopted again, and kept. */
void
files_set_aside(
    struct account_store *account, const char *directory, uint64_t mailbox)
{
	char path[60];
	struct error error;
	int result = make(account, "left", &error);

	snprintf(path, sizeof(path), "left/%llu", (unsigned long long)mailbox);
	for (int n = 2; result == 0; n++) {
		result = file_rename_new(account->home_fd, directory,
		    account->home_fd, path, &error);
		if (result == 0 || error.code != ERROR_EXISTS || n > LEFT_MOST)
			break;
		snprintf(path, sizeof(path), "left/%llu.%d",
		    (unsigned long long)mailbox, n);
		result = 0;
	}
	files_forget_id(account, result == 0 ? path : directory);
	if (result == 0)
		log_warning("folder-set-aside", "mailbox=%llu",
		    (unsigned long long)mailbox);
	else
		log_warning("folder-left", "mailbox=%llu error=\"%s\"",
		    (unsigned long long)mailbox, error.text);
}

void
files_remove_folder(struct account_store *account, struct folder *folder)
{
	static const char *const controls[] = { "maildirfolder",
		"dovecot-uidlist", "dovecot-keywords", "firnmail-id" };
	char path[ACCOUNT_PATH_MAX];
	struct error error;

	if (strcmp(folder->directory, "Maildir") == 0)
		return;
	for (size_t i = 0; i < 3; i++) {
		snprintf(
		    path, sizeof(path), "%s/%s", folder->directory, parts[i]);
		if (file_remove_directory(account->home_fd, path, &error) ==
			-1 &&
		    error.code != ERROR_MISSING) {
			files_set_aside(
			    account, folder->directory, folder->info.id);
			return;
		}
	}
	/* The id goes last: whoever is killed before leaves a DELETE to be
	 * finished, and behind it no Maildir. */
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder->directory,
		    controls[i]);
		file_unlink(account->home_fd, path, &error);
	}
	if (file_remove_directory(
		account->home_fd, folder->directory, &error) == -1 &&
	    error.code != ERROR_MISSING)
		files_set_aside(account, folder->directory, folder->info.id);
}

static int
copy_bytes(int from, int to, struct error *error)
{
	static uint8_t step[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, step, sizeof(step), at)) > 0) {
		if (file_write_all(to, step, (size_t)n, error) == -1)
			return -1;
		at += n;
	}
	return n == 0 ? 0 : error_set_errno(error, "read");
}

static int
fill(int fd, int64_t internaldate, const struct message_source *source,
    struct error *error)
{
	int result = source->fd != -1 ? copy_bytes(source->fd, fd, error)
				      : file_write_all(fd, source->data.data,
					    source->data.size, error);

	return result == -1 ? -1 : file_set_times(fd, internaldate, error);
}

int
files_write_temporary(int dir_fd, const char *temporary, int64_t internaldate,
    const struct message_source *source, struct error *error)
{
	struct error ignored;
	int fd = file_create(dir_fd, temporary, 0600, error);

	if (fd == -1 && error->code == ERROR_EXISTS) {
		file_unlink(dir_fd, temporary, &ignored);
		fd = file_create(dir_fd, temporary, 0600, error);
	}
	if (fd == -1)
		return -1;
	if (fill(fd, internaldate, source, error) == 0)
		return fd;
	close(fd);
	file_unlink(dir_fd, temporary, &ignored);
	return -1;
}

/* A file system that cannot say no (NFS) writes over what is there. */
static int
move(int from, const char *old, int to, const char *new, bool must_be_new,
    struct error *error)
{
	if (must_be_new) {
		if (file_rename_new(from, old, to, new, error) == 0)
			return 0;
		if (error->errno_value != EINVAL)
			return -1;
	}
	return file_rename(from, old, to, new, error);
}

static int
write_in_place(struct account_store *account, const struct folder *folder,
    const struct index_file *file, int64_t internaldate,
    const struct message_source *source, struct error *error)
{
	char base[ACCOUNT_PATH_MAX], name[ACCOUNT_PATH_MAX];
	struct error ignored;
	int tmp, part, fd;

	tmp = directories_part(account, folder, FOLDER_TMP, error);
	part = tmp == -1 ? -1
			 : directories_part(account, folder,
			       file->is_new ? FOLDER_NEW : FOLDER_CUR, error);
	if (part == -1)
		return -1;
	if (text_copy(file->base, base, sizeof(base)) == -1 ||
	    text_copy(file->name, name, sizeof(name)) == -1)
		return error_set(error, ERROR_LIMIT, "name is too long");
	fd = files_write_temporary(tmp, base, internaldate, source, error);
	if (fd == -1)
		return -1;
	close(fd);
	if (move(tmp, base, part, name, source->must_be_new, error) == 0)
		return 0;
	file_unlink(tmp, base, &ignored);
	return -1;
}

int
files_write(struct account_store *account, const struct folder *folder,
    const struct index_file *file, int64_t internaldate,
    const struct message_source *source, struct error *error)
{
	if (message_place(account, source->prepared, folder, file))
		return 0;
	if (!source_has_bytes(source))
		return error_set(error, ERROR_MISSING, "%.*s: no bytes",
		    TEXT_FMT(file->name));
	if (write_in_place(
		account, folder, file, internaldate, source, error) == 0)
		return 0;
	if (error->code != ERROR_MISSING)
		return -1;
	directories_forget(account);
	if (files_make_folder(
		account, (struct folder *)(uintptr_t)folder, error) == -1)
		return -1;
	return write_in_place(
	    account, folder, file, internaldate, source, error);
}

int
files_list(int home_fd, const char *path, DIR **listing, struct error *error)
{
	int fd = file_open_directory(home_fd, path, error);

	if (fd == -1)
		return -1;
	*listing = fdopendir(fd);
	if (*listing != NULL)
		return 0;
	error_set_errno(error, "%s", path);
	close(fd);
	return -1;
}

/* The directory that it is in, and its name there. -1: there is none. */
static int
locate(struct account_store *account, const struct folder *folder,
    const struct index_file *file, char name[ACCOUNT_PATH_MAX],
    struct error *error)
{
	if (text_copy(file->name, name, ACCOUNT_PATH_MAX) == -1)
		return error_set(error, ERROR_LIMIT, "name is too long");
	return directories_part(
	    account, folder, file->is_new ? FOLDER_NEW : FOLDER_CUR, error);
}

int
files_open(struct account_store *account, const struct folder *folder,
    const struct index_file *file, struct error *error)
{
	char name[ACCOUNT_PATH_MAX];
	int part = locate(account, folder, file, name, error), fd;
	uint64_t size;

	if (part == -1)
		return -1;
	fd = file_open_sized(part, name, &size, error);
	if (fd == -1)
		return -1;
	if (size == file->stored_size)
		return fd;
	close(fd);
	return error_set(
	    error, ERROR_DAMAGED, "%s: its size is not the row's", name);
}

int
files_rename(struct account_store *account, const struct folder *from,
    const struct index_file *old, const struct folder *to,
    const struct index_file *new, struct error *error)
{
	char old_name[ACCOUNT_PATH_MAX], new_name[ACCOUNT_PATH_MAX];
	int source, target;

	if (from == to &&
	    old->is_new == new->is_new &&text_equal(old->name, new->name))
		return 0;
	source = locate(account, from, old, old_name, error);
	if (source == -1)
		return -1;
	target = locate(account, to, new, new_name, error);
	if (target == -1)
		return -1;
	return file_rename(source, old_name, target, new_name, error);
}

int
files_link(struct account_store *account, const struct folder *from,
    const struct index_file *old, const struct folder *to,
    const struct index_file *new, struct error *error)
{
	char old_name[ACCOUNT_PATH_MAX], new_name[ACCOUNT_PATH_MAX];
	struct stat info;
	int source, target;

	source = locate(account, from, old, old_name, error);
	if (source == -1)
		return -1;
	target = locate(account, to, new, new_name, error);
	if (target == -1)
		return -1;
	if (fstatat(source, old_name, &info, AT_SYMLINK_NOFOLLOW) == -1)
		return error_set_errno(error, "%s", old_name);
	if (!S_ISREG(info.st_mode) ||
	    (uint64_t)info.st_size != old->stored_size)
		return error_set(error, ERROR_DAMAGED,
		    "%s: its size is not the row's", old_name);
	return file_link(source, old_name, target, new_name, error);
}

int
files_unlink(struct account_store *account, const struct folder *folder,
    const struct index_file *file)
{
	char name[ACCOUNT_PATH_MAX];
	struct error error;
	int part = locate(account, folder, file, name, &error);

	if ((part != -1 && file_unlink(part, name, &error) == 0) ||
	    error.code == ERROR_MISSING)
		return 0;
	log_warning("file-unlink", "error=\"%s\"", error.text);
	return -1;
}
