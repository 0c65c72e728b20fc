/*
 * RESETKEY (RFC 4467): all URLs that were authorized with the key of a mailbox,
 * or with any, are void from now on.
 */
#include "imapd/imap_commands.h"

#include "imapd/mailbox_keys.h"

static enum command_step
reset_all(struct imap_command *command)
{
	enum status status = mailbox_key_reset(command->account, 0);

	return status == STATUS_OK ? command_ok(command, "All keys removed")
				   : command_failed(command, status);
}

/* " mechanism ...", each of which must be known; none means INTERNAL. */
static bool
knows_mechanisms(struct imap_parser *parser)
{
	struct text mechanism;

	while (imap_parse_skip(parser, ' ')) {
		if (imap_parse_atom(parser, &mechanism) == -1 ||
		    !text_is_nocase(mechanism, "INTERNAL"))
			return false;
	}
	return true;
}

enum command_step
cmd_resetkey(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	const struct mailbox_info *info;
	enum status status;
	const char *name;

	if (imap_parse_at_end(parser))
		return reset_all(command);
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1)
		return command_malformed(command);
	if (!knows_mechanisms(parser))
		return parser->error != NULL
			   ? command_malformed(command)
			   : command_no(command, "[CANNOT] Only the mechanism "
						 "INTERNAL is known");
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (command_is_past(command, text_of(name)))
		return command_no_permission(command);
	info = mailbox_list_find(command->account, text_of(name));
	if (info == NULL)
		return command_failed(command, STATUS_MISSING);
	status = mailbox_key_reset(command->account, info->id);
	return status == STATUS_OK
		   ? command_ok(command, "[URLMECH INTERNAL] Key is a new one")
		   : command_failed(command, status);
}
