/*
 * The form of reports.  See spool_report.h.
 */
#include "smtpd/spool_report.h"

#include "common/mail_date.h"
#include "common/mail_header.h"
#include "common/smtp_verdict.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	FOLD_AT = 70 /* words of hosts in the part for people */
};

/* What is said in each kind. */
static const struct {
	const char *subject;
	const char *opening;
	const char *action;
	const char *status; /* if the host said none */
} kinds[] = {
	[REPORT_FAILURE] = { "Your message could not be delivered",
	    "your message could not be delivered to these recipients, and is "
	    "not tried\r\nany more:\r\n",
	    "failed", "5.0.0" },
	[REPORT_DELAY] = { "Your message is late",
	    "your message could not yet be delivered to these recipients.  It "
	    "is tried\r\nagain: you need not send it once more.\r\n",
	    "delayed", "4.0.0" },
	[REPORT_SUCCESS] = { "Your message was passed on",
	    "your message was taken by the next host for these recipients, "
	    "which will not\r\nreport on what becomes of it:\r\n",
	    "relayed", "2.0.0" },
	[REPORT_DELIVERED] = { "Your message was delivered",
	    "your message is in the mailboxes of these recipients:\r\n",
	    "delivered", "2.0.0" },
	[REPORT_EXPANDED] = { "Your message was passed on",
	    "your message is on its way to all who are behind these "
	    "addresses:\r\n",
	    "expanded", "2.0.0" },
};

/* On one line: no control byte, and none beyond ASCII unless it may be. */
static void
put_clean(struct buf *to, struct text text, bool is_utf8)
{
	unsigned char c;

	is_utf8 = is_utf8 && text_is_utf8(text);
	for (size_t i = 0; i < text.size; i++) {
		c = (unsigned char)text.data[i];
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8))
			c = c == '\t' ? ' ' : '?';
		buf_put_byte(to, c);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void
spool_report_put_xtext(struct text xtext, bool is_utf8, struct buf *to)
{
	char plain[SPOOL_MAX_ADDRESS];
	size_t size = 0;
	int high, low;

	for (size_t i = 0; i < xtext.size && size < sizeof(plain); i++) {
		plain[size++] = xtext.data[i];
		if (xtext.data[i] != '+' || i + 2 >= xtext.size)
			continue;
		high = hex_digit(xtext.data[i + 1]);
		low = hex_digit(xtext.data[i + 2]);
		if (high == -1 || low == -1)
			continue;
		plain[size - 1] = (char)(high * 16 + low);
		i += 2;
	}
	put_clean(to, text_make(plain, size), is_utf8);
}

static void
put_date(struct buf *to, const char *name, int64_t time)
{
	const struct mail_date date = { time, 0 };
	char text[MAIL_DATE_SIZE];

	mail_date_format(&date, text);
	buf_put_format(to, "%s: %s\r\n", name, text);
}

/* Addresses in UTF-8 make it a report of RFC 6533. */
static bool
is_global(const struct report *report)
{
	bool is_ascii = text_is_ascii(report->sender);

	for (size_t i = 0; i < report->count; i++)
		is_ascii =
		    is_ascii && text_is_ascii(report->recipients[i].address);
	return !is_ascii;
}

/* -- The header -- */

static void
put_header(const struct report *report, bool is_utf8, struct buf *to)
{
	buf_put_format(to,
	    "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
	    report->host);
	put_clean(to, report->sender, is_utf8);
	buf_put_format(to, ">\r\nSubject: %s\r\n", kinds[report->kind].subject);
	put_date(to, "Date", report->now);
	buf_put_format(to,
	    "Message-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n"
	    "\tboundary=\"=_%s\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n",
	    report->id, report->host,
	    is_utf8 ? "global-delivery-status" : "delivery-status", report->id);
}

static void
open_part(const struct report *report, const char *type, const char *encoding,
    const char *description, struct buf *to)
{
	buf_put_format(to,
	    "\r\n--=_%s\r\nContent-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "Content-Description: %s\r\n\r\n",
	    report->id, type, encoding, description);
}

