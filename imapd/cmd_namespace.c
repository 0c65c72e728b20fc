/*
 * NAMESPACE (RFC 2342): a personal namespace without a prefix, and the past of
 * the account, which nobody owns and nobody changes, as a shared one.
 */
#include "imapd/imap_commands.h"

#include "imapd/snapshot_name.h"

enum command_step
cmd_namespace(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(command->out,
	    "* NAMESPACE ((\"\" \"/\")) NIL ((\"" SNAPSHOT_ROOT
	    "/\" \"/\"))\r\n");
	return command_ok(command, "Namespace completed");
}
