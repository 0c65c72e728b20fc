/*
 * So many messages a command works on, and no more (RFC 9738), so that what one
 * command costs is bounded in the largest mailbox.  What cannot be done in part
 * is refused; the rest is done for the messages with the highest UIDs, and the
 * tagged answer says down to which.
 */
#ifndef IMAPD_MESSAGE_LIMIT_H
#define IMAPD_MESSAGE_LIMIT_H

#include "imapd/imap_command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UIDs in rising order: those at the end stay. */
void message_limit_cut(
    struct imap_command *command, uint32_t **uids, size_t *count);
/* Those that were left by a cut are told from the highest down. */
void message_limit_turn(
    const struct imap_command *command, uint32_t *uids, size_t count);
/* NO, if they were cut: nothing is done. */
bool message_limit_is_refused(struct imap_command *command);
enum command_step message_limit_refuse(struct imap_command *command);

/* The tagged answer "OK ..." of a command whose messages were cut gets a
 * response code, or where it has one `out` a line before it. */
void message_limit_tell(
    const struct imap_command *command, struct buf *answer, struct buf *out);

#endif
