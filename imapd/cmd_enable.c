/*
 * ENABLE (RFC 5161): CONDSTORE is what can be enabled.  Other names are
 * ignored, as the RFC wants.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_enable(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	bool is_condstore = false;
	struct text name;

	if (imap_parse_at_end(parser))
		return command_bad(command, "Missing argument");
	while (imap_parse_skip(parser, ' ')) {
		if (imap_parse_atom(parser, &name) == -1)
			return command_malformed(command);
		if (text_is_nocase(name, "CONDSTORE"))
			is_condstore = true;
	}
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(command->out,
	    is_condstore ? "* ENABLED CONDSTORE\r\n" : "* ENABLED\r\n");
	if (is_condstore)
		command_enable_condstore(command);
	return command_ok(command, "Enabled");
}
