/* See import_tree.h. */
#include "firnmail/import_tree.h"

#include "common/file.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "common/utf7.h"
#include "firnmail/import_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uninorm.h>

enum {
	MAX_SUBSCRIPTIONS = 4 << 20
};

/* -- Names -- */

static struct text
view(const struct buf *buf)
{
	return text_make(buf->data, buf->size);
}

static int
put_nfc(struct text name, struct buf *to)
{
	size_t size = 0;
	uint8_t *nfc = u8_normalize(
	    UNINORM_NFC, (const uint8_t *)name.data, name.size, NULL, &size);
	int result;

	if (nfc == NULL)
		return -1;
	result = buf_put(to, nfc, size);
	free(nfc);
	return result;
}

static bool
has_control_bytes(struct text name)
{
	for (size_t i = 0; i < name.size; i++)
		if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
			return true;
	return false;
}

/* `name` as it is called there becomes what it is called here. */
static int
put_name(struct text there, const char *into, struct buf *name)
{
	if (into[0] != '\0') {
		buf_put_text(name, into);
		buf_put_byte(name, '/');
	}
	return put_nfc(there, name) == -1 || has_control_bytes(view(name)) ||
		       !text_is_utf8(view(name)) ||
		       name->size > RECORD_MAX_NAME_SIZE
		   ? -1
		   : 0;
}

int
import_name(
    const char *folder, const char *into, struct buf *name, struct buf *target)
{
	struct buf there;
	int result = 0;

	buf_init(&there, 4 * RECORD_MAX_NAME_SIZE);
	if (folder[0] == '\0')
		buf_put_text(&there, "INBOX");
	else
		result = maildir_folder_parse(text_of(folder), &there);
	/* INBOX is the Maildir itself and nothing else. */
	if (folder[0] != '\0' && text_is_nocase(view(&there), "INBOX"))
		result = -1;
	if (result == 0)
		result = put_name(view(&there), into, name);
	if (result == 0) {
		buf_put_text(target, "Maildir/");
		result = maildir_folder_format(view(name), target);
	}
	if (result == 0 && target->data[target->size - 1] == '/')
		target->size--;
	if (result == 0)
		result = buf_put_byte(target, '\0');
	buf_clear(&there);
	return result;
}

/* Version 1 of the file has a folder's name without the first dot a line,
 * version 2 the levels with tabs between. */
int
import_next_subscription(
    struct text *rest, bool *is_tabbed, const char *into, struct buf *name)
{
	struct buf folder;
	struct text line;
	int result = -1;

	buf_reset(name);
	if (!text_next(rest, '\n', &line))
		return 0;
	if (text_starts_nocase(line, "V\t2")) {
		*is_tabbed = true;
		return -1;
	}
	if (line.size == 0 || line.size > MAILDIR_MAX_NAME)
		return -1;
	buf_init(&folder, MAILDIR_MAX_NAME + 2);
	buf_put_byte(&folder, '.');
	for (size_t i = 0; i < line.size; i++)
		buf_put_byte(&folder, *is_tabbed && line.data[i] == '\t'
					  ? '.'
					  : (uint8_t)line.data[i]);
	if (text_is_nocase(line, "INBOX"))
		result = put_name(TEXT("INBOX"), into, name);
	else {
		struct buf there;

		buf_init(&there, 4 * RECORD_MAX_NAME_SIZE);
		if (maildir_folder_parse(view(&folder), &there) == 0)
			result = put_name(view(&there), into, name);
		buf_clear(&there);
	}
	buf_clear(&folder);
	return result == 0 ? 1 : -1;
}

/* -- One folder -- */

/* Names that were checked only; others are what a directory may hold. */
static void
put_shown(const char *bytes, FILE *to)
{
	for (; *bytes != '\0'; bytes++)
		fputc((unsigned char)*bytes < 0x20 || *bytes == 0x7f ? '?'
								     : *bytes,
		    to);
}

static void
say_left(struct import_tree *tree, const char *folder, uint64_t count,
    const char *why, const char *example)
{
	if (count == 0)
		return;
	fputs("left\t", tree->to);
	put_shown(folder[0] == '\0' ? "INBOX" : folder, tree->to);
	fprintf(tree->to, "\t%llu\t%s\t", (unsigned long long)count, why);
	put_shown(example, tree->to);
	fputc('\n', tree->to);
}

static void
say_folder(struct import_tree *tree, const char *name, const char *folder_name,
    const struct import_folder *folder, const char *state)
{
	fprintf(tree->to, "mailbox\t%s\t%s\t%llu\t%llu\t%u\n", name, state,
	    (unsigned long long)folder->messages,
	    (unsigned long long)folder->bytes, folder->uidvalidity);
	for (int why = 0; why < LEFT_COUNT; why++)
		say_left(tree, folder_name, folder->left[why],
		    import_left_name(why), folder->example[why]);
	say_left(tree, folder_name, folder->has_bad_uidlist,
	    "its UIDs: the list is damaged", "dovecot-uidlist");
}

