/* See import_folder.h. */
#include "firnmail/import_folder.h"

#include "common/file.h"
#include "common/maildir.h"
#include "common/table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COPY_STEP = 256 * 1024
};

const char *
import_left_name(enum import_left why)
{
	static const char *const names[LEFT_COUNT] = {
		[LEFT_NAME] = "no name of a message",
		[LEFT_NO_FILE] = "no regular file",
		[LEFT_OWNER] = "another owner than the folder's",
		[LEFT_LARGE] = "larger than 200 MiB",
		[LEFT_PACKED] = "compressed or encrypted",
		[LEFT_DOUBLE] = "there twice",
		[LEFT_UNREADABLE] = "cannot be read",
	};

	return (unsigned int)why < LEFT_COUNT ? names[why] : "?";
}

static void
leave(struct import_folder *folder, enum import_left why, const char *name)
{
	if (folder->left[why]++ == 0)
		(void)text_copy(text_of(name), folder->example[why],
		    sizeof(folder->example[why]));
}

/* -- The identity -- */

/* Reads a file of the folder; false if it is not there, or none to read. */
static bool
read_control(const struct import_folder *folder, const char *name, uid_t owner,
    struct buf *to)
{
	struct error error;
	struct stat info;
	int fd = file_open_read(folder->source_fd, name, &error);
	bool is_read;

	if (fd == -1)
		return false;
	is_read = fstat(fd, &info) == 0 && info.st_uid == owner &&
		  file_read_all(fd, to, &error) == 0;
	close(fd);
	return is_read;
}

/* The list is copied as it is if all of it can be read. */
static void
read_uidlist(struct import_folder *folder, uid_t owner, struct buf *list)
{
	struct uidlist_header header;
	struct uidlist_entry entry = { 0 };
	struct text rest;
	int got = 1;

	folder->uidvalidity = folder->uidnext = 0;
	folder->has_bad_uidlist = false;
	if (!folder->is_dovecot ||
	    !read_control(folder, "dovecot-uidlist", owner, list)) {
		buf_reset(list);
		return;
	}
	rest = text_make(list->data, list->size);
	if (uidlist_parse_header(&rest, &header) == -1)
		got = -1;
	while (got == 1)
		got = uidlist_parse_entry(&rest, entry.uid, &entry);
	if (got == -1) {
		folder->has_bad_uidlist = true;
		buf_reset(list);
		return;
	}
	folder->uidvalidity = header.uidvalidity;
	folder->uidnext =
	    header.uidnext > entry.uid ? header.uidnext : entry.uid + 1;
}

/* What of the file is in order: "number name" lines from 0 on. */
static void
read_keywords(struct import_folder *folder, uid_t owner, struct buf *to)
{
	struct buf file;
	struct text rest, name;
	unsigned int number, next = 0;

	buf_init(&file, IMPORT_MAX_KEYWORDS_FILE);
	if (folder->is_dovecot &&
	    read_control(folder, "dovecot-keywords", owner, &file)) {
		rest = text_make(file.data, file.size);
		while (next < MAILDIR_MAX_KEYWORDS &&
		       keywords_parse_line(&rest, &number, &name) == 1 &&
		       number == next)
			(void)keywords_format_line(next++, name, to);
	}
	buf_clear(&file);
}

/* -- Messages -- */

struct copying {
	struct import_folder *folder;
	struct table *seen; /* base names */
	uid_t owner;
	int target_fd; /* -1: only counting */
	int part_fd;
	uint64_t entries;
};

/* What a plugin of Dovecot made of the mail shows in its first bytes. */
static bool
is_packed(const uint8_t *data, size_t size)
{
	static const struct {
		const char *magic;
		size_t size;
	} forms[] = { { "\x1f\x8b", 2 }, { "BZh", 3 },
		{ "\xfd"
		  "7zXZ",
		    5 },
		{ "\x28\xb5\x2f\xfd", 4 }, { "Dovecot-LZ4", 11 },
		{ "CRYPT"
		  "ED\x03\x07",
		    9 } };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (size >= forms[i].size &&
		    memcmp(data, forms[i].magic, forms[i].size) == 0)
			return true;
	return false;
}

