/*
 * Directories of the Maildir that stay open, so that a file's name costs no
 * walk to it: INBOX's tmp/, where new files are begun, and the three parts of
 * the two folders that were asked for last: what is copied is read from one and
 * written to the other.
 *
 * What is open must be where its path leads, or mail would be filed into a
 * Maildir that somebody has put aside: so the path's device and inode are
 * compared each time; once while somebody holds the directories (many files
 * together).  INBOX's tmp/ needs no such look, since its files are moved out of
 * it, wherever it went.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PARTS = 3,
	FOLDERS = 2
};

struct part {
	int fd; /* -1: not open */
	dev_t device;
	ino_t inode;
	uint64_t hold; /* in which it was last looked at */
};

struct folder_parts {
	uint64_t mailbox;
	struct part parts[PARTS];
};

struct directories {
	int inbox_tmp;
	struct folder_parts folders[FOLDERS]; /* the one asked for last first */
	unsigned int holders;
	uint64_t hold;     /* counts them */
	bool is_turn_held; /* by who reads, until the turn is over */
	struct timer *turn_timer;
};

static struct directories *
get_directories(struct account_store *account)
{
	struct directories *d = account->directories;

	if (d != NULL)
		return d;
	d = memory_new(1, sizeof(*d));
	d->inbox_tmp = -1;
	for (size_t f = 0; f < FOLDERS; f++)
		for (size_t i = 0; i < PARTS; i++)
			d->folders[f].parts[i].fd = -1;
	account->directories = d;
	return d;
}

static void
close_directory(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
close_parts(struct folder_parts *folder)
{
	for (size_t i = 0; i < PARTS; i++)
		close_directory(&folder->parts[i].fd);
}

/* The folder's parts, in front of the others. */
static struct folder_parts *
take_folder(struct directories *d, uint64_t mailbox)
{
	struct folder_parts first;
	size_t at = 0;

	while (at < FOLDERS - 1 && d->folders[at].mailbox != mailbox)
		at++;
	if (d->folders[at].mailbox != mailbox)
		close_parts(&d->folders[at]);
	first = d->folders[at];
	first.mailbox = mailbox;
	memmove(&d->folders[1], &d->folders[0], at * sizeof(first));
	d->folders[0] = first;
	return &d->folders[0];
}

void
directories_hold(struct account_store *account)
{
	struct directories *d = get_directories(account);

	/* Who writes takes no reader's word for it. */
	if (d->holders++ == 0)
		d->hold++;
}

void
directories_release(struct account_store *account)
{
	account->directories->holders--;
}

static void
end_turn(void *context)
{
	struct account_store *account = context;

	account->directories->is_turn_held = false;
}

void
directories_hold_turn(struct account_store *account)
{
	struct directories *d = get_directories(account);

	if (d->is_turn_held)
		return;
	if (d->turn_timer == NULL)
		d->turn_timer = timer_new(account->loop, end_turn, account);
	d->is_turn_held = true;
	if (d->holders == 0)
		d->hold++;
	timer_start(d->turn_timer, 0);
}

int
directories_inbox_tmp(struct account_store *account, struct error *error)
{
	struct directories *d = get_directories(account);

	if (d->inbox_tmp == -1)
		d->inbox_tmp =
		    file_open_directory(account->home_fd, "Maildir/tmp", error);
	return d->inbox_tmp;
}

/* Whether `path` still leads to what is open. */
static bool
is_still_there(
    struct account_store *account, struct part *part, const char *path)
{
	struct directories *d = account->directories;
	struct stat info;

	if ((d->holders > 0 || d->is_turn_held) && part->hold == d->hold)
		return true;
	if (fstatat(account->home_fd, path, &info, AT_SYMLINK_NOFOLLOW) == -1 ||
	    info.st_dev != part->device || info.st_ino != part->inode)
		return false;
	part->hold = d->hold;
	return true;
}

int
directories_part(struct account_store *account, const struct folder *folder,
    enum folder_part number, struct error *error)
{
	static const char *const names[PARTS] = { "cur", "new", "tmp" };
	struct directories *d = get_directories(account);
	struct part *part = &take_folder(d, folder->info.id)->parts[number];
	char path[ACCOUNT_PATH_MAX];
	struct stat info;

	snprintf(path, sizeof(path), "%s/%s", folder->directory, names[number]);
	if (part->fd != -1 && is_still_there(account, part, path))
		return part->fd;
	close_directory(&part->fd);
	part->fd = file_open_directory(account->home_fd, path, error);
	if (part->fd == -1)
		return -1;
	if (fstat(part->fd, &info) == -1) {
		close_directory(&part->fd);
		return error_set_errno(error, "%s", path);
	}
	part->device = info.st_dev;
	part->inode = info.st_ino;
	part->hold = d->hold;
	return part->fd;
}

void
directories_forget(struct account_store *account)
{
	struct directories *d = get_directories(account);

	close_directory(&d->inbox_tmp);
	for (size_t f = 0; f < FOLDERS; f++)
		close_parts(&d->folders[f]);
}

void
directories_free(struct account_store *account)
{
	if (account->directories == NULL)
		return;
	directories_forget(account);
	timer_free(&account->directories->turn_timer);
	memory_free(&account->directories);
}