/* -- For people -- */

/* In lines that a reader needs not scroll, each behind four spaces. */
static void
put_folded(struct buf *to, struct text words, bool is_utf8)
{
	size_t size;

	while (words.size > 0) {
		size = words.size;
		if (size > FOLD_AT) {
			size = FOLD_AT;
			while (size > 1 && words.data[size] != ' ')
				size--;
			if (size == 1) {
				size = FOLD_AT;
				while (size < words.size &&
				       (words.data[size] & 0xc0) == 0x80)
					size++;
			}
		}
		buf_put_text(to, "    ");
		put_clean(to, text_make(words.data, size), is_utf8);
		buf_put_text(to, "\r\n");
		words = text_trim(text_skip(words, size));
	}
}

static void
put_words(const struct spool_words *words, bool is_utf8, struct buf *to)
{
	char line[SPOOL_MAX_WORDS + 64];
	int size;

	if (words->host.size > 0 && words->code != 0) {
		buf_put_text(to, "  The host ");
		put_clean(to, words->host, is_utf8);
		buf_put_text(to, " said:\r\n");
	}
	size =
	    words->code != 0
		? snprintf(line, sizeof(line), "%u %.*s%s%.*s",
		      (unsigned int)words->code, TEXT_FMT(words->enhanced),
		      words->enhanced.size > 0 ? " " : "",
		      TEXT_FMT(words->text))
		: snprintf(line, sizeof(line), "%.*s", TEXT_FMT(words->text));
	put_folded(to, text_make(line, (size_t)size), is_utf8);
}

static void
put_people_part(const struct report *report, bool is_utf8, struct buf *to)
{
	open_part(
	    report, "text/plain; charset=utf-8", "8bit", "Notification", to);
	buf_put_format(to, "This is the mail system at %s:\r\n%s", report->host,
	    kinds[report->kind].opening);
	for (size_t i = 0; i < report->count; i++) {
		buf_put_text(to, "\r\n<");
		put_clean(to, report->recipients[i].address, is_utf8);
		buf_put_text(to, ">\r\n");
		put_words(&report->recipients[i].words, is_utf8, to);
	}
	if (report->kind == REPORT_DELAY) {
		buf_put_text(to, "\r\n");
		put_date(to, "It is given up after", report->retry_until);
	}
}

/* -- For programs -- */

/* "rfc822;" and the address, or the type of ORCPT and what its xtext says. */
static void
put_address_field(
    struct buf *to, const char *name, struct text original, bool is_utf8)
{
	ptrdiff_t semicolon = text_find_byte(original, ';');

	if (semicolon < 1)
		return;
	buf_put_format(to, "%s: ", name);
	put_clean(to, text_make(original.data, (size_t)semicolon), false);
	buf_put_byte(to, ';');
	spool_report_put_xtext(
	    text_skip(original, (size_t)semicolon + 1), is_utf8, to);
	buf_put_text(to, "\r\n");
}

static void
put_status(const struct report *report, const struct spool_words *words,
    struct buf *to)
{
	struct text status = words->enhanced;
	char class = kinds[report->kind].status[0];

	/* The class is that of what became of it, not of the last try. */
	if (status.size < 5 || status.data[0] < '2' || status.data[0] > '5' ||
	    (class == '2') != (status.data[0] == '2'))
		status = text_of(kinds[report->kind].status);
	buf_put_text(to, "Status: ");
	put_clean(to, status, false);
	buf_put_text(to, "\r\n");
}

