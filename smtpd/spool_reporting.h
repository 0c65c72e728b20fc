/*
 * A report of a message of the store: made of it, and kept beside it, in the
 * transaction that is open.  It is formatted before the first write of that,
 * for what was read of the message may move with one.
 */
#ifndef SMTPD_SPOOL_REPORTING_H
#define SMTPD_SPOOL_REPORTING_H

#include "smtpd/spool_report.h"
#include "smtpd/spool_store.h"

struct spool_reporting {
	enum report_kind kind;
	const char *host;   /* ours */
	int64_t now;        /* seconds since 1970 */
	int64_t expire_s;   /* of a parcel */
	int64_t deliver_by; /* its sender wants it there; 0: whenever */
	uint64_t id;        /* of the message */
	const struct spool_message *message;
	const struct report_recipient *recipients;
	size_t count;
};

/* Formatted into `to`, and its own id. -1 and error. */
int spool_reporting_write(struct spool_store *store,
    const struct spool_reporting *reporting, struct delivery_id *delivery,
    struct buf *to, struct error *error);
/* Puts it on disk, to `sender`: the number of its message. `flags` are those of
 * the message that it is about. */
int spool_reporting_keep(struct spool_store *store, struct text sender,
    unsigned int flags, int64_t now, const struct delivery_id *delivery,
    const struct buf *bytes, uint64_t *id, struct error *error);

#endif
