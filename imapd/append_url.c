/*
 * A part of a message that CATENATE puts together, named by an URL (RFC 4469,
 * RFC 5550 5.7.1 for PARTIAL): finds the message in the session's own account,
 * which is the only one that it can open, and copies its bytes, or those of a
 * section, a few MiB at a time.  What an URL does not lead to is BADURL.
 */
#include "imapd/append_command.h"

#include <string.h>

enum {
	URL_TURN_BYTES = 4 * 1024 * 1024 /* before others have their turn */
};

void
append_url_clear(struct imap_command *command)
{
	struct append_state *state = command->state;

	url_message_clear(&state->url.message);
	memset(&state->url, 0, sizeof(state->url));
}

/* "[BADURL ...]" as RFC 4469 has it: no "]", no control byte, nothing that is
 * not ASCII may be in it. */
static enum append_step
bad_url(struct imap_command *command, const char *why)
{
	struct append_state *state = command->state;
	struct buf *line = command_answer(command);
	struct text text = state->url.text;

	(void)buf_put_text(line, "NO [BADURL ");
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c >= 0x7f || c == ']')
			(void)buf_put_format(line, "%%%02X", c);
		else
			(void)buf_put_byte(line, c);
	}
	(void)buf_put_format(line, "%s] %s", text.size == 0 ? "%" : "", why);
	return append_refuse(command, COMMAND_DONE);
}

/* ---- Copying ---- */

static void
body_came(void *context)
{
	struct imap_command *command = context;
	struct append_state *state = command->state;

	if (!state->url.is_waiting)
		return;
	state->url.is_waiting = false;
	command_wake(command, COMMAND_MORE);
}

static enum append_step
begin_copying(struct imap_command *command)
{
	struct append_state *state = command->state;
	struct url_message *message = &state->url.message;
	enum status status;
	const char *why;

	if (message->is_reading) {
		state->url.is_waiting = true;
		return APPEND_WAIT;
	}
	status = url_message_find(message, &why);
	if (status == STATUS_MISSING)
		return bad_url(command, why);
	if (status != STATUS_OK)
		return append_refuse(command, command_failed(command, status));
	if (!append_make_room(command, message->size))
		return APPEND_ENDED;
	state->place = APPEND_URL_BYTES;
	return APPEND_GO_ON;
}

/* Some of its bytes: as url_message_next. */
static int
copy_some(struct append_state *state)
{
	size_t turn = 0;
	int result = 1;
	struct buf wire;

	buf_init(&wire, URL_MESSAGE_CHUNK);
	while (result == 1 && turn < URL_TURN_BYTES) {
		buf_reset(&wire);
		result = url_message_next(&state->url.message, &wire);
		if (result == 1)
			(void)append_write(state->append, wire.data, wire.size);
		turn += wire.size;
	}
	buf_clear(&wire);
	return result;
}

enum append_step
append_url_go_on(struct imap_command *command)
{
	struct append_state *state = command->state;
	int result;

	if (state->place == APPEND_URL)
		return begin_copying(command);
	result = copy_some(state);
	if (result == -1)
		return append_refuse(
		    command, command_failed(command, STATUS_DAMAGED));
	if (result == 0) {
		append_url_clear(command);
		state->place = APPEND_PART;
	}
	return APPEND_TURN;
}

/* ---- The URL ---- */

enum append_step
append_url_begin(struct imap_command *command, struct text text)
{
	struct append_state *state = command->state;
	struct append_url *url = &state->url;
	struct text selected = { NULL, 0 };
	struct imap_url parsed;
	const char *problem;

	state->parts++;
	url->text = text_make(
	    pool_copy(command->pool, text.data, text.size + 1), text.size);
	if (imap_url_parse(url->text, command->pool, &parsed) == -1)
		return bad_url(command, "Not an URL of a message");
	/* Whoever it says it is: the account is the session's. */
	if (parsed.has_server)
		return bad_url(command, "Only URLs without a server are taken");
	if (parsed.access != URL_ACCESS_NONE)
		return bad_url(command, "Only URLs without URLAUTH are taken");
	if (command->view != NULL)
		selected = mailbox_view_info(command->view)->name;
	state->place = APPEND_URL;
	problem = url_message_open(&url->message, command->account, &parsed,
	    selected, command->pool, body_came, command);
	return problem != NULL ? bad_url(command, problem) : APPEND_GO_ON;
}
