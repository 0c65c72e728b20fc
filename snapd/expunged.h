/*
 * The account's expunged messages by number: which row died when, in the order
 * of the deaths.  A number is given once and never again, so that it can be
 * the UID of the message in the mailbox "Snapshots/Deleted mail".  Rows are
 * added by the batch that ends a message's place in its mailbox, and by the one
 * that retires the mailbox; a move ends nothing, the message lives elsewhere.
 *
 * Rows that are forgotten leave their entries behind, which are shown to nobody
 * and go when later numbers are given.  The newest entry of an account stays,
 * or its number would be used again.
 */
#ifndef SNAPD_EXPUNGED_H
#define SNAPD_EXPUNGED_H

#include "snapd/rows.h"

struct expunged {
	uint32_t number;
	uint64_t mailbox; /* 0: a number that is left out */
	uint64_t died;    /* sequence of the batch */
	uint32_t uid;
};

enum {
	EXPUNGED_TRIM = 64,     /* entries looked at when so many were added */
	EXPUNGED_PAGE = 20000,  /* entries looked at for one answer */
	EXPUNGED_SHOWN = 200000 /* the newest ones of an account */
};

/* Gives the next number. Beyond 2^32 - 2 none is given. 0 or -1. */
int expunged_add(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, uint64_t died, uint32_t uid, struct error *error);
/* All live messages of a mailbox that is retired with this sequence. */
int expunged_add_mailbox(struct transaction *transaction, uint32_t account,
    uint64_t mailbox, uint64_t died, struct error *error);

/* Leaves `count` numbers of the account (0: of each) out: the store was put
 * back to an older state, and they may have been given since. */
int expunged_leap(struct transaction *transaction, uint32_t account,
    uint32_t count, struct error *error);

/* For a store that has deaths and no numbers yet, of an earlier version or made
 * anew from its segments: numbers for all rows that are kept, in the order of
 * their deaths. Durable when it returns 0; any other time it does nothing. */
int expunged_fill(struct store *store, struct error *error);

/* The last number that was given, 0 if none was. 0 or -1. */
int expunged_last(struct transaction *transaction, uint32_t account,
    uint32_t *number, struct error *error);

/* One entry; 0 or -1. */
int expunged_decode(struct text key, struct text value,
    struct expunged *expunged, struct error *error);

/* The row that the entry names, as it was: 1; 0 if it is not kept any more, or
 * lives again with its mailbox. Texts point into the store. */
int expunged_find_row(struct transaction *transaction,
    const struct expunged *expunged, const struct mailbox_row *mailbox,
    struct message_row *row, struct error *error);

#endif
