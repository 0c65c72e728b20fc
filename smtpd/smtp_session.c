/*
 * The states of a session and its driver.
 */
#include "smtpd/smtp_session.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t
slow_ms(const struct smtp_session *session)
{
	int64_t ms =
	    (int64_t)(session->errors - SMTP_FREE_ERRORS) * SMTP_SLOW_STEP_MS;

	return ms < SMTP_SLOW_MAX_MS ? ms : SMTP_SLOW_MAX_MS;
}

static void
start_timer(struct smtp_session *session)
{
	int64_t delay_ms = SMTP_COMMAND_TIMEOUT_MS;

	if (session->state == SMTP_STATE_DATA ||
	    session->state == SMTP_STATE_CHUNK)
		delay_ms = SMTP_DATA_TIMEOUT_MS;
	else if (session->state == SMTP_STATE_GREETING)
		delay_ms = session->pause_ms;
	else if (session->state == SMTP_STATE_CLOSING)
		delay_ms = SMTP_GOODBYE_TIMEOUT_MS;
	else if (session->state == SMTP_STATE_SLOWED)
		delay_ms = slow_ms(session);
	else if (session->helo[0] == '\0' ||
		 (session->service == SERVICE_SUBMIT && !session->is_logged_in))
		delay_ms = SMTP_HELLO_TIMEOUT_MS;
	timer_start(session->timer, delay_ms);
}

void
smtp_session_enter_state(struct smtp_session *session, enum smtp_state state)
{
	if (session->state == SMTP_STATE_SLOWED)
		session->front->slowed_count--;
	if (state == SMTP_STATE_SLOWED)
		session->front->slowed_count++;
	session->state = state;
	start_timer(session);
}

void
smtp_session_write(struct smtp_session *session, const char *format, ...)
{
	char line[1024];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (size < 0 || (size_t)size >= sizeof(line) ||
	    connection_write(session->connection, line, (size_t)size) == -1)
		smtp_session_enter_state(session, SMTP_STATE_CLOSING);
}

void
smtp_session_reply(struct smtp_session *session, enum smtp_reply reply)
{
	char line[256];

	smtp_reply_format(reply, line, sizeof(line));
	smtp_session_write(session, "%s", line);
	if (smtp_reply_row(reply)->code >= 500)
		session->errors++;
}

void
smtp_session_close(struct smtp_session *session, enum smtp_reply reply)
{
	smtp_forget(session);
	if (session->state == SMTP_STATE_CLOSING)
		return;
	smtp_session_reply(session, reply);
	smtp_session_enter_state(session, SMTP_STATE_CLOSING);
	if (!session->is_running)
		connection_finish(session->connection);
}

/* Takes a line off the input: 1, 0 if there is none yet, -1 if it is none. */
static int
read_line(struct smtp_session *session, char line[SMTP_COMMAND_MAX_SIZE],
    struct text *text)
{
	struct buf *input = connection_input(session->connection);
	const uint8_t *end;
	size_t size;

	if (input->size == 0)
		return 0;
	end = memchr(input->data, '\n', input->size);
	size = end != NULL ? (size_t)(end - input->data) + 1 : input->size;
	if (size > SMTP_COMMAND_MAX_SIZE) {
		smtp_session_close(session, REPLY_LINE_TOO_LONG);
		return -1;
	}
	if (end == NULL)
		return 0;
	memcpy(line, input->data, size);
	buf_cut(input, size);
	if (size < 2 || line[size - 2] != '\r') {
		smtp_session_reply(session, REPLY_BARE_LF);
		return -1;
	}
	*text = text_make(line, size - 2);
	return 1;
}

static enum smtp_reply
malformed_reply(
    const struct smtp_command *command, enum smtp_command_result result)
{
	switch (result) {
	case SMTP_COMMAND_UNKNOWN:
		return REPLY_UNKNOWN_COMMAND;
	case SMTP_COMMAND_BAD_PATH:
		return command->verb == SMTP_MAIL ? REPLY_BAD_SENDER
						  : REPLY_BAD_RECIPIENT;
	case SMTP_COMMAND_BAD_PARAMETER:
		return REPLY_BAD_PARAMETER;
	case SMTP_COMMAND_NEEDS_SMTPUTF8:
		return REPLY_NEEDS_SMTPUTF8;
	default:
		return REPLY_BAD_ARGUMENTS;
	}
}

