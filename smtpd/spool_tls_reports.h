/*
 * Reports of TLS (RFC 8460), from the count to the last try: what the relay
 * says of its sessions is counted by UTC day; in the first hours of the next,
 * spread by domain, a report goes to each address that the domain names: as
 * mail through the queue, or by HTTPS through the fetcher, tried again for a
 * day.
 */
#ifndef SMTPD_SPOOL_TLS_REPORTS_H
#define SMTPD_SPOOL_TLS_REPORTS_H

#include "common/channel.h"
#include "smtpd/spool.h"

struct spool_tls_reports;

struct spool_tls_reports *spool_tls_reports_new(
    struct spool *spool, struct error *error);
void spool_tls_reports_free(struct spool_tls_reports **reports);

void spool_tls_reports_count(
    struct spool_tls_reports *reports, const struct message_tls_session *said);

/* NULL: there is none now; what it was asked is asked again later. */
void spool_tls_reports_use(
    struct spool_tls_reports *reports, struct channel *fetcher);
void spool_tls_reports_posted(struct spool_tls_reports *reports,
    const struct message_report_posted *said);

/* The administrator's command on `channel`: a page of what is counted, from
 * that report on; and all of it is sent now, today's so far as well. */
void spool_tls_reports_list(struct spool_tls_reports *reports,
    struct channel *channel, const struct message_tls_reports_list *said);
void spool_tls_reports_send(struct spool_tls_reports *reports,
    struct channel *channel, const struct message_tls_reports_send *said);

#endif
