/*
 * A mailbox restored into the scratch folder of drills: a Maildir++ folder with
 * its messages' files, named, flagged and dated as the account's worker would,
 * and their UIDs in Dovecot's list.  Everything lies beneath one folder of one
 * name, DRILL_FOLDER, and nothing else is ever removed.
 */
#ifndef SNAPD_DRILL_FOLDER_H
#define SNAPD_DRILL_FOLDER_H

#include "common/buf.h"
#include "common/error.h"
#include "common/maildir.h"
#include "common/record.h"

#define DRILL_FOLDER "firnmail-drill"
#define DRILL_LIST   "dovecot-uidlist"

enum {
	DRILL_MAX_LIST = 1 << 30,
	/* So much of the file system stays free: a drill must not be what fills
	 * a disk that mail lies on. */
	DRILL_FREE_PART = 20 /* a twentieth */
};

struct drill_folder {
	int fd;         /* of the mailbox's folder; -1: none is open */
	int message_fd; /* of the file that is written; -1: none */
	char temporary[MAILDIR_MAX_NAME + 8];
	struct buf list; /* of UIDs, as far as it is known */
};

/* Nothing is open. */
void drill_folder_init(struct drill_folder *folder);

/* Takes all away that lies in the scratch folder; 0 if nothing does. */
int drill_folder_remove(int top_fd, struct error *error);

/* ERROR_FULL if `bytes` more would leave less than must stay free. */
int drill_folder_check_room(int top_fd, uint64_t bytes, struct error *error);

/* ERROR_INPUT: the mailbox's name makes no folder. */
int drill_folder_make(struct drill_folder *folder, int top_fd, uint32_t account,
    const struct mailbox_record *mailbox, struct error *error);

/* A message: begin, its bytes, end; or drop, if they cannot be had. Begin gives
 * ERROR_INPUT if its name makes no file. */
int drill_folder_begin(struct drill_folder *folder,
    const struct message_record *message, struct error *error);
int drill_folder_put(
    struct drill_folder *folder, struct text bytes, struct error *error);
int drill_folder_end(struct drill_folder *folder,
    const struct message_record *message, struct error *error);
void drill_folder_drop(struct drill_folder *folder);

/* Writes the list of UIDs. */
int drill_folder_finish(struct drill_folder *folder, struct error *error);

/* Closes what is open; the files stay. */
void drill_folder_close(struct drill_folder *folder);

#endif