static void
dispatch(struct smtp_session *session, const struct smtp_command *command)
{
	switch (command->verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO:
		smtp_hello(session, command);
		break;
	case SMTP_MAIL:
		smtp_mail(session, command);
		break;
	case SMTP_RCPT:
		smtp_rcpt(session, command);
		break;
	case SMTP_DATA:
		smtp_begin_data(session);
		break;
	case SMTP_BDAT:
		smtp_begin_chunk(session, command);
		break;
	case SMTP_BURL:
		smtp_begin_url(session, command);
		break;
	case SMTP_RSET:
		smtp_forget(session);
		smtp_session_reply(session, REPLY_OK);
		break;
	case SMTP_NOOP:
		smtp_session_reply(session, REPLY_OK);
		break;
	case SMTP_VRFY:
		smtp_session_reply(session, REPLY_CANNOT_VERIFY);
		break;
	case SMTP_HELP:
		smtp_session_reply(session, REPLY_HELP);
		break;
	case SMTP_QUIT:
		smtp_session_close(session, REPLY_CLOSING);
		break;
	case SMTP_STARTTLS:
		smtp_start_tls(session);
		break;
	case SMTP_AUTH:
		smtp_auth(session, command);
		break;
	case SMTP_XCLIENT:
		smtp_xclient(session, command);
		break;
	case SMTP_UNKNOWN:
	case SMTP_VERB_COUNT:
		smtp_session_reply(session, REPLY_UNKNOWN_COMMAND);
		break;
	}
}

/* One line; false if the driver has to wait. */
static bool
take_line(struct smtp_session *session)
{
	char line[SMTP_COMMAND_MAX_SIZE];
	struct smtp_command command;
	enum smtp_command_result result;
	struct text text;
	int got = read_line(session, line, &text);

	if (got != 1)
		return got == -1;
	if (session->state == SMTP_STATE_RESPONSE) {
		smtp_auth_line(session, text);
		explicit_bzero(line, sizeof(line));
		return true;
	}
	if (++session->commands >
	    SMTP_MAX_COMMANDS + session->front->settings->max_recipients) {
		smtp_session_close(session, REPLY_TOO_MANY_COMMANDS);
		return true;
	}
	result = smtp_command_parse(text, &command);
	if (result == SMTP_COMMAND_OK)
		dispatch(session, &command);
	else
		smtp_session_reply(session, malformed_reply(&command, result));
	if (command.verb == SMTP_AUTH)
		explicit_bzero(line, sizeof(line));
	return true;
}

/* A whole and good RCPT that needs not wait for the answer to what stands
 * before it; anything else does. */
static bool
take_ahead(struct smtp_session *session)
{
	struct buf *input = connection_input(session->connection);
	char line[SMTP_COMMAND_MAX_SIZE];
	struct smtp_command command;
	const uint8_t *end = NULL;
	size_t size = input->size;

	if (size > SMTP_COMMAND_MAX_SIZE)
		size = SMTP_COMMAND_MAX_SIZE;
	if (size > 0)
		end = memchr(input->data, '\n', size);
	if (end == NULL || end == input->data || end[-1] != '\r' ||
	    session->front->is_stopping ||
	    session->commands >= SMTP_MAX_COMMANDS)
		return false;
	size = (size_t)(end - input->data) + 1;
	memcpy(line, input->data, size);
	if (smtp_command_parse(text_make(line, size - 2), &command) !=
		SMTP_COMMAND_OK ||
	    command.verb != SMTP_RCPT || !smtp_rcpt_ahead(session, &command))
		return false;
	buf_cut(input, size);
	session->commands++;
	return true;
}

static bool
take_input(struct smtp_session *session)
{
	switch (session->state) {
	case SMTP_STATE_GREETING:
		if (session->front->is_stopping)
			smtp_session_close(session, REPLY_SHUTDOWN);
		else
			(void)smtp_is_too_early(session);
		return false;
	case SMTP_STATE_COMMAND:
	case SMTP_STATE_RESPONSE:
		if (session->front->is_stopping) {
			smtp_session_close(session, REPLY_SHUTDOWN);
			return false;
		}
		/* A client that does not read its replies is not read. */
		return connection_output_room(session->connection) >=
			   SMTP_OUTPUT_LIMIT / 2 &&
		       take_line(session);
	case SMTP_STATE_SENDER:
	case SMTP_STATE_RECIPIENT:
		return take_ahead(session);
	case SMTP_STATE_SLOWED:
		if (session->front->is_stopping)
			smtp_session_close(session, REPLY_SHUTDOWN);
		return false;
	case SMTP_STATE_ANSWERING:
		return smtp_answer(session);
	case SMTP_STATE_DATA:
		return smtp_take_data(session);
	case SMTP_STATE_CHUNK:
		return smtp_take_chunk(session);
	default:
		return false;
	}
}

/* Errors since the last look are charged to the client, whose connections all
 * end when his budget is used up; he of this one waits. A mail server of ours
 * may have many recipients that we do not. */
static void
settle_errors(struct smtp_session *session)
{
	struct smtp_front *front = session->front;
	enum budget_verdict verdict = BUDGET_OK;

	if (session->charged == session->errors)
		return;
	for (; session->charged < session->errors; session->charged++)
		verdict = budget_error(
		    front->budget, &session->client, clock_monotonic_us());
	if (session->state == SMTP_STATE_CLOSING)
		return;
	if (verdict != BUDGET_OK || (session->errors >= SMTP_MAX_ERRORS &&
					session->service != SERVICE_LMTP)) {
		log_info("too-many-errors",
		    "proto=smtp sid=%" PRIu64 " ip=%s errors=%u budget=%s",
		    session->number, session->client_ip, session->errors,
		    verdict != BUDGET_OK ? budget_name(verdict) : "connection");
		smtp_session_close(session, REPLY_TOO_MANY_ERRORS);
	} else if (session->errors > SMTP_FREE_ERRORS &&
		   session->client.is_limited &&
		   session->state == SMTP_STATE_COMMAND &&
		   front->slowed_count < SMTP_MAX_SLOWED) {
		smtp_session_enter_state(session, SMTP_STATE_SLOWED);
	}
}

