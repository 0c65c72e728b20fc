/*
 * RENAME (RFC 3501 6.3.5).  A trailing separator says no more than in CREATE.
 */
#include "imapd/imap_commands.h"

static enum command_step
renamed(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	return command_ok(command, "Rename completed");
}

enum command_step
cmd_rename(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	const char *from, *name;
	enum status status;
	struct text to;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &from) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	to = text_of(name);
	if (to.size > 1 && to.data[to.size - 1] == '/')
		to.size--;
	if ((status = mailbox_name_check(to)) != STATUS_OK)
		return command_failed(command, status);
	if (command_is_past(command, text_of(from)) ||
	    command_is_past(command, to))
		return command_no_permission(command);
	mailbox_list_rename(command->account, text_of(from), to,
	    command_change_done, command_wait(command, renamed));
	return COMMAND_WAIT;
}
