/*
 * SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2) with the CONDSTORE parameter
 * (RFC 7162 3.1.8).  A mailbox whose messages are not there is never opened as
 * an empty one: mailbox.h says UNAVAILABLE, and so do we.  Mailboxes of the past
 * are asked from the store, and always open read-only.
 */
#include "imapd/imap_commands.h"

#include "imapd/snapshot_mailbox.h"

/* Parameters: CONDSTORE only. */
static int
parse_parameters(struct imap_parser *parser, bool *is_condstore)
{
	struct text name;

	*is_condstore = false;
	if (!imap_parse_skip(parser, ' ') || imap_parse_at_end(parser))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Unexpected argument");
	do {
		if (imap_parse_atom(parser, &name) == -1)
			return -1;
		if (!text_is_nocase(name, "CONDSTORE"))
			return imap_parse_error(parser, "Unknown parameter");
		*is_condstore = true;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

static void
put_state(struct imap_command *command)
{
	struct mailbox_view *view = command->view;
	const struct mailbox_info *info;
	struct buf *out = command->out;
	size_t unseen = mailbox_view_first_unseen(view);

	command_put_mailbox_flags(command);
	(void)buf_put_format(out, "* %zu EXISTS\r\n* %zu RECENT\r\n",
	    mailbox_view_count(view), mailbox_view_recent_count(view));
	if (unseen != 0)
		(void)buf_put_format(
		    out, "* OK [UNSEEN %zu] First unseen\r\n", unseen);
	info = mailbox_view_info(view);
	(void)buf_put_format(out,
	    "* OK [UIDVALIDITY %u] UIDs valid\r\n"
	    "* OK [UIDNEXT %u] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
	    info->uidvalidity, info->uidnext,
	    (unsigned long long)info->highest_modseq);
}

static void
past_opened(enum status status, struct mailbox_view *view, void *context)
{
	struct imap_command *command = context;

	command->abandon = NULL;
	if (status == STATUS_OK) {
		command_select(command, view);
		put_state(command);
		(void)command_ok(command, "[READ-ONLY] Select completed");
	} else {
		(void)command_failed(command, status);
	}
	command_wake(command, COMMAND_DONE);
}

static void
abandon_past(struct imap_command *command)
{
	snapshot_cancel(command->account, command);
}

static enum command_step
open_mailbox(struct imap_command *command, bool is_read_only)
{
	struct imap_parser *parser = &command->parser;
	struct mailbox_view *view;
	bool is_condstore;
	enum status status = STATUS_OK;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    parse_parameters(parser, &is_condstore) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	/* Also a SELECT that fails leaves nothing selected. */
	command_select(command, NULL);
	if (is_condstore)
		command_enable_condstore(command);
	if (command_is_past(command, text_of(name))) {
		command->abandon = abandon_past;
		snapshot_open(command->account, text_of(name),
		    &command_view_handler, command->session, past_opened,
		    command);
		return COMMAND_WAIT;
	}
	view = mailbox_view_open(command->account, text_of(name), is_read_only,
	    &command_view_handler, command->session, &status);
	if (view == NULL)
		return command_failed(command, status);
	command_select(command, view);
	put_state(command);
	return command_ok(command, is_read_only
				       ? "[READ-ONLY] Examine completed"
				       : "[READ-WRITE] Select completed");
}

enum command_step
cmd_select(struct imap_command *command)
{
	return open_mailbox(command, false);
}

enum command_step
cmd_examine(struct imap_command *command)
{
	return open_mailbox(command, true);
}
