/*
 * What snapctl asks to see: snapshots, accounts, mailboxes, messages, bodies,
 * differences, events.  A job is worked on in steps by the reader thread (that
 * of a restore, which also writes, in the loop: restore.c); each step leaves at
 * most CONTROL_STEP_BYTES of rows for the loop to send, and the next step comes
 * when they are on their way: an answer that nobody reads costs one step of
 * memory.
 */
#ifndef SNAPD_CONTROL_READING_H
#define SNAPD_CONTROL_READING_H

#include "common/buf.h"
#include "common/control_record.h"
#include "common/messages.h"
#include "snapd/changed.h"
#include "snapd/object_store.h"
#include "snapd/snapshot.h"
#include "snapd/walk.h"

enum {
	CONTROL_STEP_BYTES = 256 << 10,
	CONTROL_STEP_ROWS = 5000 /* that are looked at, not sent */
};

/* What the request says; copied out of its message. */
struct control_job {
	unsigned int verb; /* MESSAGE_control_list, _ls, ... */
	uint64_t tag;
	struct snapshot_point from;
	struct snapshot_point to; /* diff */
	struct retention retention;
	int64_t now; /* seconds since 1970 */
	int64_t since;
	int64_t before;       /* find; 0: none */
	uint64_t after_event; /* log: behind this one */
	bool is_following;    /* log: there is no end */
	uint32_t days;        /* stats */
	bool is_expunged;     /* find */
	uint64_t index_bytes; /* stats: of the store's file */
	uint64_t disk_bytes;  /* and of the file system that it is on */
	uint64_t disk_free_bytes;
	/* restore */
	bool is_dry_run;
	enum restore_mode mode;
	char into[RECORD_MAX_NAME_SIZE + 1];
	uint32_t account;
	uint32_t uid;
	char mailbox[RECORD_MAX_NAME_SIZE + 1];
	char message_id[CONTROL_MAX_TEXT + 1];
	/* The answer of a step: u8 kind, u32 size, record; one after the
	 * other. */
	struct buf rows;
	bool is_done;
	struct error error; /* ERROR_NONE: fine */
	uint64_t sequence;  /* of `from` */
	/* Private. */
	bool is_started;
	struct digest *digest;
	struct snapshot_list snapshots;
	size_t next_snapshot;
	uint64_t to_sequence;
	uint64_t position;
	unsigned int looked; /* log: rows in this step */
	struct walk walk;
	struct as_of other; /* diff: the mailbox at `to` */
	struct changed changed;
	struct control_proof *proof;
	struct control_stats *stats;
	struct control_account totals;
	bool was_found;
	struct object object; /* cat */
	bool is_in_body;
	/* drill: how many messages are drawn (0: all), of how many that lie
	 * before us; it counts them in a walk of its own. */
	uint64_t sample;
	uint64_t lies_ahead;
	bool is_counted;
	/* Deleted messages: the row to go on with, of which database; when
	 * their mailbox was deleted itself (0: it was not). */
	struct key after;
	enum database database;
	uint64_t retired;
};

/* NULL and error if a field of the request is malformed or it is none. */
struct control_job *control_job_new(
    const struct message *request, struct error *error);
void control_job_free(struct control_job **job);

/* What the first step does: finds the sequences of the job's points. */
int control_job_resolve(
    struct control_job *job, struct store *store, struct error *error);

/* A job that follows the log, and is at its end, goes on to this event: false
 * if it is there already. */
bool control_job_continue(struct control_job *job, uint64_t sequence);

/* One step, in whatever thread. */
void control_job_step(struct control_job *job, struct store *store);

/* 1: the message has that Message-ID (in angle brackets or not), 0, -1. */
int control_has_message_id(struct transaction *t, uint64_t blob,
    struct text wanted, struct error *error);

/* The next row of the step; false at the end. `at` starts with 0. */
bool control_job_row(const struct control_job *job, size_t *at, uint8_t *kind,
    struct text *record);

#endif
