/*
 * APPEND (RFC 3501 6.3.11) with APPENDUID (RFC 4315 3).  The message comes as
 * a literal, which the session hands on in parts as it arrives: it is never
 * whole in memory here.  OK means that the store has committed.
 */
#include "imapd/imap_commands.h"

#include "common/clock.h"
#include "imapd/imap_capability.h"

#include <string.h>

struct append_state {
	struct append *append;
	bool has_failed;
	bool has_bracket; /* UTF8 (...): one follows the message */
};

/* APPEND without a literal never gets here by itself. */
enum command_step
cmd_append(struct imap_command *command)
{
	return command_bad(command, "Message literal expected");
}

bool
cmd_append_is_message(struct text arguments)
{
	/* The other literal that may stand in front is the mailbox: then it
	 * is the first argument. */
	return !text_starts_nocase(arguments, " {") ||
	       text_find_byte(arguments, '\n') != -1;
}

static void
abandon(struct imap_command *command)
{
	struct append_state *state = command->state;

	append_abort(&state->append);
}

/* What announces the message: "{", "~{" (RFC 3516), "UTF8 (~{" (RFC 6855 4). */
static int
parse_data(struct imap_parser *parser, bool *has_bracket)
{
	*has_bracket = imap_parse_skip_word(parser, "UTF8");
	if (*has_bracket &&
	    (imap_parse_space(parser) == -1 || !imap_parse_skip(parser, '(') ||
		!imap_parse_next_is(parser, '~')))
		return imap_parse_error(parser, "UTF8 (~{...}) expected");
	(void)imap_parse_skip(parser, '~');
	return imap_parse_next_is(parser, '{')
		   ? 0
		   : imap_parse_error(parser, "Message literal expected");
}

static int
parse_arguments(struct imap_command *command, const char **name,
    struct imap_flags *flags, int64_t *date, bool *has_bracket)
{
	struct imap_parser *parser = &command->parser;

	memset(flags, 0, sizeof(*flags));
	*date = clock_wall_us() / 1000000;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, name) == -1 ||
	    imap_parse_space(parser) == -1)
		return -1;
	if (imap_parse_next_is(parser, '(') &&
	    (imap_parse_flags(parser, false, flags) == -1 ||
		imap_parse_space(parser) == -1))
		return -1;
	if (imap_parse_next_is(parser, '"') &&
	    (imap_parse_date_time(parser, date) == -1 ||
		imap_parse_space(parser) == -1))
		return -1;
	return parse_data(parser, has_bracket);
}

enum command_step
cmd_append_begin(struct imap_command *command, uint64_t size)
{
	struct append_state *state;
	struct imap_flags *flags;
	const char *name;
	bool has_bracket;
	int64_t date;

	flags = pool_alloc(command->pool, 1, sizeof(*flags));
	if (parse_arguments(command, &name, flags, &date, &has_bracket) == -1)
		return command_malformed(command);
	if (size == 0)
		return command_no(command, "[CANNOT] Message is empty");
	if (size > IMAP_APPEND_LIMIT)
		return command_no(command, "[TOOBIG] Message is too large");
	if (command_is_past(command, text_of(name)))
		return command_no_permission(command);
	if (mailbox_list_find(command->account, text_of(name)) == NULL)
		return command_no(command, "[TRYCREATE] No such mailbox");
	if (!account_store_has_room(command->account, size))
		return command_failed(command, STATUS_QUOTA);
	state = pool_alloc(command->pool, 1, sizeof(*state));
	state->append = append_begin(command->account, text_of(name),
	    flags->system, flags->keywords, flags->keyword_count, date);
	state->has_bracket = has_bracket;
	command->state = state;
	command->abandon = abandon;
	return COMMAND_WAIT;
}

void
cmd_append_data(struct imap_command *command, struct text data)
{
	struct append_state *state = command->state;

	if (!state->has_failed &&
	    append_write(state->append, data.data, data.size) == -1)
		state->has_failed = true;
}

static enum command_step
appended(struct imap_command *command, const struct mailbox_answer *answer)
{
	struct buf *line;

	if (answer->status == STATUS_MISSING)
		return command_no(command, "[TRYCREATE] No such mailbox");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	line = command_answer(command);
	(void)buf_put_text(line, "OK ");
	if (answer->count > 0)
		(void)buf_put_format(line, "[APPENDUID %u %u] ",
		    answer->uidvalidity, answer->target_uids[0]);
	(void)buf_put_text(line, "Append completed");
	return COMMAND_DONE;
}

enum command_step
cmd_append_end(struct imap_command *command, struct text rest)
{
	struct append_state *state = command->state;
	struct append *append = state->append;

	command->abandon = NULL;
	state->append = NULL;
	if (state->has_bracket) {
		if (!text_is(rest, ")")) {
			append_abort(&append);
			return command_bad(command, "UTF8 data has no end");
		}
		rest.size = 0;
	}
	if (rest.size > 0) {
		append_abort(&append);
		return command_bad(
		    command, "Only one message can be appended at a time");
	}
	append_commit(
	    &append, command_change_done, command_wait(command, appended));
	return COMMAND_WAIT;
}
