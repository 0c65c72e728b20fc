/*
 * See drill_folder.h.  No call here syncs, as none does in a real restore.
 */
#include "snapd/drill_folder.h"

#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	MAX_DEPTH = 6, /* DRILL_FOLDER/1/Maildir/.A/cur/file, and one more */
	MAX_PASSES =
	    4 /* over a folder that is not empty after it was emptied */
};

static const char *const parts[] = { "cur", "new", "tmp" };

void
drill_folder_init(struct drill_folder *folder)
{
	memset(folder, 0, sizeof(*folder));
	folder->fd = folder->message_fd = -1;
	buf_init(&folder->list, DRILL_MAX_LIST);
}

/* -- Removing -- */

static int remove_folder(
    int dir_fd, const char *name, unsigned int depth, struct error *error);

static int
remove_entry(
    int dir_fd, const char *name, unsigned int depth, struct error *error)
{
	if (file_unlink(dir_fd, name, error) == 0)
		return 0;
	if (errno != EISDIR || depth == MAX_DEPTH)
		return -1;
	return remove_folder(dir_fd, name, depth + 1, error);
}

static int
empty_folder(DIR *listing, unsigned int depth, struct error *error)
{
	struct dirent *entry;

	while ((entry = readdir(listing)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_entry(dirfd(listing), entry->d_name, depth, error) ==
		    -1)
			return -1;
	}
	return 0;
}

static int
remove_folder(
    int dir_fd, const char *name, unsigned int depth, struct error *error)
{
	int fd = file_open_directory(dir_fd, name, error);
	DIR *listing = fd == -1 ? NULL : fdopendir(fd);
	int result = -1;

	if (listing == NULL) {
		if (fd != -1)
			close(fd);
		return fd == -1 ? -1 : error_set_errno(error, "%s", name);
	}
	for (int pass = 0; result == -1 && pass < MAX_PASSES; pass++) {
		rewinddir(listing);
		if (empty_folder(listing, depth, error) == -1)
			break;
		result = file_remove_directory(dir_fd, name, error);
		if (result == -1 && errno != ENOTEMPTY)
			break;
	}
	closedir(listing);
	return result;
}

int
drill_folder_remove(int top_fd, struct error *error)
{
	if (remove_folder(top_fd, DRILL_FOLDER, 1, error) == 0 ||
	    error->code == ERROR_MISSING)
		return 0;
	return -1;
}

/* -- Making -- */

int
drill_folder_check_room(int top_fd, uint64_t bytes, struct error *error)
{
	struct statvfs info;
	uint64_t left, kept;

	if (fstatvfs(top_fd, &info) == -1)
		return error_set_errno(error, "scratch folder");
	left = (uint64_t)info.f_bavail * info.f_frsize;
	kept = (uint64_t)info.f_blocks * info.f_frsize / DRILL_FREE_PART;
	if (left >= kept && left - kept >= bytes)
		return 0;
	return error_set(error, ERROR_FULL,
	    "no room: %llu MiB are free, of which %llu must stay so",
	    (unsigned long long)(left >> 20), (unsigned long long)(kept >> 20));
}

/* The folder `name` in `dir_fd`, opened; that is closed. */
static int
step_into(int dir_fd, const char *name, struct error *error)
{
	int fd = -1;

	if (file_make_directory(dir_fd, name, 0700, error) == 0 ||
	    error->code == ERROR_EXISTS)
		fd = file_open_directory(dir_fd, name, error);
	close(dir_fd);
	return fd;
}

static int
make_parts(int fd, struct error *error)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (file_make_directory(fd, parts[i], 0700, error) == -1 &&
		    error->code != ERROR_EXISTS)
			return -1;
	return 0;
}

static int
format_folder(struct text mailbox, char *name, size_t size, struct error *error)
{
	struct buf buf;
	int result;

	buf_init(&buf, MAILDIR_MAX_NAME);
	result = maildir_folder_format(mailbox, &buf);
	if (result == 0)
		result = text_copy(text_make(buf.data, buf.size), name, size);
	buf_clear(&buf);
	return result == 0
		   ? 0
		   : error_set(error, ERROR_INPUT, "its name makes no folder");
}

