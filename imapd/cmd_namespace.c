/*
 * NAMESPACE (RFC 2342): one personal namespace without a prefix.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_namespace(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(
	    command->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return command_ok(command, "Namespace completed");
}
