/*
 * Quick resynchronisation (RFC 7162 3.2): what SELECT and UID FETCH tell a
 * client of the time when it was away.  The index knows each UID that vanished
 * and with which MODSEQ, so that what a client says of its own numbers
 * (seq-match-data) is not needed, and UIDs that were never given to a message,
 * or only in a time that the store has lost, are never said to have vanished.
 */
#ifndef IMAPD_QRESYNC_H
#define IMAPD_QRESYNC_H

#include "imapd/imap_command.h"
#include "imapd/qresync_request.h"

/* UIDs on their way to the client. */
struct qresync_vanished {
	struct imap_set set;
	size_t told; /* ranges */
};

/* Those of `within` (resolved; NULL: of all) that vanished after `modseq` and
 * that the selected mailbox has no more, as far as the client was told. The
 * index must know them (mailbox_view_knows_vanished). In the command's pool. */
void qresync_find_vanished(struct imap_command *command, uint64_t modseq,
    const struct imap_set *within, struct qresync_vanished *vanished);
/* "* VANISHED (EARLIER) ...": true when all is told, false when the client has
 * to read before. */
bool qresync_put_vanished(
    struct imap_command *command, struct qresync_vanished *vanished);

/* "* VANISHED ..." of UIDs that are expunged now, in rising order. */
void qresync_put_expunged(struct buf *to, const uint32_t *uids, size_t count);

#endif