int
drill_folder_make(struct drill_folder *folder, int top_fd, uint32_t account,
    const struct mailbox_record *mailbox, struct error *error)
{
	const struct uidlist_header header = { mailbox->uidvalidity,
		mailbox->uidnext };
	char name[MAILDIR_MAX_NAME + 1], number[12];
	int fd;

	if (format_folder(mailbox->name, name, sizeof(name), error) == -1)
		return -1;
	snprintf(number, sizeof(number), "%u", account);
	fd = file_open_directory(top_fd, ".", error);
	if (fd != -1)
		fd = step_into(fd, DRILL_FOLDER, error);
	if (fd != -1)
		fd = step_into(fd, number, error);
	if (fd != -1)
		fd = step_into(fd, "Maildir", error);
	if (fd != -1 && name[0] != '\0')
		fd = step_into(fd, name, error);
	folder->fd = fd;
	if (fd == -1 || make_parts(fd, error) == -1)
		return -1;
	buf_reset(&folder->list);
	return uidlist_format_header(&header, &folder->list);
}

/* -- Messages -- */

/* Base and sizes: what stands before the ':' of its file's name. */
static void
format_whole(const struct message_record *message, struct buf *to)
{
	buf_init(to, MAILDIR_MAX_NAME);
	buf_put(to, message->base.data, message->base.size);
	buf_put_format(to, ",S=%llu,W=%llu",
	    (unsigned long long)message->stored_size,
	    (unsigned long long)message->size);
}

int
drill_folder_begin(struct drill_folder *folder,
    const struct message_record *message, struct error *error)
{
	struct maildir_name name;
	struct buf whole;
	int result;

	format_whole(message, &whole);
	result = maildir_name_parse(text_make(whole.data, whole.size), &name);
	buf_clear(&whole);
	if (result == -1)
		return error_set(error, ERROR_INPUT, "its name makes no file");
	snprintf(folder->temporary, sizeof(folder->temporary), "tmp/%.*s",
	    TEXT_FMT(message->base));
	folder->message_fd =
	    file_create(folder->fd, folder->temporary, 0600, error);
	if (folder->message_fd == -1)
		folder->temporary[0] = '\0';
	return folder->message_fd == -1 ? -1 : 0;
}

int
drill_folder_put(
    struct drill_folder *folder, struct text bytes, struct error *error)
{
	return file_write_all(
	    folder->message_fd, bytes.data, bytes.size, error);
}

static void
close_message(struct drill_folder *folder)
{
	if (folder->message_fd != -1)
		close(folder->message_fd);
	folder->message_fd = -1;
}

/* Its place, under the name that `list` then has. */
static int
place_message(struct drill_folder *folder, const struct message_record *message,
    struct error *error)
{
	struct uidlist_entry entry = { .uid = message->uid };
	struct buf whole, name;
	int result;

	format_whole(message, &whole);
	buf_init(&name, MAILDIR_MAX_NAME + sizeof("cur/"));
	entry.whole = text_make(whole.data, whole.size);
	buf_put_text(&name, "cur/");
	result = maildir_name_format(
	    entry.whole, false, message->flags, message->keywords, &name);
	if (result == 0)
		result = buf_put_byte(&name, '\0');
	if (result == -1)
		error_set(error, ERROR_INPUT, "its name makes no file");
	else
		result = file_rename_new(folder->fd, folder->temporary,
		    folder->fd, (const char *)name.data, error);
	if (result == 0) {
		folder->temporary[0] = '\0';
		result = uidlist_format_entry(&entry, &folder->list);
	}
	buf_clear(&whole);
	buf_clear(&name);
	return result;
}

int
drill_folder_end(struct drill_folder *folder,
    const struct message_record *message, struct error *error)
{
	if (file_set_times(folder->message_fd, message->internaldate, error) ==
	    -1)
		return -1;
	close_message(folder);
	return place_message(folder, message, error);
}

void
drill_folder_drop(struct drill_folder *folder)
{
	struct error ignored;

	close_message(folder);
	if (folder->temporary[0] != '\0')
		(void)file_unlink(folder->fd, folder->temporary, &ignored);
	folder->temporary[0] = '\0';
}

int
drill_folder_finish(struct drill_folder *folder, struct error *error)
{
	int fd = file_create(folder->fd, DRILL_LIST, 0600, error);
	int result;

	if (fd == -1)
		return -1;
	result =
	    file_write_all(fd, folder->list.data, folder->list.size, error);
	close(fd);
	return result;
}

void
drill_folder_close(struct drill_folder *folder)
{
	close_message(folder);
	if (folder->fd != -1)
		close(folder->fd);
	folder->fd = -1;
	buf_clear(&folder->list);
	buf_init(&folder->list, DRILL_MAX_LIST);
}
