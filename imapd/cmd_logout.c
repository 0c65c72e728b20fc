/*
 * LOGOUT (RFC 3501 6.1.3).
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_logout(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	command_logout(command);
	return COMMAND_DONE;
}