/* A copy of before the interruption: its date is set last. */
static bool
is_there(
    const struct copying *copying, const char *name, const struct stat *source)
{
	struct stat info;

	return fstatat(copying->target_fd, name, &info, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISREG(info.st_mode) && info.st_size == source->st_size &&
	       info.st_mtim.tv_sec == source->st_mtim.tv_sec;
}

static int
create(const struct copying *copying, const char *name, struct error *error)
{
	int fd = file_create(copying->target_fd, name, 0600, error);

	if (fd != -1 || error->code != ERROR_EXISTS)
		return fd;
	if (file_unlink(copying->target_fd, name, error) == -1)
		return -1;
	return file_create(copying->target_fd, name, 0600, error);
}

/* Up to the size that was seen: 1, 0 if the source cannot be taken (`why`),
 * -1 if the target cannot be written. */
static int
copy_bytes(int from, int to, const struct stat *info, enum import_left *why,
    struct error *error)
{
	static uint8_t step[COPY_STEP];
	off_t at = 0;
	ssize_t n;

	while (at < info->st_size) {
		n = pread(from, step, sizeof(step), at);
		*why = LEFT_UNREADABLE;
		if (n <= 0)
			return 0;
		*why = LEFT_PACKED;
		if (at == 0 && is_packed(step, (size_t)n))
			return 0;
		if (n > info->st_size - at)
			n = (ssize_t)(info->st_size - at);
		if (file_write_all(to, step, (size_t)n, error) == -1)
			return -1;
		at += n;
	}
	return file_set_times(to, info->st_mtim.tv_sec, error) == 0 ? 1 : -1;
}

/* The name in cur, where all go. */
static int
name_in_cur(const char *name, const struct maildir_name *parsed, char *to)
{
	int n = snprintf(to, MAILDIR_MAX_NAME + 1, "%s%s", name,
	    parsed->has_flags ? "" : ":2,");

	return n > 0 && n <= MAILDIR_MAX_NAME ? 0 : -1;
}

static int
copy_one(struct copying *copying, const char *name, const char *target,
    int from, const struct stat *info, struct error *error)
{
	struct import_folder *folder = copying->folder;
	enum import_left why = LEFT_UNREADABLE;
	struct error ignored;
	int to, result;

	if (is_there(copying, target, info)) {
		folder->messages++;
		folder->bytes += (uint64_t)info->st_size;
		return 0;
	}
	to = create(copying, target, error);
	if (to == -1)
		return -1;
	result = copy_bytes(from, to, info, &why, error);
	close(to);
	if (result == 1) {
		folder->messages++;
		folder->bytes += (uint64_t)info->st_size;
		return 0;
	}
	(void)file_unlink(copying->target_fd, target, &ignored);
	if (result == 0)
		leave(folder, why, name);
	return result;
}

/* Whether it is a message of this folder's owner; a hard link to a file of
 * somebody else, which we might read and he might not, is none. */
static bool
is_fit(struct copying *copying, const char *name, const struct stat *info)
{
	if (!S_ISREG(info->st_mode))
		leave(copying->folder, LEFT_NO_FILE, name);
	else if (info->st_uid != copying->owner)
		leave(copying->folder, LEFT_OWNER, name);
	else if (info->st_size > IMPORT_MAX_MESSAGE_BYTES)
		leave(copying->folder, LEFT_LARGE, name);
	else
		return true;
	return false;
}

static int
take_file(struct copying *copying, const char *name,
    const struct maildir_name *parsed, struct error *error)
{
	char target[MAILDIR_MAX_NAME + 1];
	struct error cause;
	struct stat info;
	int fd, result = -1;

	if (table_find(copying->seen, parsed->base.data, parsed->base.size) !=
	    NULL) {
		leave(copying->folder, LEFT_DOUBLE, name);
		return 0;
	}
	if (name_in_cur(name, parsed, target) == -1) {
		leave(copying->folder, LEFT_NAME, name);
		return 0;
	}
	if (fstatat(copying->part_fd, name, &info, AT_SYMLINK_NOFOLLOW) == -1) {
		leave(copying->folder, LEFT_UNREADABLE, name);
		return 0;
	}
	if (!is_fit(copying, name, &info))
		return 0;
	table_put(copying->seen, parsed->base.data, parsed->base.size, copying);
	if (copying->target_fd == -1) {
		copying->folder->messages++;
		copying->folder->bytes += (uint64_t)info.st_size;
		return 0;
	}
	fd = file_open_read(copying->part_fd, name, &cause);
	if (fd == -1 || fstat(fd, &info) == -1) {
		leave(copying->folder, LEFT_UNREADABLE, name);
		result = 0;
	} else if (!is_fit(copying, name, &info)) {
		result = 0; /* it was exchanged between */
	} else {
		result = copy_one(copying, name, target, fd, &info, error);
	}
	if (fd != -1)
		close(fd);
	return result;
}

static int
take_entries(struct copying *copying, DIR *listing, struct error *error)
{
	struct maildir_name parsed;
	struct dirent *entry;
	int result = 0;

	for (errno = 0; result == 0 && (entry = readdir(listing)) != NULL;
	     errno = 0) {
		if (entry->d_name[0] == '.')
			continue;
		if (++copying->entries > IMPORT_MAX_MESSAGES)
			return error_set(error, ERROR_LIMIT,
			    "more than %d messages in a folder",
			    IMPORT_MAX_MESSAGES);
		if (maildir_name_parse(text_of(entry->d_name), &parsed) == -1)
			leave(copying->folder, LEFT_NAME, entry->d_name);
		else
			result =
			    take_file(copying, entry->d_name, &parsed, error);
	}
	if (result == 0 && errno != 0)
		return error_set_errno(error, "directory");
	return result;
}

static int
take_part(struct copying *copying, const char *part, struct error *error)
{
	DIR *listing;
	int fd = file_open_directory(copying->folder->source_fd, part, error);
	int result;

	if (fd == -1)
		return error->code == ERROR_MISSING ? 0 : -1;
	listing = fdopendir(fd);
	if (listing == NULL) {
		error_set_errno(error, "%s", part);
		close(fd);
		return -1;
	}
	copying->part_fd = fd;
	result = take_entries(copying, listing, error);
	closedir(listing);
	return result;
}

/* Of cur and new, with the owner of cur: Dovecot's folders have one. */
static int
take_parts(struct import_folder *folder, int target_fd, struct error *error)
{
	struct copying copying = { .folder = folder, .target_fd = target_fd };
	struct stat info;
	int result;

	folder->messages = folder->bytes = 0;
	memset(folder->left, 0, sizeof(folder->left));
	if (fstatat(folder->source_fd, "cur", &info, AT_SYMLINK_NOFOLLOW) == -1)
		return error_set_errno(error, "cur");
	copying.owner = info.st_uid;
	copying.seen = table_new();
	result = take_part(&copying, "cur", error);
	if (result == 0)
		result = take_part(&copying, "new", error);
	table_free(&copying.seen);
	return result;
}

static int
owner_of(const struct import_folder *folder, uid_t *owner, struct error *error)
{
	struct stat info;

	if (fstat(folder->source_fd, &info) == -1)
		return error_set_errno(error, "folder");
	*owner = info.st_uid;
	return 0;
}

int
import_folder_survey(struct import_folder *folder, struct error *error)
{
	struct buf list;
	uid_t owner = 0;

	if (owner_of(folder, &owner, error) == -1)
		return -1;
	buf_init(&list, IMPORT_MAX_UIDLIST);
	read_uidlist(folder, owner, &list);
	buf_clear(&list);
	return take_parts(folder, -1, error);
}

/* -- Into the Maildir -- */

static int
make(const struct import_folder *folder, const char *path, struct error *error)
{
	return file_make_directory(folder->home_fd, path, 0700, error) == 0 ||
		       error->code == ERROR_EXISTS
		   ? 0
		   : -1;
}

static int
put_file(const struct import_folder *folder, const char *name, const void *data,
    size_t size, struct error *error)
{
	int dir_fd =
	    file_open_directory(folder->home_fd, folder->target, error);
	int result;

	if (dir_fd == -1)
		return -1;
	result = file_replace(dir_fd, name, data, size, 0600, error);
	close(dir_fd);
	return result;
}

/* Everything of the folder but its messages. */
static int
prepare(const struct import_folder *folder, const struct buf *list,
    const struct buf *keywords, struct error *error)
{
	static const char *const parts[] = { "new", "tmp" };
	char path[2 * MAILDIR_MAX_NAME];

	if (make(folder, folder->target, error) == -1)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder->target, parts[i]);
		if (make(folder, path, error) == -1)
			return -1;
	}
	if (strcmp(folder->target, "Maildir") != 0 &&
	    put_file(folder, "maildirfolder", "", 0, error) == -1)
		return -1;
	if (keywords->size > 0 &&
	    put_file(folder, "dovecot-keywords", keywords->data, keywords->size,
		error) == -1)
		return -1;
	return list->size == 0 ? 0
			       : put_file(folder, "dovecot-uidlist", list->data,
				     list->size, error);
}

