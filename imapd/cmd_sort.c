/*
 * SORT and UID SORT (RFC 5256), with DISPLAYFROM and DISPLAYTO (RFC 5957): a
 * SEARCH, whose messages are put in order.  What the order looks at comes from
 * rows and from the fields in the cache; a header is read where these lack it.
 */
#include "imapd/imap_commands.h"

#include "imapd/message_cache.h"
#include "imapd/search_command.h"
#include "imapd/sort_keys.h"

#include "common/mail_header.h"

enum {
	SORT_MAX_HEADER = 1024 * 1024 /* looked at up to here */
};

struct sort_state {
	struct search_state search; /* first: it is command->state */
	struct sort_criteria criteria;
	struct sort_item *items;
	size_t item_count;
	size_t at; /* of what was found: looked at next */
	size_t told;
};

static enum command_step
put_order(struct imap_command *command)
{
	struct sort_state *state = command->state;
	const struct search_state *search = &state->search;

	for (; state->told < state->item_count; state->told++) {
		uint32_t uid = state->items[state->told].uid;

		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		(void)buf_put_format(command->out, " %u",
		    command->is_uid
			? uid
			: (uint32_t)mailbox_view_number(command->view, uid));
	}
	if (search->request.has_modseq && state->item_count > 0)
		(void)buf_put_format(command->out, " (MODSEQ %llu)",
		    (unsigned long long)search->highest_modseq);
	(void)buf_put_text(command->out, "\r\n");
	search_free(command);
	return command_ok(command, "Sort completed");
}

static enum command_step
put_in_order(struct imap_command *command)
{
	struct sort_state *state = command->state;
	enum status worst = state->search.worst;

	if (worst != STATUS_OK) {
		search_free(command);
		return command_failed(command, worst);
	}
	sort_items(&state->criteria, state->items, state->item_count);
	(void)buf_put_text(command->out, "* SORT");
	command->resume = put_order;
	return put_order(command);
}

/* ---- What the order looks at ---- */

static void
add_item(struct imap_command *command, const struct mailbox_row *row,
    struct text header)
{
	struct sort_state *state = command->state;
	struct pool *pool = state->search.pool;

	state->items[state->item_count++] =
	    sort_item_make(&state->criteria, row, header, command->pool, pool);
	pool_clear(pool);
	state->at++;
}

static bool
are_cached(
    const struct sort_criteria *criteria, const struct message_cache *cache)
{
	for (size_t i = 0; i < criteria->count; i++) {
		const char *field = sort_criterion_field(&criteria->list[i]);

		if (field != NULL &&
		    !message_cache_has_name(cache, text_of(field)))
			return false;
	}
	return true;
}

static void
look_at_body(struct imap_command *command, const struct mailbox_body *body)
{
	struct sort_state *state = command->state;
	uint32_t uid = state->search.found[state->at];
	struct mailbox_row row;
	struct buf stored;
	struct text header;

	if (!mailbox_row(command->view, uid, &row)) {
		state->at++;
		return;
	}
	buf_init(&stored, SORT_MAX_HEADER);
	if (search_read_body(body, &stored) == -1)
		state->search.worst = STATUS_DAMAGED;
	header = text_make(stored.data, stored.size);
	/* One that must not be looked into has no field. */
	if (mailbox_parse_begin(command->view, uid)) {
		header.size = mail_header_size(header);
		add_item(command, &row, header);
		mailbox_parse_end(command->view);
	} else {
		add_item(command, &row, text_make("", 0));
	}
	buf_clear(&stored);
}

static void
body_read(enum status status, struct mailbox_body *body, void *context)
{
	struct imap_command *command = context;
	struct sort_state *state = command->state;

	state->search.is_reading = false;
	if (status == STATUS_OK) {
		look_at_body(command, body);
	} else {
		if (status != STATUS_MISSING)
			state->search.worst = status;
		state->at++;
	}
	command_wake(command, COMMAND_MORE);
}

/* False: the body has to be read. */
static bool
look_at_row(struct imap_command *command, const struct mailbox_row *row)
{
	struct sort_state *state = command->state;
	struct message_cache cache;
	struct text bytes;

	if (!sort_criteria_need_header(&state->criteria)) {
		add_item(command, row, text_make("", 0));
		return true;
	}
	if (!mailbox_cache_find(command->view, row->uid, &bytes) ||
	    message_cache_parse(bytes, &cache, NULL) == -1 ||
	    !are_cached(&state->criteria, &cache))
		return false;
	add_item(command, row, cache.fields);
	return true;
}

static enum command_step
look_at_all(struct imap_command *command)
{
	struct sort_state *state = command->state;
	struct search_state *search = &state->search;
	struct mailbox_row row;
	size_t turn;

	for (turn = 0; state->at < search->found_count; turn++) {
		uint32_t uid = search->found[state->at];

		if (turn == COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		if (!mailbox_row(command->view, uid, &row)) {
			state->at++;
			continue;
		}
		if (look_at_row(command, &row))
			continue;
		search->is_reading = true;
		mailbox_read(command->view, uid, body_read, command);
		return COMMAND_WAIT;
	}
	return put_in_order(command);
}

static enum command_step
found_all(struct imap_command *command)
{
	struct sort_state *state = command->state;

	state->items = pool_alloc(command->pool, state->search.found_count + 1,
	    sizeof(*state->items));
	command->resume = look_at_all;
	return look_at_all(command);
}

enum command_step
cmd_sort(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct sort_state *state;
	int result;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	state->search.finish = found_all;
	if (imap_parse_space(parser) == -1 ||
	    sort_criteria_parse(parser, &state->criteria) == -1 ||
	    imap_parse_space(parser) == -1)
		return command_malformed(command);
	result = search_keys_parse_charset(parser);
	if (result == 0)
		result = search_keys_parse_keys(parser, &state->search.request);
	return search_start(command, result);
}
