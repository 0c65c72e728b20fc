/*
 * What the parts of a restore share.  restore.c has its life and what the
 * client sees, restore_look.c reads what is to be done, restore_write.c does
 * some of it as one event, restore_files.c has the workers, several at a time,
 * write files, or say which are missing.
 */
#ifndef SNAPD_RESTORE_PARTS_H
#define SNAPD_RESTORE_PARTS_H

#include "snapd/restore.h"
#include "snapd/restore_plan.h"

enum {
	RESTORE_STEP_ITEMS = 256,      /* rows of one event */
	RESTORE_STEP_LOOKS = 5000,     /* rows looked at in one round */
	RESTORE_STEP_BYTES = 16 << 20, /* of bodies that are read in one */
	RESTORE_WORKERS = 8,           /* at a time */
	RESTORE_MAX_FINDINGS = 1000    /* that are named; all are counted */
};

/* Something to be written. */
struct restore_item {
	enum restore_what what;
	/* The row of then; to be moved: of now; a mailbox to be moved: only
	 * record.mailbox. */
	struct message_row row;
	uint32_t uid; /* RESTORE_CHANGE: now */
};

struct restore {
	struct snapd *snapd;
	uint64_t client;
	struct control_job *job; /* what was asked, and its walk */
	struct restore_plan plan;
	struct timer *timer;
	/* "Restored/<date>", "Superseded/<date>" or what --into says; what is
	 * of the walk's mailbox goes to `target`. */
	char base[RECORD_MAX_NAME_SIZE + 1];
	char target[RECORD_MAX_NAME_SIZE + 1];
	/* Looked at, not written yet. */
	struct restore_item items[RESTORE_STEP_ITEMS];
	size_t item_count;
	bool must_bring_back; /* the walk's mailbox, before its rows */
	bool must_rename;     /* it, to its name of then */
	struct buf subscribe; /* u8 yes, name, 0 each */
	bool is_mailbox_done; /* its items are to be written by now: the next
				 one has another target */
	uint64_t bytes_read;  /* in this step */
	/* Where it is. */
	bool is_marked;            /* rewind: the state before it */
	bool is_among_newer_boxes; /* before the mailboxes of then */
	uint64_t newer_box;
	bool is_among_newer; /* after the messages of then */
	uint32_t newer_uid;
	bool must_look;  /* dry run: the account's worker says first what is
			  * missing; it was asked some accounts ahead */
	uint32_t looked; /* the last account whose worker was asked */
	uint32_t look_at[RESTORE_WORKERS]; /* those to be asked now */
	size_t look_count;
	bool is_account_done;
	bool is_walk_done;
	struct buf plans;     /* of this account: u32 size and record each */
	uint64_t sequence;    /* of our last event */
	bool is_uncommitted;  /* it is not on disk yet, for all we know */
	uint64_t lost_rounds; /* of the journal, when it was written */
	uint64_t told;   /* of that which the account's worker was told of, */
	int64_t told_ms; /* and when */
	/* Sums. */
	uint64_t rows_written;
	uint64_t planned; /* files that workers will write */
	uint64_t bodies_read;
	uint64_t files_written;
	uint64_t files_failed;
	uint64_t damaged;
	uint64_t skipped;
	uint64_t workers_missing;
	uint64_t findings;
	/* Workers. */
	struct restore_files *files;
	unsigned int files_count;
	struct timer *heartbeat;
};

/* ---- restore.c ---- */
void restore_send_row(
    struct restore *restore, enum control_row_kind kind, struct text record);
void restore_send_progress(
    struct restore *restore, const char *what, uint64_t done, uint64_t total);
void restore_send_finding(
    struct restore *restore, const char *where, const char *what);
/* The next step comes soon; harmless at any time. */
void restore_go_on(struct restore *restore);

/* ---- restore_look.c ---- */
/* In one read transaction, until there is something to write or enough was
 * seen: 1, 0 at the end of everything, -1 and job->error. */
int restore_look(struct restore *restore, struct journal *journal);
/* The walk's mailbox under the base: false if that is no name. */
bool restore_make_target(struct restore *restore, struct text mailbox);

/* ---- restore_write.c ---- */
/* What was looked at, as one event; a dry run only forgets it. */
enum status restore_write(struct restore *restore, struct journal *journal);
/* Rewind: the state before. */
enum status restore_mark(struct restore *restore, struct journal *journal);

/* ---- restore_files.c ---- */
/* The account's worker writes the files that are missing, or only says which
 * they are. */
void restore_files_start(
    struct restore *restore, uint32_t account, bool is_look);
/* What the worker of the walk's account said goes into the plan; false: it has
 * not said it yet. */
bool restore_files_take_look(struct restore *restore);
void restore_files_free(struct restore *restore);
/* A restore has ended early: its last account's worker, if it is there. */
void restore_tell_worker(struct snapd *snapd, uint32_t account);

#endif
