/*
 * SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7).
 */
#include "imapd/imap_commands.h"

static enum command_step
subscribed(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	return command_ok(command, "Subscription changed");
}

static enum command_step
change_subscription(struct imap_command *command, bool is_subscribed)
{
	struct imap_parser *parser = &command->parser;
	enum status status;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if ((status = mailbox_name_check(text_of(name))) != STATUS_OK)
		return command_failed(command, status);
	mailbox_list_subscribe(command->account, text_of(name), is_subscribed,
	    command_change_done, command_wait(command, subscribed));
	return COMMAND_WAIT;
}

enum command_step
cmd_subscribe(struct imap_command *command)
{
	return change_subscription(command, true);
}

enum command_step
cmd_unsubscribe(struct imap_command *command)
{
	return change_subscription(command, false);
}
