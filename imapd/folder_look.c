/*
 * Each file of a folder against the row that it belongs to: one that no row
 * knows is to be adopted, one that other programs renamed may carry their flags,
 * one that an expunge could not take goes now.
 */
#include "imapd/folder_look.h"

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

enum {
	COMPARE_SECONDS = 15 * 60 /* what a file system may not have written */
};

static void
look_unknown(struct look *look, const char *file, bool is_new, struct text base)
{
	struct found *found;

	if ((look->found_count & (look->found_count - 1)) == 0)
		look->found = memory_resize(look->found,
		    look->found_count == 0 ? 1 : 2 * look->found_count,
		    sizeof(*found));
	found = &look->found[look->found_count++];
	memset(found, 0, sizeof(*found));
	found->name = memory_copy_text(file);
	found->is_new = is_new;
	adopt_delivery(look->folder, base, &found->delivery);
}

/* After an unclean stop a file may be shorter than it was: false then. Notes
 * when the others were written. */
static bool
look_inside(struct look *look, size_t at, const char *file, bool is_new,
    uint64_t stored_size)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	if (look->changed == NULL)
		return true;
	files_path(look->folder, is_new, text_of(file), path);
	if (fstatat(look->account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
	    -1) {
		look->is_blind |= errno != ENOENT;
		return false;
	}
	if ((uint64_t)info.st_size != stored_size)
		return false;
	look->changed[at] = info.st_ctim.tv_sec;
	if (info.st_ctim.tv_sec > look->newest)
		look->newest = info.st_ctim.tv_sec;
	return true;
}

/* What was written in the last minutes before the stop is compared byte by
 * byte with what the store has. */
void
look_compare_newest(struct look *look)
{
	struct folder *folder = look->folder;

	for (size_t i = 0; look->changed != NULL && i < folder->row_count; i++)
		if (look->seen[i] &&
		    look->changed[i] >= look->newest - COMPARE_SECONDS)
			heal_compare(look->account, folder->info.id,
			    folder->rows[i].uid);
	folder->must_compare = look->is_blind;
	free(look->changed);
}

/* A file that we could not rename when its flags changed. */
static void
look_at_flags(struct look *look, const struct index_row *row, uint64_t born,
    const struct maildir_name *name)
{
	struct message_record record = { .mailbox = look->folder->info.id,
		.uid = row->uid,
		.born = born,
		.flags = row->flags & FLAG_ALL,
		.keywords = row->keywords };

	if (!file_name_agrees(look->folder, name, row))
		apply_file_name(look->account, look->folder, &record);
}

/* What another program changed in the name, on top of the row's flags, which
 * may have changed as well: true if the row is to follow. */
static bool
wish_flags(const struct look *look, const struct index_file *known,
    const struct maildir_name *name, struct index_row *row)
{
	uint64_t letters = file_name_letters(look->folder), keywords;
	struct maildir_name old;
	uint32_t flags;

	if (!name->has_flags)
		return false;
	/* Of a change that was cut off the old name is not known any more. */
	if (known->has_new_flags ||
	    maildir_name_parse(known->name, &old) == -1) {
		old.flags = row->flags & FLAG_ALL;
		old.keywords = row->keywords;
	}
	flags = ((row->flags & FLAG_ALL) | (name->flags & ~old.flags)) &
		~(old.flags & ~name->flags);
	keywords =
	    (row->keywords | (name->keywords & ~old.keywords & letters)) &
	    ~(old.keywords & ~name->keywords & letters);
	if (flags == (row->flags & FLAG_ALL) && keywords == row->keywords)
		return false;
	row->flags = flags;
	row->keywords = keywords;
	return true;
}

/* A file of a row: other name, other flags? */
static void
look_known(struct look *look, uint32_t uid, const char *file, bool is_new,
    const struct maildir_name *name)
{
	struct account_store *account = look->account;
	struct index_row *row = folder_row(look->folder, uid);
	struct index_file known;
	struct index_row wished;

	if (!index_find_file(
		account->index, look->folder->info.id, uid, &known))
		return;
	if (row == NULL) { /* an expunge that could not take the file */
		known.name = text_of(file);
		known.is_new = is_new;
		if (files_unlink(account, look->folder, &known) == 0)
			index_remove_row(
			    account->index, look->folder->info.id, uid, 0);
		return;
	}
	look->seen[row - look->folder->rows] =
	    look_inside(look, (size_t)(row - look->folder->rows), file, is_new,
		known.stored_size);
	if (known.is_new == is_new && text_is(known.name, file) &&
	    !known.has_new_flags) {
		look_at_flags(look, row, known.born, name);
		return;
	}
	wished = *row;
	/* After an unclean stop an old name may be a rename of ours that did
	 * not reach the disk: what was answered counts. */
	known.has_new_flags =
	    look->changed == NULL && wish_flags(look, &known, name, &wished);
	known.base = name->base;
	known.name = text_of(file);
	known.is_new = is_new;
	index_put_file(account->index, look->folder->info.id, uid, &known);
	if (look->changed != NULL)
		look_at_flags(look, row, known.born, name);
	if (!known.has_new_flags)
		return;
	look->flagged = memory_resize(
	    look->flagged, look->flagged_count + 1, sizeof(struct index_row));
	look->flagged[look->flagged_count++] = wished;
}

static void
look_at_entry(struct look *look, const struct dirent *entry, bool is_new)
{
	struct maildir_name name;
	uint32_t uid;

	if (maildir_name_parse(text_of(entry->d_name), &name) == -1)
		return;
	uid = index_find_name(
	    look->account->index, look->folder->info.id, name.base);
	if (uid != 0)
		look_known(look, uid, entry->d_name, is_new, &name);
	else if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN)
		look_unknown(look, entry->d_name, is_new, name.base);
}

static void
look_into(struct look *look, const char *part, bool is_new)
{
	char path[ACCOUNT_PATH_MAX];
	struct dirent *entry;
	struct error error;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/%s", look->folder->directory, part);
	if (files_list(look->account->home_fd, path, &listing, &error) == -1) {
		look->is_blind |= error.code != ERROR_MISSING;
		return;
	}
	for (errno = 0; (entry = readdir(listing)) != NULL; errno = 0) {
		size_t at;

		if (look->known != NULL &&
		    known_files_find(look->known, entry->d_name, is_new, &at))
			look->seen[at] = 1;
		else
			look_at_entry(look, entry, is_new);
	}
	look->is_blind |= errno != 0;
	closedir(listing);
}

/* What was written before an unclean stop is looked at one by one. */
void
look_into_all(struct look *look)
{
	if (look->changed == NULL)
		look->known = known_files_new(look->account, look->folder);
	look_into(look, "new", true);
	look_into(look, "cur", false);
	known_files_free(&look->known);
}
