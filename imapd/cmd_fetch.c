/*
 * FETCH and UID FETCH (RFC 3501 6.4.5) with CHANGEDSINCE, MODSEQ (RFC 7162
 * 3.1.4), VANISHED (3.2.6), SAVEDATE (RFC 8514) and PARTIAL (RFC 9394 3.3):
 * goes through the messages, reads a body where fetch_response.c lacks one, and
 * sets \Seen.  A file that ends before the announced literal does ends the
 * connection: no byte is made up.
 */
#include "imapd/imap_commands.h"

#include "imapd/fetch_command.h"
#include "imapd/message_limit.h"

#include "common/record.h"

#include <unistd.h>

static void
close_message(struct fetch_state *state)
{
	if (state->is_read && state->body.fd != -1)
		close(state->body.fd);
	state->is_read = false;
	state->is_uncached = false;
	state->root = NULL;
	buf_clear(&state->record);
	if (state->pool != NULL)
		pool_clear(state->pool);
}

static void
fetch_free(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	if (state->stage == FETCH_READING)
		mailbox_read_cancel(command->account, command);
	close_message(state);
	buf_clear(&state->fields);
	pool_free(&state->pool);
	command->abandon = NULL;
}

static void
next_message(struct fetch_state *state)
{
	close_message(state);
	state->stage = FETCH_MESSAGE;
	state->at++;
	state->turn++;
}

static enum command_step
fetch_done(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	enum status worst = state->worst;
	bool is_expunge_issued = state->is_expunge_issued;
	bool is_encoding_unknown = state->is_encoding_unknown;

	fetch_free(command);
	if (worst != STATUS_OK)
		return command_failed(command, worst);
	if (is_encoding_unknown)
		return command_no(command,
		    "[UNKNOWN-CTE] Some parts are told as they are encoded");
	return command_ok(command,
	    is_expunge_issued ? "[EXPUNGEISSUED] Some messages are expunged"
			      : "Fetch completed");
}

static enum command_step fetch_resume(struct imap_command *command);

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct fetch_state *state = command->state;

	if (status == STATUS_OK) {
		state->body = *body;
		body->fd = -1;
		state->is_read = true;
		state->stage = FETCH_MESSAGE;
	} else {
		if (status == STATUS_MISSING)
			state->is_expunge_issued = true;
		else
			state->worst = status;
		next_message(state);
	}
	command_wake(command, COMMAND_OUTPUT);
}

/* The sections that are left, then the end of the response. */
static enum command_step
put_sections(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	switch (fetch_put_sections(command)) {
	case 1:
		next_message(state);
		return COMMAND_MORE;
	case 0:
		return COMMAND_OUTPUT;
	case 2:
		state->turn = COMMAND_TURN_MESSAGES;
		return COMMAND_MORE;
	default:
		fetch_free(command);
		command_disconnect(command, "message file changed");
		return COMMAND_DONE;
	}
}

/* Between two responses. */
static bool
fetch_progress(
    const struct imap_command *command, struct command_progress *progress)
{
	const struct fetch_state *state = command->state;

	progress->done = (uint32_t)state->at;
	progress->goal = (uint32_t)state->count;
	return state->stage == FETCH_MESSAGE || state->stage == FETCH_READING;
}

/* ---- Messages ---- */

static enum command_step
begin_response(struct imap_command *command, const struct mailbox_row *row,
    const struct message_cache *cache, bool is_all_cached)
{
	fetch_begin_response(command, row, cache, is_all_cached);
	return put_sections(command);
}

/* Not asked for again when the body was read that it is made from. */
static bool
find_cache(
    struct imap_command *command, uint32_t uid, struct message_cache *cache)
{
	struct fetch_state *state = command->state;

	if (state->is_whole || (state->is_uncached && state->record.size == 0))
		return false;
	if (fetch_find_cache(command, uid, cache))
		return true;
	state->is_uncached = true;
	return false;
}

