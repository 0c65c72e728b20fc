/*
 * NOOP (RFC 3501 6.1.2): the session tells what is new before its answer.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_noop(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	return command_ok(command, "NOOP completed");
}
