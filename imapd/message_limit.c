/*
 * See message_limit.h.
 */
#include "imapd/message_limit.h"

#include <string.h>

void
message_limit_cut(struct imap_command *command, uint32_t **uids, size_t *count)
{
	size_t limit = command->parser.limits->messages;

	if (*count <= limit)
		return;
	*uids += *count - limit;
	*count = limit;
	command->limit_uid = **uids;
}

void
message_limit_turn(
    const struct imap_command *command, uint32_t *uids, size_t count)
{
	for (size_t i = 0; command->limit_uid != 0 && i < count / 2; i++) {
		uint32_t uid = uids[i];

		uids[i] = uids[count - 1 - i];
		uids[count - 1 - i] = uid;
	}
}

static void
put_code(const struct imap_command *command, struct buf *to)
{
	(void)buf_put_format(
	    to, "[MESSAGELIMIT %zu", command->parser.limits->messages);
	if (command->limit_uid != 0)
		(void)buf_put_format(to, " %u", command->limit_uid);
	(void)buf_put_text(to, "] ");
}

enum command_step
message_limit_refuse(struct imap_command *command)
{
	struct buf *line = command_answer(command);

	(void)buf_put_text(line, "NO ");
	put_code(command, line);
	(void)buf_put_text(line, "Too many messages at once");
	return COMMAND_DONE;
}

bool
message_limit_is_refused(struct imap_command *command)
{
	if (command->limit_uid == 0)
		return false;
	(void)message_limit_refuse(command);
	return true;
}

void
message_limit_tell(
    const struct imap_command *command, struct buf *answer, struct buf *out)
{
	struct text said = text_make(answer->data, answer->size), rest;
	struct buf whole;

	if (command->limit_uid == 0 || !text_starts_nocase(said, "OK "))
		return;
	rest = text_skip(said, 3);
	if (rest.size > 0 && rest.data[0] == '[') {
		(void)buf_put_text(out, "* NO ");
		put_code(command, out);
		(void)buf_put_text(out, "Done for some of the messages\r\n");
		return;
	}
	buf_init(&whole, answer->max_size);
	(void)buf_put_text(&whole, "OK ");
	put_code(command, &whole);
	(void)buf_put(&whole, rest.data, rest.size);
	buf_reset(answer);
	(void)buf_put(answer, whole.data, whole.size);
	buf_clear(&whole);
}
