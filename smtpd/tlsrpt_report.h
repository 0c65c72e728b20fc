/*
 * A report of TLS: what was counted as JSON (RFC 8460 section 4), compressed,
 * and the mail that carries it (section 5.3).  What other hosts said is a guest
 * in it: printable ASCII.
 */
#ifndef SMTPD_TLSRPT_REPORT_H
#define SMTPD_TLSRPT_REPORT_H

#include "common/buf.h"
#include "smtpd/tlsrpt_form.h"

enum {
	TLSRPT_MAX_BYTES = 60000, /* compressed, as post_report has it */
	TLSRPT_MAX_MAIL = 100000
};

struct tlsrpt_about {
	const char *host; /* ours */
	const char *organization;
	const char *contact; /* an address */
	struct text domain;  /* whose sessions they are */
	struct tlsrpt_id id;
	int64_t begin; /* seconds since 1970; both are of the report */
	int64_t end;
};

struct tlsrpt_report;

struct tlsrpt_report *tlsrpt_report_new(const struct tlsrpt_about *about);
void tlsrpt_report_free(struct tlsrpt_report **report);
/* For tlsrpt_store_each: a policy, or a failure of the last one. */
void tlsrpt_report_add(void *report, const struct tlsrpt_policy *policy,
    const struct tlsrpt_failure *failure);
/* Compressed. Failures are left out, the last ones first, if it would be longer
 * than TLSRPT_MAX_BYTES. 0, or -1 if it cannot be. */
int tlsrpt_report_write(struct tlsrpt_report *report, struct buf *to);

/* ---- tlsrpt_mail.c ---- */

/* The mail to `address`, with CR LF; `boundary` as random as it must be. 0, or
 * -1 if it is longer than `to` may be. */
int tlsrpt_mail_format(const struct tlsrpt_about *about, const char *address,
    int64_t now, const char *boundary, struct text report, struct buf *to);
/* "SUBMITTER!DOMAIN!BEGIN!END.json.gz" (section 5.1). */
void tlsrpt_file_name(
    const struct tlsrpt_about *about, char *to, size_t to_size);
/* "PERIOD.HASH@HOST" */
void tlsrpt_report_id(
    const struct tlsrpt_about *about, char *to, size_t to_size);

#endif
