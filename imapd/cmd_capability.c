/*
 * CAPABILITY (RFC 3501 6.1.1) after login.
 */
#include "imapd/imap_capability.h"
#include "imapd/imap_commands.h"

enum command_step
cmd_capability(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(
	    command->out, "* CAPABILITY " IMAP_CAPABILITY_AFTER_LOGIN "\r\n");
	return command_ok(command, "Capability completed");
}
