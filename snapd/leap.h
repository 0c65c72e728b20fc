/*
 * The leap over a lost time.  When the store was put back to an older state,
 * UIDs and MODSEQs that it then gives out may have meant something else to
 * mail programs.  So UIDNEXT leaps by 2^20 and MODSEQ by 2^40 in every mailbox,
 * or in those of one account, and an incarnation that was never there before
 * tells workers to begin anew.  The same copy may be put back a second time,
 * with all that could remember the first one: where snapd found it by itself,
 * both leap further the older the copy is, so that two leaps from it do not
 * meet.
 *
 * A note is kept of the last leap of each account that leapt by itself, and of
 * the store: meta key "leap" and account (u32; 0: the store), form u8 = 1,
 * guard clock and incarnation (u64 each).
 */
#ifndef SNAPD_LEAP_H
#define SNAPD_LEAP_H

#include "snapd/journal.h"

#include <stdbool.h>

enum {
	LEAP_UIDNEXT = 1 << 20
};
#define LEAP_MODSEQ RECORD_MODSEQ_LEAP

struct leap_note {
	uint64_t guard_us; /* 0: never */
	uint64_t incarnation;
};

/* 0 or -1. */
int leap_find_note(struct transaction *transaction, uint32_t account,
    struct leap_note *note, struct error *error);
/* When an account other than this one leapt last; 0: never. */
int leap_find_other(struct transaction *transaction, uint32_t account,
    uint64_t *guard_us, struct error *error);

/* A mark of the state as it was found, the leap, notes. `account` has claimed
 * it (0: we know by ourselves); all mailboxes leap if `is_whole`, else its own.
 * Committed by the caller. */
enum status journal_leap(struct journal *journal, uint32_t account,
    bool is_whole, const char *why, struct error *error);

#endif
