/*
 * A drill in its own process: rows of the store, as drill_row carries them,
 * become files in the scratch folder; each mailbox, or each part of a large
 * one, is then read back, compared (drill_check.h) and taken away.  So the
 * folder never holds more than one part, whatever the store holds.
 */
#ifndef SNAPD_DRILL_WORK_H
#define SNAPD_DRILL_WORK_H

#include "common/control_record.h"
#include "common/error.h"

enum {
	/* Of one part; one more message may come on top. */
	DRILL_PART_MESSAGES = 100000,
	DRILL_PART_BYTES = 1 << 30
};

struct drill_work;

struct drill_options {
	int top_fd; /* the scratch folder; stays the caller's */
	uint64_t part_messages;
	uint64_t part_bytes;
	/* `uid` 0: the mailbox. */
	void (*finding)(void *context, uint32_t account, struct text mailbox,
	    uint32_t uid, const char *what);
	void *context;
};

struct drill_result {
	uint64_t messages; /* written, read back and compared */
	uint64_t bytes;
	uint64_t findings;
	int64_t restore_us; /* until the last file was written */
	int64_t check_us;
};

struct drill_work *drill_work_new(const struct drill_options *options);
/* Takes away what is in the scratch folder. */
void drill_work_free(struct drill_work **work);

/* The next row. -1: the drill cannot go on (ERROR_FULL: no room); whatever is
 * wrong with what was restored is a finding. */
int drill_work_row(struct drill_work *work, enum control_row_kind kind,
    struct text record, struct error *error);

/* There are no more rows; the scratch folder is empty then. */
int drill_work_end(struct drill_work *work, struct error *error);

void drill_work_result(
    const struct drill_work *work, struct drill_result *result);

#endif
