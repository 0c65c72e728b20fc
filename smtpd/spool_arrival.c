/*
 * See spool_arrival.h.
 */
#include "smtpd/spool_arrival.h"

#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_body.h"
#include "smtpd/spool_reporting.h"

#include <stdlib.h>
#include <string.h>

enum {
	KINDS = 2
};

static const struct {
	enum spool_state state;
	enum report_kind kind;
} kinds[KINDS] = { { SPOOL_FILED, REPORT_DELIVERED },
	{ SPOOL_EXPANDED, REPORT_EXPANDED } };

/* How many there are, or -1. Texts are valid until the next write. */
static int
choose(struct spool_store *store, uint64_t id, uint16_t count,
    enum spool_state state, struct report_recipient *chosen,
    struct error *error)
{
	struct spool_recipient recipient;
	int n = 0;

	for (uint16_t i = 0; i < count; i++) {
		if (spool_store_recipient(store, id, i, &recipient, error) != 1)
			return error_set(error, ERROR_DAMAGED,
			    "spool: a recipient is missing");
		if (recipient.state == state)
			chosen[n++] = (struct report_recipient){
				.address = recipient.address,
				.original = recipient.original,
			};
	}
	return n;
}

/* One of each kind that there is, formatted; made[] says which. */
static int
write_reports(struct spool_store *store, const struct spool_arrival *arrival,
    const struct spool_message *message, struct delivery_id *deliveries,
    struct buf *reports, struct error *error)
{
	struct report_recipient *chosen =
	    memory_new(message->recipients + 1u, sizeof(*chosen));
	struct spool_reporting reporting = { .host = arrival->host,
		.now = arrival->now,
		.id = arrival->message,
		.message = message,
		.recipients = chosen };
	int count = 0;

	for (int i = 0; i < KINDS && count != -1; i++) {
		count = choose(store, arrival->message, message->recipients,
		    kinds[i].state, chosen, error);
		reporting.kind = kinds[i].kind;
		reporting.count = (size_t)count;
		if (count > 0 && spool_reporting_write(store, &reporting,
				     &deliveries[i], &reports[i], error) == -1)
			count = -1;
	}
	free(chosen);
	return count == -1 ? -1 : 0;
}

static int
tell(struct spool_store *store, struct spool_arrival *arrival,
    const struct spool_message *message, struct error *error)
{
	char sender[SPOOL_MAX_ADDRESS]; /* it outlives writes */
	struct text to = text_make(sender, message->sender.size);
	struct delivery_id deliveries[KINDS];
	unsigned int flags = message->flags;
	struct buf reports[KINDS];
	int result;

	memcpy(sender, message->sender.data, message->sender.size);
	for (int i = 0; i < KINDS; i++)
		buf_init(&reports[i], SPOOL_MAX_REPORT);
	result =
	    write_reports(store, arrival, message, deliveries, reports, error);
	for (int i = 0; i < KINDS; i++) {
		if (result == 0 && reports[i].size > 0)
			result = spool_reporting_keep(store, to, flags,
			    arrival->now, &deliveries[i], &reports[i],
			    &arrival->reports[arrival->report_count++], error);
		buf_clear(&reports[i]);
	}
	return result;
}

int
spool_arrive(struct spool_store *store, struct spool_arrival *arrival,
    struct error *error)
{
	struct spool_message message;
	uint16_t parcels;

	arrival->report_count = 0;
	if (spool_store_message(store, arrival->message, &message, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no message");
	if (!(message.flags & TRANSACTION_TELLS))
		return 0;
	parcels = message.parcels;
	if (message.sender.size > 0 &&
	    tell(store, arrival, &message, error) == -1)
		return -1;
	return parcels > 0 ? 0
			   : spool_store_end_message(
				 store, arrival->message, arrival->now, error);
}
