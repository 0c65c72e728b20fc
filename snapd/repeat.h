/*
 * What was answered because the log has it, and not yet the index, done once
 * more: at the start after an unclean stop, and where a commit found no room.
 *
 * Who was answered was told numbers: UIDs, MODSEQs, blobs, the sequence of the
 * batch.  They are given by what a request finds, so that they are the same
 * again if all requests before it are repeated in their order.  Where the index
 * was asked for anything else since its last commit, batches are not for the
 * log until the next one (journal_is_repeatable); and each record of a batch
 * says which numbers it led to.
 */
#ifndef SNAPD_REPEAT_H
#define SNAPD_REPEAT_H

#include "snapd/accept_log.h"
#include "snapd/journal.h"

/* What the log has beyond the last commit, for the next one: how much it was.
 * Mail that is known already changes nothing; an account that an older index
 * does not have is an alarm, and so are batches that stand on what it has not:
 * they have no numbers there.  The messages that those added are mail again,
 * which waits to be filed.  -1: something that was answered is not so any more.
 */
int repeat_log(
    struct journal *journal, const struct accept_log *log, struct error *error);

#endif
