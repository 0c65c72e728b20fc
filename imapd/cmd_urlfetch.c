/*
 * URLFETCH (RFC 4467): what URLs name that were made by GENURLAUTH, or NIL.  A
 * worker has the mail of one account, so URLs of others are as good as wrong
 * ones; and it cannot tell whether it is one for them.
 */
#include "imapd/imap_commands.h"

#include "common/clock.h"
#include "imapd/imap_writer.h"
#include "imapd/url_access.h"
#include "imapd/url_message.h"

enum {
	URLFETCH_MAX = 100 /* in one command */
};

struct urlfetch_state {
	size_t count;
	size_t at; /* the one that is answered */
	struct text urls[URLFETCH_MAX];
	struct url_message message;
	bool is_begun;   /* its message is asked for, */
	bool is_waiting; /* and the command waits */
	bool is_streaming;
};

static void
abandon(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;

	url_message_clear(&state->message);
}

static void
ready(void *context)
{
	struct imap_command *command = context;
	struct urlfetch_state *state = command->state;

	if (!state->is_waiting)
		return;
	state->is_waiting = false;
	command_wake(command, COMMAND_MORE);
}

/* False: it is none that leads anywhere here. */
static bool
begin(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;
	struct text nothing = { NULL, 0 };
	struct imap_url url;

	return imap_url_parse(state->urls[state->at], command->pool, &url) ==
		   0 &&
	       url_access_is_given(command->account, &url, URL_USE_FETCH,
		   clock_wall_us() / 1000000) &&
	       url_message_open(&state->message, command->account, &url,
		   nothing, command->pool, ready, command) == NULL;
}

static void
end(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;

	url_message_clear(&state->message);
	(void)buf_put_text(command->out, "\r\n");
	state->is_begun = state->is_streaming = false;
	state->at++;
}

static void
put_nil(struct imap_command *command)
{
	(void)buf_put_text(command->out, " NIL");
	end(command);
}

/* COMMAND_MORE: go on. */
static enum command_step
put_size(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;
	enum status status;
	const char *why;

	if (state->message.is_reading) {
		state->is_waiting = true;
		return COMMAND_WAIT;
	}
	status = url_message_find(&state->message, &why);
	if (status != STATUS_OK && status != STATUS_MISSING) {
		abandon(command);
		command->abandon = NULL;
		return command_failed(command, status);
	}
	(void)buf_put_text(command->out, "* URLFETCH ");
	(void)imap_put_string(command->out, state->urls[state->at]);
	if (status != STATUS_OK) {
		put_nil(command);
		return COMMAND_MORE;
	}
	(void)buf_put_format(command->out, " {%llu}\r\n",
	    (unsigned long long)state->message.size);
	state->is_streaming = true;
	return COMMAND_MORE;
}

static enum command_step
put_bytes(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;
	struct buf *out = command->out;
	size_t before = out->size;
	int result = url_message_next(&state->message, out);

	if (out->size > before)
		fetch_body_hide_nuls(out->data + before, out->size - before);
	if (result == -1) {
		abandon(command);
		command_disconnect(
		    command, "message changed while it was read");
		return COMMAND_DONE;
	}
	if (result == 0)
		end(command);
	return COMMAND_MORE;
}

static enum command_step
put_one(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;

	if (state->is_streaming)
		return put_bytes(command);
	if (state->is_begun)
		return put_size(command);
	state->is_begun = begin(command);
	if (!state->is_begun) {
		(void)buf_put_text(command->out, "* URLFETCH ");
		(void)imap_put_string(command->out, state->urls[state->at]);
		put_nil(command);
	}
	return COMMAND_MORE;
}

static enum command_step
go_on(struct imap_command *command)
{
	struct urlfetch_state *state = command->state;
	enum command_step step = COMMAND_MORE;

	while (step == COMMAND_MORE && state->at < state->count) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		step = put_one(command);
	}
	if (step != COMMAND_MORE)
		return step;
	command->abandon = NULL;
	return command_ok(command, "Urlfetch completed");
}

enum command_step
cmd_urlfetch(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct urlfetch_state *state =
	    pool_alloc(command->pool, 1, sizeof(*state));

	if (imap_parse_space(parser) == -1)
		return command_malformed(command);
	do {
		if (state->count == URLFETCH_MAX)
			return command_no(
			    command, "[LIMIT] Too many URLs at once");
		if (imap_parse_astring(parser, &state->urls[state->count++]) ==
		    -1)
			return command_malformed(command);
	} while (imap_parse_skip(parser, ' '));
	if (imap_parse_end(parser) == -1)
		return command_malformed(command);
	command->state = state;
	command->abandon = abandon;
	command->resume = go_on;
	return go_on(command);
}
