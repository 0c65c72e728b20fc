/*
 * A transaction as the client sees it: MAIL, RCPT, DATA.  The queue decides;
 * a 250 after the data is its verdict that the message is on disk, and
 * nothing else makes one.
 */
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

static int
ask_queue(struct smtp_session *session, const struct message *message)
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
	} else {
		session->transaction = ++session->front->next_transaction;
		table_put_u64(session->front->transactions,
		    session->transaction, session);
		begin->transaction = session->transaction;
		begin->connection = session->number;
		begin->service = (uint8_t)session->service;
		begin->flags =
		    (session->is_esmtp ? TRANSACTION_ESMTP : 0) |
		    (command->body == SMTP_BODY_8BITMIME ? TRANSACTION_8BITMIME
							 : 0) |
		    (command->is_smtputf8 ? TRANSACTION_SMTPUTF8 : 0);
		begin->size = command->size;
		begin->sender = command->path.address;
		begin->helo = text_of(session->helo);
		begin->client_ip = text_of(session->client_ip);
		begin->tls = text_of(connection_tls_name(session->connection));
		if (begin->tls.size > 80)
			begin->tls.size = 80;
		smtp_session_enter_state(session, SMTP_STATE_SENDER);
		(void)ask_queue(session, &message);
	}
}

void
smtp_rcpt(struct smtp_session *session, const struct smtp_command *command)
{
	struct message message = { .type = MESSAGE_transaction_recipient };

	if (session->transaction == 0) {
		smtp_session_reply(session, REPLY_MAIL_FIRST);
		return;
	}
	message.transaction_recipient.transaction = session->transaction;
	message.transaction_recipient.address = command->path.address;
	smtp_session_enter_state(session, SMTP_STATE_RECIPIENT);
	(void)ask_queue(session, &message);
}

void
smtp_begin_data(struct smtp_session *session)
{
	if (session->transaction == 0) {
		smtp_session_reply(session, REPLY_MAIL_FIRST);
	} else if (session->recipients == 0) {
		smtp_session_reply(session, REPLY_NO_RECIPIENTS);
	} else {
		smtp_data_init(
		    &session->data, session->service == SERVICE_SUBMIT);
		session->parts_waiting = 0;
		session->verdict = VERDICT_OK;
		smtp_session_enter_state(session, SMTP_STATE_DATA);
		smtp_session_reply(session, REPLY_START_DATA);
	}
}

/* After a bad verdict the rest of the data is read and thrown away. */
static int
send_part(struct smtp_session *session)
{
	struct message message = { .type = MESSAGE_transaction_part };
	int result;

	if (session->verdict != VERDICT_OK) {
		buf_reset(&session->part);
		return 0;
	}
	message.transaction_part.transaction = session->transaction;
	message.transaction_part.data =
	    text_make(session->part.data, session->part.size);
	session->parts_waiting++;
	result = ask_queue(session, &message);
	buf_reset(&session->part);
	return result;
}

static void
send_end(struct smtp_session *session)
{
	struct message message = { .type = MESSAGE_transaction_end };

	message.transaction_end.transaction = session->transaction;
	message.transaction_end.defects = (uint8_t)session->data.defects;
	message.transaction_end.data =
	    text_make(session->part.data, session->part.size);
	if (ask_queue(session, &message) == 0)
		smtp_session_enter_state(session, SMTP_STATE_STORING);
}

bool
smtp_take_data(struct smtp_session *session)
{
	struct buf *input = connection_input(session->connection);
	enum smtp_data_step step;
	size_t room = SMTP_PART_SIZE - session->part.size;
	size_t need = 2 * input->size + SMTP_DATA_MIN_ROOM;
	size_t used, made;

	if (session->parts_waiting >= SMTP_MAX_PARTS)
		return false;
	if (need < room)
		room = need; /* no byte comes out as more than two */
	step = smtp_data_scan(&session->data, input->data, input->size, &used,
	    buf_reserve(&session->part, room), room, &made);
	buf_added(&session->part, made);
	buf_cut(input, used);
	if (step == SMTP_DATA_END) {
		send_end(session);
		return false;
	}
	return step == SMTP_DATA_FULL && send_part(session) == 0;
}

/* -- The queue's verdicts -- */

static void
write_verdict(
    struct smtp_session *session, unsigned int verdict, struct text text)
{
	const struct smtp_verdict_row *row = smtp_verdict_row(verdict);

	smtp_session_write(session, "%u %s %s%s%.*s\r\n", row->code,
	    row->enhanced, row->text, text.size > 0 ? " " : "", TEXT_FMT(text));
	if (row->code >= 500)
		session->errors++;
	if (row->code == 421) {
		smtp_forget(session);
		smtp_session_enter_state(session, SMTP_STATE_CLOSING);
	}
}

static void
sender_verdict(struct smtp_session *session, unsigned int verdict)
{
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (verdict == VERDICT_OK) {
		smtp_session_reply(session, REPLY_SENDER_OK);
		return;
	}
	write_verdict(session, verdict, TEXT(""));
	if (session->transaction != 0)
		leave(session);
}

static void
recipient_verdict(struct smtp_session *session, unsigned int verdict)
{
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (verdict != VERDICT_OK) {
		write_verdict(session, verdict, TEXT(""));
		return;
	}
	session->recipients++;
	smtp_session_reply(session, REPLY_RECIPIENT_OK);
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
end_verdict(
    struct smtp_session *session, unsigned int verdict, struct text text)
{
	if (verdict == VERDICT_OK)
		verdict = VERDICT_UNAVAILABLE;
	if (verdict == VERDICT_ACCEPTED)
		session->commands = 0;
	leave(session);
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	write_verdict(session, verdict, text);
}

void
smtp_session_verdict(
    struct smtp_session *session, unsigned int verdict, struct text text)
{
	switch (session->state) {
	case SMTP_STATE_SENDER:
		sender_verdict(session, verdict);
		break;
	case SMTP_STATE_RECIPIENT:
		recipient_verdict(session, verdict);
		break;
	case SMTP_STATE_DATA:
	case SMTP_STATE_STORING:
		if (session->parts_waiting > 0)
			part_verdict(session, verdict);
		else if (session->state == SMTP_STATE_STORING)
			end_verdict(session, verdict, text);
		break;
	default:
		break;
	}
	session->is_running = false;
	smtp_session_run(session);
}
