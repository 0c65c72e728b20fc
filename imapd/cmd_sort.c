/*
 * SORT and UID SORT (RFC 5256), with DISPLAYFROM and DISPLAYTO (RFC 5957) and
 * RETURN (RFC 5267 3): a SEARCH, whose messages are put in order.
 */
#include "imapd/imap_commands.h"

#include "imapd/search_headers.h"
#include "imapd/sort_keys.h"

struct sort_state {
	struct search_state search; /* first: it is command->state */
	struct sort_criteria criteria;
	struct sort_item *items;
	size_t item_count;
	const char *fields[SORT_MAX_CRITERIA];
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

/* RFC 5267 3: the places of MIN, MAX and PARTIAL are those in the order. */
static enum command_step
put_extended(struct imap_command *command)
{
	struct sort_state *state = command->state;
	uint32_t *uids =
	    pool_alloc(command->pool, state->item_count + 1, sizeof(*uids));

	for (size_t i = 0; i < state->item_count; i++)
		uids[i] = state->items[i].uid;
	search_put_extended(command, uids, state->item_count);
	search_free(command);
	return command_ok(command, "Sort completed");
}

static enum command_step
put_in_order(struct imap_command *command)
{
	struct sort_state *state = command->state;
	const struct search_return *options = &state->search.request.options;
	enum status worst = state->search.worst;

	if (worst != STATUS_OK) {
		if (options->is_save)
			command_save(command, NULL, 0);
		search_free(command);
		return command_failed(command, worst);
	}
	sort_items(&state->criteria, state->items, state->item_count);
	if (options->is_given)
		return put_extended(command);
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

	state->items[state->item_count++] = sort_item_make(
	    &state->criteria, row, header, command->pool, state->search.pool);
}

static enum command_step
found_all(struct imap_command *command)
{
	struct sort_state *state = command->state;
	struct search_headers *headers = &state->search.headers;

	state->items = pool_alloc(command->pool, state->search.found_count + 1,
	    sizeof(*state->items));
	for (size_t i = 0; i < state->criteria.count; i++) {
		const char *field =
		    sort_criterion_field(&state->criteria.list[i]);

		if (field != NULL)
			state->fields[headers->field_count++] = field;
	}
	headers->fields = state->fields;
	headers->look = add_item;
	headers->done = put_in_order;
	return search_headers_start(command);
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
	state->search.is_whole = true;
	if (imap_parse_space(parser) == -1 ||
	    search_return_parse(parser, &state->search.request.options) == -1 ||
	    sort_criteria_parse(parser, &state->criteria) == -1 ||
	    imap_parse_space(parser) == -1)
		return command_malformed(command);
	result = search_keys_parse_charset(parser, &state->search.request);
	if (result == 0)
		result = search_keys_parse_keys(parser, &state->search.request);
	return search_start(command, result);
}
