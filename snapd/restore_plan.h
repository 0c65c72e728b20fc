/*
 * What a restore does to each mailbox and message of a sequence: the one
 * decision that a dry run shows and a restore carries out.  Reads only.
 *
 * Messages that come back, or are copied, have delivery ids that are made of
 * what they are made from: asked a second time, the plan finds them there.
 */
#ifndef SNAPD_RESTORE_PLAN_H
#define SNAPD_RESTORE_PLAN_H

#include "common/control_record.h"
#include "common/table.h"
#include "snapd/journal.h"

#include <stdbool.h>

/* The levels above copies, and above what came later. */
#define RESTORED   "Restored"
#define SUPERSEDED "Superseded"

/* What a message needs; bits. */
enum restore_what {
	RESTORE_NOTHING = 0,
	RESTORE_REFILL = 1, /* live, its file is missing */
	RESTORE_ADD = 2,    /* not there */
	RESTORE_CHANGE = 4, /* other flags or keywords now */
	RESTORE_MOVE = 8    /* came later */
};

/* A file that a worker did not find. */
struct restore_file {
	uint64_t mailbox;
	uint32_t uid;
};

struct restore_plan {
	struct journal *journal; /* for its digest */
	enum restore_mode mode;
	struct restore_file *missing; /* by mailbox and UID; ours */
	size_t missing_count;
	/* Of one mailbox. */
	bool is_retired;    /* now */
	bool is_renamed;    /* rewind: since then */
	uint64_t target;    /* copy: where to; 0: it is yet to be made */
	uint32_t uidnext;   /* what comes from here on came while we ran */
	struct table *kept; /* rewind: UIDs under which messages are back */
	struct control_plan sums; /* mailbox: its name of then */
	/* Of one account, made when needed. */
	struct table *live_blobs;
	uint32_t live_account;
};

/* Whether a worker said in a form that can be read what is missing. */
bool restore_plan_is_missing(struct text rows);
/* That, from now on. */
void restore_plan_missing(struct restore_plan *plan, struct text rows);

/* A mailbox begins, as it was then. `target` is the name of the one that
 * copies go to. */
int restore_plan_mailbox(struct restore_plan *plan, struct transaction *t,
    const struct mailbox_row *then, struct text target, struct error *error);
/* One of its messages of then (as_of_next): -1 or bits of restore_what, which
 * it counts. `now` is the live row if there is something to change. */
int restore_plan_message(struct restore_plan *plan, struct transaction *t,
    uint32_t account, const struct message_row *row, struct message_row *now,
    struct error *error);
/* After its messages: the next live one above `after` that was not there then,
 * and counts it. 1, 0 or -1. */
int restore_plan_newer(struct restore_plan *plan, struct transaction *t,
    uint64_t mailbox, uint32_t after, struct message_row *row,
    struct error *error);
/* The account's next mailbox above `after` that was not there then: 1, 0, -1.
 * Those that restores make are none. */
int restore_plan_newer_mailbox(struct transaction *t, uint32_t account,
    uint64_t sequence, uint64_t after, struct mailbox_row *row,
    struct error *error);
/* It is below Restored or Superseded. */
bool restore_is_own_name(struct text name);
void restore_plan_clear(struct restore_plan *plan);

/* Where a message comes back to: a copy's mailbox, 0 for its own. Found: 0 and
 * the live row; 1 and the delivery id to restore it under; -1. */
int restore_find_copy(struct transaction *t, struct digest *digest,
    uint32_t account, const struct message_row *row, uint64_t target,
    struct delivery_id *delivery, struct message_row *now, struct error *error);
/* The delivery id that it is moved aside under. */
struct delivery_id restore_moved_delivery(
    struct digest *digest, const struct message_row *row);

/* The mailbox of that name: 1, 0 if there is none, -1. */
int restore_find_name(struct journal *journal, struct transaction *t,
    uint32_t account, struct text name, uint64_t *mailbox, struct error *error);

#endif
