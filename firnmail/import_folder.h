/*
 * One folder of a foreign Maildir++ on its way into the account's own.  The
 * messages are copied into import/ beside the Maildir, and with one rename
 * become the folder's cur, after dovecot-uidlist and dovecot-keywords stand
 * there: the account's worker sees all of it at once or nothing, whenever it
 * looks.  Runs with the account's uid behind walls (import_main.c); whatever
 * stands in the source may be hostile.
 */
#ifndef FIRNMAIL_IMPORT_FOLDER_H
#define FIRNMAIL_IMPORT_FOLDER_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	IMPORT_MAX_FOLDERS = 10000,
	IMPORT_MAX_MESSAGES = 10 * 1000 * 1000, /* of a folder */
	IMPORT_MAX_MESSAGE_BYTES = 200 << 20,
	IMPORT_MAX_UIDLIST = 64 << 20,
	IMPORT_MAX_KEYWORDS_FILE = 64 << 10
};

/* Why something was not taken. */
enum import_left {
	LEFT_NAME,    /* no message may have this name */
	LEFT_NO_FILE, /* a link, a FIFO, a directory */
	LEFT_OWNER,   /* somebody else's than the folder: a planted link */
	LEFT_LARGE,
	LEFT_PACKED, /* compressed or encrypted by a plugin */
	LEFT_DOUBLE, /* the same message in new and cur */
	LEFT_UNREADABLE,
	LEFT_COUNT
};

struct import_folder {
	/* Given. */
	int source_fd; /* the folder there */
	int home_fd;   /* the account's home */
	bool is_dovecot;
	const char *staged; /* "import/..." */
	const char *target; /* "Maildir" or "Maildir/.Name" */
	/* Found. */
	uint32_t uidvalidity; /* of dovecot-uidlist; 0: none to be kept */
	uint32_t uidnext;
	bool has_bad_uidlist;
	uint64_t messages;
	uint64_t bytes;
	uint64_t left[LEFT_COUNT];
	char example[LEFT_COUNT][256]; /* a file's name, to find it */
};

const char *import_left_name(enum import_left why);

/* Counts what is there and reads its identity; writes nothing. 0 or -1. */
int import_folder_survey(struct import_folder *folder, struct error *error);
/* Takes it over. What was copied before an interruption is not copied again.
 * 0 or -1: what could not be written; the target is as it was then. */
int import_folder_copy(struct import_folder *folder, struct error *error);

#endif
