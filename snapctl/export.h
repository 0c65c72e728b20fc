/*
 * What `snapctl export` writes to its standard output.  A format is told of
 * accounts, mailboxes and messages in the order of the store's answer and
 * gives bytes on; no file is opened here, so that snapctl needs no right to
 * any: `snapctl export ... | tar x -C DIR` makes files with the rights of tar.
 */
#ifndef SNAPCTL_EXPORT_H
#define SNAPCTL_EXPORT_H

#include "common/buf.h"
#include "common/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct export
{
	const struct export_format *format;
	FILE *to;
	int64_t now;  /* the time of folders and lists */
	bool is_many; /* accounts: each gets a folder of its name */
	struct text account;
	char account_storage[RECORD_MAX_ADDRESS_SIZE + 1];
	/* Of the mailbox. */
	struct mailbox_record mailbox;
	uint8_t mailbox_storage[RECORD_MAILBOX_MAX];
	struct buf folder; /* its path in the archive, with a '/' at the end */
	/* Of the message. */
	struct message_record message;
	char base_storage[RECORD_MAX_BASE_SIZE + 1];
	uint64_t missing; /* bytes that have not come yet */
	/* The format's own. */
	struct buf list; /* maildir: of dovecot-uidlist or subscriptions */
	struct buf line; /* mbox: a line's start that may become From_ */
	bool is_in_line; /* mbox: behind such a start */
	bool is_first;   /* mbox: message of the mailbox */
	uint64_t count;  /* messages */
};

/* All but message_bytes may be NULL. A full disk shows in ferror(to). */
struct export_format {
	const char *name;
	bool is_archive;     /* of many files: not for a terminal */
	bool is_one_mailbox; /* cannot hold more than one */
	void (*account)(struct export *export);
	void (*subscription)(struct export *export, struct text name);
	void (*account_end)(struct export *export);
	void (*mailbox)(struct export *export);
	void (*mailbox_end)(struct export *export);
	void (*message)(struct export *export);
	void (*message_bytes)(struct export *export, struct text bytes);
	void (*message_end)(struct export *export);
	void (*end)(struct export *export);
};

extern const struct export_format export_maildir; /* with dovecot-uidlist */
extern const struct export_format export_eml;
extern const struct export_format export_mbox; /* mboxrd */

#endif