void
smtp_session_run(struct smtp_session *session)
{
	size_t waited = connection_input(session->connection)->size;

	if (session->is_running)
		return;
	session->is_running = true;
	do
		settle_errors(session);
	while (take_input(session));
	settle_errors(session);
	session->is_running = false;
	/* Who is not answered yet sent more than one command: RFC 2920, 3.2. */
	connection_hold(
	    session->connection, session->state == SMTP_STATE_SENDER ||
				     session->state == SMTP_STATE_RECIPIENT);
	if (session->state == SMTP_STATE_CLOSING) {
		connection_finish(session->connection);
	} else if (waited > SMTP_INPUT_LIMIT / 2) {
		/* There is room again: reading may have stopped for lack. */
		connection_pause(session->connection);
		connection_resume(session->connection);
	}
}

static void
on_readable(struct connection *connection, void *context)
{
	struct smtp_session *session = context;
	struct buf *input = connection_input(connection);

	if (session->state == SMTP_STATE_CLOSING) {
		buf_cut(input, input->size);
		return;
	}
	if (session->state != SMTP_STATE_SLOWED)
		start_timer(session);
	smtp_session_run(session);
}

static void
on_writable(struct connection *connection, void *context)
{
	smtp_session_run(context);
}

static void
on_ended(
    struct connection *connection, const struct error *error, void *context)
{
	smtp_session_free(context);
}

static void
on_timeout(void *context)
{
	struct smtp_session *session = context;

	switch (session->state) {
	case SMTP_STATE_GREETING:
		smtp_greet(session);
		break;
	case SMTP_STATE_CLOSING:
		smtp_session_free(session);
		break;
	case SMTP_STATE_SLOWED:
		smtp_session_enter_state(session, SMTP_STATE_COMMAND);
		smtp_session_run(session);
		break;
	case SMTP_STATE_STORING:
	case SMTP_STATE_FETCHING:
	case SMTP_STATE_SENDER:
	case SMTP_STATE_RECIPIENT:
	case SMTP_STATE_LOGIN:
		start_timer(session); /* it is not the client who is slow */
		break;
	default:
		smtp_session_close(session, REPLY_TIMEOUT);
		break;
	}
}

struct smtp_session *
smtp_session_new(struct smtp_front *front, int fd,
    const struct listen_setting *listen, const struct listener_client *client)
{
	static const struct connection_handler handler = { on_readable,
		on_writable, on_ended };
	struct smtp_session *session = memory_new(1, sizeof(*session));

	session->front = front;
	session->service = listen->service;
	session->tls_mode = listen->tls;
	buf_init(&session->part, SMTP_PART_SIZE);
	buf_init(&session->full, SMTP_FULL_SIZE);
	session->number = ++front->next_connection;
	snprintf(
	    session->client_ip, sizeof(session->client_ip), "%s", client->ip);
	session->client = client->budget;
	session->may_xclient =
	    network_list_has_ip(&listen->xclients, client->ip);
	session->timer = timer_new(front->loop, on_timeout, session);
	table_put_u64(front->sessions, session->number, session);
	if (listen->service == SERVICE_LOCAL)
		smtp_ask_who(session, fd);
	session->connection = connection_new(front->loop, fd, SMTP_INPUT_LIMIT,
	    SMTP_OUTPUT_LIMIT, &handler, session);
	if (!client->is_loopback)
		session->pause_ms = (int64_t)listen->pause_s * 1000;
	start_timer(session);
	if (listen->tls == LISTEN_TLS_IMPLICIT &&
	    (front->tls == NULL ||
		connection_start_tls(session->connection, front->tls) == -1)) {
		smtp_session_free(session);
		return NULL;
	}
	if (session->pause_ms == 0 && session->state == SMTP_STATE_GREETING)
		smtp_greet(session);
	return session;
}

void
smtp_session_free(struct smtp_session *session)
{
	struct message gone = { .type = MESSAGE_sender_gone };
	struct smtp_front *front = session->front;

	smtp_forget(session);
	if (session->is_logged_in && front->queue != NULL) {
		gone.sender_gone.connection = session->number;
		(void)channel_send(front->queue, &gone, NULL, 0);
	}
	if (session->sasl != NULL)
		sasl_clear(session->sasl);
	free(session->sasl);
	buf_clear(&session->part);
	buf_clear(&session->full);
	timer_free(&session->timer);
	connection_free(&session->connection);
	if (session->state == SMTP_STATE_SLOWED)
		front->slowed_count--;
	smtp_front_left(front, session->number, &session->client);
	free(session);
}
