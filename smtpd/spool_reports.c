/*
 * See spool_reports.h.
 */
#include "smtpd/spool_reports.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	AGAIN_MS = 60000,   /* the queue could not take one */
	MAX_OFFERED = 1000, /* without an answer */
	INLINE_SIZE = 16384 /* as in the row `spool_report` */
};

struct spool_reports {
	struct spool *spool;
	struct timer *again;
	size_t offered; /* at a time, since the last start from the first */
};

/* A report that has arrived, or that nobody wants. */
struct routed {
	struct spool_change change;
	struct spool_reports *reports;
	uint64_t id;
};

static int
apply(struct spool_change *change, struct error *error)
{
	struct routed *routed = (struct routed *)change;

	return spool_store_end_report(routed->reports->spool->store, routed->id,
	    spool_now() / 1000, error);
}

static void
done(struct spool_change *change, enum status status)
{
	free(change);
}

static int
send_report(struct spool_reports *reports, struct channel *queue, uint64_t id,
    struct error *error)
{
	struct spool_store *store = reports->spool->store;
	struct message packet = { .type = MESSAGE_spool_report };
	struct message_spool_report *to = &packet.spool_report;
	struct spool_recipient recipient;
	struct spool_message message;
	int fd, result;

	if (spool_store_message(store, id, &message, error) != 1 ||
	    spool_store_recipient(store, id, 0, &recipient, error) != 1)
		return error_set(error, ERROR_DAMAGED, "spool: no report");
	fd = spool_store_open_body(store, id, &message, error);
	if (fd == -1)
		return -1;
	to->tag = id;
	to->delivery = message.delivery;
	to->delivery.bytes[SPOOL_REPORT_MARK] = 0;
	to->time = message.time;
	to->recipient = recipient.address;
	to->size = message.size;
	to->flags = message.flags;
	result = channel_send(queue, &packet, &fd, 1);
	close(fd);
	if (result == -1)
		timer_start(reports->again, AGAIN_MS);
	return 0;
}

void
spool_reports_send(struct spool_reports *reports, uint64_t id)
{
	struct channel *queue = spool_some_queue(reports->spool);
	struct error error;

	if (queue == NULL)
		return; /* the next one hears of all */
	if (reports->offered >= MAX_OFFERED) {
		timer_start(reports->again, AGAIN_MS);
		return;
	}
	reports->offered++;
	if (send_report(reports, queue, id, &error) == -1)
		log_alarm("spool-damaged", "report=%llu error=\"%s\"",
		    (unsigned long long)id, error.text);
}

static int
send_one(void *context, uint64_t id)
{
	struct spool_reports *reports = context;

	spool_reports_send(reports, id);
	return reports->offered >= MAX_OFFERED;
}

void
spool_reports_send_all(struct spool_reports *reports)
{
	struct error error;

	reports->offered = 0;
	if (spool_store_each_report(
		reports->spool->store, send_one, reports, &error) == -1)
		log_alarm("spool-damaged", "error=\"%s\"", error.text);
}

static void
send_again(void *context)
{
	spool_reports_send_all(context);
}

void
spool_reports_hear(
    struct spool_reports *reports, const struct message_report_routed *said)
{
	struct routed *routed;

	if (reports->offered > 0)
		reports->offered--;
	if (said->status == STATUS_UNAVAILABLE || said->status == STATUS_FULL ||
	    said->status == STATUS_BUSY) {
		timer_start(reports->again, AGAIN_MS);
		return;
	}
	if (said->status != STATUS_OK)
		log_warning("report-dropped", "message=%llu status=%s",
		    (unsigned long long)said->tag,
		    said->status < STATUS_COUNT
			? status_name((enum status)said->status)
			: "unknown");
	routed = memory_new(1, sizeof(*routed));
	routed->change.apply = apply;
	routed->change.done = done;
	routed->change.is_must = true;
	routed->reports = reports;
	routed->id = said->tag;
	spool_round_add(reports->spool->round, &routed->change);
}

struct spool_reports *
spool_reports_new(struct spool *spool)
{
	struct spool_reports *reports = memory_new(1, sizeof(*reports));

	reports->spool = spool;
	reports->again = timer_new(spool->loop, send_again, reports);
	return reports;
}

void
spool_reports_free(struct spool_reports **reports)
{
	if (*reports == NULL)
		return;
	timer_free(&(*reports)->again);
	memory_free(reports);
}
