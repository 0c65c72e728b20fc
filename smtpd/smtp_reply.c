/*
 * The table of the front's replies.
 */
#include "smtpd/smtp_reply.h"

#include <stdio.h>

static const struct smtp_reply_row rows[REPLY_COUNT] = {
	[REPLY_CLOSING] = { 221, "2.0.0", "Goodbye" },
	[REPLY_OK] = { 250, "2.0.0", "Ok" },
	[REPLY_SENDER_OK] = { 250, "2.1.0", "Sender ok" },
	[REPLY_RECIPIENT_OK] = { 250, "2.1.5", "Recipient ok" },
	[REPLY_START_DATA] = { 354, "", "End the message with CRLF.CRLF" },
	[REPLY_START_TLS] = { 220, "2.0.0", "Ready to start TLS" },
	[REPLY_LOGGED_IN] = { 235, "2.7.0", "Logged in" },
	[REPLY_CANNOT_VERIFY] = { 252, "2.5.0",
	    "Cannot say; send mail and see" },
	[REPLY_HELP] = { 214, "2.0.0", "RFC 5321 says it all" },
	[REPLY_SHUTDOWN] = { 421, "4.3.2", "Going down, come back later" },
	[REPLY_TIMEOUT] = { 421, "4.4.2", "You were silent for too long" },
	[REPLY_NO_QUEUE] = { 421, "4.3.0",
	    "The mail store is not there, try again later" },
	[REPLY_TOO_MANY_CONNECTIONS] = { 421, "4.7.0",
	    "Too many connections from you, try again later" },
	[REPLY_TOO_MANY_OF_ALL] = { 421, "4.7.0",
	    "Too many connections, try again later" },
	[REPLY_TOO_OFTEN] = { 421, "4.7.0",
	    "You connect too often, try again later" },
	[REPLY_TOO_MANY_ERRORS] = { 421, "4.7.0",
	    "Too many errors, try again later" },
	[REPLY_TOO_MANY_COMMANDS] = { 421, "4.7.0",
	    "Too many commands without mail" },
	[REPLY_TOO_MANY_LOGINS] = { 421, "4.7.0", "Too many failed logins" },
	[REPLY_LOGIN_UNAVAILABLE] = { 454, "4.7.0",
	    "Logging in does not work now, try again later" },
	[REPLY_UNKNOWN_COMMAND] = { 500, "5.5.2", "Unknown command" },
	[REPLY_LINE_TOO_LONG] = { 500, "5.5.6", "Line too long" },
	[REPLY_BARE_LF] = { 500, "5.5.2", "Lines must end in CR LF" },
	[REPLY_BAD_ARGUMENTS] = { 501, "5.5.4", "Malformed arguments" },
	[REPLY_BAD_PARAMETER] = { 555, "5.5.4", "Parameter not known" },
	[REPLY_NOT_HERE] = { 502, "5.5.1", "Not offered here" },
	[REPLY_HELLO_FIRST] = { 503, "5.5.1", "Say EHLO first" },
	[REPLY_BAD_SEQUENCE] = { 503, "5.5.1", "Not in this place" },
	[REPLY_MAIL_FIRST] = { 503, "5.5.1", "Say MAIL first" },
	[REPLY_NO_RECIPIENTS] = { 554, "5.5.1", "No valid recipients" },
	[REPLY_NEED_TLS] = { 530, "5.7.0", "Say STARTTLS first" },
	[REPLY_NEED_LOGIN] = { 530, "5.7.0", "Authentication required" },
	[REPLY_IS_TLS] = { 503, "5.5.1", "TLS is on already" },
	[REPLY_INJECTED] = { 554, "5.7.0", "Nothing may follow STARTTLS" },
	[REPLY_TOO_EARLY] = { 554, "5.5.0",
	    "You spoke before it was your turn" },
	[REPLY_TLS_UNAVAILABLE] = { 454, "4.7.0", "TLS does not work now" },
	[REPLY_IS_LOGGED_IN] = { 503, "5.5.1", "Logged in already" },
	[REPLY_BAD_MECHANISM] = { 504, "5.5.4", "Mechanism not known" },
	[REPLY_LOGIN_FAILED] = { 535, "5.7.8",
	    "User name or password is wrong" },
	[REPLY_LOGIN_CANCELLED] = { 501, "5.7.0", "Login cancelled" },
	[REPLY_LOGIN_MALFORMED] = { 501, "5.5.2", "Malformed credentials" },
	[REPLY_BAD_SENDER] = { 553, "5.1.7", "Malformed sender address" },
	[REPLY_BAD_RECIPIENT] = { 553, "5.1.3", "Malformed address" },
	[REPLY_NEEDS_SMTPUTF8] = { 553, "5.6.7",
	    "This address needs SMTPUTF8" },
	[REPLY_NOT_BY_NAME] = { 501, "5.7.0",
	    "Nobody is logged in by XCLIENT, let him say AUTH" },
	[REPLY_NOT_FOR_YOU] = { 421, "4.7.1", "Not one of our mail servers" },
};

enum smtp_reply
smtp_reply_of_budget(enum budget_verdict verdict)
{
	switch (verdict) {
	case BUDGET_ADDRESS:
	case BUDGET_NETWORK:
		return REPLY_TOO_MANY_CONNECTIONS;
	case BUDGET_ADDRESS_RATE:
	case BUDGET_NETWORK_RATE:
		return REPLY_TOO_OFTEN;
	case BUDGET_ADDRESS_ERRORS:
	case BUDGET_NETWORK_ERRORS:
		return REPLY_TOO_MANY_ERRORS;
	default:
		return REPLY_TOO_MANY_OF_ALL;
	}
}

const struct smtp_reply_row *
smtp_reply_row(enum smtp_reply reply)
{
	return &rows[reply];
}

size_t
smtp_reply_format(enum smtp_reply reply, char *to, size_t to_size)
{
	const struct smtp_reply_row *row = &rows[reply];

	return (size_t)snprintf(to, to_size, "%u %s%s%s\r\n", row->code,
	    row->enhanced, row->enhanced[0] != '\0' ? " " : "", row->text);
}
