/*
 * XCLIENT: a proxy that the settings trust speaks for somebody else from now
 * on, whose address counts in budgets, log and trace as if he had connected
 * himself. The session begins again with a greeting.  Nobody is logged in by
 * it: a name in LOGIN is refused, for the queue hears from authd alone who
 * somebody is.
 */
#include "common/clock.h"
#include "common/log.h"
#include "smtpd/smtp_session.h"
#include "smtpd/xclient.h"

#include <inttypes.h>
#include <stdio.h>

/* False: the client has no budget left, and it says goodbye. */
static bool
change_client(struct smtp_session *session, const char *ip)
{
	struct budget *budget = session->front->budget;
	struct listener_client client = listener_client_at(budget, ip);
	enum budget_verdict verdict = budget_move(
	    budget, &session->client, &client.budget, clock_monotonic_us());

	if (verdict != BUDGET_OK) {
		log_info("connection-refused",
		    "proto=smtp ip=%s budget=%s via=%s", ip,
		    budget_name(verdict), session->client_ip);
		smtp_session_close(session, smtp_reply_of_budget(verdict));
		return false;
	}
	log_info("xclient", "sid=%" PRIu64 " ip=%s via=%s", session->number, ip,
	    session->client_ip);
	session->client = client.budget;
	snprintf(session->client_ip, sizeof(session->client_ip), "%s", ip);
	return true;
}

void
smtp_xclient(struct smtp_session *session, const struct smtp_command *command)
{
	struct xclient xclient;

	if (!session->may_xclient) {
		smtp_session_reply(session, REPLY_UNKNOWN_COMMAND);
	} else if (session->transaction != 0 || session->is_logged_in) {
		smtp_session_reply(session, REPLY_BAD_SEQUENCE);
	} else if (xclient_parse(command->argument, &xclient) == -1) {
		smtp_session_reply(session, REPLY_BAD_ARGUMENTS);
	} else if (xclient.has_login) {
		smtp_session_reply(session, REPLY_NOT_BY_NAME);
	} else if (xclient.ip[0] == '\0' ||
		   change_client(session, xclient.ip)) {
		/* What was wrong before was another's. */
		session->errors = session->charged = 0;
		session->failed_logins = 0;
		snprintf(
		    session->helo, sizeof(session->helo), "%s", xclient.hello);
		session->is_esmtp = xclient.is_esmtp;
		smtp_greet(session);
	}
}