static int
copy_messages(struct import_folder *folder, struct error *error)
{
	int fd, result;

	if (make(folder, folder->staged, error) == -1)
		return -1;
	fd = file_open_directory(folder->home_fd, folder->staged, error);
	if (fd == -1)
		return -1;
	result = take_parts(folder, fd, error);
	close(fd);
	return result;
}

int
import_folder_copy(struct import_folder *folder, struct error *error)
{
	struct buf list, keywords;
	char cur[2 * MAILDIR_MAX_NAME];
	uid_t owner = 0;
	int result;

	if (owner_of(folder, &owner, error) == -1)
		return -1;
	snprintf(cur, sizeof(cur), "%s/cur", folder->target);
	buf_init(&list, IMPORT_MAX_UIDLIST);
	buf_init(&keywords, IMPORT_MAX_KEYWORDS_FILE);
	result = copy_messages(folder, error);
	if (result == 0) {
		/* After the messages: Dovecot may be running, and what came
		 * meanwhile is in the list then. */
		read_uidlist(folder, owner, &list);
		read_keywords(folder, owner, &keywords);
		result = prepare(folder, &list, &keywords, error);
	}
	/* An empty cur gives way, another does not. */
	if (result == 0)
		result = file_rename(folder->home_fd, folder->staged,
		    folder->home_fd, cur, error);
	buf_clear(&list);
	buf_clear(&keywords);
	return result;
}
