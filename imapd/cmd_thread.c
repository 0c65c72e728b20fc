/*
 * THREAD and UID THREAD (RFC 5256): a SEARCH, whose messages are told as
 * threads of discussion (thread_tree.h).
 */
#include "imapd/imap_commands.h"

#include "imapd/search_headers.h"
#include "imapd/sort_keys.h"
#include "imapd/thread_tree.h"

static const char *const fields[] = { "Subject", "Date", "Message-ID",
	"References", "In-Reply-To" };

struct thread_state {
	struct search_state search; /* first: it is command->state */
	enum thread_algorithm algorithm;
	struct thread_tree *tree;
};

static void
thread_free(struct imap_command *command)
{
	struct thread_state *state = command->state;

	thread_tree_free(&state->tree);
	search_free(command);
}

static enum command_step
put_threads(struct imap_command *command)
{
	struct thread_state *state = command->state;

	do {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
	} while (thread_tree_put_next(state->tree, command->out));
	(void)buf_put_text(command->out, "\r\n");
	thread_free(command);
	return command_ok(command, "Thread completed");
}

static void
add_message(struct imap_command *command, const struct mailbox_row *row,
    struct text header)
{
	struct thread_state *state = command->state;
	struct thread_message message = {
		.number = command->is_uid ? row->uid
					  : (uint32_t)mailbox_view_number(
						command->view, row->uid),
		.time = sort_sent_time(row, header),
	};

	message.subject = sort_subject(
	    header, command->pool, state->search.pool, &message.is_reply);
	thread_tree_add(state->tree, &message, header);
}

static enum command_step
added_all(struct imap_command *command)
{
	struct thread_state *state = command->state;
	enum status worst = state->search.worst;

	if (worst != STATUS_OK) {
		thread_free(command);
		return command_failed(command, worst);
	}
	thread_tree_finish(state->tree);
	(void)buf_put_text(command->out, "* THREAD");
	if (state->search.found_count > 0)
		(void)buf_put_byte(command->out, ' ');
	command->resume = put_threads;
	return put_threads(command);
}

static enum command_step
found_all(struct imap_command *command)
{
	struct thread_state *state = command->state;

	state->tree = thread_tree_new(state->algorithm);
	command->abandon = thread_free;
	state->search.headers = (struct search_headers){
		.fields = fields,
		.field_count = sizeof(fields) / sizeof(*fields),
		.look = add_message,
		.done = added_all,
	};
	return search_headers_start(command);
}

static int
parse_algorithm(struct imap_parser *parser, enum thread_algorithm *algorithm)
{
	if (imap_parse_space(parser) == -1)
		return -1;
	*algorithm = THREAD_REFERENCES;
	if (imap_parse_skip_word(parser, "REFERENCES"))
		return imap_parse_space(parser);
	*algorithm = THREAD_ORDEREDSUBJECT;
	if (imap_parse_skip_word(parser, "ORDEREDSUBJECT"))
		return imap_parse_space(parser);
	return imap_parse_error(parser, "Unknown threading algorithm");
}

enum command_step
cmd_thread(struct imap_command *command)
{
	struct imap_parser *parser = &command->parser;
	struct thread_state *state;
	int result;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	state->search.finish = found_all;
	state->search.is_whole = true;
	if (parse_algorithm(parser, &state->algorithm) == -1)
		return command_malformed(command);
	result = search_keys_parse_charset(parser, &state->search.request);
	if (result == 0)
		result = search_keys_parse_keys(parser, &state->search.request);
	return search_start(command, result);
}
