/*
 * COPY (RFC 3501 6.4.7), MOVE (RFC 6851), with COPYUID (RFC 4315 3).  All
 * messages or none; the OK comes after the store's commit.
 */
#include "imapd/imap_commands.h"

#include "imapd/copyuid.h"
#include "imapd/message_limit.h"

/* command->state is the target's name. What is missing may also be a message,
 * which another session expunged, or which the store keeps no longer. */
static enum command_step
copy_failed(struct imap_command *command, enum status status)
{
	const char *target = command->state;

	if (status != STATUS_MISSING)
		return command_failed(command, status);
	if (mailbox_list_find(command->account, text_of(target)) == NULL)
		return command_no(command, "[TRYCREATE] No such mailbox");
	return command_no(
	    command, "[EXPUNGEISSUED] Some of the messages are gone");
}

static enum command_step
copied(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status != STATUS_OK)
		return copy_failed(command, answer->status);
	if (answer->count == 0)
		return command_ok(command, "Nothing copied");
	copyuid_put(command_answer(command), answer, "Copy completed");
	return COMMAND_DONE;
}

static enum command_step
moved(struct imap_command *command, const struct mailbox_answer *answer)
{
	if (answer->status != STATUS_OK)
		return copy_failed(command, answer->status);
	if (answer->count == 0)
		return command_ok(command, "Nothing moved");
	/* RFC 6851 4.3: before the EXPUNGEs that the session sends. */
	(void)buf_put_text(command->out, "* ");
	copyuid_put(command->out, answer, "Moved");
	(void)buf_put_text(command->out, "\r\n");
	return command_is_qresync(command)
		   ? command_ok_modseq(command, "Move completed")
		   : command_ok(command, "Move completed");
}

static enum command_step
copy_messages(struct imap_command *command, bool is_move)
{
	struct imap_parser *parser = &command->parser;
	struct imap_set set;
	uint32_t *uids;
	size_t count;
	const char *name;

	if (imap_parse_space(parser) == -1 ||
	    imap_parse_set(parser, &set) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    imap_parse_end(parser) == -1 ||
	    command_uids(command, &set, &uids, &count) == -1)
		return command_malformed(command);
	command->state = (void *)(uintptr_t)name;
	if (command_is_past(command, text_of(name)))
		return command_no_permission(command);
	if (mailbox_list_find(command->account, text_of(name)) == NULL)
		return copy_failed(command, STATUS_MISSING);
	message_limit_cut(command, &uids, &count);
	if (!is_move && message_limit_is_refused(command))
		return COMMAND_DONE;
	if (count == 0)
		return command_ok(command, "No messages in the set");
	command->goal = (uint32_t)count;
	mailbox_copy(command->view, uids, count, text_of(name), is_move,
	    command_change_done,
	    command_wait(command, is_move ? moved : copied));
	return COMMAND_WAIT;
}

enum command_step
cmd_copy(struct imap_command *command)
{
	return copy_messages(command, false);
}

enum command_step
cmd_move(struct imap_command *command)
{
	return copy_messages(command, true);
}
