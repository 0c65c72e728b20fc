/*
 * Reports of ours on their way to the queue, which routes them: they are on
 * disk until it has said that they have arrived, in the snapshot store or in
 * the spool again.
 */
#ifndef SMTPD_SPOOL_REPORTS_H
#define SMTPD_SPOOL_REPORTS_H

#include "smtpd/spool.h"

struct spool_reports;

struct spool_reports *spool_reports_new(struct spool *spool);
void spool_reports_free(struct spool_reports **reports);

/* One that is on disk now. */
void spool_reports_send(struct spool_reports *reports, uint64_t id);
/* A queue is there: it hears of all that it has not answered. */
void spool_reports_send_all(struct spool_reports *reports);
void spool_reports_hear(
    struct spool_reports *reports, const struct message_report_routed *said);

#endif
