/*
 * CHECK (RFC 3501 6.4.1): every change was durable when it was answered, so
 * that nothing is left to do.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_check(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	return command_ok(command, "Check completed");
}