/* COMMAND_MORE: the message was dealt with. */
static enum command_step
fetch_message(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	uint32_t uid = state->uids[state->at];
	struct message_cache cache;
	struct mailbox_row row;
	bool has_cache = false, is_all_cached;

	if (!mailbox_row(command->view, uid, &row)) {
		state->is_expunge_issued = true;
		next_message(state);
		return COMMAND_MORE;
	}
	if (state->is_changed_since && row.modseq <= state->changed_since) {
		next_message(state);
		return COMMAND_MORE;
	}
	if ((state->items.simple & (FETCH_CACHED | FETCH_PREVIEW)) == 0 &&
	    state->items.section_count == 0)
		return begin_response(command, &row, NULL, true);
	if (state->is_whole && state->is_read)
		return begin_response(command, &row, NULL, false);
	has_cache = find_cache(command, uid, &cache);
	is_all_cached = fetch_check_sections(state, has_cache ? &cache : NULL);
	if (has_cache &&
	    (state->is_read ||
		(is_all_cached && !(state->items.simple & FETCH_PREVIEW))))
		return begin_response(command, &row, &cache, is_all_cached);
	if (!state->is_read) {
		state->stage = FETCH_READING;
		mailbox_read(command->view, uid, body_read, command);
		return COMMAND_WAIT;
	}
	if (fetch_make_cache(command, uid) == -1)
		next_message(state);
	return COMMAND_MORE;
}

