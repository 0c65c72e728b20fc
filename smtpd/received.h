/*
 * The header fields that are put before a message: Return-Path and Received
 * (RFC 5321 section 4.4), and for submission From, Date and Message-ID if they
 * are missing (RFC 6409 section 8).  Pure.
 */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

struct received {
	struct text sender; /* "" for the null sender */
	struct text helo;
	struct text client_ip;
	struct text tls; /* "TLSv1.3 TLS_AES_256_GCM_SHA384", "" without */
	struct text recipient; /* the only one, or "" */
	const char *host;
	const char *queue_id;
	bool is_esmtp;
	bool is_authenticated;
	bool is_lmtp;
	bool is_smtputf8;
	bool needs_date;
	bool needs_message_id;
	bool needs_from;
	int64_t time; /* seconds since 1970 */
};

enum {
	RECEIVED_MAX_SIZE = 4096
};

/* Adds the fields with LF line ends. Bytes of a peer that do not belong in a
 * header field come out as "?". */
void received_format(const struct received *received, struct buf *to);

/* The keyword after "with": SMTP, ESMTPS, UTF8SMTPSA, LMTP ... (RFC 3848,
 * 6531). */
const char *received_protocol(const struct received *received);

#endif
