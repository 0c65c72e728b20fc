/*
 * Which messages and mailboxes of a sequence are missing now: the one decision
 * that a dry run shows and a restore carries out.  Reads only.
 */
#ifndef SNAPD_RESTORE_PLAN_H
#define SNAPD_RESTORE_PLAN_H

#include "common/control_record.h"
#include "common/table.h"
#include "common/digest.h"
#include "snapd/rows.h"

#include <stdbool.h>

enum restore_what {
	RESTORE_NOTHING,
	RESTORE_REFILL, /* live, its file is missing */
	RESTORE_ADD     /* expunged since */
};

/* Of one mailbox. */
struct restore_plan {
	struct digest *digest;    /* the caller's */
	bool is_retired;          /* now */
	struct control_plan sums; /* mailbox: its name of then */
	struct table *live_blobs; /* of live_account; made when needed */
	uint32_t live_account;
};

/* A mailbox begins, as it was then. */
int restore_plan_mailbox(struct restore_plan *plan, struct transaction *t,
    const struct mailbox_row *then, struct error *error);
/* One of its messages of then (as_of_next): -1 or enum restore_what; counts
 * it. */
int restore_plan_message(struct restore_plan *plan, struct transaction *t,
    uint32_t account, const struct message_row *row, struct error *error);
void restore_plan_clear(struct restore_plan *plan);

/* The delivery id under which a message comes back the `number`th time. */
struct delivery_id restore_delivery(
    struct digest *digest, const struct message_row *row, unsigned int number);
/* The id to restore it under: 1, 0 if it is back already, -1. */
int restore_find_delivery(struct transaction *t, struct digest *digest,
    uint32_t account, const struct message_row *row,
    struct delivery_id *delivery, struct error *error);

#endif
