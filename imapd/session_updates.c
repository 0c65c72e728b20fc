/*
 * What a session tells its client unasked: messages that came and went, flags
 * that others changed (RFC 3501 7.4.1).  Called before a tagged answer and in
 * IDLE, by imap_session.c alone.
 */
#include "imapd/imap_session_state.h"

#include "imapd/qresync.h"
#include "imapd/session_notify.h"

enum {
	SESSION_VANISHED = 4000 /* UIDs in one response */
};

static void
session_put_update(
    struct imap_session *session, const struct mailbox_update *update)
{
	struct imap_command *command = &session->command;
	struct buf *out = &session->out;

	switch (update->kind) {
	case UPDATE_EXPUNGE:
		(void)buf_put_format(out, "* %zu EXPUNGE\r\n", update->number);
		break;
	case UPDATE_EXISTS:
		(void)buf_put_format(out, "* %zu EXISTS\r\n", update->number);
		break;
	case UPDATE_RECENT:
		if (session->is_rev2)
			break;
		(void)buf_put_format(out, "* %zu RECENT\r\n", update->number);
		break;
	case UPDATE_FLAGS:
		if (!session_notify_wants_flags(session))
			break;
		command_put_flags_update(command, update->number, update->uid,
		    true, session->is_condstore);
		break;
	case UPDATE_KEYWORDS:
		command_put_mailbox_flags(command);
		break;
	case UPDATE_KEY:
		(void)buf_put_text(
		    out, "* OK [URLMECH INTERNAL] Key is a new one\r\n");
		break;
	}
}

/* In place of all EXPUNGEs (RFC 7162 3.2.10, RFC 9586 3.4). */
static void
session_put_vanished(struct imap_session *session)
{
	static uint32_t uids[SESSION_VANISHED];
	size_t count;

	while (session->out.size < COMMAND_OUTPUT_SIZE &&
	       (count = mailbox_view_take_expunged(
		    session->view, uids, SESSION_VANISHED)) > 0)
		qresync_put_expunged(&session->out, uids, count);
}

bool
session_put_updates(struct imap_session *session, bool may_expunge)
{
	struct mailbox_update update;
	size_t before;

	if (!session_put_notifications(session))
		return false;
	if (session->view == NULL || !session_notify_wants_updates(session))
		return true;
	may_expunge = may_expunge && session_notify_wants_expunges(session);
	if (may_expunge && (session->is_qresync || session->is_uidonly))
		session_put_vanished(session);
	session->command.session = session;
	session->command.view = session->view;
	session->command.out = &session->out;
	while (session->out.size < COMMAND_OUTPUT_SIZE) {
		before = mailbox_view_count(session->view);
		if (!mailbox_view_next_update(
			session->view, may_expunge, &update))
			return true;
		session_put_update(session, &update);
		if (update.kind == UPDATE_EXISTS)
			session_notify_told_new(session, before, update.number);
	}
	return false;
}
