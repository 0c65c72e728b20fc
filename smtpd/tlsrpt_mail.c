/* The mail that carries a report of TLS.  See tlsrpt_report.h. */
#include "smtpd/tlsrpt_report.h"

#include "common/base64.h"
#include "common/mail_date.h"

#include <stdio.h>

enum {
	LINE_BYTES = 57, /* 76 characters of base64 */
	NAME_SIZE = 600
};

void
tlsrpt_file_name(const struct tlsrpt_about *about, char *to, size_t to_size)
{
	(void)snprintf(to, to_size, "%.255s!%.*s!%lld!%lld.json.gz",
	    about->host, TEXT_FMT(about->domain), (long long)about->begin,
	    (long long)about->end);
}

static void
put_base64(struct text data, struct buf *to)
{
	char line[4 * LINE_BYTES / 3 + 1];

	while (data.size > 0) {
		size_t size = data.size < LINE_BYTES ? data.size : LINE_BYTES;

		base64_encode(text_make(data.data, size), line);
		(void)buf_put_format(to, "%s\r\n", line);
		data = text_skip(data, size);
	}
}

/* A report is delivered whatever is wrong with TLS: that is what it tells
 * of. */
static void
put_header(const struct tlsrpt_about *about, const char *address, int64_t now,
    const char *boundary, struct buf *to)
{
	const struct mail_date date = { now, 0 };
	char when[MAIL_DATE_SIZE], id[NAME_SIZE];

	mail_date_format(&date, when);
	tlsrpt_report_id(about, id, sizeof(id));
	(void)buf_put_format(to,
	    "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\n"
	    "Subject: Report Domain: %.*s\r\n"
	    " Submitter: %s\r\n Report-ID: <%s>\r\n"
	    "Message-ID: <%s.%s>\r\n"
	    "TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %s\r\n"
	    "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n",
	    about->contact, address, when, TEXT_FMT(about->domain), about->host,
	    id, boundary, id, TEXT_FMT(about->domain), about->host, boundary);
}

static void
put_people_part(
    const struct tlsrpt_about *about, const char *boundary, struct buf *to)
{
	(void)buf_put_format(to,
	    "--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "This is a report of TLS (RFC 8460) from %s:\r\n"
	    "what became of its sessions with hosts of %.*s.\r\n\r\n",
	    boundary, about->host, TEXT_FMT(about->domain));
}

int
tlsrpt_mail_format(const struct tlsrpt_about *about, const char *address,
    int64_t now, const char *boundary, struct text report, struct buf *to)
{
	char name[NAME_SIZE];

	tlsrpt_file_name(about, name, sizeof(name));
	put_header(about, address, now, boundary, to);
	put_people_part(about, boundary, to);
	(void)buf_put_format(to,
	    "--=_%s\r\nContent-Type: application/tlsrpt+gzip\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n\tfilename=\"%s\"\r\n\r\n",
	    boundary, name);
	put_base64(report, to);
	return buf_put_format(to, "--=_%s--\r\n", boundary);
}
