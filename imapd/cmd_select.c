/*
 * SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2) with the parameters CONDSTORE (RFC
 * 7162 3.1.8) and QRESYNC (3.2.5).  A mailbox whose messages are not there is
 * never opened as an empty one: mailbox.h says UNAVAILABLE, and so do we.
 * Mailboxes of the past are asked from the store, and always open read-only.
 */
#include "imapd/imap_commands.h"

#include "imapd/list_command.h"
#include "imapd/object_id.h"
#include "imapd/qresync.h"
#include "imapd/snapshot_mailbox.h"

struct select_state {
	struct text name;
	const char *other_name; /* see imap_parser.h */
	bool is_read_only;
	bool is_past;
	bool is_condstore;
	bool is_qresync;
	struct qresync_request request;
	struct qresync_vanished vanished;
	size_t number; /* of the message that is looked at next */
};

static int
parse_parameter(struct imap_command *command, struct select_state *state)
{
	struct imap_parser *parser = &command->parser;
	struct text name;

	if (imap_parse_atom(parser, &name) == -1)
		return -1;
	if (text_is_nocase(name, "CONDSTORE")) {
		state->is_condstore = true;
		return 0;
	}
	if (!text_is_nocase(name, "QRESYNC"))
		return imap_parse_error(parser, "Unknown parameter");
	if (!command_is_qresync(command))
		return imap_parse_error(parser, "QRESYNC is not enabled");
	state->is_qresync = true;
	return qresync_parse(parser, &state->request);
}

static int
parse_parameters(struct imap_command *command, struct select_state *state)
{
	struct imap_parser *parser = &command->parser;

	if (!imap_parse_skip(parser, ' ') || imap_parse_at_end(parser))
		return 0;
	if (!imap_parse_skip(parser, '('))
		return imap_parse_error(parser, "Unexpected argument");
	do {
		if (parse_parameter(command, state) == -1)
			return -1;
	} while (imap_parse_skip(parser, ' '));
	return imap_parse_skip(parser, ')')
		   ? 0
		   : imap_parse_error(parser, "List has no end");
}

/* What RFC 9051 does without. */
static void
put_recent(struct imap_command *command)
{
	size_t unseen = mailbox_view_first_unseen(command->view);

	(void)buf_put_format(command->out, "* %zu RECENT\r\n",
	    mailbox_view_recent_count(command->view));
	if (unseen != 0 && !command_is_uidonly(command))
		(void)buf_put_format(
		    command->out, "* OK [UNSEEN %zu] First unseen\r\n", unseen);
}

static void
put_state(struct imap_command *command)
{
	const struct select_state *state = command->state;
	struct mailbox_view *view = command->view;
	const struct mailbox_info *info;
	struct buf *out = command->out;
	char id[OBJECT_ID_SIZE];

	command_put_mailbox_flags(command);
	(void)buf_put_format(out, "* %zu EXISTS\r\n", mailbox_view_count(view));
	if (command_is_rev2(command))
		list_put_selected(command, state->name, state->other_name);
	else
		put_recent(command);
	info = mailbox_view_info(view);
	(void)buf_put_format(out,
	    "* OK [UIDVALIDITY %u] UIDs valid\r\n"
	    "* OK [UIDNEXT %u] Predicted next UID\r\n"
	    "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
	    info->uidvalidity, info->uidnext,
	    (unsigned long long)info->highest_modseq);
	object_id_of_mailbox(
	    info, state->is_past ? state->name : text_make(NULL, 0), id);
	(void)buf_put_format(out, "* OK [MAILBOXID (%s)] Its name\r\n", id);
	if (!state->is_past)
		(void)buf_put_text(
		    out, "* OK [URLMECH INTERNAL] URLs have a key\r\n");
}

/* ---- What changed since the client was here ---- */

static bool
is_news(const struct select_state *state, const struct mailbox_row *row)
{
	const struct qresync_request *request = &state->request;

	return row->modseq > request->modseq &&
	       (!request->is_known || imap_set_has(&request->known, row->uid));
}

