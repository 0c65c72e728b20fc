/*
 * CREATE (RFC 3501 6.3.3), with USE (RFC 6154 3) and MAILBOXID (RFC
 * 8474 4.1).  A trailing separator only
 * says that names below it will follow.
 */
#include "imapd/imap_commands.h"

#include "imapd/list_command.h"
#include "imapd/object_id.h"
#include "imapd/special_use.h"

#include <string.h>

/* A use that no mailbox here can have is `is_foreign`. */
static int
parse_use(struct imap_parser *parser, uint32_t *special_use, bool *is_foreign)
{
	struct text name;

	if (!imap_parse_skip_word(parser, "USE") ||
	    imap_parse_space(parser) == -1 || !imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "USE expected");
	while (!imap_parse_next_is(parser, ')')) {
		if (!imap_parse_skip(parser, '\\') ||
		    imap_parse_atom(parser, &name) == -1)
			return imap_parse_error(parser, "Attribute expected");
		*special_use |= special_use_find(name);
		*is_foreign |= special_use_find(name) == 0;
		if (!imap_parse_skip(parser, ' '))
			break;
	}
	return imap_parse_skip(parser, ')') && imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static enum command_step
created(struct imap_command *command, const struct mailbox_answer *answer)
{
	const struct mailbox_info *info;
	char id[OBJECT_ID_SIZE];

	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	if (command_is_rev2(command) && command->parser.other_name != NULL)
		list_put_selected(command, text_of(command->state),
		    command->parser.other_name);
	info = mailbox_list_find(command->account, text_of(command->state));
	if (info == NULL) /* gone again already */
		return command_ok(command, "Create completed");
	object_id_of_mailbox(info, text_make(NULL, 0), id);
	(void)buf_put_format(command_answer(command),
	    "OK [MAILBOXID (%s)] Create completed", id);
	return COMMAND_DONE;
}

enum command_step
cmd_create(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	uint32_t special_use = 0;
	bool is_foreign = false;
	struct text text;
	const char *name;
	enum status status;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1)
		return command_malformed(command);
	if (imap_parse_skip(parser, ' ') && imap_parse_skip(parser, '(') &&
	    parse_use(parser, &special_use, &is_foreign) == -1)
		return command_malformed(command);
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (is_foreign)
		return command_no(
		    command, "[USEATTR] No such special use here");
	text = text_of(name);
	if (text.size > 1 && text.data[text.size - 1] == '/')
		text.size--;
	if ((status = mailbox_name_check(text)) != STATUS_OK)
		return command_failed(command, status);
	if (command_is_past(command, text))
		return command_no_permission(command);
	command->state = pool_text(command->pool, text.data, text.size);
	mailbox_list_create(command->account, text, special_use,
	    command_change_done, command_wait(command, created));
	return COMMAND_WAIT;
}
