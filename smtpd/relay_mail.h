/*
 * One message on its way to one destination: its envelope, and which of its
 * recipients something final was said of.  The relay makes it from a job of the
 * spool's; the client of a connection says it and hands back each verdict.
 */
#ifndef SMTPD_RELAY_MAIL_H
#define SMTPD_RELAY_MAIL_H

#include "common/relay_route.h"
#include "common/text.h"
#include "smtpd/relay_body.h"
#include "smtpd/relay_reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum relay_recipient_state {
	RELAY_RECIPIENT_WAITS,
	RELAY_RECIPIENT_ACCEPTED, /* in this transaction */
	RELAY_RECIPIENT_DECIDED
};

struct relay_recipient {
	struct text address;
	struct text original; /* ORCPT, or "" */
	uint8_t notify;       /* enum dsn_notify */
	enum relay_recipient_state state;
};

/* What became of a recipient, in the words of the one who decided it. */
struct relay_verdict {
	enum relay_outcome outcome;
	unsigned int code; /* of his reply; 0: it was ours */
	const char *enhanced;
	const char *text;
};

struct relay_mail {
	struct text sender;
	struct text envelope_id;
	unsigned int flags; /* of common/smtp_verdict.h */
	int8_t priority;    /* RFC 6710; 0: none was said */
	int64_t deliver_by; /* RFC 2852, seconds since 1970; 0: whenever */
	int64_t by_left_s;  /* until then, as it is said to a server */
	struct relay_recipient *recipients;
	uint16_t *members; /* room for all: those of a transaction */
	size_t count;
	struct relay_body *body;
	void (*decided)(struct relay_mail *mail, size_t recipient,
	    const struct relay_verdict *verdict, void *context);
	void *context;
};

/* Once a recipient. */
void relay_mail_decide(struct relay_mail *mail, size_t recipient,
    const struct relay_verdict *verdict);
/* All of whom nothing final was said. */
void relay_mail_decide_rest(
    struct relay_mail *mail, const struct relay_verdict *verdict);
size_t relay_mail_undecided(const struct relay_mail *mail);

/* DEFERRED or FAILED, as the first digit of the reply's code says. */
struct relay_verdict relay_mail_verdict(const struct relay_reply *reply);

/* May be said to a server: no control bytes, no space outside quotes. */
bool relay_mail_is_address(struct text address);

#endif
