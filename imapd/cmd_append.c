/*
 * APPEND (RFC 3501 6.3.11) of one message or of several (RFC 3502), each a
 * literal (RFC 3516: also literal8), UTF8 (...) (RFC 6855 4) or CATENATE (...)
 * (RFC 4469); APPENDUID (RFC 4315 3).  REPLACE reads its message here, too. All
 * or none: OK means that the store has committed them together.
 */
#include "imapd/imap_commands.h"

#include "common/clock.h"
#include "imapd/append_command.h"
#include "imapd/imap_capability.h"
#include "imapd/imap_url.h"

#include <string.h>

static void
abandon(struct imap_command *command)
{
	struct append_state *state = command->state;

	append_url_clear(command);
	append_abort(&state->append);
	command->abandon = NULL;
}

enum append_step
append_refuse(struct imap_command *command, enum command_step said)
{
	abandon(command);
	return APPEND_ENDED;
}

static enum append_step
malformed(struct imap_command *command)
{
	return append_refuse(command, command_malformed(command));
}

static enum append_step
wrong(struct imap_command *command, const char *what)
{
	return append_refuse(command, command_bad(command, what));
}

/* ---- Literals ---- */

/* The literal that was announced, at the end of the text so far. */
static bool
literal_is_next(const struct imap_command *command)
{
	struct text rest = command->parser.rest;

	return !command->has_all_arguments && rest.size > 0 &&
	       rest.data[0] == '{' &&
	       text_find_byte(rest, '}') == (ptrdiff_t)rest.size - 1;
}

bool
append_make_room(struct imap_command *command, uint64_t size)
{
	struct append_state *state = command->state;

	if (size > IMAP_APPEND_LIMIT - state->bytes) {
		append_refuse(command,
		    command_no(command, state->messages > 1
					    ? "[TOOBIG] Messages are too large "
					      "for one command"
					    : "[TOOBIG] Message is too large"));
		return false;
	}
	/* What is replaced makes room: the commit knows how much. */
	if (state->replaced_uid == 0 &&
	    !account_store_has_room(command->account, state->bytes + size)) {
		append_refuse(command, command_failed(command, STATUS_QUOTA));
		return false;
	}
	state->bytes += size;
	state->message_bytes += size;
	return true;
}

static enum append_step
take_data(struct imap_command *command, enum append_place next)
{
	struct append_state *state = command->state;

	if (!append_make_room(command, command->literal_size))
		return APPEND_ENDED;
	state->place = next;
	return APPEND_LITERAL_DATA;
}

/* ---- Messages ---- */

/* A mailbox that is not there is said before its messages are sent. */
static enum append_step
read_mailbox(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct imap_parser *parser = &command->parser;
	struct text start = parser->rest;
	const char *name, *problem;

	if (imap_parse_space(parser) == -1)
		return malformed(command);
	if (literal_is_next(command)) {
		parser->rest = start;
		return APPEND_LITERAL_PART;
	}
	if (imap_parse_mailbox(parser, &name) == -1)
		return malformed(command);
	state->mailbox = text_of(name);
	problem = state->replaced_uid != 0 ? replace_problem(command) : NULL;
	if (problem != NULL)
		return append_refuse(command, command_no(command, problem));
	if (command_is_past(command, state->mailbox))
		return append_refuse(command, command_no_permission(command));
	if (mailbox_list_find(command->account, state->mailbox) == NULL)
		return append_refuse(command,
		    command_no(command, "[TRYCREATE] No such mailbox"));
	state->append = append_begin(command->account, state->mailbox);
	state->place = APPEND_MESSAGE;
	return APPEND_GO_ON;
}

static int
parse_options(struct imap_command *command, int64_t *date)
{
	struct append_state *state = command->state;
	struct imap_parser *parser = &command->parser;

	state->flags.system = 0;
	state->flags.keyword_count = 0;
	*date = clock_wall_us() / 1000000;
	if (imap_parse_space(parser) == -1)
		return -1;
	if (imap_parse_next_is(parser, '(') &&
	    (imap_parse_flags(parser, false, &state->flags) == -1 ||
		imap_parse_space(parser) == -1))
		return -1;
	if (imap_parse_next_is(parser, '"') &&
	    (imap_parse_date_time(parser, date) == -1 ||
		imap_parse_space(parser) == -1))
		return -1;
	return 0;
}

