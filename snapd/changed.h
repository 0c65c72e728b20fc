/*
 * Which messages of an account changed after a sequence, as its log tells: so
 * that a difference between two states costs what changed, and not what there
 * is.  From DB_ACCOUNT_LOG, which is never trimmed, to the steps of diff.
 */
#ifndef SNAPD_CHANGED_H
#define SNAPD_CHANGED_H

#include "snapd/rows.h"

#include <stdbool.h>

enum {
	CHANGED_MAX = 65536 /* 1.5 MiB; with more it is not worth it */
};

/* One change of one message; by mailbox, UID and sequence. */
struct change_at {
	uint64_t mailbox;
	uint64_t sequence;
	uint32_t uid;
	bool ended_a_row; /* of before, which is dead since */
};

struct changed {
	uint32_t account;
	uint64_t after;
	uint64_t looked;  /* events up to this one are in the list */
	bool is_too_many; /* then the list is none */
	struct change_at *changes;
	size_t count;
	size_t room;
};

/* Reads what is not in the list yet: 0, -1. */
int changed_read(struct changed *changed, struct transaction *transaction,
    uint32_t account, uint64_t after, struct error *error);

/* The next message of the mailbox with a UID above `uid` that changed: its
 * first change, and in `count` how many there are; NULL: none. */
const struct change_at *changed_next(const struct changed *changed,
    uint64_t mailbox, uint32_t uid, size_t *count);

/* A message of which these are the changes, as of a sequence that is not before
 * the list's `after`: 1, 0 if it was not there, -1.  Texts live as long as the
 * transaction. */
int changed_row(const struct change_at *changes, size_t count,
    struct transaction *transaction, uint64_t sequence, struct message_row *row,
    struct error *error);

void changed_clear(struct changed *changed);

#endif
