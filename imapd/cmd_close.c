/*
 * CLOSE (RFC 3501 6.4.2): expunges without telling, then nothing is selected;
 * UNSELECT (RFC 3691) does not expunge.  HIGHESTMODSEQ comes with CLOSE if the
 * client has been told all else up to it.
 */
#include "imapd/imap_commands.h"

static enum command_step
close_expunged(
    struct imap_command *command, const struct mailbox_answer *answer)
{
	struct buf *line;

	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	line = command_answer(command);
	(void)buf_put_text(line, "OK ");
	if (command_is_qresync(command) &&
	    mailbox_view_misses_only(command->view, answer->count))
		(void)buf_put_format(line, "[HIGHESTMODSEQ %llu] ",
		    (unsigned long long)mailbox_view_info(command->view)
			->highest_modseq);
	(void)buf_put_text(line, "Close completed");
	command_select(command, NULL);
	return COMMAND_DONE;
}

enum command_step
cmd_close(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	if (mailbox_view_is_read_only(command->view)) {
		command_select(command, NULL);
		return command_ok(command, "Close completed");
	}
	mailbox_expunge(command->view, NULL, 0, command_change_done,
	    command_wait(command, close_expunged));
	return COMMAND_WAIT;
}

enum command_step
cmd_unselect(struct imap_command *command)
{
	if (imap_parse_end(&command->parser) == -1)
		return command_malformed(command);
	command_select(command, NULL);
	return command_ok(command, "Unselect completed");
}
