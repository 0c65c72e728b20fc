/*
 * The arguments of XCLIENT (Postfix's XCLIENT_README): what a proxy that is
 * trusted says of the client for whom it speaks.  Pure.
 *
 * LOGIN is taken note of and never believed: who is logged in is a word of
 * authd's to the queue, about a connection, and nothing that comes over it.
 */
#ifndef SMTPD_XCLIENT_H
#define SMTPD_XCLIENT_H

#include "common/mail_address.h"
#include "common/network.h"
#include "common/text.h"

#include <stdbool.h>

/* What is announced, and taken. */
#define XCLIENT_ATTRIBUTES "NAME ADDR PORT PROTO HELO DESTADDR DESTPORT"

struct xclient {
	bool has_login;             /* a name was given */
	char ip[NETWORK_TEXT_SIZE]; /* ADDR; "" where it was not told */
	char hello[MAIL_ADDRESS_MAX_DOMAIN + 1]; /* HELO; "" likewise */
	bool is_esmtp;                           /* PROTO */
};

/* 0, or -1: an attribute that there is not, or twice, or a value that is
 * none. */
int xclient_parse(struct text arguments, struct xclient *xclient);

#endif
