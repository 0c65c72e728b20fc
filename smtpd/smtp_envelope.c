/*
 * A transaction as the client sees it: MAIL, RCPT, and what the queue decides
 * about them and about the body (smtp_body.c).  A 250 after the data is its
 * verdict that the message is on disk, and nothing else makes one.
 */
#include "common/clock.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/future_release.h"
#include "smtpd/smtp_session.h"

int
smtp_ask_queue(struct smtp_session *session, const struct message *message)
{
	if (session->front->queue == NULL ||
	    channel_send(session->front->queue, message, NULL, 0) == -1) {
		smtp_session_close(session, REPLY_NO_QUEUE);
		return -1;
	}
	return 0;
}

/* Leaves the transaction without telling the queue. */
static void
leave(struct smtp_session *session)
{
	table_remove_u64(session->front->transactions, session->transaction);
	session->transaction = 0;
	session->recipients = 0;
	session->asked = 0;
	session->is_sender_refused = false;
	session->has_chunks = false;
	buf_clear(&session->part);
}

void
smtp_forget(struct smtp_session *session)
{
	struct message message = { .type = MESSAGE_transaction_abort };

	if (session->transaction == 0)
		return;
	message.transaction_abort.transaction = session->transaction;
	leave(session);
	if (session->front->queue != NULL)
		(void)channel_send(session->front->queue, &message, NULL, 0);
}

static uint16_t
transaction_flags(
    const struct smtp_session *session, const struct smtp_command *command)
{
	unsigned int flags = session->is_esmtp ? TRANSACTION_ESMTP : 0;

	if (command->body == SMTP_BODY_8BITMIME)
		flags |= TRANSACTION_8BITMIME;
	else if (command->body == SMTP_BODY_BINARYMIME)
		flags |= TRANSACTION_BINARYMIME;
	if (command->is_smtputf8)
		flags |= TRANSACTION_SMTPUTF8;
	if (command->is_requiretls)
		flags |= TRANSACTION_REQUIRETLS;
	if (command->is_by_return)
		flags |= TRANSACTION_BY_RETURN;
	if (command->is_by_trace)
		flags |= TRANSACTION_BY_TRACE;
	if (command->return_part == SMTP_RETURN_FULL)
		flags |= TRANSACTION_RETURN_FULL;
	else if (command->return_part == SMTP_RETURN_HEADERS)
		flags |= TRANSACTION_RETURN_HEADERS;
	return (uint16_t)flags;
}

/* Parameters that are not offered here. */
static bool
has_unoffered(
    const struct smtp_session *session, const struct smtp_command *command)
{
	bool has_more = command->has_priority || command->hold_for != 0 ||
			command->hold_until != 0 ||
			command->body == SMTP_BODY_BINARYMIME;

	return (command->has_dsn && !smtp_offers_dsn(session)) ||
	       (has_more && !smtp_offers_more(session)) ||
	       (command->has_by && session->service == SERVICE_LMTP) ||
	       (command->is_requiretls &&
		   !connection_is_tls(session->connection));
}

/* When it may go, and until when: -1, that cannot be. */
static int
take_times(
    const struct smtp_command *command, struct message_transaction_begin *begin)
{
	int64_t now = clock_wall_us() / 1000000;

	if (command->has_by)
		begin->deliver_by = now + command->by_time;
	if (future_release_decide(command->hold_for, command->hold_until, now,
		&begin->not_before) == -1)
		return -1;
	return command->is_by_return && begin->not_before > begin->deliver_by
		   ? -1
		   : 0;
}

void
smtp_mail(struct smtp_session *session, const struct smtp_command *command)
{
	struct message message = { .type = MESSAGE_transaction_begin };
	struct message_transaction_begin *begin = &message.transaction_begin;
	bool is_tls = connection_is_tls(session->connection);

	if (session->helo[0] == '\0') {
		smtp_session_reply(session, REPLY_HELLO_FIRST);
	} else if (!is_tls && (session->tls_mode == LISTEN_TLS_REQUIRED ||
				  session->service == SERVICE_SUBMIT)) {
		smtp_session_reply(session, REPLY_NEED_TLS);
	} else if (session->service == SERVICE_SUBMIT &&
		   !session->is_logged_in) {
		smtp_session_reply(session, REPLY_NEED_LOGIN);
	} else if (session->transaction != 0) {
		smtp_session_reply(session, REPLY_BAD_SEQUENCE);
	} else if (has_unoffered(session, command)) {
		smtp_session_reply(session, REPLY_BAD_PARAMETER);
	} else if (take_times(command, begin) == -1) {
		smtp_session_reply(session, REPLY_BAD_ARGUMENTS);
	} else {
		session->is_binary = command->body == SMTP_BODY_BINARYMIME;
		session->is_smtputf8 = command->is_smtputf8;
		session->transaction = ++session->front->next_transaction;
		table_put_u64(session->front->transactions,
		    session->transaction, session);
		begin->transaction = session->transaction;
		begin->connection = session->number;
		begin->service = (uint8_t)session->service;
		begin->flags = transaction_flags(session, command);
		begin->envelope_id = command->envelope_id;
		begin->priority = (uint8_t)command->priority;
		begin->size = command->size;
		begin->sender = command->path.address;
		begin->helo = text_of(session->helo);
		begin->client_ip = text_of(session->client_ip);
		begin->tls = text_of(connection_tls_name(session->connection));
		if (begin->tls.size > 80)
			begin->tls.size = 80;
		smtp_session_enter_state(session, SMTP_STATE_SENDER);
		(void)smtp_ask_queue(session, &message);
	}
}

