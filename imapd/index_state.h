/*
 * The file `state` beside an account's index: whether the index may be
 * trusted.
 *
 *	what it says, on disk      what may be on disk then
 *	nothing, or unreadable     anything: the index is made anew
 *	not clean, of this boot    all that a worker wrote before it was killed
 *	not clean, of another one  anything: the index is made anew
 *	clean, or untouched        the index as it was closed: it was synced
 *	                           before, and is not written until "not clean"
 *is on disk
 *
 * Untouched is one that was clean and is open, but not written yet: so a worker
 * whose clients only read does not wait for the disk, and one that is killed by
 * what it reads is known as such.  Only the step to not clean waits for the
 *disk, before the first write.  Any other that a power cut takes back leads to
 *a row that trusts less.
 */
#ifndef IMAPD_INDEX_STATE_H
#define IMAPD_INDEX_STATE_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum index_touch {
	INDEX_NOT_CLEAN,
	INDEX_CLEAN, /* it was closed in order */
	INDEX_UNTOUCHED
};

struct index_state {
	char boot[40];   /* of the machine, when it was written */
	uint8_t touch;   /* enum index_touch */
	uint8_t crashes; /* in a row */
};

/* This boot of the machine. */
void index_state_boot(char boot[40]);
/* 0, or -1 if there is none that can be read. */
int index_state_read(int home_fd, struct index_state *state);
int index_state_write(int home_fd, const struct index_state *state,
    bool is_synced, struct error *error);

#endif
