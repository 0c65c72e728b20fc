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

/* Has the worker look at the whole Maildir, and waits until all that it found
 * is in the store. EXIT_DONE or a code after it was said. */
int import_reconcile(struct daemon *snapd, uint32_t account);

/* The mailboxes now: struct import_mailbox by name, to be freed with
 * import_mailboxes_free. EXIT_DONE or a code after it was said. */
int import_list(
    struct daemon *snapd, uint32_t account, struct table **mailboxes);
void import_mailboxes_free(struct table **mailboxes);

#endif
