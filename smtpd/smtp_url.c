/*
 * BURL (RFC 4468): a part of the body that is in a mailbox of who hands the
 * message in.  The URL goes to the queue and its bytes do not come here: what a
 * client had no right to, a front that was taken over has none to either.
 */
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

static enum smtp_reply
url_reply(const struct smtp_session *session)
{
	if (session->service != SERVICE_SUBMIT)
		return REPLY_NOT_HERE;
	if (!connection_is_tls(session->connection))
		return REPLY_NEED_TLS;
	if (!session->is_logged_in)
		return REPLY_NEED_LOGIN;
	if (session->transaction == 0)
		return REPLY_MAIL_FIRST;
	return session->recipients == 0 ? REPLY_NO_RECIPIENTS : REPLY_OK;
}

static void
ask(struct smtp_session *session, const struct smtp_command *command)
{
	struct message message = { .type = MESSAGE_transaction_url };

	message.transaction_url.transaction = session->transaction;
	message.transaction_url.is_last = command->is_last;
	message.transaction_url.defects = (uint8_t)session->data.defects;
	message.transaction_url.url = command->url;
	smtp_session_enter_state(session,
	    command->is_last ? SMTP_STATE_STORING : SMTP_STATE_FETCHING);
	(void)smtp_ask_queue(session, &message);
}

void
smtp_begin_url(struct smtp_session *session, const struct smtp_command *command)
{
	enum smtp_reply reply = url_reply(session);

	if (reply != REPLY_OK)
		smtp_session_reply(session, reply);
	else if (smtp_end_chunks(session) == 0)
		ask(session, command);
}

void
smtp_url_verdict(struct smtp_session *session, unsigned int verdict)
{
	if (session->verdict == VERDICT_OK)
		session->verdict = verdict;
	if (session->verdict != VERDICT_OK) {
		smtp_forget(session);
		smtp_answer_message(session, 1, session->verdict, TEXT(""));
		return;
	}
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	smtp_session_write(
	    session, "250 2.5.0 Ok, waiting for more BURL or BDAT\r\n");
}