static void
put_recipient_fields(const struct report *report,
    const struct report_recipient *recipient, bool is_utf8, struct buf *to)
{
	const struct spool_words *words = &recipient->words;

	buf_put_text(to, "\r\n");
	put_address_field(
	    to, "Original-Recipient", recipient->original, is_utf8);
	buf_put_format(to, "Final-Recipient: %s;",
	    text_is_ascii(recipient->address) ? "rfc822" : "utf-8");
	put_clean(to, recipient->address, is_utf8);
	buf_put_format(to, "\r\nAction: %s\r\n", kinds[report->kind].action);
	put_status(report, words, to);
	if (words->host.size > 0) {
		buf_put_text(to, "Remote-MTA: dns;");
		put_clean(to, words->host, false);
		buf_put_text(to, "\r\n");
	}
	if (words->code != 0) {
		buf_put_format(
		    to, "Diagnostic-Code: smtp;%u ", (unsigned int)words->code);
		put_clean(to, words->enhanced, false);
		buf_put_text(to, words->enhanced.size > 0 ? " " : "");
		put_clean(to, words->text, is_utf8);
		buf_put_text(to, "\r\n");
	}
	if (recipient->time != 0)
		put_date(to, "Last-Attempt-Date", recipient->time);
	if (report->kind == REPORT_DELAY)
		put_date(to, "Will-Retry-Until", report->retry_until);
}

static void
put_program_part(const struct report *report, bool is_utf8, struct buf *to)
{
	open_part(report,
	    is_utf8 ? "message/global-delivery-status"
		    : "message/delivery-status",
	    is_utf8 ? "8bit" : "7bit", "Delivery report", to);
	if (report->envelope_id.size > 0) {
		buf_put_text(to, "Original-Envelope-Id: ");
		spool_report_put_xtext(report->envelope_id, false, to);
		buf_put_text(to, "\r\n");
	}
	buf_put_format(to, "Reporting-MTA: dns;%s\r\n", report->host);
	buf_put_text(to, "X-Queue-Id: ");
	put_clean(to, report->queue_id, false);
	buf_put_text(to, "\r\n");
	put_date(to, "Arrival-Date", report->arrival);
	if (report->deliver_by != 0)
		put_date(to, "Deliver-By-Date", report->deliver_by);
	for (size_t i = 0; i < report->count; i++)
		put_recipient_fields(
		    report, &report->recipients[i], is_utf8, to);
}

/* -- What was sent -- */

/* All of a message goes back only with a failure, and only if it is short and
 * no secret. */
static bool
is_whole(const struct report *report)
{
	return report->kind == REPORT_FAILURE &&
	       !(report->flags & TRANSACTION_RETURN_HEADERS) &&
	       !(report->flags & TRANSACTION_BINARYMIME) &&
	       !(report->flags & TRANSACTION_REQUIRETLS) &&
	       report->size <= REPORT_MAX_ORIGINAL &&
	       report->original.size == report->size;
}

static struct text
header_of(const struct report *report)
{
	size_t size = mail_header_size(report->original);

	if (size > REPORT_MAX_HEADER) {
		size = REPORT_MAX_HEADER;
		while (size > 0 && report->original.data[size - 1] != '\n')
			size--;
	}
	return text_make(report->original.data, size);
}

static void
put_original_part(const struct report *report, bool is_utf8, struct buf *to)
{
	bool whole = is_whole(report);
	struct text bytes = whole ? report->original : header_of(report);
	const char *type;

	if (is_utf8)
		type = whole ? "message/global" : "message/global-headers";
	else
		type = whole ? "message/rfc822" : "text/rfc822-headers";
	open_part(report, type, text_is_ascii(bytes) ? "7bit" : "8bit",
	    whole ? "Message" : "Header of the message", to);
	buf_put(to, bytes.data, bytes.size);
	if (bytes.size > 0 && bytes.data[bytes.size - 1] != '\n')
		buf_put_text(to, "\r\n");
}

int
spool_report_format(const struct report *report, struct buf *to)
{
	bool is_utf8 = is_global(report);

	put_header(report, is_utf8, to);
	put_people_part(report, is_utf8, to);
	put_program_part(report, is_utf8, to);
	put_original_part(report, is_utf8, to);
	/* Whether all of it found room shows at its end. */
	return buf_put_format(to, "\r\n--=_%s--\r\n", report->id);
}
