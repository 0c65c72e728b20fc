/*
 * DELETE (RFC 3501 6.3.4).  What the mailbox held stays in the snapshot store.
 */
#include "imapd/imap_commands.h"

#include <string.h>

/* Levels above mailboxes are names that LIST shows, and no mailboxes. */
static bool
has_children(struct imap_command *command, struct text name)
{
	char *above = pool_alloc(command->pool, name.size + 2, 1);
	const struct mailbox_info *next;

	memcpy(above, name.data, name.size);
	above[name.size] = '/';
	next = mailbox_list_next(
	    command->account, text_make(above, name.size + 1));
	return next != NULL && next->name.size > name.size &&
	       memcmp(next->name.data, above, name.size + 1) == 0;
}

static enum command_step
deleted(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status == STATUS_REFUSED)
		return command_no(command, "[CANNOT] INBOX stays");
	if (answer->status == STATUS_MISSING &&
	    has_children(command, text_of(command->state)))
		return command_no(
		    command, "[HASCHILDREN] Only mailboxes below it are left");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	return command_ok(command, "Delete completed");
}

enum command_step
cmd_delete(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (command_is_past(command, text_of(name)))
		return command_no_permission(command);
	command->state = (void *)(uintptr_t)name;
	mailbox_list_delete(command->account, text_of(name),
	    command_change_done, command_wait(command, deleted));
	return COMMAND_WAIT;
}
