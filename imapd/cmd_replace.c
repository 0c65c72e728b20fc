/*
 * REPLACE and UID REPLACE (RFC 8508): an APPEND of one message (cmd_append.c
 * reads it) and the expunge of another, in one commit.  What it held stays in
 * the store as after any expunge.
 */
#include "imapd/imap_commands.h"

#include "imapd/append_command.h"

/* A message number or UID, "*" for the last one. */
static int
parse_number(struct imap_command *command, uint64_t *number)
{
	struct imap_parser *parser = &command->parser;
	size_t count = mailbox_view_count(command->view);

	if (!imap_parse_skip(parser, '*'))
		return imap_parse_number(parser, UINT32_MAX, number);
	*number = count == 0 || !command->is_uid
		      ? count
		      : mailbox_view_uid(command->view, count);
	return 0;
}

int
replace_parse_target(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct imap_parser *parser = &command->parser;
	size_t count = mailbox_view_count(command->view);
	uint64_t number;

	if (imap_parse_space(parser) == -1 ||
	    parse_number(command, &number) == -1)
		return -1;
	if (number == 0 || (!command->is_uid && number > count))
		return imap_parse_error(
		    parser, "Message number beyond the mailbox");
	state->replaced_uid =
	    command->is_uid ? (uint32_t)number
			    : mailbox_view_uid(command->view, (size_t)number);
	return 0;
}

const char *
replace_problem(const struct imap_command *command)
{
	const struct append_state *state = command->state;
	struct mailbox_row row;

	if (mailbox_row(command->view, state->replaced_uid, &row))
		return NULL;
	return mailbox_view_number(command->view, state->replaced_uid) != 0
		   ? "[EXPUNGEISSUED] Message was expunged"
		   : "[NONEXISTENT] No such message";
}

/* As MOVE does: where it is now, before the EXPUNGE that the session sends. */
enum command_step
replace_done(struct imap_command *command, const struct mailbox_answer *answer)
{
	const struct append_state *state = command->state;

	if (answer->status == STATUS_MISSING)
		return command_no(command,
		    mailbox_list_find(command->account, state->mailbox) == NULL
			? "[TRYCREATE] No such mailbox"
			: "[EXPUNGEISSUED] Message was expunged");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	(void)buf_put_format(command->out,
	    "* OK [APPENDUID %u %u] Replacement is there\r\n",
	    answer->uidvalidity, answer->target_uids[0]);
	return command_is_condstore(command)
		   ? command_ok_modseq(command, "Replace completed")
		   : command_ok(command, "Replace completed");
}
