/*
 * The names that objects keep (RFC 8474): a mailbox's, from the store's number
 * of it, which no other mailbox ever has; a message's, from its bytes, so that
 * copies have one.  Pure.
 */
#ifndef IMAPD_OBJECT_ID_H
#define IMAPD_OBJECT_ID_H

#include "common/messages.h"
#include "imapd/account_store.h"

enum {
	OBJECT_ID_SIZE = 34 /* with a NUL */
};

/* `past` is the whole name of a mailbox of the past, else empty: it is another
 * one than the live one of its number. */
void object_id_of_mailbox(
    const struct mailbox_info *info, struct text past, char id[OBJECT_ID_SIZE]);
void object_id_of_content(const struct hash *hash, char id[OBJECT_ID_SIZE]);

#endif
