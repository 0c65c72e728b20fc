/*
 * Who asked for a change of the store, from where and by what: the worker says
 * so with each batch, the journal writes it into the event, `snapctl log` shows
 * it.  A note, for people who look for who deleted something: what it says of
 * the user and his address is what a front and a worker said, and nothing is
 * permitted or refused because of it.  Whose channel it was is the event's
 * actor and account.  Pure.
 */
#ifndef COMMON_CHANGE_NOTE_H
#define COMMON_CHANGE_NOTE_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are on disk (event_form.h) and stay. */
enum change_cause {
	CAUSE_NONE,
	CAUSE_DELIVERY,  /* the worker files what was accepted */
	CAUSE_RECONCILE, /* found in the Maildir, or found missing there */
	CAUSE_HEAL,      /* files that were missing are there again */
	CAUSE_NOTICE,    /* a letter of the server's own */
	CAUSE_IMPORT,
	/* IMAP commands. */
	CAUSE_APPEND,
	CAUSE_CLOSE,
	CAUSE_COPY,
	CAUSE_CREATE,
	CAUSE_DELETE,
	CAUSE_EXPUNGE,
	CAUSE_FETCH, /* sets \Seen */
	CAUSE_MOVE,
	CAUSE_RENAME,
	CAUSE_STORE,
	CAUSE_SUBSCRIBE,
	CAUSE_UNSUBSCRIBE,
	CAUSE_REPLACE,
	CAUSE_COUNT
};

enum {
	CHANGE_NOTE_MAX_USER = 320,
	CHANGE_NOTE_MAX_ADDRESS = 64
};

struct change_note {
	uint8_t cause;
	char user[CHANGE_NOTE_MAX_USER + 1]; /* or empty, as is address */
	char address[CHANGE_NOTE_MAX_ADDRESS + 1];
};

/* "EXPUNGE", "reconcile"; "-" for none, "?" for a number of a newer version. */
const char *change_cause_name(unsigned int cause);
/* The cause of that IMAP command, CAUSE_NONE if it is none that changes. */
enum change_cause change_cause_of_command(const char *name);

/* Fills it from what another process says: false if that is no cause of ours,
 * or too long, or has a control byte in it. */
bool change_note_take(struct change_note *note, unsigned int cause,
    struct text user, struct text address);

#endif
