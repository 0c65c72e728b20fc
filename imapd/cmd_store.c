/*
 * STORE (RFC 3501 6.4.6) with UNCHANGEDSINCE and MODIFIED (RFC 7162 3.1.3).
 * The FETCH responses and the OK come after the store's commit.
 */
#include "imapd/imap_commands.h"

#include "imapd/message_limit.h"

#include <string.h>

struct store_state {
	bool is_silent;
	struct flag_change change;
	struct imap_flags flags;
	uint32_t *uids; /* to be told */
	size_t count;
	size_t told;
	uint32_t *changed; /* ascending: the rows that got a new MODSEQ */
	size_t changed_count;
	uint32_t *modified; /* refused by UNCHANGEDSINCE */
	size_t modified_count;
};

static int
parse_modifiers(struct imap_command *command, struct store_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (!imap_parse_skip(parser, '('))
		return 0;
	if (!imap_parse_skip_word(parser, "UNCHANGEDSINCE") ||
	    imap_parse_space(parser) == -1 ||
	    imap_parse_number(
		parser, INT64_MAX, &state->change.unchanged_since) == -1 ||
	    !imap_parse_skip(parser, ')'))
		return imap_parse_error(parser, "Unknown STORE modifier");
	state->change.has_unchanged_since = true;
	command_enable_condstore(command);
	return imap_parse_space(parser);
}

static int
parse_item(struct imap_parser *parser, struct store_state *state)
{
	state->change.mode = FLAGS_REPLACE;
	if (imap_parse_skip(parser, '+'))
		state->change.mode = FLAGS_ADD;
	else if (imap_parse_skip(parser, '-'))
		state->change.mode = FLAGS_REMOVE;
	state->is_silent = imap_parse_skip_word(parser, "FLAGS.SILENT");
	if (!state->is_silent && !imap_parse_skip_word(parser, "FLAGS"))
		return imap_parse_error(parser, "FLAGS expected");
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_flags(parser, true, &state->flags) == -1)
		return -1;
	state->change.flags = state->flags.system;
	state->change.keywords = state->flags.keywords;
	state->change.keyword_count = state->flags.keyword_count;
	return imap_parse_end(parser);
}

static bool
is_in(const uint32_t *uids, size_t count, uint32_t uid)
{
	size_t low = 0, high = count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (uids[middle] == uid)
			return true;
		if (uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static enum command_step
put_modified(struct imap_command *command, const struct store_state *state)
{
	struct buf *line = command_answer(command);
	uint32_t *numbers = state->modified;
	size_t i;

	if (!command->is_uid) {
		for (i = 0; i < state->modified_count; i++)
			numbers[i] = (uint32_t)mailbox_view_number(
			    command->view, numbers[i]);
	}
	(void)buf_put_text(line, "OK [MODIFIED ");
	(void)imap_set_put(line, numbers, state->modified_count);
	(void)buf_put_text(line, "] Conditional store failed for some");
	return COMMAND_DONE;
}

/* FETCH responses: all that were named, or with .SILENT only new MODSEQs. */
static enum command_step
put_changes(struct imap_command *command)
{
	struct store_state *state = command->state;
	bool is_condstore = command_is_condstore(command);
	uint32_t uid;

	while (state->told < state->count) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		uid = state->uids[state->told++];
		if (is_in(state->modified, state->modified_count, uid))
			continue;
		if (state->is_silent &&
		    (!is_condstore ||
			!is_in(state->changed, state->changed_count, uid)))
			continue;
		command_put_flags_update(command,
		    mailbox_view_number(command->view, uid), uid,
		    !state->is_silent, is_condstore);
	}
	if (state->modified_count > 0)
		return put_modified(command, state);
	return command_ok(command, "Store completed");
}

static enum command_step
stored(struct imap_command *command, const struct mailbox_answer *answer)
{
	struct store_state *state = command->state;

	if (answer->status == STATUS_LIMIT)
		return command_no(command, "[LIMIT] Too many keywords");
	if (answer->status != STATUS_OK)
		return command_failed(command, answer->status);
	if (mailbox_view_take_keywords(command->view))
		command_put_mailbox_flags(command);
	state->changed = pool_copy(command->pool, answer->source_uids,
	    answer->count * sizeof(uint32_t));
	state->changed_count = answer->count;
	state->modified = pool_copy(command->pool, answer->modified_uids,
	    answer->modified_count * sizeof(uint32_t));
	state->modified_count = answer->modified_count;
	message_limit_turn(command, state->uids, state->count);
	command->resume = put_changes;
	return put_changes(command);
}

enum command_step
cmd_store(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct store_state *state;
	struct imap_set set;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_set(parser, &set) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    parse_modifiers(command, state) == -1 ||
	    parse_item(parser, state) == -1 ||
	    command_uids(command, &set, &state->uids, &state->count) == -1)
		return command_malformed(command);
	message_limit_cut(command, &state->uids, &state->count);
	if (state->count == 0)
		return command_ok(command, "No messages in the set");
	command->goal = (uint32_t)state->count;
	mailbox_change_flags(command->view, state->uids, state->count,
	    &state->change, command_change_done, command_wait(command, stored));
	return COMMAND_WAIT;
}
