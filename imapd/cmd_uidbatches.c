/*
 * UIDBATCHES (RFC 10022): which UIDs lie between which others, so that a client
 * that knows no message numbers can go through a mailbox a batch of messages at
 * a time, the newest first.  The last batch of all reaches down to UID 1.  Each
 * one costs two look-ups, however many messages it has.
 */
#include "imapd/imap_commands.h"

enum {
	BATCHES_MIN_SIZE = 100 /* the RFC wants 500 to be taken */
};

struct batches_state {
	uint64_t size;
	uint64_t at; /* told next, from 1 */
	uint64_t last;
	bool is_limited; /* the client said which */
	const char *separator;
};

static int
parse_range(struct imap_parser *parser, struct batches_state *state)
{
	state->at = 1;
	state->last = UINT32_MAX;
	state->is_limited = !imap_parse_at_end(parser);
	if (!state->is_limited)
		return 0;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_number(parser, UINT32_MAX, &state->at) == -1)
		return -1;
	if (!imap_parse_skip(parser, ':'))
		return imap_parse_error(parser, "Range of batches expected");
	if (imap_parse_number(parser, UINT32_MAX, &state->last) == -1)
		return -1;
	if (state->at == 0 || state->last < state->at)
		return imap_parse_error(parser, "Invalid range of batches");
	return imap_parse_end(parser);
}

static int
parse(struct imap_parser *parser, struct batches_state *state)
{
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_number(parser, UINT32_MAX, &state->size) == -1)
		return -1;
	if (state->size == 0)
		return imap_parse_error(parser, "Invalid number");
	return parse_range(parser, state);
}

static void
put_batch(struct imap_command *command, struct batches_state *state)
{
	struct mailbox_view *view = command->view;
	size_t count = mailbox_view_count(view);
	size_t newer = (size_t)((state->at - 1) * state->size);
	size_t first = count - newer;
	uint32_t lowest =
	    first > state->size
		? mailbox_view_uid(view, first - (size_t)state->size + 1)
		: 1;

	(void)buf_put_format(command->out, "%s%u:%u", state->separator,
	    mailbox_view_uid(view, first), lowest);
	state->separator = ",";
	state->at++;
}

static enum command_step
put_batches(struct imap_command *command)
{
	struct batches_state *state = command->state;
	size_t count = mailbox_view_count(command->view);

	while (
	    state->at <= state->last && (state->at - 1) * state->size < count) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		put_batch(command, state);
	}
	(void)buf_put_text(command->out, "\r\n");
	return command_ok(command, "Batches listed");
}

/* For a command that goes by a batch (RFC 9738); and all that were asked for,
 * if the client said which: the RFC wants 100,000 messages. */
static bool
is_too_much(const struct imap_command *command)
{
	const struct batches_state *state = command->state;
	size_t limit = command->parser.limits->messages;

	return state->size > limit ||
	       (state->is_limited &&
		   (state->last - state->at + 1) * state->size > limit);
}

enum command_step
cmd_uidbatches(struct imap_command *command)
{
	struct batches_state *state =
	    pool_alloc(command->pool, 1, sizeof(*state));

	command->state = state;
	if (parse(&command->parser, state) == -1)
		return command_malformed(command);
	if (state->size < BATCHES_MIN_SIZE)
		return command_no(
		    command, "[TOOFEW] A batch has at least 100 messages");
	if (is_too_much(command))
		return command_no(
		    command, "[TOOMANY] Batches of too many messages");
	state->separator = " ";
	(void)buf_put_format(command->out, "* UIDBATCHES (TAG \"%.*s\")",
	    TEXT_FMT(command->tag));
	command->resume = put_batches;
	return put_batches(command);
}
