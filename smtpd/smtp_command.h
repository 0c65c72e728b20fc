/*
 * One command line of SMTP (RFC 5321 section 4.1), split and checked by its
 * form alone.  Pure; whether it may stand here is the session's to say.
 */
#ifndef SMTPD_SMTP_COMMAND_H
#define SMTPD_SMTP_COMMAND_H

#include "common/mail_address.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* RFC 5321's 512, with what MAIL's and AUTH's extensions add. */
	SMTP_COMMAND_MAX_SIZE = 2048,
	SMTP_COMMAND_MAX_PARAMETERS = 8
};

enum smtp_verb {
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_BURL,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_XCLIENT,
	SMTP_UNKNOWN, /* no such verb, or one we do not have */
	SMTP_VERB_COUNT
};

enum smtp_body {
	SMTP_BODY_7BIT,
	SMTP_BODY_8BITMIME,
	SMTP_BODY_BINARYMIME
};

/* How much of a message comes back with a report (RFC 3461 section 4.3). */
enum smtp_return {
	SMTP_RETURN_ANY, /* it was not said */
	SMTP_RETURN_FULL,
	SMTP_RETURN_HEADERS
};

enum smtp_command_result {
	SMTP_COMMAND_OK,
	SMTP_COMMAND_UNKNOWN,       /* 500 5.5.2 */
	SMTP_COMMAND_BAD_ARGUMENTS, /* 501 5.5.4 */
	SMTP_COMMAND_BAD_PATH,      /* 553 5.1.3 or 5.1.7 */
	SMTP_COMMAND_BAD_PARAMETER, /* 555 5.5.4: not one we announced */
	SMTP_COMMAND_TWICE,         /* 501 5.5.4: a parameter came twice */
	SMTP_COMMAND_NEEDS_SMTPUTF8 /* 553 5.6.7 */
};

struct smtp_command {
	enum smtp_verb verb;
	struct text argument;         /* EHLO HELO LHLO VRFY ...: all of it */
	struct mailbox_address path;  /* MAIL, RCPT */
	uint64_t size;                /* MAIL SIZE=, 0 if it was not said */
	enum smtp_body body;          /* MAIL BODY= */
	bool is_smtputf8;             /* MAIL SMTPUTF8 */
	bool is_requiretls;           /* MAIL REQUIRETLS */
	bool has_priority;            /* MAIL MT-PRIORITY= was said */
	int priority;                 /* its -9 to 9 */
	uint32_t hold_for;            /* MAIL HOLDFOR=, 0: not said */
	int64_t hold_until;           /* MAIL HOLDUNTIL=, as time */
	bool has_by;                  /* MAIL BY= was said */
	int64_t by_time;              /* its seconds, */
	bool is_by_return;            /* R rather than N, */
	bool is_by_trace;             /* and T */
	bool has_dsn;                 /* one of the next four was said */
	enum smtp_return return_part; /* MAIL RET= */
	struct text envelope_id;      /* MAIL ENVID=, as xtext */
	unsigned int notify;          /* RCPT NOTIFY=: enum dsn_notify */
	struct text original;         /* RCPT ORCPT=: type;xtext */
	uint64_t chunk_size;          /* BDAT */
	bool is_last;                 /* BDAT LAST, BURL LAST */
	struct text url;              /* BURL */
	struct text mechanism;        /* AUTH */
	struct text initial;          /* AUTH; NULL data if none */
};

/* What can stand behind EHLO. */
bool smtp_command_is_hello(struct text name);

/* `line` without its CR LF. Texts in `command` point into it
 * and into `command`, which must not be copied. */
enum smtp_command_result smtp_command_parse(
    struct text line, struct smtp_command *command);

#endif
