/*
 * What spool_tls_reports.c (counting, when a report is due, the administrator)
 * and spool_tls_try.c (a try to send one) share.
 */
#ifndef SMTPD_SPOOL_TLS_STATE_H
#define SMTPD_SPOOL_TLS_STATE_H

#include "common/table.h"
#include "smtpd/spool_tls_reports.h"
#include "smtpd/tlsrpt_store.h"

enum {
	TLS_REPORT_JITTER_S = 4 * 3600 /* RFC 8460 section 4.1 */
};

struct spool_tls_reports {
	struct spool *spool;
	struct channel *fetcher; /* NULL: away */
	struct timer *timer;
	struct table *posts; /* that the fetcher has, by tag */
	uint64_t last_tag;
	int64_t closed; /* when the administrator had all sent */
};

/* ---- spool_tls_reports.c ---- */
int64_t spool_tls_now_s(void);
/* When the period of a report ends. */
int64_t spool_tls_end_of(
    const struct spool_tls_reports *reports, uint32_t period);

/* ---- spool_tls_try.c ---- */
/* The report goes to all addresses that have not had it, in this round. */
void spool_tls_try(struct spool_tls_reports *reports, struct tlsrpt_id id);
void spool_tls_forget_posts(struct spool_tls_reports *reports);

#endif
