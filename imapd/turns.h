/*
 * Changes that are computed from a mailbox's rows (STORE, EXPUNGE, COPY, MOVE,
 * new keywords) go one after another in each mailbox.  What is on its way to
 * the store is not in the rows yet: a second STORE would put back the flags
 * that the first one changed, two new keywords would get one number, and a
 * message that is being expunged would take the whole change with it.  New
 * messages without new keywords need no turn.
 */
#ifndef IMAPD_TURNS_H
#define IMAPD_TURNS_H

#include "imapd/account_state.h"

/* What was asked for.  Texts and arrays are the caller's, valid until `done` is
 * called or the view is closed. */
struct turn {
	struct turn *next;
	uint64_t mailboxes[2];
	bool is_running;
	struct change_note note;   /* who asked */
	struct mailbox_view *view; /* NULL: it goes on whoever leaves */
	const uint32_t *uids;
	size_t uid_count;
	struct flag_change wish;
	struct text target;
	bool is_move;
	void *subject; /* the starter's */
	mailbox_done *done;
	void *context;
	struct account_store *account;
	/* Called once, when all before it in these mailboxes have ended; it is
	 * the one to end it. */
	void (*start)(struct turn *turn);
};

/* A copy of `wanted` gets in line, and may be started at once. */
void turn_take(struct account_store *account, const struct turn *wanted);
/* Frees it, and starts those for which it stood in the way; NULL: nothing. */
void turn_end(struct turn **turn);
/* Without a change: it ends, and its asker has the answer. */
void turn_refuse(struct turn *turn, enum status status);
/* Those that wait for a view that closes are refused, and never start. */
void turns_forget(
    struct account_store *account, const struct mailbox_view *view);

#endif
