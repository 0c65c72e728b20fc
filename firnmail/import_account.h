/*
 * What `firnmail import` asks of snapd about the account: what it has, and that
 * its worker looks at what was put there.
 */
#ifndef FIRNMAIL_IMPORT_ACCOUNT_H
#define FIRNMAIL_IMPORT_ACCOUNT_H

#include "firnmail/firnmail.h"

#include "common/table.h"

/* A mailbox of the account as the store has it. */
struct import_mailbox {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t messages;
};

/* The worker looks at the whole Maildir. All but the first two is private. */
struct import_look {
	struct daemon *snapd;
	uint32_t account;
	bool is_under_way;
	bool is_due; /* once more, when that one has ended */
};

/* Waits until all that is there now is in the store. EXIT_DONE or a code after
 * it was said. */
int import_look_now(struct import_look *look);
/* Waits for nothing: there is more to be seen, or time to say so. Not while
 * anything else is asked of snapd. */
void import_look_soon(struct import_look *look, bool is_more);

/* The mailboxes now: struct import_mailbox by name, to be freed with
 * import_mailboxes_free. EXIT_DONE or a code after it was said. */
int import_list(
    struct daemon *snapd, uint32_t account, struct table **mailboxes);
void import_mailboxes_free(struct table **mailboxes);

#endif
