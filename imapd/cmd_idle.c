/*
 * IDLE (RFC 2177).  The session sends updates and waits for DONE.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_idle(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(command->out, "+ idling\r\n");
	return COMMAND_IDLE;
}
