/*
 * See spool_reporting.h.
 */
#include "smtpd/spool_reporting.h"

#include "common/log.h"
#include "common/smtp_verdict.h"

#include <sys/random.h>

static int
format(const struct spool_reporting *reporting, struct text original,
    struct delivery_id *delivery, struct buf *to)
{
	const struct spool_message *message = reporting->message;
	char queue_id[33];
	struct report report = { .kind = reporting->kind,
		.host = reporting->host,
		.now = reporting->now,
		.arrival = message->time,
		.retry_until = message->time + reporting->expire_s,
		.deliver_by = reporting->deliver_by,
		.flags = message->flags,
		.sender = message->sender,
		.envelope_id = message->envelope_id,
		.recipients = reporting->recipients,
		.count = reporting->count,
		.original = original,
		.size = message->size };

	if (getrandom(delivery->bytes, 16, 0) != 16)
		fatal("no random numbers");
	text_format_hex(delivery->bytes, 16, report.id);
	text_format_hex(message->delivery.bytes, 16, queue_id);
	report.queue_id = text_of(queue_id);
	return spool_report_format(&report, to);
}

int
spool_reporting_write(struct spool_store *store,
    const struct spool_reporting *reporting, struct delivery_id *delivery,
    struct buf *to, struct error *error)
{
	struct buf original;
	int result;

	buf_init(&original, REPORT_MAX_ORIGINAL);
	result = spool_store_read_body(
	    store, reporting->id, reporting->message, &original, error);
	if (result == 0 &&
	    format(reporting, text_make(original.data, original.size), delivery,
		to) == -1)
		result = error_set(error, ERROR_LIMIT, "a report is too long");
	buf_clear(&original);
	return result;
}

int
spool_reporting_keep(struct spool_store *store, struct text sender,
    unsigned int flags, int64_t now, const struct delivery_id *delivery,
    const struct buf *bytes, uint64_t *id, struct error *error)
{
	/* RFC 8689 section 5: what must not be read on the way must not be on
	 * the way back, either. */
	const struct spool_mail mail = { .delivery = *delivery,
		.flags = flags & TRANSACTION_REQUIRETLS,
		.time = now,
		.sender = text_make(NULL, 0),
		.envelope_id = text_make(NULL, 0),
		.recipients = sender,
		.size = bytes->size,
		.data = text_make(bytes->data, bytes->size),
		.fd = -1 };

	return spool_store_put_report(store, &mail, id, error) == -1 ? -1 : 0;
}
