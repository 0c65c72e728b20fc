/*
 * Everything that is only read: listings of any sequence, changes, bodies.  A
 * thread of its own does it on an LMDB snapshot, so that a long listing never
 * holds up a delivery.  Jobs go in from the loop, finished ones come back to
 * the loop in order.  The thread calls nothing that logs.
 */
#ifndef SNAPD_READING_H
#define SNAPD_READING_H

#include "common/buf.h"
#include "common/event_loop.h"
#include "common/record.h"
#include "common/status.h"
#include "snapd/object_store.h"
#include "snapd/retention.h"
#include "snapd/store.h"

enum reading_kind {
	READ_MAILBOXES, /* change records: mailboxes and subscriptions */
	READ_MESSAGES,  /* message records by UID */
	READ_CHANGES,   /* change records after `since` */
	READ_UNFILED,   /* unfiled records, oldest first */
	READ_BLOB,
	READ_BLOBS,        /* bodies, and their body records as `envelope` */
	READ_UNFILED_BODY, /* body, and its unfiled record as `envelope` */
	READ_UNFILED_ACCOUNTS, /* u32 each, above `after` */
	READ_SNAPSHOTS,        /* snapshot records, oldest first */
	READ_EXPUNGED,         /* change records, above `after` */
	READ_VANISHED,         /* vanished records, by sequence */
	READ_SAVED,            /* saved records after `since`, by sequence */
	READ_CONTROL           /* one step of `control` */
};

struct reading {
	enum reading_kind kind;
	uint32_t account;
	uint64_t as_of; /* 0: now; also `since` */
	uint64_t mailbox;
	uint64_t blob;
	uint64_t blobs[BODIES_MAX]; /* READ_BLOBS */
	size_t blob_count;
	uint32_t after;
	struct delivery_id delivery;
	/* READ_SNAPSHOTS */
	struct store_id store;
	struct retention retention;
	int64_t now;   /* seconds since 1970 */
	uint64_t tag;  /* the asker's */
	void *context; /* the asker */
	/* The answer. */
	enum status status;
	uint64_t sequence; /* of what was read */
	struct buf data;
	struct buf envelope;
	struct control_job *control; /* READ_CONTROL */
	struct reading *next;        /* private */
};

enum {
	READING_MAX_BYTES = 1 << 30 /* of one answer */
};

struct reader_thread;

/* `done` is called in the loop and owns the job (reading_free). */
struct reader_thread *reader_thread_new(struct event_loop *loop,
    struct store *store, void (*done)(struct reading *reading, void *context),
    void *context);
void reader_thread_free(struct reader_thread **thread);
void reader_thread_submit(
    struct reader_thread *thread, struct reading *reading);
void reading_free(struct reading **reading);

/* The work itself, in whatever thread; or in a transaction that is open, and of
 * what it has not committed yet (READ_CONTROL knows only the former). */
void reading_run(struct reading *reading, struct store *store);
void reading_run_in(struct reading *reading, struct transaction *t);

/* The bytes of the object behind the others, if it is of the reading's account.
 * 0, or -1: none of them. */
int reading_put_object(struct reading *reading, struct transaction *t,
    struct digest *digest, const struct object *object, struct error *error);

/* READ_BLOBS: each has a record of its own, whatever became of it. */
int reading_put_bodies(
    struct reading *reading, struct transaction *t, struct error *error);

/* One record behind the others; 0, or -1 if it does not fit. */
int reading_put_change(struct buf *to, const struct change_record *change);

#endif