static void
say_failed(
    struct import_tree *tree, const char *folder, const struct error *error)
{
	tree->failed++;
	fputs("failed\t", tree->to);
	put_shown(folder[0] == '\0' ? "INBOX" : folder, tree->to);
	fputc('\t', tree->to);
	put_shown(error->text, tree->to);
	fputc('\n', tree->to);
}

/* What is beneath import/ for this folder: the messages, and the sign that
 * they were moved to where they belong. */
struct staging {
	char messages[2 * MAILDIR_MAX_NAME];
	char done[2 * MAILDIR_MAX_NAME];
};

static void
name_staging(const char *folder, struct staging *staging)
{
	const char *name = folder[0] == '\0' ? "INBOX" : folder;

	snprintf(staging->messages, sizeof(staging->messages),
	    IMPORT_DIRECTORY "/messages/%s", name);
	snprintf(staging->done, sizeof(staging->done),
	    IMPORT_DIRECTORY "/done/%s", name);
}

static bool
is_there(int dir_fd, const char *path)
{
	struct stat info;

	return fstatat(dir_fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* It was taken by an import that was cut off later, or of another day. */
static bool
is_done(const struct import_tree *tree, const struct import_folder *folder,
    const struct staging *staging, const struct import_known *known)
{
	if (is_there(tree->home_fd, staging->done) &&
	    !is_there(tree->home_fd, staging->messages))
		return true;
	return known != NULL && known->is_used && folder->uidvalidity != 0 &&
	       known->uidvalidity == folder->uidvalidity;
}

static int
mark_done(const struct import_tree *tree, const struct staging *staging,
    struct error *error)
{
	int fd = file_create(tree->home_fd, staging->done, 0600, error);

	if (fd == -1)
		return error->code == ERROR_EXISTS ? 0 : -1;
	close(fd);
	return 0;
}

struct names {
	const char *folder;
	struct buf name; /* here */
	struct buf target;
};

static void
take(struct import_tree *tree, const struct names *names,
    struct import_folder *folder, const struct staging *staging)
{
	struct error error;

	/* In this order: done without messages says that they were moved. */
	if ((file_make_directory(
		 tree->home_fd, staging->messages, 0700, &error) == -1 &&
		error.code != ERROR_EXISTS) ||
	    mark_done(tree, staging, &error) == -1 ||
	    import_folder_copy(folder, &error) == -1) {
		say_failed(tree, names->folder, &error);
		return;
	}
	say_folder(
	    tree, (const char *)names->name.data, names->folder, folder, "new");
	/* Who reads it has it adopted meanwhile. */
	(void)fflush(tree->to);
}

static void
visit(
    struct import_tree *tree, const struct names *names, int fd, bool is_survey)
{
	const struct import_known *known =
	    table_find(tree->known, names->name.data, names->name.size - 1);
	struct import_folder folder = { .source_fd = fd,
		.home_fd = tree->home_fd,
		.is_dovecot = tree->is_dovecot,
		.target = (const char *)names->target.data };
	const char *name = (const char *)names->name.data;
	struct staging staging = { "", "" };
	struct error error;
	bool was_done;

	name_staging(names->folder, &staging);
	folder.staged = staging.messages;
	if (import_folder_survey(&folder, &error) == -1) {
		if (is_survey == tree->is_dry_run)
			say_failed(tree, names->folder, &error);
		return;
	}
	was_done = is_done(tree, &folder, &staging, known);
	if (!was_done && known != NULL && known->is_used) {
		tree->used += is_survey;
		if (is_survey)
			say_folder(tree, name, names->folder, &folder, "used");
		return;
	}
	if (is_survey != tree->is_dry_run)
		return;
	if (was_done || is_survey)
		say_folder(tree, name, names->folder, &folder,
		    was_done ? "there" : "would");
	else
		take(tree, names, &folder, &staging);
}

static void
visit_folder(struct import_tree *tree, const char *name, bool is_survey)
{
	struct names names = { .folder = name };
	struct error error;
	int fd = -1;

	buf_init(&names.name, RECORD_MAX_NAME_SIZE + 2);
	buf_init(&names.target, MAILDIR_MAX_NAME + 16);
	if (import_name(name, tree->into, &names.name, &names.target) == -1) {
		if (is_survey == tree->is_dry_run)
			say_left(tree, name, 1, "no name of a mailbox", name);
	} else {
		buf_put_byte(&names.name, '\0');
		fd = file_open_directory(
		    tree->source_fd, name[0] == '\0' ? "." : name, &error);
		if (fd != -1)
			visit(tree, &names, fd, is_survey);
		else if (is_survey == tree->is_dry_run)
			say_failed(tree, name, &error);
	}
	if (fd != -1)
		close(fd);
	buf_clear(&names.name);
	buf_clear(&names.target);
}

/* -- All of them -- */

static bool
has_cur(const struct import_tree *tree, const char *folder)
{
	char path[2 * MAILDIR_MAX_NAME];
	struct stat info;

	snprintf(path, sizeof(path), "%s/cur", folder);
	return fstatat(tree->source_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       S_ISDIR(info.st_mode);
}

/* A directory of Dovecot's LAYOUT=fs is a mailbox without a dot before. */
static void
look_at_entry(struct import_tree *tree, const char *name, bool is_survey)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (name[0] != '.') {
		if (is_survey == tree->is_dry_run && strcmp(name, "cur") != 0 &&
		    strcmp(name, "new") != 0 && strcmp(name, "tmp") != 0 &&
		    has_cur(tree, name))
			say_left(tree, name, 1,
			    "a mailbox of LAYOUT=fs: convert it with doveadm",
			    name);
		return;
	}
	if (has_cur(tree, name))
		visit_folder(tree, name, is_survey);
}

static int
walk(struct import_tree *tree, bool is_survey, struct error *error)
{
	struct dirent *entry;
	unsigned int count = 0;
	DIR *listing;
	int fd = file_open_directory(tree->source_fd, ".", error);

	if (fd == -1)
		return -1;
	listing = fdopendir(fd);
	if (listing == NULL) {
		close(fd);
		return error_set_errno(error, "source");
	}
	visit_folder(tree, "", is_survey);
	for (errno = 0;
	     (entry = readdir(listing)) != NULL && count++ < IMPORT_MAX_FOLDERS;
	     errno = 0)
		look_at_entry(tree, entry->d_name, is_survey);
	if (entry != NULL)
		error_set(error, ERROR_LIMIT, "more than %d entries",
		    IMPORT_MAX_FOLDERS);
	else if (errno != 0)
		error_set_errno(error, "source");
	closedir(listing);
	return entry == NULL && errno == 0 ? 0 : -1;
}

static int
take_subscriptions(struct import_tree *tree, struct error *error)
{
	struct buf file, name, list;
	bool is_tabbed = false;
	unsigned long count = 0;
	struct text rest;
	int got, result = 0;
	int fd = file_open_read(tree->source_fd, "subscriptions", error);

	if (fd == -1)
		return 0; /* there is none */
	buf_init(&file, MAX_SUBSCRIPTIONS);
	buf_init(&name, RECORD_MAX_NAME_SIZE + 2);
	buf_init(&list, 4 * MAX_SUBSCRIPTIONS);
	if (file_read_all(fd, &file, error) == 0) {
		rest = view(&file);
		while ((got = import_next_subscription(
			    &rest, &is_tabbed, tree->into, &name)) != 0) {
			if (got == -1)
				continue;
			buf_put(&list, name.data, name.size);
			buf_put_byte(&list, '\n');
			count++;
		}
		if (!tree->is_dry_run)
			result =
			    file_replace(tree->home_fd, IMPORT_SUBSCRIPTIONS,
				list.data, list.size, 0600, error);
		fprintf(tree->to, "subscriptions\t%lu\n", count);
	}
	close(fd);
	buf_clear(&file);
	buf_clear(&name);
	buf_clear(&list);
	return result;
}

static int
make_staging(const struct import_tree *tree, struct error *error)
{
	static const char *const names[] = { "Maildir", IMPORT_DIRECTORY,
		IMPORT_DIRECTORY "/messages", IMPORT_DIRECTORY "/done" };
	int fd;

	for (size_t i = 0; i < 4; i++)
		if (file_make_directory(tree->home_fd, names[i], 0700, error) ==
			-1 &&
		    error->code != ERROR_EXISTS)
			return -1;
	fd = file_create(tree->home_fd, IMPORT_RUNNING, 0600, error);
	if (fd == -1)
		return error->code == ERROR_EXISTS ? 0 : -1;
	close(fd);
	return 0;
}

/* All that was to be taken is where it belongs: the next import is another. */
static void
clear_staging(const struct import_tree *tree)
{
	static const char path[] = IMPORT_DIRECTORY "/done";
	struct dirent *entry;
	struct error error;
	DIR *listing;
	int fd = file_open_directory(tree->home_fd, path, &error);

	listing = fd == -1 ? NULL : fdopendir(fd);
	if (listing == NULL && fd != -1)
		close(fd);
	while (listing != NULL && (entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			(void)file_unlink(fd, entry->d_name, &error);
	if (listing != NULL)
		closedir(listing);
}

int
import_tree_run(struct import_tree *tree, struct error *error)
{
	if (!has_cur(tree, "."))
		return error_set(error, ERROR_INPUT,
		    "this is no Maildir: it has no directory \"cur\"");
	if (walk(tree, true, error) == -1)
		return -1;
	if (tree->is_dry_run)
		return take_subscriptions(tree, error);
	if (tree->used > 0)
		return 0;
	if (make_staging(tree, error) == -1 || walk(tree, false, error) == -1 ||
	    take_subscriptions(tree, error) == -1)
		return -1;
	if (tree->failed == 0)
		clear_staging(tree);
	return file_unlink(tree->home_fd, IMPORT_RUNNING, error);
}
