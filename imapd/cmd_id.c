/*
 * ID (RFC 2971).  What the client says about itself is checked for its form
 * and forgotten.
 */
#include "imapd/imap_commands.h"

enum {
	ID_MAX_FIELDS = 30
};

static int
skip_nstring(struct imap_parser *parser)
{
	struct text value;

	if (imap_parse_skip_word(parser, "NIL"))
		return 0;
	return imap_parse_string(parser, &value);
}

static int
skip_fields(struct imap_parser *parser)
{
	struct text name;
	int fields = 0;

	if (imap_parse_skip_word(parser, "NIL"))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "List or NIL expected");
	if (imap_parse_skip(parser, ')'))
		return 0;
	do {
		if (++fields > ID_MAX_FIELDS)
			return imap_parse_error(parser, "Too many fields");
		if (imap_parse_string(parser, &name) == -1 ||
		    imap_parse_space(parser) == -1 ||
		    skip_nstring(parser) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

enum command_step
cmd_id(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;

	if (imap_parse_space(parser) == -1 || skip_fields(parser) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	(void)buf_put_text(command->out, "* ID (\"name\" \"Firnmail\")\r\n");
	return command_ok(command, "ID completed");
}
