/*
 * What the sender of a message is told of it (RFC 3461, 3464, 6522; 6533 where
 * addresses are in UTF-8): a multipart/report of three parts, words for people,
 * fields for programs, and what was sent, as much of it as he asked for.  Pure:
 * the envelope, the words of hosts and the first bytes of the message go in,
 * bytes with CR LF come out.
 *
 * Whatever a host said is a guest in the report: it stands on one line, without
 * control bytes, and never ends a part.
 */
#ifndef SMTPD_SPOOL_REPORT_H
#define SMTPD_SPOOL_REPORT_H

#include "common/buf.h"
#include "smtpd/spool_form.h"

enum {
	REPORT_MAX_ORIGINAL = 50000, /* of a message that is sent back whole */
	REPORT_MAX_HEADER = 16384    /* of one whose header is sent back */
};

enum report_kind {
	REPORT_FAILURE,
	REPORT_DELAY,
	REPORT_SUCCESS, /* it went to one who tells nobody of success */
	REPORT_DELIVERED,
	REPORT_EXPANDED /* to all who are behind an alias */
};

struct report_recipient {
	struct text address;
	struct text original; /* ORCPT as it was given, or "" */
	struct spool_words words;
	int64_t time; /* of the last try; 0: there was none */
};

struct report {
	enum report_kind kind;
	const char *host; /* ours */
	char id[33];      /* of the report: hex, as random as the boundary */
	int64_t now;
	int64_t arrival;     /* of the message */
	int64_t retry_until; /* a delay: when it is given up */
	int64_t deliver_by;  /* RFC 2852; 0: whenever */
	unsigned int flags;  /* of the message, TRANSACTION_ bits */
	struct text sender;  /* who is told */
	struct text envelope_id;
	struct text queue_id; /* of the message */
	const struct report_recipient *recipients;
	size_t count;
	/* The message, or its first bytes: at least its header, or
	 * REPORT_MAX_ORIGINAL of it. `size` is that of all of it. */
	struct text original;
	uint64_t size;
};

/* 0, or -1: it is longer than `to` may be. */
int spool_report_format(const struct report *report, struct buf *to);

/* RFC 3461 section 4: the bytes that xtext stands for, as far as they are
 * printable. */
void spool_report_put_xtext(struct text xtext, bool is_utf8, struct buf *to);

#endif
