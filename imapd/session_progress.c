/*
 * Tells a client that waits how far its command is (RFC 9585): after 5 seconds
 * and then each 10, between two responses and never in one.  Also keeps it, and
 * whatever stands between, from giving the connection up.
 */
#include "imapd/imap_session_state.h"

#include <string.h>

enum {
	PROGRESS_FIRST_MS = 5000,
	PROGRESS_EACH_MS = 10000
};

static void
progress_timed(void *context)
{
	struct imap_session *session = context;

	timer_start(session->progress, PROGRESS_EACH_MS);
	session_progress_tell(session);
}

void
session_progress_begin(struct imap_session *session)
{
	if (session->is_in_progress || session->tag[0] == '\0')
		return;
	session->is_in_progress = true;
	if (session->progress == NULL)
		session->progress =
		    timer_new(session->loop, progress_timed, session);
	timer_start(session->progress, PROGRESS_FIRST_MS);
}

void
session_progress_end(struct imap_session *session)
{
	if (session->is_in_progress)
		timer_stop(session->progress);
	session->is_in_progress = false;
}

/* What waits to be sent says enough; a command that waits for room may be in
 * the middle of a line. */
static bool
is_silent(const struct imap_session *session)
{
	return session->is_in_progress && session->state == SESSION_WORKING &&
	       (session->step == COMMAND_WAIT ||
		   session->step == COMMAND_MORE) &&
	       session_is_drained(session);
}

/* A count that has reached its goal is not at it yet: there is more to do. */
static void
put_counts(struct buf *out, const struct command_progress *progress)
{
	if (progress->goal == 0 && progress->done == 0)
		(void)buf_put_text(out, "NIL NIL");
	else if (progress->goal <= progress->done)
		(void)buf_put_format(out, "%u NIL", progress->done);
	else
		(void)buf_put_format(
		    out, "%u %u", progress->done, progress->goal);
}

void
session_progress_tell(struct imap_session *session)
{
	struct imap_command *command = &session->command;
	struct command_progress progress = { 0, command->goal };
	struct buf *out = &session->out;

	if (!is_silent(session) || (command->progress != NULL &&
				       !command->progress(command, &progress)))
		return;
	(void)buf_put_text(out, "* OK [INPROGRESS (");
	/* It would end the response code. */
	if (strchr(session->tag, ']') != NULL)
		(void)buf_put_text(out, "NIL ");
	else
		(void)buf_put_format(out, "\"%s\" ", session->tag);
	put_counts(out, &progress);
	(void)buf_put_text(out, ")] Still at work\r\n");
	session_run(session);
}
