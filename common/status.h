/*
 * The `status` field of answers between processes, and what each means to
 * the one who asked.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#include <stdbool.h>

enum status {
	STATUS_OK,
	STATUS_MISSING,     /* no such account, mailbox, message, snapshot */
	STATUS_EXISTS,      /* a mailbox of that name is there */
	STATUS_REFUSED,     /* not permitted to this peer */
	STATUS_INVALID,     /* a field is out of range: the asker's bug */
	STATUS_LIMIT,       /* beyond a limit (keywords, name, size, count) */
	STATUS_FULL,        /* no space; try again later */
	STATUS_UNAVAILABLE, /* store, worker or account away; try again later */
	STATUS_FENCED,      /* held for an admin after an alarm */
	STATUS_DAMAGED,     /* stored bytes do not match their hash */
	STATUS_BUSY,        /* one of its kind runs already */
	STATUS_PARTLY,      /* some of it is done, the text says what is not */
	STATUS_QUOTA,       /* more than the account may have */
	STATUS_ALLOWANCE,   /* more than it may change in a day; try then */
	STATUS_COUNT
};

/* "ok", "missing", ... for logs and command output. */
const char *status_name(enum status status);
/* The same may be tried again later. */
bool status_passes(enum status status);

#endif
