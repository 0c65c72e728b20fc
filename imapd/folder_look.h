/*
 * A look at the files of one folder: what mailbox_sync.c, folder_look.c and
 * folder_losses.c share.  Nobody else includes it.
 */
#ifndef IMAPD_FOLDER_LOOK_H
#define IMAPD_FOLDER_LOOK_H

#include "imapd/account_state.h"

struct look {
	struct account_store *account;
	struct folder *folder;
	uint8_t *seen; /* a byte for each row */
	struct found *found;
	size_t found_count;
	struct index_row *flagged; /* rows whose file carries other flags */
	size_t flagged_count;
	struct known_files *known; /* NULL after an unclean stop */
	int64_t *changed; /* ctime of each row's file, after an unclean stop */
	int64_t newest;
	bool is_patient; /* what may still be written is left for later */
	bool is_early;   /* something was */
	bool has_left;   /* and there is no room to note which */
	bool has_gone;   /* look_at_noticed: a row's file is not there */
	bool is_blind;   /* something could not be looked at */
};

/* ---- folder_look.c ---- */
/* All files of both halves; is_blind if some could not be seen. */
void look_into_all(struct look *look);
/* Only those of these names; rows whose files are among them and are gone are
 * not seen, all others are. */
void look_at_noticed(struct look *look, const struct noticed *names);
/* After an unclean stop: has what was written last compared with the store. */
void look_compare_newest(struct look *look);

/* ---- folder_losses.c ---- */
/* What becomes of the rows whose files were not seen. */
void look_for_losses(struct look *look);

#endif
