/*
 * Literals in a session: they become part of their command, or (APPEND,
 * REPLACE) go to it as bytes of a message, while its arguments are read between
 * them.
 */
#include "imapd/append_command.h"
#include "imapd/imap_commands.h"
#include "imapd/imap_session_state.h"

/* What is left of the command goes by unread. */
static void
refuse_literal(struct imap_session *session)
{
	if (imap_input_refuse(&session->input) == -1)
		session_bye(session, "* BYE Literal is too large\r\n");
}

static void
invite(struct imap_session *session)
{
	if (session->input.is_synchronising)
		session_say(session, "+ OK\r\n");
}

static void
take_literal(struct imap_session *session)
{
	imap_input_take(&session->input);
	invite(session);
}

/* ---- Commands that messages come in ---- */

static void
end(struct imap_session *session)
{
	session_after_step(session, COMMAND_DONE);
	refuse_literal(session);
}

static void
take_part(struct imap_session *session)
{
	if (imap_input_fits(&session->input)) {
		take_literal(session);
		return;
	}
	session->command.abandon(&session->command);
	(void)command_bad(&session->command, "[TOOBIG] Literal is too large");
	end(session);
}

/* The arguments as far as the literal that was announced. */
static void
read_arguments(struct imap_session *session)
{
	struct imap_command *command = &session->command;
	enum append_step step;

	command->literal_size = session->input.literal_left;
	session->step = COMMAND_DONE;
	step = append_read(command);
	session->append_offset =
	    session->input.command.size - command->parser.rest.size;
	switch (step) {
	case APPEND_LITERAL_PART:
		take_part(session);
		break;
	case APPEND_LITERAL_DATA:
		imap_input_stream(&session->input);
		session->append_offset = 0;
		invite(session);
		break;
	case APPEND_WAIT:
		session->step = COMMAND_WAIT;
		break;
	case APPEND_TURN:
		session->step = COMMAND_MORE;
		break;
	default:
		end(session);
		break;
	}
}

static void
go_on(struct imap_session *session)
{
	const struct buf *bytes = &session->input.command;

	session->command.parser.rest = text_skip(
	    text_make(bytes->data, bytes->size), session->append_offset);
}

void
session_append_end(struct imap_session *session)
{
	go_on(session);
	session->was_woken = false;
	session_after_step(session, session_carry_out(session, cmd_append));
}

bool
session_append_work(struct imap_session *session)
{
	if (session->step == COMMAND_WAIT)
		return false;
	session->was_woken = false;
	read_arguments(session);
	if (session->state != SESSION_APPENDING ||
	    session->step != COMMAND_MORE)
		return true;
	timer_start(session->turn, 0);
	return false;
}

/* ---- All commands ---- */

static void
begin(struct imap_session *session)
{
	struct imap_command *command = &session->command;
	const char *problem;

	session_begin_command(session);
	problem = session_parse_name(session);
	if (problem == NULL && (command->rule->flags & COMMAND_MESSAGES)) {
		if (session_is_refused(session)) {
			end(session);
			return;
		}
		session_enter_state(session, SESSION_APPENDING);
		read_arguments(session);
		return;
	}
	if (problem == NULL && imap_input_fits(&session->input)) {
		take_literal(session);
		return;
	}
	session_answer_bad(session,
	    problem != NULL ? problem : "[TOOBIG] Literal is too large");
	refuse_literal(session);
}

void
session_literal(struct imap_session *session)
{
	if (session->state == SESSION_APPENDING) {
		go_on(session);
		read_arguments(session);
		return;
	}
	begin(session);
}
