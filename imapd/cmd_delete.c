/*
 * DELETE (RFC 3501 6.3.4).  What the mailbox held stays in the snapshot store.
 */
#include "imapd/imap_commands.h"

#include "imapd/list_command.h"

static enum command_step
deleted(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status == STATUS_REFUSED)
		return command_no(command, "[CANNOT] INBOX stays");
	/* Levels above mailboxes are names in LIST, and no mailboxes. */
	if (answer->status == STATUS_MISSING &&
	    list_has_below(command, text_of(command->state)))
		return command_no(
		    command, "[HASCHILDREN] Only mailboxes below it are left");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	return command_ok(command, "Delete completed");
}

enum command_step
cmd_delete(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (command_is_past(command, text_of(name)))
		return command_no_permission(command);
	command->state = (void *)(uintptr_t)name;
	mailbox_list_delete(command->account, text_of(name),
	    command_change_done, command_wait(command, deleted));
	return COMMAND_WAIT;
}
