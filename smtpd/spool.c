/*
 * The spool's clock, and what is done at the end of each turn of the loop; its
 * beginning and its end.
 */
#include "smtpd/spool.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "smtpd/spool_channels.h"
#include "smtpd/spool_control.h"
#include "smtpd/spool_jobs.h"
#include "smtpd/spool_policies.h"
#include "smtpd/spool_puts.h"
#include "smtpd/spool_reports.h"
#include "smtpd/spool_tls_reports.h"
#include "smtpd/spool_undecided.h"

#include <string.h>
#include <sys/random.h>

int64_t
spool_now(void)
{
	return clock_wall_us() / 1000;
}

/* -- What is known -- */

static struct schedule_settings
schedule_settings_of(const struct settings *settings)
{
	struct schedule_settings result = {
		.retry_s = settings->queue_retry_s,
		.retry_most_s = settings->queue_retry_most_s,
		.probe_most_s = settings->queue_probe_most_s,
		.expire_s = settings->queue_expire_s,
		.notice_s = settings->queue_notice_s,
	};

	if (getrandom(&result.seed, sizeof(result.seed), 0) !=
	    sizeof(result.seed))
		fatal("no random numbers");
	return result;
}

static int
schedule_parcel(void *context, const struct spool_parcel *parcel)
{
	struct spool *spool = context;
	const struct schedule_parcel one = { .message = parcel->message,
		.number = parcel->number,
		.tries = parcel->tries,
		.priority = parcel->priority,
		.is_held = (parcel->flags & SPOOL_HELD) != 0,
		.is_noticed = (parcel->flags & SPOOL_NOTICED) != 0,
		.account = parcel->account,
		.time = 1000 * parcel->time,
		.next = 1000 * parcel->next,
		.deliver_by = 1000 * parcel->deliver_by,
		.is_returned = (parcel->flags & SPOOL_BY_RETURN) != 0,
		.domain = parcel->domain };

	schedule_add(spool->schedule, &one, spool_now());
	return 0;
}

void
spool_schedule_message(struct spool *spool, uint64_t id)
{
	struct error error;

	if (spool_store_each_parcel(
		spool->store, id, schedule_parcel, spool, &error) == -1)
		log_alarm("spool-damaged", "message=%llu error=\"%s\"",
		    (unsigned long long)id, error.text);
}

int
spool_arrive_now(struct spool *spool, uint64_t id,
    struct spool_arrival *arrival, struct error *error)
{
	arrival->message = id;
	arrival->now = spool_now() / 1000;
	arrival->host = spool->options.settings->host;
	return spool_arrive(spool->store, arrival, error);
}

void
spool_arrived(
    struct spool *spool, uint64_t id, const struct spool_arrival *arrival)
{
	spool_schedule_message(spool, id);
	for (size_t i = 0; i < arrival->report_count; i++)
		spool_reports_send(spool->reports, arrival->reports[i]);
}

void
spool_add_control(struct spool *spool, int fd)
{
	spool_controls_add(spool->controls, fd);
}

/* -- Turns -- */

/* A timer that runs is only made earlier: turns of the loop may come faster. */
static void
set_wake(struct spool *spool)
{
	int64_t now = spool_now();
	int64_t wake = schedule_wake(spool->schedule, spool->relay != NULL);

	if (wake == INT64_MAX ||
	    (spool->wake_at != 0 && spool->wake_at <= wake))
		return;
	spool->wake_at = wake;
	timer_start(spool->wake, wake > now ? wake - now : 0);
}

static void
on_wake(void *context)
{
	struct spool *spool = context;

	spool->wake_at = 0;
}

static void
on_round(void *context)
{
	struct spool *spool = context;

	spool_jobs_give_up(spool->jobs);
	spool_round_run(spool->round);
	if (spool_round_is_failed(spool->round))
		return;
	spool_jobs_start(spool->jobs);
	set_wake(spool);
	spool_store_rest(spool->store);
}

/* -- All together -- */

static int
open_store(struct spool *spool, struct error *error)
{
	const struct spool_options *options = &spool->options;

	spool_store_close(&spool->store);
	spool->store = spool_store_open(options->path,
	    options->map_bytes != 0 ? options->map_bytes : SPOOL_MAP_BYTES,
	    error);
	return spool->store == NULL ? -1 : 0;
}

/* Opened anew afterwards: what all parcels lie in was mapped for this alone,
 * with what lies around them, and would stay. */
static int
load(struct spool *spool, struct error *error)
{
	int64_t began = clock_monotonic_us();

	if (open_store(spool, error) == -1 ||
	    spool_store_each_parcel(
		spool->store, 0, schedule_parcel, spool, error) == -1 ||
	    open_store(spool, error) == -1)
		return -1;
	log_info("spool-open", "parcels=%zu ms=%lld",
	    schedule_count(spool->schedule),
	    (long long)(clock_monotonic_us() - began) / 1000);
	return 0;
}

struct spool *
spool_new(struct event_loop *loop, const struct spool_options *options,
    struct error *error)
{
	const struct schedule_settings settings =
	    schedule_settings_of(options->settings);
	struct spool *spool = memory_new(1, sizeof(*spool));

	spool->loop = loop;
	spool->options = *options;
	spool->schedule = schedule_new(&settings);
	if (load(spool, error) == 0)
		spool->undecided = spool_undecided_new(spool, error);
	if (spool->undecided == NULL) {
		spool_free(&spool);
		return NULL;
	}
	spool->round = spool_round_new(
	    loop, spool->store, options->failed, options->context);
	spool->puts = spool_puts_new(spool);
	spool->jobs = spool_jobs_new(spool);
	spool->reports = spool_reports_new(spool);
	spool->tls_reports = spool_tls_reports_new(spool, error);
	if (spool->tls_reports == NULL) {
		spool_free(&spool);
		return NULL;
	}
	spool->policies = spool_policies_new(spool);
	spool->controls = spool_controls_new(spool);
	spool->wake = timer_new(loop, on_wake, spool);
	spool->hourly = timer_new(loop, spool_tell_all_sent, spool);
	timer_start(spool->hourly, SPOOL_SENT_EVERY_MS);
	event_loop_on_round(loop, on_round, spool);
	return spool;
}

void
spool_free(struct spool **pointer)
{
	struct spool *spool = *pointer;

	if (spool == NULL)
		return;
	event_loop_on_round(spool->loop, NULL, NULL);
	spool_puts_free(&spool->puts);
	if (spool->round != NULL)
		spool_round_run(spool->round);
	spool_round_free(&spool->round);
	spool_end_channels(spool);
	spool_tls_reports_free(&spool->tls_reports);
	spool_policies_free(&spool->policies);
	spool_controls_free(&spool->controls);
	spool_reports_free(&spool->reports);
	spool_undecided_free(&spool->undecided);
	spool_jobs_free(&spool->jobs);
	timer_free(&spool->wake);
	timer_free(&spool->hourly);
	schedule_free(&spool->schedule);
	spool_store_close(&spool->store);
	memory_free(pointer);
}

void
spool_configure(struct spool *spool, const struct settings *settings,
    const struct account_table *accounts)
{
	const struct schedule_settings fresh = schedule_settings_of(settings);

	spool->options.settings = settings;
	spool->options.accounts = accounts;
	schedule_configure(spool->schedule, &fresh);
}