/* "UTF8 (", "CATENATE (" */
static int
parse_opening(struct imap_parser *parser)
{
	if (imap_parse_space(parser) == -1)
		return -1;
	return imap_parse_skip(parser, '(')
		   ? 0
		   : imap_parse_error(parser, "Parenthesis expected");
}

/* What announces the message: "{", "~{", "UTF8 (~{", "CATENATE (". */
static enum append_step
read_data(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct imap_parser *parser = &command->parser;
	enum append_place next = APPEND_MESSAGE;

	if (imap_parse_skip_word(parser, "CATENATE")) {
		if (parse_opening(parser) == -1)
			return malformed(command);
		state->place = APPEND_FIRST_PART;
		return APPEND_GO_ON;
	}
	if (imap_parse_skip_word(parser, "UTF8")) {
		if (parse_opening(parser) == -1)
			return malformed(command);
		if (!imap_parse_next_is(parser, '~'))
			return wrong(command, "UTF8 (~{...}) expected");
		next = APPEND_BRACKET;
	}
	(void)imap_parse_skip(parser, '~');
	if (!literal_is_next(command))
		return wrong(command, "Message literal expected");
	/* RFC 3502: who gives up sends an empty one. */
	if (command->literal_size == 0)
		return append_refuse(
		    command, command_no(command, "[CANNOT] Message is empty"));
	return take_data(command, next);
}

/* RFC 9738 3.1 */
static enum command_step
too_many_messages(struct imap_command *command)
{
	(void)buf_put_format(command_answer(command),
	    "NO [MESSAGELIMIT %d] Too many messages at once",
	    APPEND_MAX_MESSAGES);
	return COMMAND_DONE;
}

static enum append_step
read_message(struct imap_command *command)
{
	struct append_state *state = command->state;
	int64_t date;

	if (parse_options(command, &date) == -1)
		return malformed(command);
	if (state->messages == APPEND_MAX_MESSAGES)
		return append_refuse(command, too_many_messages(command));
	if (state->messages > 0 && state->replaced_uid != 0)
		return wrong(command, "A message is replaced by one other");
	state->messages++;
	state->message_bytes = 0;
	append_message(state->append, state->flags.system,
	    state->flags.keywords, state->flags.keyword_count, date);
	return read_data(command);
}

static enum append_step
read_bracket(struct imap_command *command, enum append_place next)
{
	struct append_state *state = command->state;

	if (!imap_parse_skip(&command->parser, ')'))
		return wrong(command, "UTF8 data has no end");
	state->place = next;
	return APPEND_GO_ON;
}

/* ---- CATENATE ---- */

static enum append_step
read_text(struct imap_command *command, enum append_place next)
{
	(void)imap_parse_skip(&command->parser, '~');
	return literal_is_next(command) ? take_data(command, next)
					: wrong(command, "Literal expected");
}

static enum append_step
read_url(struct imap_command *command, struct text start)
{
	struct imap_parser *parser = &command->parser;
	struct text url;

	if (imap_parse_space(parser) == -1)
		return malformed(command);
	if (literal_is_next(command)) {
		if (command->literal_size > IMAP_URL_MAX_SIZE)
			return wrong(command, "URL is too long");
		parser->rest = start;
		return APPEND_LITERAL_PART;
	}
	if (imap_parse_astring(parser, &url) == -1)
		return malformed(command);
	return append_url_begin(command, url);
}

