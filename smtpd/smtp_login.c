/*
 * AUTH (RFC 4954): decodes the credentials and hands them to authd, which
 * tells the queue who this is before it tells us that it worked.
 */
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/smtp_session.h"

static void
drop_sasl(struct smtp_session *session)
{
	sasl_clear(session->sasl);
	memory_free(&session->sasl);
}

static void
ask_authd(struct smtp_session *session)
{
	struct message message = { .type = MESSAGE_smtp_credentials };
	struct message_smtp_credentials *said = &message.smtp_credentials;

	said->connection = session->number;
	said->user = sasl_user(session->sasl);
	said->password = sasl_password(session->sasl);
	said->client_ip = text_of(session->client_ip);
	smtp_session_enter_state(session, SMTP_STATE_LOGIN);
	if (session->front->authd == NULL ||
	    channel_send(session->front->authd, &message, NULL, 0) == -1) {
		smtp_session_enter_state(session, SMTP_STATE_COMMAND);
		smtp_session_reply(session, REPLY_LOGIN_UNAVAILABLE);
	}
}

static void
take_step(struct smtp_session *session, enum sasl_step step)
{
	static const enum smtp_reply replies[] = { [SASL_CANCELLED] =
						       REPLY_LOGIN_CANCELLED,
		[SASL_MALFORMED] = REPLY_LOGIN_MALFORMED,
		[SASL_REFUSED] = REPLY_LOGIN_FAILED,
		[SASL_UNKNOWN] = REPLY_BAD_MECHANISM };

	if (step == SASL_CHALLENGE) {
		smtp_session_write(
		    session, "334 %s\r\n", session->sasl->challenge);
		smtp_session_enter_state(session, SMTP_STATE_RESPONSE);
		return;
	}
	if (step == SASL_DONE) {
		ask_authd(session);
	} else {
		smtp_session_enter_state(session, SMTP_STATE_COMMAND);
		smtp_session_reply(session, replies[step]);
	}
	drop_sasl(session);
}

void
smtp_auth(struct smtp_session *session, const struct smtp_command *command)
{
	if (session->service != SERVICE_SUBMIT) {
		smtp_session_reply(session, REPLY_NOT_HERE);
	} else if (!connection_is_tls(session->connection)) {
		smtp_session_reply(session, REPLY_NEED_TLS);
	} else if (!session->is_esmtp) {
		smtp_session_reply(session, REPLY_HELLO_FIRST);
	} else if (session->is_logged_in) {
		smtp_session_reply(session, REPLY_IS_LOGGED_IN);
	} else if (session->transaction != 0) {
		smtp_session_reply(session, REPLY_BAD_SEQUENCE);
	} else {
		session->sasl = memory_new(1, sizeof(*session->sasl));
		take_step(session, sasl_start(session->sasl, command->mechanism,
				       command->initial));
	}
}

void
smtp_auth_line(struct smtp_session *session, struct text line)
{
	take_step(session, sasl_continue(session->sasl, line));
}

void
smtp_ask_who(struct smtp_session *session, int fd)
{
	struct message message = { .type = MESSAGE_smtp_local };

	message.smtp_local.connection = session->number;
	if (session->front->authd != NULL &&
	    channel_send(session->front->authd, &message, &fd, 1) == 0)
		session->state = SMTP_STATE_LOGIN;
}

/* The kernel's word on it has come, or nobody could be asked. */
static void
greet_local(struct smtp_session *session, unsigned int result)
{
	session->is_logged_in = result == LOGIN_OK;
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (session->is_logged_in)
		smtp_greet(session);
	else
		smtp_session_close(session, REPLY_LOGIN_UNAVAILABLE);
}

static void
login_failed(struct smtp_session *session, bool is_last)
{
	/* A fixed form, for fail2ban. */
	log_warning("auth-fail", "ip=%s proto=smtp", session->client_ip);
	if (is_last || ++session->failed_logins >= SMTP_MAX_FAILED_LOGINS) {
		session->errors++; /* what 535 counts as */
		smtp_session_close(session, REPLY_TOO_MANY_LOGINS);
	} else {
		smtp_session_reply(session, REPLY_LOGIN_FAILED);
	}
}

void
smtp_session_login(
    struct smtp_session *session, unsigned int result, struct text user)
{
	if (session->state != SMTP_STATE_LOGIN) {
		/* It closes, and leaving tells the queue so. */
		session->is_logged_in |= result == LOGIN_OK;
		return;
	}
	if (session->service == SERVICE_LOCAL) {
		greet_local(session, result);
		smtp_session_run(session);
		return;
	}
	session->is_running = true; /* it may not go away under our feet */
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	if (result == LOGIN_OK) {
		session->is_logged_in = true;
		session->failed_logins = 0;
		smtp_session_reply(session, REPLY_LOGGED_IN);
	} else if (result == LOGIN_UNAVAILABLE) {
		smtp_session_reply(session, REPLY_LOGIN_UNAVAILABLE);
	} else {
		login_failed(session, result == LOGIN_TOO_MANY);
	}
	session->is_running = false;
	smtp_session_run(session);
}

void
smtp_session_authd_gone(struct smtp_session *session)
{
	if (session->state == SMTP_STATE_LOGIN)
		smtp_session_login(session, LOGIN_UNAVAILABLE, TEXT(""));
}
