/*
 * A walk through accounts, mailboxes and messages as of a sequence, in steps
 * that each have a transaction of their own, so that a slow reader of a long
 * answer never pins the store's pages.
 */
#ifndef SNAPD_WALK_H
#define SNAPD_WALK_H

#include "snapd/as_of.h"

enum walk_event {
	WALK_FAILED = -1,
	WALK_END = 0,
	WALK_ACCOUNT, /* a new account: walk->account */
	WALK_MAILBOX, /* a new mailbox: walk->mailbox is as it was then */
	WALK_MESSAGE,
	WALK_MAILBOX_END,
	WALK_ACCOUNT_END,
	/* With names_damage: a row cannot be read, and error says why. Of a
	 * message its UID is known, in `row`; else that is 0, and it is the row
	 * of walk->after_mailbox, or if that is 0 of walk->account. Go on. */
	WALK_DAMAGED
};

struct walk {
	uint64_t sequence;
	uint32_t only_account;    /* 0: all */
	bool names_damage;        /* else that is WALK_FAILED */
	bool is_of_users;         /* all of them, and not ACCOUNT_SERVICE */
	struct text only_mailbox; /* by its name of then; empty: all */
	uint32_t only_uid;        /* 0: all */
	uint32_t account;
	struct mailbox_row mailbox;
	bool was_renewed; /* the mailbox's row of now is another one */
	struct as_of messages;
	uint8_t state; /* private */
	uint64_t after_mailbox;
	struct transaction *transaction;
};

int walk_resume(
    struct walk *walk, struct transaction *transaction, struct error *error);
/* `row` is filled for WALK_MESSAGE, as as_of_next does. */
enum walk_event walk_next(
    struct walk *walk, struct message_row *row, struct error *error);
void walk_pause(struct walk *walk);
/* From the beginning again; between a resume and a pause, too. */
void walk_restart(struct walk *walk);
void walk_clear(struct walk *walk);

#endif
