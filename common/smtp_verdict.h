/*
 * What the queue decides about a step of a transaction, and the reply that a
 * client gets for it: one table for both sides, so that a front sends a code
 * that the queue meant and nothing of the queue's text but the queue id.
 */
#ifndef COMMON_SMTP_VERDICT_H
#define COMMON_SMTP_VERDICT_H

#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

/* Defects of a body as it came (bits of `defects` in transaction_end). */
enum {
	DEFECT_BARE_LF = 1, /* LF without CR before it */
	DEFECT_BARE_CR = 2, /* CR without LF after it */
	DEFECT_NUL = 4
};

/* Bits of `flags` in transaction_begin, spool_put and relay_job. */
enum {
	TRANSACTION_ESMTP = 1,    /* EHLO was said */
	TRANSACTION_8BITMIME = 2, /* BODY=8BITMIME */
	TRANSACTION_SMTPUTF8 = 4,
	TRANSACTION_RETURN_FULL = 8, /* RET= of RFC 3461 */
	TRANSACTION_RETURN_HEADERS = 16,
	TRANSACTION_REQUIRETLS = 32, /* RFC 8689 */
	TRANSACTION_BINARYMIME = 64, /* RFC 3030: CR, LF and NUL anywhere */
	/* The sender hears of some who have it already (enum outgoing_fate). */
	TRANSACTION_TELLS = 128,
	TRANSACTION_TLS_OPTIONAL = 256, /* whatever policies say (RFC 8689) */
	/* With a time to deliver by (RFC 2852): it is returned then, else its
	 * sender is told; he hears of each host that it is passed on to. */
	TRANSACTION_BY_RETURN = 512,
	TRANSACTION_BY_TRACE = 1024,
	/* What a client can ask for. */
	TRANSACTION_ASKED = 127 | TRANSACTION_BY_RETURN | TRANSACTION_BY_TRACE
};

enum smtp_verdict {
	VERDICT_OK,       /* sender or recipient taken; a part kept */
	VERDICT_ACCEPTED, /* the message is durable; text: queue id */
	VERDICT_NO_STORE,
	VERDICT_UNAVAILABLE,
	VERDICT_NO_SPACE,
	VERDICT_BUSY,
	VERDICT_TOO_MANY_RECIPIENTS,
	VERDICT_TOO_BIG,
	VERDICT_UNKNOWN_USER,
	VERDICT_RELAYING,
	VERDICT_BAD_RECIPIENT,
	VERDICT_BAD_SENDER,
	VERDICT_NOT_LOGGED_IN,
	VERDICT_SENDER_NOT_OWNED,
	VERDICT_NO_RECIPIENTS,
	VERDICT_LOOP,
	VERDICT_BARE_LF,
	VERDICT_BARE_CR,
	VERDICT_NUL,
	VERDICT_MANY_FROM,
	VERDICT_REFUSED,
	VERDICT_SEQUENCE,
	VERDICT_SENT_ENOUGH,
	VERDICT_BINARY,
	VERDICT_OVERQUOTA,
	/* Of an URL that stands for a part of the body (RFC 4468 section 6). */
	VERDICT_URL_MALFORMED,
	VERDICT_URL_FOREIGN,
	VERDICT_URL_REFUSED,
	VERDICT_URL_MISSING,
	VERDICT_URL_UNAVAILABLE,
	VERDICT_COUNT
};

struct smtp_verdict_row {
	uint16_t code;
	const char *enhanced; /* RFC 3463 */
	const char *text;
};

/* Any number from a peer: one beyond the table is answered like
 * VERDICT_UNAVAILABLE. */
const struct smtp_verdict_row *smtp_verdict_row(unsigned int verdict);

/* 2xx. */
static inline int
smtp_verdict_is_good(unsigned int verdict)
{
	return verdict == VERDICT_OK || verdict == VERDICT_ACCEPTED;
}

#endif