/* What needs no queue to be refused; REPLY_RECIPIENT_OK if nothing does. */
static enum smtp_reply
recipient_reply(
    const struct smtp_session *session, const struct smtp_command *command)
{
	if (session->transaction == 0)
		return REPLY_MAIL_FIRST;
	if (session->has_chunks)
		return REPLY_BAD_SEQUENCE;
	if (command->has_dsn && !smtp_offers_dsn(session))
		return REPLY_BAD_PARAMETER;
	if (command->path.is_utf8 && !session->is_smtputf8)
		return REPLY_NEEDS_SMTPUTF8;
	return REPLY_RECIPIENT_OK;
}

static void
ask_recipient(struct smtp_session *session, const struct smtp_command *command)
{
	struct message message = { .type = MESSAGE_transaction_recipient };

	message.transaction_recipient.notify = (uint8_t)command->notify;
	message.transaction_recipient.original = command->original;
	message.transaction_recipient.transaction = session->transaction;
	message.transaction_recipient.address = command->path.address;
	session->asked++;
	(void)smtp_ask_queue(session, &message);
}

void
smtp_rcpt(struct smtp_session *session, const struct smtp_command *command)
{
	enum smtp_reply reply = recipient_reply(session, command);

	if (reply != REPLY_RECIPIENT_OK) {
		smtp_session_reply(session, reply);
		return;
	}
	smtp_session_enter_state(session, SMTP_STATE_RECIPIENT);
	ask_recipient(session, command);
}

/* Who makes mistakes is asked about one by one, so that he can be slowed
 * down. */
bool
smtp_rcpt_ahead(
    struct smtp_session *session, const struct smtp_command *command)
{
	if (session->asked > SMTP_MAX_AHEAD || session->is_sender_refused ||
	    session->errors > 0 ||
	    recipient_reply(session, command) != REPLY_RECIPIENT_OK)
		return false;
	ask_recipient(session, command);
	return true;
}

/* -- The queue's verdicts -- */

/* One of the envelope's was answered; answers of others may be on their way. */
static void
enter_envelope(struct smtp_session *session)
{
	smtp_session_enter_state(session,
	    session->asked > 0 ? SMTP_STATE_RECIPIENT : SMTP_STATE_COMMAND);
}

static void
sender_verdict(struct smtp_session *session, unsigned int verdict)
{
	enter_envelope(session);
	if (verdict == VERDICT_OK) {
		smtp_session_reply(session, REPLY_SENDER_OK);
		return;
	}
	smtp_write_verdict(session, verdict, TEXT(""));
	session->is_sender_refused = session->asked > 0;
	if (session->transaction != 0 && session->asked == 0)
		leave(session);
}

static void
recipient_verdict(struct smtp_session *session, unsigned int verdict)
{
	session->asked--;
	enter_envelope(session);
	if (session->is_sender_refused) {
		smtp_session_reply(session, REPLY_MAIL_FIRST);
		if (session->asked == 0)
			leave(session);
	} else if (verdict != VERDICT_OK) {
		smtp_write_verdict(session, verdict, TEXT(""));
	} else {
		session->recipients++;
		smtp_session_reply(session, REPLY_RECIPIENT_OK);
	}
}

static void
part_verdict(struct smtp_session *session, unsigned int verdict)
{
	session->parts_waiting--;
	if (verdict != VERDICT_OK && session->verdict == VERDICT_OK)
		session->verdict = verdict;
}

/* Only VERDICT_ACCEPTED is a promise that the message is on disk. */
static void
end_verdict(struct smtp_session *session, unsigned int verdict,
    struct text text, struct text full)
{
	unsigned int recipients = session->recipients;

	if (verdict == VERDICT_OK)
		verdict = VERDICT_UNAVAILABLE;
	if (verdict == VERDICT_ACCEPTED)
		session->commands = 0;
	leave(session);
	buf_reset(&session->full);
	(void)buf_put(&session->full, full.data, full.size);
	smtp_answer_message(session, recipients, verdict, text);
}

void
smtp_session_verdict(struct smtp_session *session, unsigned int verdict,
    struct text text, struct text full)
{
	if (session->state == SMTP_STATE_SENDER)
		sender_verdict(session, verdict);
	else if (session->state == SMTP_STATE_RECIPIENT)
		recipient_verdict(session, verdict);
	else if (session->parts_waiting > 0)
		part_verdict(session, verdict);
	else if (session->state == SMTP_STATE_FETCHING)
		smtp_url_verdict(session, verdict);
	else if (session->state == SMTP_STATE_STORING)
		end_verdict(session, verdict, text, full);
	session->is_running = false;
	smtp_session_run(session);
}