static enum command_step
put_news(struct imap_command *command)
{
	struct select_state *state = command->state;
	struct mailbox_view *view = command->view;
	size_t count = mailbox_view_count(view), turn = 0;
	struct mailbox_row row;

	if (!qresync_put_vanished(command, &state->vanished))
		return COMMAND_OUTPUT;
	for (; state->number <= count; state->number++) {
		if (command_output_is_full(command))
			return COMMAND_OUTPUT;
		if (turn++ == COMMAND_TURN_MESSAGES)
			return COMMAND_MORE;
		if (mailbox_row(
			view, mailbox_view_uid(view, state->number), &row) &&
		    is_news(state, &row))
			command_put_flags_update(
			    command, state->number, row.uid, true, true);
	}
	if (state->is_read_only)
		return command_ok(command, "[READ-ONLY] Examine completed");
	return command_ok(command, mailbox_view_is_read_only(view)
				       ? "[READ-ONLY] Select completed"
				       : "[READ-WRITE] Select completed");
}

/* A client of another UIDVALIDITY knows nothing of this mailbox. */
static enum command_step
put_mailbox(struct imap_command *command, struct mailbox_view *view)
{
	struct select_state *state = command->state;
	struct qresync_request *request = &state->request;

	command_select(command, view);
	put_state(command);
	command->resume = put_news;
	state->number = mailbox_view_count(view) + 1;
	if (!state->is_qresync ||
	    request->uidvalidity != mailbox_view_info(view)->uidvalidity)
		return put_news(command);
	state->number = 1;
	qresync_find_vanished(command, request->modseq,
	    request->is_known ? &request->known : NULL, &state->vanished);
	request->modseq = mailbox_view_known_modseq(view, request->modseq);
	return put_news(command);
}

/* ---- Opening ---- */

static void
past_opened(enum status status, struct mailbox_view *view, void *context)
{
	struct imap_command *command = context;

	command->abandon = NULL;
	command_wake(command, status == STATUS_OK
				  ? put_mailbox(command, view)
				  : command_failed(command, status));
}

static void
abandon_past(struct imap_command *command)
{
	snapshot_cancel(command->account, command);
}

static enum command_step open_mailbox(struct imap_command *command);

static void
learned(enum status status, void *context)
{
	struct imap_command *command = context;

	command->abandon = NULL;
	command_wake(command, status == STATUS_OK
				  ? open_mailbox(command)
				  : command_failed(command, status));
}

static void
abandon_learning(struct imap_command *command)
{
	mailbox_learn_cancel(command->account, command);
}

/* Opened anew when that is known: it may have changed meanwhile. */
static enum command_step
learn_vanished(struct imap_command *command, struct mailbox_view *view)
{
	mailbox_view_close(&view);
	command->abandon = abandon_learning;
	mailbox_learn_vanished(command->account, learned, command);
	return COMMAND_WAIT;
}

static enum command_step
open_mailbox(struct imap_command *command)
{
	struct select_state *state = command->state;
	enum status status = STATUS_OK;
	struct mailbox_view *view;

	state->is_past = command_is_past(command, state->name);
	if (state->is_past) {
		command->abandon = abandon_past;
		snapshot_open(command->account, state->name,
		    &command_view_handler, command->session, past_opened,
		    command);
		return COMMAND_WAIT;
	}
	view = mailbox_view_open(command->account, state->name,
	    state->is_read_only, &command_view_handler, command->session,
	    &status);
	if (view == NULL)
		return command_failed(command, status);
	if (state->is_qresync &&
	    !mailbox_view_knows_vanished(
		view, mailbox_view_known_modseq(view, state->request.modseq)))
		return learn_vanished(command, view);
	return put_mailbox(command, view);
}

static enum command_step
start(struct imap_command *command, bool is_read_only)
{
	struct imap_parser *parser = &command->parser;
	struct select_state *state;
	const char *name;

	state = pool_alloc(command->pool, 1, sizeof(*state));
	command->state = state;
	state->is_read_only = is_read_only;
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_mailbox(parser, &name) == -1 ||
	    parse_parameters(command, state) == -1 ||
	    imap_parse_end(parser) == -1)
		return command_malformed(command);
	state->name = text_of(name);
	state->other_name = parser->other_name;
	/* Also a SELECT that fails leaves nothing selected. */
	if (command->view != NULL)
		(void)buf_put_text(
		    command->out, "* OK [CLOSED] Previous mailbox closed\r\n");
	command_select(command, NULL);
	if (state->is_condstore)
		command_enable_condstore(command);
	return open_mailbox(command);
}

enum command_step
cmd_select(struct imap_command *command)
{
	return start(command, false);
}

enum command_step
cmd_examine(struct imap_command *command)
{
	return start(command, true);
}