/* `start`: with the space in front of it. */
static enum append_step
read_one_part(struct imap_command *command, struct text start)
{
	struct append_state *state = command->state;
	struct imap_parser *parser = &command->parser;

	if (state->parts == APPEND_MAX_PARTS)
		return append_refuse(command,
		    command_no(command, "[LIMIT] Too many parts at once"));
	if (imap_parse_skip_word(parser, "URL"))
		return read_url(command, start);
	state->parts++;
	if (imap_parse_skip_word(parser, "TEXT"))
		return imap_parse_space(parser) == -1
			   ? malformed(command)
			   : read_text(command, APPEND_PART);
	if (!imap_parse_skip_word(parser, "UTF8"))
		return wrong(command, "TEXT or URL expected");
	if (parse_opening(parser) == -1)
		return malformed(command);
	return read_text(command, APPEND_PART_BRACKET);
}

static enum append_step
read_part(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct text start = command->parser.rest;

	if (state->place == APPEND_FIRST_PART)
		return read_one_part(command, start);
	if (imap_parse_skip(&command->parser, ' '))
		return read_one_part(command, start);
	if (!imap_parse_skip(&command->parser, ')'))
		return wrong(command, "List of parts has no end");
	if (state->message_bytes == 0)
		return append_refuse(
		    command, command_no(command, "[CANNOT] Message is empty"));
	state->place = APPEND_MESSAGE;
	return APPEND_GO_ON;
}

/* ---- The end ---- */

static enum command_step
appended(struct imap_command *command, const struct mailbox_answer *answer)
{
	struct buf *line;

	if (answer->status == STATUS_MISSING)
		return command_no(command, "[TRYCREATE] No such mailbox");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	line = command_answer(command);
	(void)buf_put_format(line, "OK [APPENDUID %u ", answer->uidvalidity);
	(void)imap_set_put(line, answer->target_uids, answer->count);
	(void)buf_put_text(line, "] Append completed");
	return COMMAND_DONE;
}

/* All was read: some clients leave a space behind the command. */
static bool
is_at_end(const struct imap_command *command)
{
	const struct append_state *state = command->state;

	return command->has_all_arguments && state->messages > 0 &&
	       text_trim(command->parser.rest).size == 0;
}

static enum append_step
commit(struct imap_command *command)
{
	struct append_state *state = command->state;
	bool is_replace = state->replaced_uid != 0;

	command->abandon = NULL;
	if (is_replace)
		append_replace(
		    state->append, command->view, state->replaced_uid);
	append_commit(&state->append, command_change_done,
	    command_wait(command, is_replace ? replace_done : appended));
	return APPEND_COMMITTING;
}

static enum append_step
read_next(struct imap_command *command)
{
	struct append_state *state = command->state;

	switch (state->place) {
	case APPEND_ARGUMENTS:
		return read_mailbox(command);
	case APPEND_MESSAGE:
		return read_message(command);
	case APPEND_BRACKET:
		return read_bracket(command, APPEND_MESSAGE);
	case APPEND_PART_BRACKET:
		return read_bracket(command, APPEND_PART);
	case APPEND_FIRST_PART:
	case APPEND_PART:
		return read_part(command);
	case APPEND_URL:
	case APPEND_URL_BYTES:
		return append_url_go_on(command);
	}
	return APPEND_ENDED;
}

enum append_step
append_read(struct imap_command *command)
{
	struct append_state *state = command->state;
	enum append_step step = APPEND_GO_ON;

	if (state == NULL) {
		state = pool_alloc(command->pool, 1, sizeof(*state));
		command->state = state;
		command->abandon = abandon;
		if (text_is(text_of(command->rule->name), "REPLACE") &&
		    replace_parse_target(command) == -1)
			step = malformed(command);
	}
	while (step == APPEND_GO_ON)
		step = state->place == APPEND_MESSAGE && is_at_end(command)
			   ? commit(command)
			   : read_next(command);
	return step;
}

enum command_step
cmd_append(struct imap_command *command)
{
	command->has_all_arguments = true;
	command->resume = cmd_append;
	switch (append_read(command)) {
	case APPEND_WAIT:
	case APPEND_COMMITTING:
		return COMMAND_WAIT;
	case APPEND_TURN:
		return COMMAND_MORE;
	default:
		return COMMAND_DONE;
	}
}

void
append_data(struct imap_command *command, struct text data)
{
	struct append_state *state = command->state;

	/* That it failed is said at the end. */
	(void)append_write(state->append, data.data, data.size);
}
