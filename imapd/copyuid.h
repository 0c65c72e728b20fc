/*
 * The response code COPYUID of COPY and MOVE (RFC 4315 section 3).  It names
 * each message, so that of scattered UIDs it may be longer than a line can be.
 */
#ifndef IMAPD_COPYUID_H
#define IMAPD_COPYUID_H

#include "common/buf.h"
#include "imapd/account_store.h"

/* "OK [COPYUID ...] text", or where `to` has no room for that "OK text" alone:
 * the messages are copied, and a client that is not told their UIDs finds them
 * as it does on a server without UIDPLUS. */
void copyuid_put(
    struct buf *to, const struct mailbox_answer *answer, const char *text);

#endif
