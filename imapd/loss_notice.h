/*
 * A letter to a user whose mail program deleted many messages at once: what
 * happened, and that it can be undone.  At most one a day; it is appended to
 * INBOX by the worker, whose change it was, like any message.
 */
#ifndef IMAPD_LOSS_NOTICE_H
#define IMAPD_LOSS_NOTICE_H

#include "common/buf.h"
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

struct account_store;

struct loss_notice {
	int64_t time;        /* seconds since 1970 */
	struct text owner;   /* the user's address */
	struct text mailbox; /* its name in UTF-8 */
	size_t lost;
	size_t of; /* how many there were */
};

/* The letter with LF line ends; 0, or -1 if `to` is full. */
int loss_notice_format(const struct loss_notice *notice, struct buf *to);

/* Was committed: `lost` messages of the mailbox were expunged at once. Sends
 * the letter if these are many (more than 20 and more than 5 %), and if the
 * mailbox is not one that is there to be emptied. */
void loss_notice_send(
    struct account_store *account, uint64_t mailbox, size_t lost);

#endif
