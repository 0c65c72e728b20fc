/*
 * Each file of a folder against the row that it belongs to: one that no row
 * knows is to be adopted, one that other programs renamed may carry their
 * flags, one that an expunge could not take goes now.
 */
#include "imapd/folder_look.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "imapd/noticed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	COMPARE_SECONDS = 15 * 60, /* what a file system may not have written */
	/* A file that changed so recently may be half of what it shall be, if
	 * its writer makes it where it is read from. */
	WRITTEN_NS = 150 * 1000 * 1000
};

/* The clock of times of files: the kernel's of the last tick. */
static bool
is_being_written(const struct stat *info)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)(now.tv_sec - info->st_ctim.tv_sec) * 1000000000 +
	      now.tv_nsec - info->st_ctim.tv_nsec;
	return age >= 0 && age < WRITTEN_NS;
}

/* Left for later, where nobody waits for it. */
static bool
must_wait(struct look *look, const char *file, bool is_new)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	if (!look->is_patient)
		return false;
	files_path(look->folder, is_new, text_of(file), path);
	if (fstatat(look->account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
		-1 ||
	    !is_being_written(&info))
		return false;
	look->is_early = true;
	look->has_left |=
	    !watcher_notice(look->account, look->folder, is_new, file);
	return true;
}

static void
look_unknown(struct look *look, const char *file, bool is_new, struct text base)
{
	struct found *found;

	if (must_wait(look, file, is_new))
		return;
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

	for (size_t i = 0; look->changed != NULL && i < folder_count(folder);
	     i++)
		if (look->seen[i] &&
		    look->changed[i] >= look->newest - COMPARE_SECONDS)
			heal_compare(look->account, folder->info.id,
			    folder_uid(folder, i));
	folder->must_compare = look->is_blind;
	free(look->changed);
}

/* A file that we could not rename when its flags changed. */
static void
look_at_flags(struct look *look, const struct index_row *row,
    const struct maildir_name *name)
{
	if (!file_name_agrees(look->folder, name, row))
		later_add(look->account, look->folder, row->uid, false);
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
	struct index_row row, wished;
	struct index_file known;
	bool is_ours;
	size_t at;

	if (!index_find_file(
		account->index, look->folder->info.id, uid, &known))
		return;
	if (!folder_row(look->folder, uid, &row)) {
		/* An expunge that could not take the file. */
		known.name = text_of(file);
		known.is_new = is_new;
		if (files_unlink(account, look->folder, &known) == 0)
			index_forget_file(
			    account->index, look->folder->info.id, uid);
		return;
	}
	if (!folder_position_of(look->folder, uid, &at))
		return; /* the index is broken */
	look->seen[at] = look_inside(look, at, file, is_new, known.stored_size);
	if (known.is_new == is_new && text_is(known.name, file) &&
	    !known.has_new_flags && !known.is_being_named) {
		look_at_flags(look, &row, name);
		return;
	}
	/* What it says is on its way to the store; the row may be another one
	 * by now, and the name says nothing of that. */
	if (known.has_new_flags && account->taking_flags > 0 &&
	    known.is_new == is_new && text_is(known.name, file)) {
		look->has_left = true;
		return;
	}
	wished = row;
	/* After an unclean stop, a kill while we renamed it, or where the index
	 * was lost with a rename that was still to be done, an old name may be
	 * that of before a change of ours: what was answered counts. */
	is_ours = look->changed != NULL || known.is_being_named ||
		  (account->is_rebuilt && index_was_killed(account->index));
	known.has_new_flags =
	    !is_ours && wish_flags(look, &known, name, &wished);
	known.is_being_named = false;
	known.base = name->base;
	known.name = text_of(file);
	known.is_new = is_new;
	index_put_file(account->index, look->folder->info.id, uid, &known);
	if (is_ours)
		look_at_flags(look, &row, name);
	if (!known.has_new_flags)
		return;
	look->flagged = memory_resize(
	    look->flagged, look->flagged_count + 1, sizeof(struct index_row));
	look->flagged[look->flagged_count++] = wished;
}

static void
look_at_file(struct look *look, const char *file, bool is_new, bool is_regular)
{
	struct maildir_name name;
	uint32_t uid;

	if (maildir_name_parse(text_of(file), &name) == -1)
		return;
	uid = index_find_name(
	    look->account->index, look->folder->info.id, name.base);
	if (uid != 0)
		look_known(look, uid, file, is_new, &name);
	else if (is_regular)
		look_unknown(look, file, is_new, name.base);
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
			look_at_file(look, entry->d_name, is_new,
			    entry->d_type == DT_REG ||
				entry->d_type == DT_UNKNOWN);
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

/* The index has the file where it is not any more. Else other names of it were
 * noticed as well, and say more. */
static void
look_gone(struct look *look, const struct noticed_name *noticed)
{
	struct message_index *index = look->account->index;
	uint64_t mailbox = look->folder->info.id;
	struct maildir_name name;
	struct index_file file;
	uint32_t uid;
	size_t at;

	if (maildir_name_parse(text_of(noticed->name), &name) == -1)
		return;
	uid = index_find_name(index, mailbox, name.base);
	if (!folder_position_of(look->folder, uid, &at) ||
	    !index_find_file(index, mailbox, uid, &file) ||
	    file.is_new != noticed->is_new ||
	    !text_is(file.name, noticed->name))
		return;
	look->seen[at] = 0;
	look->has_gone = true;
}

/* Whether it is there, or false: it is gone, or cannot be looked at. */
static bool
look_if_there(struct look *look, const struct noticed_name *noticed)
{
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	files_path(look->folder, noticed->is_new, text_of(noticed->name), path);
	if (fstatat(look->account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) ==
	    -1) {
		look->is_blind |= errno != ENOENT;
		return false;
	}
	look_at_file(
	    look, noticed->name, noticed->is_new, S_ISREG(info.st_mode));
	return true;
}

/* First what is there: the index then knows the new names of files that were
 * renamed. One that was renamed while we looked was noticed again. */
void
look_at_noticed(struct look *look, const struct noticed *names)
{
	struct noticed gone = { 0 };
	size_t before;
	bool has_more;

	memset(look->seen, 1, folder_count(look->folder));
	for (size_t i = 0; i < names->count; i++)
		if (!look_if_there(look, &names->names[i]))
			noticed_add(&gone, names->names[i].is_new,
			    names->names[i].name);
	before = watcher_noticed(look->account, look->folder);
	if (gone.count > 0)
		watcher_read(look->account);
	has_more = watcher_noticed(look->account, look->folder) != before;
	for (size_t i = 0; i < gone.count; i++)
		if (!has_more)
			look_gone(look, &gone.names[i]);
		else
			look->has_left |=
			    !watcher_notice(look->account, look->folder,
				gone.names[i].is_new, gone.names[i].name);
	noticed_clear(&gone);
}
