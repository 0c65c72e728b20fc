/*
 * ENABLE (RFC 5161): CONDSTORE and QRESYNC (RFC 7162) are what can be enabled.
 * Other names are ignored, as the RFC wants.
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_enable(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	bool is_condstore = false, is_qresync = false;
	struct text name;

	if (imap_parse_at_end(parser))
		return command_bad(command, "Missing argument");
	while (imap_parse_skip(parser, ' ')) {
		if (imap_parse_atom(parser, &name) == -1)
			return command_malformed(command);
		if (text_is_nocase(name, "CONDSTORE"))
			is_condstore = true;
		if (text_is_nocase(name, "QRESYNC"))
			is_qresync = true;
	}
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	(void)buf_put_format(command->out, "* ENABLED%s%s\r\n",
	    is_condstore ? " CONDSTORE" : "", is_qresync ? " QRESYNC" : "");
	if (is_qresync)
		command_enable_qresync(command);
	else if (is_condstore)
		command_enable_condstore(command);
	return command_ok(command, "Enabled");
}
