/*
 * See search_headers.h.
 */
#include "imapd/search_headers.h"

#include "imapd/message_cache.h"

#include "common/mail_header.h"

enum {
	HEADERS_MAX_SIZE = 1024 * 1024 /* looked at up to here */
};

static void
look(struct imap_command *command, const struct mailbox_row *row,
    struct text header)
{
	struct search_state *state = command->state;

	state->headers.look(command, row, header);
	pool_clear(state->pool);
	state->headers.at++;
}

static bool
are_cached(
    const struct search_headers *headers, const struct message_cache *cache)
{
	for (size_t i = 0; i < headers->field_count; i++)
		if (!message_cache_has_name(cache, text_of(headers->fields[i])))
			return false;
	return true;
}

static void
look_at_body(struct imap_command *command, const struct mailbox_body *body)
{
	struct search_state *state = command->state;
	uint32_t uid = state->found[state->headers.at];
	struct mailbox_row row;
	struct buf stored;
	struct text header;

	if (!mailbox_row(command->view, uid, &row)) {
		state->headers.at++;
		return;
	}
	buf_init(&stored, HEADERS_MAX_SIZE);
	if (search_read_body(body, &stored) == -1)
		state->worst = STATUS_DAMAGED;
	header = text_make(stored.data, stored.size);
	/* One that must not be looked into has no field. */
	if (mailbox_parse_begin(command->view, uid)) {
		header.size = mail_header_size(header);
		look(command, &row, header);
		mailbox_parse_end(command->view);
	} else {
		look(command, &row, text_make("", 0));
	}
	buf_clear(&stored);
}

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct search_state *state = command->state;

	state->is_reading = false;
	if (status == STATUS_OK) {
		look_at_body(command, body);
	} else {
		if (status != STATUS_MISSING)
			state->worst = status;
		state->headers.at++;
	}
	command_wake(command, COMMAND_MORE);
}

/* False: the body has to be read. */
static bool
look_at_row(struct imap_command *command, const struct mailbox_row *row)
{
	struct search_state *state = command->state;
	struct message_cache cache;
	struct text bytes;

	if (state->headers.field_count == 0) {
		look(command, row, text_make("", 0));
		return true;
	}
	if (!mailbox_cache_find(command->view, row->uid, &bytes) ||
	    message_cache_parse(bytes, &cache, NULL) == -1 ||
	    !are_cached(&state->headers, &cache))
		return false;
	look(command, row, cache.fields);
	return true;
}

static enum command_step
look_at_all(struct imap_command *command)
{
	struct search_state *state = command->state;
	struct mailbox_row row;
	size_t turn;

	for (turn = 0; state->headers.at < state->found_count; turn++) {
		uint32_t uid = state->found[state->headers.at];

		if (turn == COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		if (!mailbox_row(command->view, uid, &row)) {
			state->headers.at++;
			continue;
		}
		if (look_at_row(command, &row))
			continue;
		state->is_reading = true;
		mailbox_read(command->view, uid, body_read, command);
		return COMMAND_WAIT;
	}
	return state->headers.done(command);
}

enum command_step
search_headers_start(struct imap_command *command)
{
	command->resume = look_at_all;
	return look_at_all(command);
}
