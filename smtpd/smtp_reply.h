/*
 * The replies that the front gives by itself (those that the queue decides are
 * in common/smtp_verdict.h): code, enhanced code and text in one table.
 */
#ifndef SMTPD_SMTP_REPLY_H
#define SMTPD_SMTP_REPLY_H

#include "common/budget.h"

#include <stddef.h>
#include <stdint.h>

enum smtp_reply {
	REPLY_CLOSING,
	REPLY_OK,
	REPLY_SENDER_OK,
	REPLY_RECIPIENT_OK,
	REPLY_START_DATA,
	REPLY_START_TLS,
	REPLY_LOGGED_IN,
	REPLY_CANNOT_VERIFY,
	REPLY_HELP,
	REPLY_SHUTDOWN,
	REPLY_TIMEOUT,
	REPLY_NO_QUEUE,
	REPLY_TOO_MANY_CONNECTIONS,
	REPLY_TOO_MANY_OF_ALL,
	REPLY_TOO_OFTEN,
	REPLY_TOO_MANY_ERRORS,
	REPLY_TOO_MANY_COMMANDS,
	REPLY_TOO_MANY_LOGINS,
	REPLY_LOGIN_UNAVAILABLE,
	REPLY_UNKNOWN_COMMAND,
	REPLY_LINE_TOO_LONG,
	REPLY_BARE_LF,
	REPLY_BAD_ARGUMENTS,
	REPLY_BAD_PARAMETER,
	REPLY_NOT_HERE,
	REPLY_HELLO_FIRST,
	REPLY_BAD_SEQUENCE,
	REPLY_MAIL_FIRST,
	REPLY_NO_RECIPIENTS,
	REPLY_NEED_TLS,
	REPLY_NEED_LOGIN,
	REPLY_IS_TLS,
	REPLY_INJECTED,
	REPLY_TOO_EARLY,
	REPLY_TLS_UNAVAILABLE,
	REPLY_IS_LOGGED_IN,
	REPLY_BAD_MECHANISM,
	REPLY_LOGIN_FAILED,
	REPLY_LOGIN_CANCELLED,
	REPLY_LOGIN_MALFORMED,
	REPLY_BAD_SENDER,
	REPLY_BAD_RECIPIENT,
	REPLY_NEEDS_SMTPUTF8,
	REPLY_NOT_FOR_YOU,
	REPLY_NOT_BY_NAME,
	REPLY_COUNT
};

struct smtp_reply_row {
	uint16_t code;
	const char *enhanced; /* "" where RFC 2034 has none */
	const char *text;
};

/* To one whose budget is used up. */
enum smtp_reply smtp_reply_of_budget(enum budget_verdict verdict);

const struct smtp_reply_row *smtp_reply_row(enum smtp_reply reply);

/* The whole line with CR LF into `to`; its length. */
size_t smtp_reply_format(enum smtp_reply reply, char *to, size_t to_size);

#endif
