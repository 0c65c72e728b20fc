/*
 * The forms of the event log, for the journal that writes it and the verifier
 * that recomputes it.  An event (DB_LOG) is a leaf of the Merkle tree and holds
 * a SHA-256 over its entries (DB_ACCOUNT_LOG, keys and values in order); each
 * entry holds SHA-256s of the rows that it made.  So a root covers what stands
 * in the rows.  Pure.
 *
 * event  form u8 = 2, wall clock u64, guard clock u64, incarnation u64, kind
 *        u8, actor u8, account u32, entries u64, SHA-256 of them, detail text,
 *        then the note: cause u8, user text, address text. Form 1 ends before
 *        the note; it is written where there is none, and by versions before
 * entry  form u8 = 2, what u8, modseq u64, then SHA-256 of the row that was
 *        born (bit 1 of `rows`) and of the dead row (bit 2); rows u8 stands
 *        before them
 */
#ifndef COMMON_EVENT_FORM_H
#define COMMON_EVENT_FORM_H

#include "common/change_note.h"
#include "common/digest.h"

#include <stdbool.h>

enum event_kind {
	EVENT_ACCEPT = 1,
	EVENT_BATCH,
	EVENT_ACCOUNT,
	EVENT_MARK,
	EVENT_RESTORE,
	EVENT_ALARM,
	EVENT_LEAP,
	EVENT_POLICY,
	EVENT_HOLD,
	EVENT_RELEASE,
	EVENT_ERASURE,
	EVENT_FORGET,  /* its entries stand in DB_FORGOTTEN */
	EVENT_SEGMENT, /* one is full, and its SHA-256; or one is dropped */
	EVENT_DRILL    /* a restore was rehearsed: what came out */
};

enum {
	EVENT_MAX = 800,
	EVENT_ENTRY_MAX = 11 + 64,
	EVENT_HAS_BORN = 1,
	EVENT_HAS_DEAD = 2
};

struct event_form {
	uint64_t wall_us;
	uint64_t guard_us;
	uint64_t incarnation;
	uint8_t kind;
	uint8_t actor;
	uint32_t account;
	uint64_t entries;
	struct hash content;
	struct text detail;
	/* What the worker, or the control socket, said (change_note.h). */
	uint8_t cause;
	struct text user;
	struct text address;
};

struct event_entry {
	uint8_t what; /* enum touch */
	uint64_t modseq;
	uint8_t rows;
	struct hash born;
	struct hash dead;
};

/* The size; `to` has EVENT_MAX bytes or EVENT_ENTRY_MAX. */
size_t event_encode(const struct event_form *event, uint8_t *to);
size_t event_entry_encode(const struct event_entry *entry, uint8_t *to);
/* 0, or -1 if malformed. */
int event_decode(struct text value, struct event_form *event);
int event_entry_decode(struct text value, struct event_entry *entry);

#endif
