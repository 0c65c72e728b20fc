/*
 * The queue's words for the client, and the answers to the end of a message:
 * one, or in LMTP one for each recipient that was taken (RFC 2033 section 4.2).
 *
 * They are all the same, and each is true: the queue makes a message durable
 * for all its recipients in one commit, or for none; but for those it left out
 * because their mailboxes are full.
 */
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

enum {
	/* Of output, so that another answer surely finds room. */
	ANSWER_ROOM = 1024
};

static void
write_line(struct smtp_session *session, const struct smtp_verdict_row *row,
    struct text text)
{
	smtp_session_write(session, "%u %s %s%s%.*s\r\n", row->code,
	    row->enhanced, row->text, text.size > 0 ? " " : "", TEXT_FMT(text));
}

void
smtp_write_verdict(
    struct smtp_session *session, unsigned int verdict, struct text text)
{
	const struct smtp_verdict_row *row = smtp_verdict_row(verdict);

	write_line(session, row, text);
	if (row->code >= 500)
		session->errors++;
	if (row->code == 421) {
		smtp_forget(session);
		smtp_session_enter_state(session, SMTP_STATE_CLOSING);
	}
}

void
smtp_answer_message(struct smtp_session *session, unsigned int recipients,
    unsigned int verdict, struct text text)
{
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (session->service != SERVICE_LMTP ||
	    smtp_verdict_row(verdict)->code == 421) {
		smtp_write_verdict(session, verdict, text);
		return;
	}
	session->answers = recipients;
	session->verdict = verdict;
	if (text_copy(text, session->queue_id, sizeof(session->queue_id)) == -1)
		session->queue_id[0] = '\0';
	smtp_session_enter_state(session, SMTP_STATE_ANSWERING);
}

/* Recipient `n` of those that were taken. */
static bool
is_full(const struct smtp_session *session, size_t n)
{
	return n / 8 < session->full.size &&
	       (session->full.data[n / 8] >> n % 8 & 1) != 0;
}

bool
smtp_answer(struct smtp_session *session)
{
	const struct smtp_verdict_row *row = smtp_verdict_row(session->verdict);

	while (session->answers > 0 && session->state != SMTP_STATE_CLOSING) {
		if (connection_output_room(session->connection) < ANSWER_ROOM)
			return false;
		if (is_full(session, session->answered++))
			write_line(session, smtp_verdict_row(VERDICT_OVERQUOTA),
			    TEXT(""));
		else
			write_line(session, row, text_of(session->queue_id));
		session->answers--;
	}
	buf_clear(&session->full);
	session->answered = 0;
	if (session->state != SMTP_STATE_CLOSING)
		smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	return session->state == SMTP_STATE_COMMAND;
}
