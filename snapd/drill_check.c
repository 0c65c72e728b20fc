/*
 * See drill_check.h.  The list of UIDs leads to names, the names to files, and
 * each file's name, date and bytes to what was expected of that UID.
 */
#include "snapd/drill_check.h"

#include "common/file.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "common/table.h"
#include "snapd/drill_folder.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READ_SIZE = 128 << 10
};

static void __attribute__((format(printf, 3, 4)))
find(const struct drill_check *check, uint32_t uid, const char *format, ...)
{
	char what[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	check->finding(check->context, uid, what);
}

/* -- What lies in cur/: names by what stands before their ':' -- */

static int
list_files(int folder_fd, struct table *files, struct error *error)
{
	int fd = file_open_directory(folder_fd, "cur", error);
	DIR *listing = fd == -1 ? NULL : fdopendir(fd);
	struct maildir_name name;
	struct dirent *entry;
	char *before;

	if (listing == NULL) {
		if (fd != -1)
			close(fd);
		return fd == -1 ? -1 : error_set_errno(error, "cur");
	}
	while ((entry = readdir(listing)) != NULL) {
		if (maildir_name_parse(text_of(entry->d_name), &name) != 0)
			continue;
		before = table_put(files, name.whole.data, name.whole.size,
		    memory_copy_text(entry->d_name));
		memory_free(&before);
	}
	closedir(listing);
	return 0;
}

static void
free_files(struct table **files)
{
	size_t position = 0;
	void *name;

	while (table_next(*files, &position, NULL, NULL, &name))
		memory_free(&name);
	table_free(files);
}

/* -- One message -- */

static void
check_name(const struct drill_check *check,
    const struct drill_expected *expected, const char *file)
{
	struct maildir_name name;

	if (maildir_name_parse(text_of(file), &name) != 0)
		return; /* it was listed: it is one */
	if (name.size != expected->size ||
	    name.wire_size != expected->wire_size)
		find(check, expected->uid, "its name has other sizes");
	if (name.flags != expected->flags)
		find(check, expected->uid, "flags 0x%x instead of 0x%x",
		    name.flags, expected->flags);
	if (name.keywords != expected->keywords)
		find(check, expected->uid, "keywords 0x%llx instead of 0x%llx",
		    (unsigned long long)name.keywords,
		    (unsigned long long)expected->keywords);
}

static int
hash_file(struct digest *digest, int fd, struct hash *hash)
{
	static uint8_t step[READ_SIZE];
	ssize_t n;

	digest_start(digest);
	while ((n = read(fd, step, sizeof(step))) > 0)
		digest_add(digest, step, (size_t)n);
	*hash = digest_finish(digest);
	return n == 0 ? 0 : -1;
}

static void
check_bytes(const struct drill_check *check,
    const struct drill_expected *expected, int fd)
{
	struct stat info;
	struct hash hash;

	if (fstat(fd, &info) == -1 ||
	    hash_file(check->digest, fd, &hash) == -1) {
		find(check, expected->uid, "its file cannot be read");
		return;
	}
	if (info.st_mtim.tv_sec != expected->date)
		find(check, expected->uid, "date %lld instead of %lld",
		    (long long)info.st_mtim.tv_sec, (long long)expected->date);
	if ((uint64_t)info.st_size != expected->size)
		find(check, expected->uid, "%llu bytes instead of %llu",
		    (unsigned long long)info.st_size,
		    (unsigned long long)expected->size);
	else if (memcmp(&hash, &expected->hash, sizeof(hash)) != 0)
		find(check, expected->uid,
		    "its bytes are others: their SHA-256 is not the one in "
		    "the store");
}

static void
check_message(const struct drill_check *check,
    const struct drill_expected *expected, const char *file)
{
	char path[MAILDIR_MAX_NAME + 8];
	struct error error;
	int fd;

	if (file == NULL) {
		find(check, expected->uid, "its file is not there");
		return;
	}
	check_name(check, expected, file);
	snprintf(path, sizeof(path), "cur/%s", file);
	fd = file_open_read(check->folder_fd, path, &error);
	if (fd == -1) {
		find(check, expected->uid, "%s", error.text);
		return;
	}
	check_bytes(check, expected, fd);
	close(fd);
}

/* -- The mailbox -- */

static void
check_header(
    const struct drill_check *check, const struct uidlist_header *header)
{
	if (header->uidvalidity != check->uidvalidity)
		find(check, 0, "UIDVALIDITY %u instead of %u",
		    header->uidvalidity, check->uidvalidity);
	if (header->uidnext != check->uidnext)
		find(check, 0, "UIDNEXT %u instead of %u", header->uidnext,
		    check->uidnext);
}

/* Both go by UID: who lacks one is behind. */
static void
check_list(
    const struct drill_check *check, struct text rest, struct table *files)
{
	struct uidlist_header header;
	struct uidlist_entry entry = { .uid = 0 };
	size_t i = 0;
	char *file;
	int got;

	if (uidlist_parse_header(&rest, &header) == -1) {
		find(check, 0, "its list of UIDs cannot be read");
		return;
	}
	check_header(check, &header);
	while ((got = uidlist_parse_entry(&rest, entry.uid, &entry)) == 1) {
		for (; i < check->count && check->expected[i].uid < entry.uid;
		     i++)
			find(check, check->expected[i].uid,
			    "its UID is not in the list");
		if (i == check->count || check->expected[i].uid > entry.uid) {
			find(check, entry.uid, "nobody has this UID");
			continue;
		}
		file = table_remove(files, entry.whole.data, entry.whole.size);
		check_message(check, &check->expected[i++], file);
		memory_free(&file);
	}
	if (got == -1)
		find(check, 0, "its list of UIDs is malformed");
	for (; i < check->count; i++)
		find(check, check->expected[i].uid,
		    "its UID is not in the list");
}

int
drill_check_folder(const struct drill_check *check, struct error *error)
{
	struct table *files = table_new();
	struct buf list;
	int fd, result;

	buf_init(&list, DRILL_MAX_LIST);
	result = list_files(check->folder_fd, files, error);
	fd = result == -1 ? -1
			  : file_open_read(check->folder_fd, DRILL_LIST, error);
	if (fd != -1) {
		result = file_read_all(fd, &list, error);
		close(fd);
	} else {
		result = -1;
	}
	if (result == 0) {
		check_list(check, text_make(list.data, list.size), files);
		if (table_count(files) > 0)
			find(check, 0, "%zu files that are nobody's",
			    table_count(files));
	}
	buf_clear(&list);
	free_files(&files);
	return result;
}
