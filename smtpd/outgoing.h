/*
 * What a transaction has for the spool: its recipients at other hosts, those of
 * whom its sender wants to hear that they have it, and the message as it goes
 * out: with CR LF again, without the Return-Path that only the last host writes
 * (RFC 5321 section 4.4).
 */
#ifndef SMTPD_OUTGOING_H
#define SMTPD_OUTGOING_H

#include "common/record.h"
#include "smtpd/mail_body.h"

enum {
	OUTGOING_ORIGINAL_SIZE = 500 /* as in the row `transaction_recipient` */
};

struct outgoing {
	struct buf records; /* outgoing records (common/record.h) */
	size_t count;       /* of those to be sent, */
	size_t told;        /* and of the others */
};

void outgoing_init(struct outgoing *outgoing);
void outgoing_clear(struct outgoing *outgoing);

/* One that is there already stays as it is. 0, or -1: there is no room. */
int outgoing_add(
    struct outgoing *outgoing, const struct outgoing_record *record);

/* What is added after a mark can be taken out again. */
struct outgoing_mark {
	size_t size;
	size_t count;
	size_t told;
};

struct outgoing_mark outgoing_mark(const struct outgoing *outgoing);
void outgoing_return_to(
    struct outgoing *outgoing, const struct outgoing_mark *mark);

/* The original recipient where an alias leads elsewhere and the client has
 * given none (RFC 3461 section 5.2.7): into `to`, or empty if xtext cannot say
 * it. */
struct text outgoing_original(
    struct text address, char to[OUTGOING_ORIGINAL_SIZE]);

/* Only its header, as much of it as a report has: of that size, in `data`. */
int outgoing_header(const struct mail_body *body, struct buf *data,
    uint64_t *size, struct error *error);

/* The body, which is finished, as it goes out: of `size` bytes, which are in
 * `data`, or in `*fd`, sealed, the caller's to close; else that is -1. */
int outgoing_body(const struct mail_body *body, struct buf *data, int *fd,
    uint64_t *size, struct error *error);

#endif
