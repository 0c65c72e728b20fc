/*
 * The state of mailboxes and messages at a sequence: what readers list and
 * restore brings back.  A walk through a mailbox can pause between any two
 * messages and go on in a later transaction: rows of then do not change, they
 * only move from live to dead, and dead rows are keyed by the time they moved.
 */
#ifndef SNAPD_AS_OF_H
#define SNAPD_AS_OF_H

#include "snapd/ratchet.h"
#include "snapd/rows.h"

#include <stdbool.h>

/* A row that was alive then and is dead now; 24 bytes a row. */
struct as_of_dead {
	uint64_t died; /* its key, with the UID */
	uint32_t uid;
	uint8_t is_alive;   /* at the sequence */
	uint8_t last_death; /* enum death: how the last row of its UID died */
};

struct as_of {
	uint64_t mailbox;
	uint64_t sequence;
	uint64_t scanned;        /* rows that died up to then are in `dead` */
	uint32_t after;          /* the last UID that was given */
	struct as_of_dead *dead; /* by UID, those above `after` */
	size_t count;
	size_t next;
	size_t room;
	/* Between resume and pause. */
	struct transaction *transaction;
	struct cursor *cursor;
	struct message_row live;
	bool has_live;
	bool is_damaged; /* live is: there is its UID only, and why */
	struct error damage;
	/* The caller's, behind as_of_start: damaged rows are named. */
	bool names_damage;
};

/* Sequence of the last event; 0 if there is none. */
uint64_t as_of_last_sequence(struct transaction *transaction);

/* The last event whose wall clock is not after `time_us`; 0 if there is none.
 * 0 or -1. */
int as_of_sequence_at(struct transaction *transaction, int64_t time_us,
    uint64_t *sequence, struct error *error);

/* The same by the guard clock. */
int as_of_sequence_at_guard(struct transaction *transaction, uint64_t guard_us,
    uint64_t *sequence, struct error *error);

/* The wall clock at an event; its guard clock; and that of now, with the
 * policies in force, as the last commit put them on disk. 0 or -1. */
int as_of_event_time(struct transaction *transaction, uint64_t sequence,
    int64_t *time_us, struct error *error);
int as_of_event_guard(struct transaction *transaction, uint64_t sequence,
    uint64_t *guard_us, struct error *error);
int as_of_promises(struct transaction *transaction, uint64_t *guard_us,
    struct ratchet *ratchet, struct error *error);

/* Turns a mailbox's row of now into the one of then: 1, 0 if it was not there
 * (retired mailboxes are), -1. Its counters are those of now: they never go
 * back. Texts live as long as the transaction. */
int as_of_mailbox(struct transaction *transaction, uint64_t sequence,
    struct mailbox_row *row, struct error *error);

/* From the UID behind `after` on (0: all). */
void as_of_start(
    struct as_of *as_of, uint64_t mailbox, uint64_t sequence, uint32_t after);
int as_of_resume(
    struct as_of *as_of, struct transaction *transaction, struct error *error);
/* 1 and the next message by UID (texts live as long as the transaction), 0 at
 * the end, -1. For one that is dead now row->died is not 0, and row->death is
 * how the last row of its UID died. 2, only with names_damage: its row cannot
 * be read, nothing but row->record.uid is known, and error says why; go on. */
int as_of_next(
    struct as_of *as_of, struct message_row *row, struct error *error);
void as_of_pause(struct as_of *as_of);
void as_of_clear(struct as_of *as_of);

#endif
