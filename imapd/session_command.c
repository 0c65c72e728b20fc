/*
 * The commands of a session: cut out of the input they are named, checked and
 * carried out here, a part at a time, and answered when they are done; what has
 * happened meanwhile is told before their tagged line.  See imap_session.c.
 */
#include "imapd/imap_session_state.h"

#include "imapd/append_command.h"
#include "imapd/message_limit.h"
#include "imapd/session_notify.h"

#include <string.h>

enum {
	SESSION_MAX_BAD = 20
};

void
session_begin_command(struct imap_session *session)
{
	struct imap_command *command = &session->command;

	memset(command, 0, sizeof(*command));
	if (session->pool == NULL)
		session->pool = pool_new();
	else
		pool_clear(session->pool);
	buf_reset(&session->answer);
	session->tag[0] = '\0';
	command->session = session;
	command->account = session->account;
	command->view = session->view;
	command->pool = session->pool;
	command->out = &session->out;
	imap_parser_init(&command->parser,
	    text_make(session->input.command.data, session->input.command.size),
	    session->pool);
	command->parser.limits = session->limits;
	command->parser.is_utf8_names = session->is_utf8 || session->is_rev2;
	command->parser.has_no_charset = session->is_utf8;
	command->parser.has_no_numbers = session->is_uidonly;
}

void
session_begin_unasked(struct imap_session *session, const char *name)
{
	session_begin_command(session);
	session->was_woken = false;
	if (name != NULL)
		session->command.rule = command_find(text_of(name), false);
}

const char *
session_parse_name(struct imap_session *session)
{
	struct imap_command *command = &session->command;
	struct imap_parser *parser = &command->parser;
	struct text name;

	if (imap_parse_tag(parser, &command->tag) == -1)
		return parser->error;
	(void)text_copy(command->tag, session->tag, sizeof(session->tag));
	command->tag = text_of(session->tag);
	if (imap_parse_space(parser) == -1 ||
	    imap_parse_atom(parser, &name) == -1)
		return "Missing command";
	if (text_is_nocase(name, "UID")) {
		command->is_uid = true;
		if (imap_parse_space(parser) == -1 ||
		    imap_parse_atom(parser, &name) == -1)
			return "Missing command after UID";
	}
	command->rule = command_find(name, command->is_uid);
	if (command->rule == NULL)
		return "Unknown command";
	if (session->is_uidonly && !command->is_uid &&
	    (command->rule->flags & COMMAND_BY_NUMBER) == COMMAND_BY_NUMBER)
		return IMAP_UID_REQUIRED;
	if ((command->rule->flags & COMMAND_SELECTED) && command->view == NULL)
		return "No mailbox selected";
	return NULL;
}

void
session_act(struct imap_session *session)
{
	const struct command_rule *rule = session->command.rule;

	session->note.cause = rule != NULL
				  ? (uint8_t)change_cause_of_command(rule->name)
				  : CAUSE_NONE;
	account_store_act_for(session->account, &session->note);
}

enum command_step
session_carry_out(struct imap_session *session,
    enum command_step (*part)(struct imap_command *command))
{
	enum command_step step;

	session_act(session);
	step = part(&session->command);
	account_store_act_for(session->account, NULL);
	return step;
}

void
session_answer_bad(struct imap_session *session, const char *text)
{
	session->step = command_bad(&session->command, text);
	session_enter_state(session, SESSION_UPDATING);
	if (++session->bad_commands >= SESSION_MAX_BAD)
		session_bye(session, "* BYE Too many invalid commands\r\n");
}

void
session_after_step(struct imap_session *session, enum command_step step)
{
	/* A change that was refused at once has answered already. */
	if (step == COMMAND_WAIT && session->was_woken)
		step = session->step;
	session->was_woken = false;
	session->step = step;
	session_enter_state(
	    session, step == COMMAND_DONE ? SESSION_UPDATING : SESSION_WORKING);
	if (step == COMMAND_WAIT || step == COMMAND_MORE)
		session_progress_begin(session);
}

bool
session_is_refused(struct imap_session *session)
{
	if ((session->command.rule->flags & COMMAND_WRITES) == 0 ||
	    !mailbox_view_is_read_only(session->view))
		return false;
	(void)command_no(
	    &session->command, "[NOPERM] Mailbox is open read-only");
	return true;
}

static void
session_start_command(struct imap_session *session)
{
	const char *problem;

	session_begin_command(session);
	problem = session_parse_name(session);
	if (problem != NULL) {
		session_answer_bad(session, problem);
		return;
	}
	session->was_woken = false;
	if (session_is_refused(session))
		session_after_step(session, COMMAND_DONE);
	else
		session_after_step(session,
		    session_carry_out(session, session->command.rule->start));
}

void
session_input_event(
    struct imap_session *session, enum imap_input_event event, struct text data)
{
	switch (event) {
	case IMAP_INPUT_MORE:
		break;
	case IMAP_INPUT_COMMAND:
		if (session->state == SESSION_APPENDING)
			session_append_end(session);
		else
			session_start_command(session);
		break;
	case IMAP_INPUT_LITERAL:
		session_literal(session);
		break;
	case IMAP_INPUT_DATA:
		append_data(&session->command, data);
		break;
	case IMAP_INPUT_TOO_LONG:
		if (session->state == SESSION_APPENDING) {
			session->command.abandon(&session->command);
		} else {
			session_begin_command(session);
			(void)session_parse_name(session);
		}
		session_answer_bad(session, "Command line is too long");
		break;
	case IMAP_INPUT_HOPELESS:
		session_bye(session, "* BYE Literal is too large\r\n");
		break;
	}
}

void
session_idle_line(struct imap_session *session, enum imap_input_event event)
{
	struct text line =
	    text_make(session->input.command.data, session->input.command.size);

	if (event == IMAP_INPUT_MORE)
		return;
	if (event == IMAP_INPUT_COMMAND && text_is_nocase(line, "DONE"))
		session->step = command_ok(&session->command, "Idle completed");
	else
		session->step = command_bad(&session->command, "Expected DONE");
	session_enter_state(session, SESSION_UPDATING);
	if (event == IMAP_INPUT_LITERAL &&
	    imap_input_refuse(&session->input) == -1)
		session_bye(session, "* BYE Literal is too large\r\n");
}

/* What the client sent behind COMPRESS before its answer would be of doubtful
 * form. */
static void
session_check_compression(struct imap_session *session)
{
	if (!session->wants_compression || session->in.size == 0)
		return;
	session->wants_compression = false;
	(void)command_bad(&session->command, "Wait for the answer to COMPRESS");
}

bool
session_finish_command(struct imap_session *session)
{
	const struct command_rule *rule = session->command.rule;
	bool may_expunge = rule == NULL || session->command.is_uid ||
			   (rule->flags & COMMAND_NUMBERS) == 0;

	if (session_notify_finish(session))
		return true;
	if (!session_put_updates(session, may_expunge))
		return false;
	session_check_compression(session);
	message_limit_tell(&session->command, &session->answer, &session->out);
	(void)buf_put_format(
	    &session->out, "%s ", session->tag[0] != '\0' ? session->tag : "*");
	(void)buf_put(
	    &session->out, session->answer.data, session->answer.size);
	session_say(session, "\r\n");
	session_progress_end(session);
	memset(&session->command, 0, sizeof(session->command));
	session_enter_state(session, SESSION_READING);
	if (session->wants_compression)
		session_compress(session);
	if (session->view != NULL && mailbox_view_is_gone(session->view))
		session_bye(session, "* BYE Mailbox was deleted\r\n");
	return true;
}
