/*
 * The body of a message: DATA, up to its exact end, or BDAT (RFC 3030), chunk
 * by chunk as long as each says it is.  Bytes go to the queue in parts, a few
 * of them unanswered at most; after a bad verdict the rest is read and thrown
 * away.
 */
#include "common/smtp_verdict.h"
#include "smtpd/smtp_session.h"

#include <inttypes.h>

static bool
is_normalising(const struct smtp_session *session)
{
	return session->service != SERVICE_SMTP && !session->is_binary;
}

static void
begin_body(struct smtp_session *session)
{
	session->parts_waiting = 0;
	session->verdict = VERDICT_OK;
}

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
	result = smtp_ask_queue(session, &message);
	buf_reset(&session->part);
	return result;
}

static void
send_end(struct smtp_session *session)
{
	struct message message = { .type = MESSAGE_transaction_end };
	int result;

	message.transaction_end.transaction = session->transaction;
	message.transaction_end.defects = (uint8_t)session->data.defects;
	message.transaction_end.data =
	    text_make(session->part.data, session->part.size);
	result = smtp_ask_queue(session, &message);
	buf_clear(&session->part);
	if (result == 0)
		smtp_session_enter_state(session, SMTP_STATE_STORING);
}

/* Up to `size` bytes of the input through the scanner. */
static enum smtp_data_step
scan(struct smtp_session *session, size_t size, size_t *used)
{
	struct buf *input = connection_input(session->connection);
	size_t room = SMTP_PART_SIZE - session->part.size;
	size_t need = 2 * size + SMTP_DATA_MIN_ROOM;
	enum smtp_data_step step;
	size_t made;

	if (need < room)
		room = need; /* no byte comes out as more than two */
	step = smtp_data_scan(&session->data, input->data, size, used,
	    buf_reserve(&session->part, room), room, &made);
	buf_added(&session->part, made);
	buf_cut(input, *used);
	return step;
}

/* -- DATA -- */

void
smtp_begin_data(struct smtp_session *session)
{
	if (session->transaction == 0) {
		smtp_session_reply(session, REPLY_MAIL_FIRST);
	} else if (session->has_chunks || session->is_binary) {
		/* RFC 3030 section 3: such bytes go by BDAT only. */
		smtp_session_reply(session, REPLY_BAD_SEQUENCE);
	} else if (session->recipients == 0) {
		smtp_session_reply(session, REPLY_NO_RECIPIENTS);
	} else if (!smtp_is_too_early(session)) {
		smtp_data_init(&session->data, is_normalising(session));
		begin_body(session);
		smtp_session_enter_state(session, SMTP_STATE_DATA);
		smtp_session_reply(session, REPLY_START_DATA);
	}
}

bool
smtp_take_data(struct smtp_session *session)
{
	enum smtp_data_step step;
	size_t used;

	if (session->parts_waiting >= SMTP_MAX_PARTS)
		return false;
	step =
	    scan(session, connection_input(session->connection)->size, &used);
	if (step == SMTP_DATA_END) {
		send_end(session);
		return false;
	}
	return step == SMTP_DATA_FULL && send_part(session) == 0;
}

/* -- BDAT -- */

/* Bytes that nobody wants are on their way already: they are read, and then
 * answered with `reply`. */
static void
begin_refused_chunk(struct smtp_session *session, enum smtp_reply reply)
{
	session->is_chunk_refused = true;
	session->chunk_reply = reply;
}

static void
begin_chunks(struct smtp_session *session)
{
	if (session->has_chunks)
		return;
	session->has_chunks = true;
	smtp_data_init_chunks(&session->data, is_normalising(session));
	begin_body(session);
}

void
smtp_begin_chunk(
    struct smtp_session *session, const struct smtp_command *command)
{
	session->chunk_left = command->chunk_size;
	session->chunk_size = command->chunk_size;
	session->is_last_chunk = command->is_last;
	session->is_chunk_refused = false;
	/* Chunks are no idle talk. */
	if (command->chunk_size >= SMTP_CHUNK_MIN_SIZE)
		session->commands--;
	if (session->transaction == 0) {
		begin_refused_chunk(session, REPLY_MAIL_FIRST);
	} else if (session->recipients == 0) {
		begin_refused_chunk(session, REPLY_NO_RECIPIENTS);
	} else {
		begin_chunks(session);
	}
	if (session->has_chunks && session->verdict == VERDICT_OK &&
	    command->chunk_size > session->front->settings->max_message_bytes -
				      session->data.size)
		session->verdict = VERDICT_TOO_BIG;
	smtp_session_enter_state(session, SMTP_STATE_CHUNK);
}

/* A refused message is over with this chunk's answer (section 2): who goes on
 * with it hears that there is no transaction. */
static void
end_chunk(struct smtp_session *session)
{
	unsigned int recipients = session->recipients;
	uint8_t rest[SMTP_DATA_MIN_ROOM];

	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (session->is_chunk_refused) {
		smtp_session_reply(session, session->chunk_reply);
	} else if (session->verdict != VERDICT_OK) {
		smtp_forget(session);
		smtp_answer_message(session,
		    session->is_last_chunk ? recipients : 1, session->verdict,
		    TEXT(""));
	} else if (session->is_last_chunk) {
		(void)buf_put(&session->part, rest,
		    smtp_data_finish(&session->data, rest));
		send_end(session);
	} else {
		smtp_session_write(session,
		    "250 2.0.0 Ok, %" PRIu64 " bytes of this chunk\r\n",
		    session->chunk_size);
	}
}

static void
drop_input(struct smtp_session *session, size_t size)
{
	buf_cut(connection_input(session->connection), size);
	session->chunk_left -= size;
}

bool
smtp_take_chunk(struct smtp_session *session)
{
	size_t size = connection_input(session->connection)->size, used;

	if (size > session->chunk_left)
		size = (size_t)session->chunk_left;
	if (session->is_chunk_refused) {
		drop_input(session, size);
	} else {
		/* The last bytes of all must find room in the part. */
		if (session->part.size + 2 * SMTP_DATA_MIN_ROOM >
			SMTP_PART_SIZE &&
		    (session->parts_waiting >= SMTP_MAX_PARTS ||
			send_part(session) == -1))
			return false;
		(void)scan(session, size, &used);
		session->chunk_left -= used;
	}
	if (session->chunk_left == 0) {
		end_chunk(session);
		return session->state == SMTP_STATE_COMMAND ||
		       session->state == SMTP_STATE_ANSWERING;
	}
	return session->state == SMTP_STATE_CHUNK &&
	       connection_input(session->connection)->size > 0;
}

/* -- BURL: what is not from here stands between chunks -- */

int
smtp_end_chunks(struct smtp_session *session)
{
	uint8_t rest[SMTP_DATA_MIN_ROOM];

	begin_chunks(session);
	(void)buf_put(
	    &session->part, rest, smtp_data_flush(&session->data, rest));
	if (session->part.size > 0 && send_part(session) == -1)
		return -1;
	if (session->verdict == VERDICT_OK)
		return 0;
	smtp_forget(session);
	smtp_answer_message(session, 1, session->verdict, TEXT(""));
	return -1;
}
