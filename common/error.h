/*
 * What went wrong, carried up to the one who decides what to do about it.
 * Functions that can fail return -1 and fill a struct error that the caller
 * owns; the one who decides logs it, once, or turns it into an answer.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

enum error_code {
	ERROR_NONE,
	ERROR_SYSTEM,      /* a system call failed: see errno_value */
	ERROR_INPUT,       /* the bytes handed in are malformed */
	ERROR_LIMIT,       /* well-formed, but beyond a limit of ours */
	ERROR_MISSING,     /* no such thing */
	ERROR_EXISTS,      /* it is there already */
	ERROR_REFUSED,     /* not permitted */
	ERROR_FULL,        /* no space left */
	ERROR_DAMAGED,     /* stored data does not match its checksum or form */
	ERROR_UNAVAILABLE, /* not now: a peer or the store is away */
	ERROR_BUSY         /* not now: somebody else holds it */
};

struct error {
	enum error_code code;
	int errno_value; /* 0, or errno at the time for ERROR_SYSTEM */
	char text[248];  /* one line for people, without a newline */
};

/* Fills `error` (which may be NULL) and returns -1. */
int error_set(struct error *error, enum error_code code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * The same for a failed system call: appends ": " and strerror(errno).  Code
 * is ERROR_SYSTEM, but ERROR_FULL for ENOSPC and EDQUOT, ERROR_EXISTS for
 * EEXIST and ERROR_MISSING for ENOENT.  Returns -1 and keeps errno.
 */
int error_set_errno(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
