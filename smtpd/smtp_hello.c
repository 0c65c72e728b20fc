/*
 * Greeting, EHLO, HELO, LHLO (RFC 2033) and STARTTLS (RFC 3207).
 */
#include "common/clock.h"
#include "common/log.h"
#include "smtpd/future_release.h"
#include "smtpd/smtp_session.h"
#include "smtpd/xclient.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MORE_SIZE = 120 /* of three lines */
};

void
smtp_greet(struct smtp_session *session)
{
	const struct smtp_front *front = session->front;

	if (front->queue == NULL || front->store != STATUS_OK ||
	    (session->service == SERVICE_LOCAL && !session->is_logged_in)) {
		smtp_session_close(session, REPLY_NO_QUEUE);
		return;
	}
	smtp_session_enter_state(session, SMTP_STATE_COMMAND);
	smtp_session_write(session, "220 %s %s Firnmail\r\n",
	    front->settings->host,
	    session->service == SERVICE_LMTP ? "LMTP" : "ESMTP");
}

static bool
can_start_tls(const struct smtp_session *session)
{
	return session->tls_mode != LISTEN_TLS_NONE &&
	       session->front->tls != NULL &&
	       !connection_is_tls(session->connection);
}

/* To servers DSN is not offered: they tell their senders that we were the last
 * who knew (RFC 3461 section 5.2.2), and ours is the final delivery. */
bool
smtp_offers_dsn(const struct smtp_session *session)
{
	return session->service == SERVICE_SUBMIT ||
	       session->service == SERVICE_LOCAL;
}

/* Servers would only say what their users wished for (RFC 6710 section 5.1),
 * and can make base64 themselves of what we would have to. */
bool
smtp_offers_more(const struct smtp_session *session)
{
	return session->service == SERVICE_SUBMIT ||
	       session->service == SERVICE_LOCAL;
}

/*
 * Who sends mail of others may not speak ahead of these answers (RFC 2920
 * section 3.1): he cannot know yet what we offer, or that we take the message.
 * Programs that do, and those that were talked into it, say goodbye here. Mail
 * programs of our own users are forgiven.
 */
bool
smtp_is_too_early(struct smtp_session *session)
{
	if (session->service != SERVICE_SMTP ||
	    connection_input(session->connection)->size == 0)
		return false;
	log_info("too-early", "sid=%" PRIu64 " ip=%s", session->number,
	    session->client_ip);
	smtp_session_close(session, REPLY_TOO_EARLY);
	return true;
}

/* The domain of addresses that a program of this machine left without one. */
static const char *
origin(const struct settings *settings)
{
	return settings->domain_count > 0 ? settings->domains[0]
					  : settings->host;
}

/* What only those who hand in mail are offered. */
static void
list_more(const struct smtp_session *session, char more[MORE_SIZE])
{
	char latest[FUTURE_RELEASE_SIZE];

	more[0] = '\0';
	if (!smtp_offers_more(session))
		return;
	future_release_format(
	    clock_wall_us() / 1000000 + FUTURE_RELEASE_MAX_S, latest);
	(void)snprintf(more, MORE_SIZE,
	    "250-BINARYMIME\r\n250-MT-PRIORITY\r\n"
	    "250-FUTURERELEASE %d %s\r\n",
	    FUTURE_RELEASE_MAX_S, latest);
}

/* Without an argument: after AUTH (RFC 4468 section 3.1). Of the two it may
 * have then, only URLs with a token are taken. */
static const char *
burl(const struct smtp_session *session)
{
	if (session->service != SERVICE_SUBMIT ||
	    !connection_is_tls(session->connection))
		return "";
	return session->is_logged_in ? "250-BURL imap\r\n" : "250-BURL\r\n";
}

void
smtp_hello(struct smtp_session *session, const struct smtp_command *command)
{
	const struct settings *settings = session->front->settings;
	bool is_local = session->service == SERVICE_LOCAL;
	char more[MORE_SIZE];

	if ((session->service == SERVICE_LMTP) !=
	    (command->verb == SMTP_LHLO)) {
		smtp_session_reply(session, REPLY_NOT_HERE);
		return;
	}
	if (smtp_is_too_early(session))
		return;
	smtp_forget(session);
	text_copy(command->argument, session->helo, sizeof(session->helo));
	session->is_esmtp = command->verb != SMTP_HELO;
	if (!session->is_esmtp) {
		smtp_session_write(session, "250 %s\r\n", settings->host);
		return;
	}
	list_more(session, more);
	smtp_session_write(session,
	    "250-%s\r\n250-PIPELINING\r\n250-SIZE %" PRIu64 "\r\n"
	    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
	    "250-LIMITS RCPTMAX=%u\r\n%s%s%s%s%s%s%s%s%s%s%s"
	    "250 ENHANCEDSTATUSCODES\r\n",
	    settings->host, settings->max_message_bytes,
	    settings->max_recipients,
	    smtp_offers_dsn(session) ? "250-DSN\r\n" : "",
	    session->service == SERVICE_LMTP ? "" : "250-DELIVERBY\r\n", more,
	    connection_is_tls(session->connection) ? "250-REQUIRETLS\r\n" : "",
	    can_start_tls(session) ? "250-STARTTLS\r\n" : "",
	    session->service == SERVICE_SUBMIT &&
		    connection_is_tls(session->connection)
		? "250-AUTH PLAIN LOGIN\r\n"
		: "",
	    burl(session),
	    session->may_xclient ? "250-XCLIENT " XCLIENT_ATTRIBUTES "\r\n"
				 : "",
	    is_local ? "250-XORIGIN=" : "", is_local ? origin(settings) : "",
	    is_local ? "\r\n" : "");
}

/* Whatever came along with STARTTLS was put there by somebody in the middle:
 * nobody can have heard our 220 yet. */
void
smtp_start_tls(struct smtp_session *session)
{
	if (connection_is_tls(session->connection)) {
		smtp_session_reply(session, REPLY_IS_TLS);
	} else if (session->tls_mode == LISTEN_TLS_NONE) {
		smtp_session_reply(session, REPLY_NOT_HERE);
	} else if (session->front->tls == NULL) {
		smtp_session_reply(session, REPLY_TLS_UNAVAILABLE);
	} else if (connection_input(session->connection)->size > 0) {
		smtp_session_close(session, REPLY_INJECTED);
	} else {
		smtp_forget(session);
		session->helo[0] = '\0';
		session->is_esmtp = false;
		smtp_session_reply(session, REPLY_START_TLS);
		if (connection_start_tls(
			session->connection, session->front->tls) == -1)
			smtp_session_close(session, REPLY_INJECTED);
	}
}
