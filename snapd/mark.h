/*
 * A mark: a sequence that somebody named, or that the store itself thought
 * worth it (an alarm).  Pure form of DB_MARK's values.
 *
 * form u8 = 2, kind u8, wall clock u64, guard clock u64, root of the Merkle
 * tree before it 32, name text, why text.  Form 1 has no guard clock.
 */
#ifndef SNAPD_MARK_H
#define SNAPD_MARK_H

#include "common/control_record.h"
#include "common/messages.h"

enum {
	MARK_MAX_WHY = 500,
	MARK_MAX_SIZE = 58 + CONTROL_MAX_NAME + MARK_MAX_WHY
};

struct mark {
	uint8_t kind; /* enum control_snapshot_kind */
	uint64_t wall_us;
	uint64_t guard_us; /* 0: not known */
	struct hash root;
	struct text name; /* they point into the value */
	struct text why;
};

/* The size, 0 if a text is too long; `to` has MARK_MAX_SIZE bytes. */
size_t mark_encode(const struct mark *mark, uint8_t *to);
/* 0, or -1 if malformed. */
int mark_decode(struct text value, struct mark *mark);

#endif
