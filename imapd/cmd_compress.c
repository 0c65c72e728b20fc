/*
 * COMPRESS DEFLATE (RFC 4978).  From behind the tagged answer on both sides
 * compress.  Whatever a client has sent behind the command by then, not having
 * waited for the answer as it must, would be of doubtful form: then it is BAD,
 * and all stays plain (imap_session.c).
 */
#include "imapd/imap_commands.h"

enum command_step
cmd_compress(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct text name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_atom(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (!text_is_nocase(name, "DEFLATE"))
		return command_bad(command, "Unknown compression");
	if (!command_start_compression(command))
		return command_no(
		    command, "[COMPRESSIONACTIVE] Compressed already");
	return command_ok(command, "Compression begins");
}
