/*
 * The fields that are put before a message.
 */
#include "smtpd/received.h"

#include "common/mail_date.h"

#include <string.h>

const char *
received_protocol(const struct received *received)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" },
		    { "UTF8SMTPS", "UTF8SMTPSA" } }
	};

	static const char *const lmtp_names[2][2] = { { "LMTP", "LMTPS" },
		{ "UTF8LMTP", "UTF8LMTPS" } };

	if (received->is_lmtp)
		return lmtp_names[received->is_smtputf8]
				 [received->tls.size > 0];
	if (!received->is_esmtp)
		return "SMTP";
	return names[received->is_smtputf8][received->tls.size > 0]
		    [received->is_authenticated];
}

/* Text of the peer's: no controls, and nothing that ends a comment. */
static void
put_clean(struct buf *to, struct text text)
{
	size_t i;
	char c;

	for (i = 0; i < text.size; i++) {
		c = text.data[i];
		if ((unsigned char)c < ' ' || c == 0x7f || c == '(' ||
		    c == ')' || c == '\\')
			c = '?';
		buf_put_byte(to, (uint8_t)c);
	}
}

/* An address was parsed strictly: only controls are looked for. */
static void
put_address(struct buf *to, struct text address)
{
	size_t i;

	for (i = 0; i < address.size; i++)
		buf_put_byte(to, (unsigned char)address.data[i] < ' '
				     ? '?'
				     : (uint8_t)address.data[i]);
}

/* Not by gmtime: it looks for a file of time zones, and this process has none
 * and dies of looking. */
static void
put_date(struct buf *to, int64_t seconds)
{
	const struct mail_date date = { .time = seconds };
	char text[MAIL_DATE_SIZE];

	mail_date_format(&date, text);
	buf_put_format(to, "%s\n", text);
}

/* "local" is no address. */
static void
put_client(struct buf *to, struct text client_ip)
{
	bool is_address = text_find_byte(client_ip, '.') != -1 ||
			  text_find_byte(client_ip, ':') != -1;

	buf_put_text(to, is_address ? " ([" : " (");
	if (text_find_byte(client_ip, ':') != -1)
		buf_put_text(to, "IPv6:");
	put_clean(to, client_ip);
	if (is_address)
		buf_put_text(to, "]");
}

void
received_format(const struct received *received, struct buf *to)
{
	buf_put_text(to, "Return-Path: <");
	put_address(to, received->sender);
	buf_put_text(to, ">\nReceived: from ");
	put_clean(to, received->helo);
	put_client(to, received->client_ip);
	buf_put_format(to, ")\n\tby %s (Firnmail) with %s", received->host,
	    received_protocol(received));
	if (received->tls.size > 0) {
		buf_put_text(to, "\n\t(");
		put_clean(to, received->tls);
		buf_put_text(to, ")");
	}
	buf_put_format(to, "\n\tid %s", received->queue_id);
	if (received->recipient.size > 0) {
		buf_put_text(to, "\n\tfor <");
		put_address(to, received->recipient);
		buf_put_text(to, ">");
	}
	buf_put_text(to, ";\n\t");
	put_date(to, received->time);
	if (received->needs_date) {
		buf_put_text(to, "Date: ");
		put_date(to, received->time);
	}
	if (received->needs_from) {
		buf_put_text(to, "From: <");
		put_address(to, received->sender);
		buf_put_text(to, ">\n");
	}
	if (received->needs_message_id)
		buf_put_format(to, "Message-ID: <%s@%s>\n", received->queue_id,
		    received->host);
}
