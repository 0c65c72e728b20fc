/*
 * NOTIFY (RFC 5465): what the client is told of unasked, from now on.  With
 * STATUS it hears first how each mailbox is that it wants to hear of.
 */
#include "imapd/imap_commands.h"

#include "imapd/session_notify.h"

#include <string.h>

enum {
	NOTIFY_TURN = 100 /* mailboxes before others have their turn */
};

struct notify_state {
	struct session_notify *notify;
	char last[IMAP_MAX_MAILBOX + 1]; /* that was looked at */
};

static void
abandon(struct imap_command *command)
{
	struct notify_state *state = command->state;

	session_notify_free(&state->notify);
}

static enum command_step
in_force(struct imap_command *command)
{
	struct notify_state *state = command->state;

	command->abandon = NULL;
	session_notify_set(command->session, state->notify);
	return command_ok(command, "Notify completed");
}

static bool
is_selected(const struct imap_command *command, const struct mailbox_info *info)
{
	return command->view != NULL &&
	       mailbox_view_info(command->view)->id == info->id;
}

static enum command_step
put_states(struct imap_command *command)
{
	struct notify_state *state = command->state;
	const struct notify_request *request = &state->notify->request;
	const struct mailbox_info *info;

	for (unsigned int turn = 0;; turn++) {
		struct text after = text_of(state->last);

		if (after.size == 0)
			after.data = NULL;
		if ((info = mailbox_list_next(command->account, after)) == NULL)
			return in_force(command);
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		if (turn == NOTIFY_TURN)
			return COMMAND_MORE;
		(void)text_copy(info->name, state->last, sizeof(state->last));
		if (!is_selected(command, info))
			session_notify_put_status(command, request, info);
	}
}

enum command_step
cmd_notify(struct imap_command *command)
{
	struct notify_state *state =
	    pool_alloc(command->pool, 1, sizeof(*state));
	struct imap_parser parser = command->parser;
	int result;

	/* The request outlives the command. */
	state->notify = session_notify_new(parser.rest);
	parser.rest = state->notify->arguments;
	parser.pool = state->notify->pool;
	state->notify->is_utf8_names = parser.is_utf8_names;
	result = notify_request_parse(&parser, &state->notify->request);
	command->parser.error = parser.error;
	command->state = state;
	if (result == 0 && !state->notify->request.is_none) {
		command->abandon = abandon;
		command->resume = put_states;
		if (state->notify->request.has_fetch &&
		    (state->notify->request.fetch.simple & FETCH_MODSEQ))
			command_enable_condstore(command);
		return state->notify->request.wants_status ? put_states(command)
							   : in_force(command);
	}
	session_notify_free(&state->notify);
	if (result == -2)
		return command_no(command,
		    "[BADEVENT (MessageNew MessageExpunge FlagChange "
		    "MailboxName SubscriptionChange)] Event is not supported");
	if (result == -1)
		return command_malformed(command);
	session_notify_set(command->session, NULL);
	return command_ok(command, "Notify completed");
}
