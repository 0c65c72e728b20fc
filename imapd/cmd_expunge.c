/*
 * EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1).  The session sends
 * the EXPUNGE responses when the store has committed.
 */
#include "imapd/imap_commands.h"

#include "imapd/message_limit.h"

#include "common/record.h"

static enum command_step
expunged(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	if (!command_is_condstore(command) || answer->count == 0)
		return command_ok(command, "Expunge completed");
	return command_ok_modseq(command, "Expunge completed");
}

/* RFC 9738 3.1: only what can be expunged counts, and only where it is
 * named. */
static void
limit_deleted(struct imap_command *command, uint32_t **uids, size_t *count)
{
	struct mailbox_row row;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		if (mailbox_row(command->view, (*uids)[i], &row) &&
		    (row.flags & FLAG_DELETED))
			(*uids)[kept++] = (*uids)[i];
	*count = kept;
	message_limit_cut(command, uids, count);
}

enum command_step
cmd_expunge(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	uint32_t *uids = NULL;
	struct imap_set set;
	size_t count = 0;

	if (command->is_uid && (imap_parse_space(parser) == -1 ||
				   imap_parse_set(parser, &set) == -1))
		return command_malformed(command);
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (command->is_uid) {
		(void)command_uids(command, &set, &uids, &count);
		limit_deleted(command, &uids, &count);
		if (count == 0)
			return command_ok(command, "Nothing to expunge");
	}
	command->goal = (uint32_t)count;
	mailbox_expunge(command->view, uids, count, command_change_done,
	    command_wait(command, expunged));
	return COMMAND_WAIT;
}
