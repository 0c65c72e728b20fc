/*
 * What became of drills, in the signed log: an event EVENT_DRILL each, whose
 * detail begins with its result.  meta "drill" says which were the last ones:
 * form u8 = 1, sequence u64 of the last, sequence u64 of the last one that was
 * about all accounts (0: none).
 */
#ifndef SNAPD_DRILL_RECORD_H
#define SNAPD_DRILL_RECORD_H

#include "snapd/journal.h"

enum drill_outcome {
	DRILL_OK,      /* all that was restored is as the store says */
	DRILL_DAMAGED, /* something is not */
	DRILL_FAILED   /* it could not be carried out */
};

struct drill_record {
	enum drill_outcome outcome;
	enum role actor;  /* snapctl, or snapd's timer */
	uint32_t account; /* 0: all */
	bool is_whole;    /* of all accounts, with all mailboxes */
	uint32_t sample;  /* 0: all messages */
	uint64_t sequence;
	uint64_t mailboxes;
	uint64_t messages;
	uint64_t bytes;
	uint64_t restore_us;
	uint64_t check_us;
	uint64_t total_us;
	uint64_t findings;
	const char *why; /* it went no further; or NULL */
};

enum {
	DRILL_DETAIL_SIZE = 256
};

/* The event's detail: "ok sequence=17 messages=... ". */
void drill_record_format(
    const struct drill_record *record, char detail[DRILL_DETAIL_SIZE]);

/* Puts it into this round; damage that is new is an alarm with its hold. */
enum status drill_record_put(struct journal *journal,
    const struct drill_record *record, struct error *error);

struct drill_last {
	uint64_t sequence;  /* 0: there was none */
	int64_t time;       /* seconds since 1970 */
	int64_t whole_time; /* of the last of all accounts; 0: none */
	char detail[DRILL_DETAIL_SIZE];
};

int drill_record_last(
    struct transaction *t, struct drill_last *last, struct error *error);

/* Whether another one is due, `every_s` after the last. A last one that lies
 * ahead (the clock was put back) does not count. */
bool drill_is_due(int64_t last, int64_t now, uint32_t every_s);

#endif