static enum command_step
fetch_resume(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	enum command_step step = COMMAND_MORE;

	if (!qresync_put_vanished(command, &state->vanished))
		return COMMAND_OUTPUT;
	state->turn = 0;
	if (state->stage != FETCH_MESSAGE)
		step = put_sections(command);
	while (step == COMMAND_MORE) {
		if (state->turn == COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		if (state->at == state->count)
			return fetch_done(command);
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		step = fetch_message(command);
	}
	return step;
}

/* ---- Setting the Seen flag ---- */

/* Whatever had to come before the answers has. */
static enum command_step
put_answers(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	message_limit_turn(command, state->uids, state->count);
	return fetch_resume(command);
}

static enum command_step
marked_seen(struct imap_command *command, const struct mailbox_answer *answer)
{
	struct fetch_state *state = command->state;

	/* A store that is away does not keep anybody from reading. */
	if (answer->status == STATUS_OK && answer->count > 0) {
		state->seen = pool_copy(command->pool, answer->source_uids,
		    answer->count * sizeof(uint32_t));
		state->seen_count = answer->count;
	}
	return put_answers(command);
}

static bool
sets_seen(const struct imap_command *command, const struct fetch_state *state)
{
	size_t i;

	if (mailbox_view_is_read_only(command->view))
		return false;
	for (i = 0; i < state->items.section_count; i++) {
		if (state->items.sections[i].is_seen)
			return true;
	}
	return false;
}

static enum command_step
mark_seen(struct imap_command *command)
{
	static const struct flag_change change = {
		.mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
	};
	struct fetch_state *state = command->state;
	struct mailbox_row row;
	size_t i, count = 0;
	uint32_t *unseen;

	unseen = pool_alloc(command->pool, state->count + 1, sizeof(*unseen));
	for (i = 0; i < state->count; i++) {
		if (mailbox_row(command->view, state->uids[i], &row) &&
		    (row.flags & FLAG_SEEN) == 0 &&
		    (!state->is_changed_since ||
			row.modseq > state->changed_since))
			unseen[count++] = state->uids[i];
	}
	if (count == 0)
		return put_answers(command);
	mailbox_change_flags(command->view, unseen, count, &change,
	    command_change_done, command_wait(command, marked_seen));
	return COMMAND_WAIT;
}

/* ---- The command ---- */

static int
parse_modifier(struct imap_command *command, struct fetch_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (imap_parse_skip_word(parser, "VANISHED")) {
		state->is_vanished = true;
		return 0;
	}
	if (command->is_uid && imap_parse_skip_word(parser, "PARTIAL"))
		return imap_parse_space(parser) == -1
			   ? -1
			   : partial_range_parse(parser, &state->partial);
	if (!imap_parse_skip_word(parser, "CHANGEDSINCE"))
		return imap_parse_error(parser, "Unknown FETCH modifier");
	state->is_changed_since = true;
	state->items.simple |= FETCH_MODSEQ;
	return imap_parse_space(parser) == -1
		   ? -1
		   : imap_parse_number(
			 parser, INT64_MAX, &state->changed_since);
}

static int
parse_modifiers(struct imap_command *command, struct fetch_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (!imap_parse_skip(parser, ' ') || imap_parse_at_end(parser))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Unknown FETCH modifier");
	do {
		if (parse_modifier(command, state) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	if (!imap_parse_skip(parser, ')'))
		return imap_parse_error(parser, "List has no end");
	if (state->is_vanished &&
	    (!state->is_changed_since || !command->is_uid ||
		!command_is_qresync(command)))
		return imap_parse_error(parser,
		    "VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC");
	return 0;
}

/* What vanished may lie behind the last message: "*" is the last UID ever. */
static void
copy_set(struct imap_command *command, const struct imap_set *set,
    struct fetch_state *state)
{
	if (set->is_saved)
		set = command_saved(command);
	state->within.count = set->count;
	state->within.ranges = pool_copy(
	    command->pool, set->ranges, set->count * sizeof(*set->ranges));
	imap_set_resolve(
	    &state->within, mailbox_view_info(command->view)->uidnext - 1);
}

/* PARTIAL counts among those that are left by CHANGEDSINCE. */
static void
take_page(struct imap_command *command)
{
	struct fetch_state *state = command->state;
	struct mailbox_row row;
	size_t start, kept = 0;

	if (!state->partial.is_given)
		return;
	for (size_t i = 0; i < state->count; i++)
		if (mailbox_row(command->view, state->uids[i], &row) &&
		    (!state->is_changed_since ||
			row.modseq > state->changed_since))
			state->uids[kept++] = state->uids[i];
	partial_range_cut(&state->partial, kept, &start, &state->count);
	state->uids += start;
}

static enum command_step
begin(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	if (state->items.simple & FETCH_MODSEQ)
		command_enable_condstore(command);
	if (mailbox_view_take_keywords(command->view))
		command_put_mailbox_flags(command);
	take_page(command);
	if (state->is_vanished)
		qresync_find_vanished(command, state->changed_since,
		    &state->within, &state->vanished);
	buf_init(&state->record, MESSAGE_CACHE_MAX_SIZE);
	buf_init(&state->fields, MESSAGE_CACHE_MAX_SIZE);
	fetch_find_kept(state);
	state->pool = pool_new();
	command->progress = fetch_progress;
	command->resume = fetch_resume;
	command->abandon = fetch_free;
	return sets_seen(command, state) ? mark_seen(command)
					 : put_answers(command);
}

static enum command_step prepare(struct imap_command *command);

static void
learned(enum status status, void *context)
{
	struct imap_command *command = context;

	command->abandon = NULL;
	command_wake(command, status == STATUS_OK
				  ? prepare(command)
				  : command_failed(command, status));
}

static void
learned_saved(enum status status, void *context)
{
	struct imap_command *command = context;
	struct fetch_state *state = command->state;

	state->is_saved_known = true;
	learned(status, context);
}

static void
abandon_learning(struct imap_command *command)
{
	mailbox_learn_cancel(command->account, command);
}

/* What only the store knows comes first. */
static enum command_step
prepare(struct imap_command *command)
{
	struct fetch_state *state = command->state;

	command->abandon = abandon_learning;
	if (state->is_vanished &&
	    !mailbox_view_knows_vanished(command->view, state->changed_since)) {
		mailbox_learn_vanished(command->account, learned, command);
		return COMMAND_WAIT;
	}
	if ((state->items.simple & FETCH_SAVEDATE) && !state->is_saved_known &&
	    !mailbox_view_knows_saved(command->view)) {
		mailbox_learn_saved(command->account, learned_saved, command);
		return COMMAND_WAIT;
	}
	command->abandon = NULL;
	return begin(command);
}

enum command_step
cmd_fetch(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct fetch_state *state;
	struct imap_set set;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_set(parser, &set) == -1 ||
	    imap_parse_space(parser) == -1 ||
	    fetch_items_parse(parser, &state->items) == -1 ||
	    parse_modifiers(command, state) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	if (state->is_vanished)
		copy_set(command, &set, state);
	if (command_uids(command, &set, &state->uids, &state->count) == -1)
		return command_malformed(command);
	if (!state->partial.is_given)
		message_limit_cut(command, &state->uids, &state->count);
	else if (partial_range_size(&state->partial) > parser->limits->messages)
		return message_limit_refuse(command);
	return prepare(command);
}

enum command_step
cmd_fetch_unasked(struct imap_command *command, const struct fetch_items *items,
    uint32_t first, uint32_t last)
{
	const struct mailbox_view *view = command->view;
	struct fetch_state *state =
	    pool_alloc(command->pool, 1, sizeof(*state));
	size_t from = mailbox_view_number_from(view, first);
	size_t end = mailbox_view_number_from(view, last) +
		     (mailbox_view_number(view, last) != 0);

	command->state = state;
	state->items = *items;
	state->uids =
	    pool_alloc(command->pool, end - from + 1, sizeof(*state->uids));
	while (from < end)
		state->uids[state->count++] = mailbox_view_uid(view, from++);
	return prepare(command);
}
