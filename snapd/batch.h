/*
 * A worker's batch: its parts wait here until the commit, then all of them are
 * applied, or none.  Every mailbox, UID and delivery is looked up under the
 * account of the channel, which the worker cannot name.
 */
#ifndef SNAPD_BATCH_H
#define SNAPD_BATCH_H

#include "snapd/journal.h"

struct batch;
struct bulk;
struct bulk_body;

struct batch_reply {
	enum status status;
	bool is_new; /* else it is the answer of then */
	uint64_t sequence;
	struct buf results; /* result records; the caller clears it */
};

struct batch *batch_new(uint64_t counter);
void batch_free(struct batch **batch);
/* What its event says of who asked for it; copied. */
void batch_set_note(struct batch *batch, const struct change_note *note);
uint64_t batch_counter(const struct batch *batch);
/* Of its parts and their bodies. */
uint64_t batch_bytes(const struct batch *batch);
/* How many messages it files if it does nothing else: that has been answered
 * for long. */
size_t batch_only_files(const struct batch *batch);

/* Keeps a copy of the part and takes over `body` (malloc, may be NULL); -1 if
 * the batch is beyond JOURNAL_MAX_BATCH_BYTES: its commit says STATUS_LIMIT. */
int batch_add(struct batch *batch, const struct message *part, uint8_t *body,
    size_t body_size);

/* For the log (accept_log.h): all of it behind `to`; false: it makes more than
 * rows of messages, or lies elsewhere in part, or is too large for `to`.  And
 * one of such bytes; NULL: they are none. */
bool batch_put_parts(const struct batch *batch, struct buf *to);
struct batch *batch_of_parts(struct text parts);
/* Calls it for each message that the batch appends, with its bytes, until it
 * says anything but 0: what it said last. */
int batch_each_append(const struct batch *batch,
    int (*callback)(const struct message_change_append *append,
	struct text body, void *context),
    void *context);

/* The commit will answer `status`: a part could not be taken. */
void batch_spoil(struct batch *batch, enum status status);

/* The bodies of its parts, in their order, which stay the batch's: how many;
 * `to` has room for them, or is NULL. */
size_t batch_bodies(const struct batch *batch, struct bulk_body *to);
/* Those of `bulk` that have a place already are not staged. The bulk is the
 * caller's, and outlives batch_apply. */
void batch_set_bulk(struct batch *batch, struct bulk *bulk);
/* Is it new, and may the account do it now?  Nothing is changed by asking. */
bool batch_is_welcome(
    const struct batch *batch, struct journal *journal, uint32_t account);

/* Applies the batch for `account`, or gives the answer of then if its counter
 * was committed before. */
void batch_apply(struct batch *batch, struct journal *journal, uint32_t account,
    struct batch_reply *reply);

#endif
