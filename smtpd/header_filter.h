/*
 * The header of a message on its way in: counts what decides about it, and
 * takes out the fields that do not pass.  Pure; bytes with LF or CR LF line
 * ends in any chunks in, bytes out, nothing of a header is kept but the name of
 * its line.
 *
 * Return-Path of a former delivery goes: ours is the only one (RFC 5321 section
 * 4.4).  Bcc and Resent-Bcc go when the sender's own program hands the message
 * in, for it may have left that to us (RFC 5322 section 3.6.3, RFC 6409).
 *
 * A message without a header gets the empty line that ends it: ours is put in
 * front, and would have the first line of the text for a field.
 */
#ifndef SMTPD_HEADER_FILTER_H
#define SMTPD_HEADER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HEADER_FILTER_NAME_SIZE = 16, /* more than any name we look for */
	/* So much more than what went in may come out. */
	HEADER_FILTER_ROOM = HEADER_FILTER_NAME_SIZE + 2
};

struct header_filter {
	bool drops_bcc;
	bool is_exact; /* lines end in CR LF, ours too */
	unsigned int received_count;
	unsigned int from_count;
	bool has_date;
	bool has_message_id;
	bool is_tls_optional; /* "TLS-Required: No" (RFC 8689) */
	bool is_over;         /* the empty line came: the rest is the body */
	/* private */
	bool has_begun;  /* the first line was looked at */
	bool is_in_line; /* the name is behind us */
	bool is_dropping;
	bool is_tls_field; /* its value is looked at */
	size_t value_size; /* of the start of it, without spaces */
	char value[4];
	size_t name_size;
	char name[HEADER_FILTER_NAME_SIZE];
};

/* Uses `in` up to the end of the header (*used), and puts at most `size` and
 * HEADER_FILTER_ROOM bytes to `out`; how many. */
size_t header_filter_feed(struct header_filter *filter, const uint8_t *in,
    size_t size, size_t *used, uint8_t *out);

/* The message ended within its header: what of a name was held back, at most
 * HEADER_FILTER_ROOM bytes. */
size_t header_filter_finish(struct header_filter *filter, uint8_t *out);

#endif
