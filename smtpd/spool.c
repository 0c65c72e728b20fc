/*
 * The spool's channels and its clock: who is there, which part hears what, and
 * what is done at the end of each turn of the loop.
 */
#include "smtpd/spool.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/smtp_verdict.h"
#include "smtpd/spool_control.h"
#include "smtpd/spool_jobs.h"
#include "smtpd/spool_policies.h"
#include "smtpd/spool_puts.h"
#include "smtpd/spool_reports.h"
#include "smtpd/spool_sent.h"
#include "smtpd/spool_undecided.h"
#include "smtpd/spool_tls_reports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	SENT_SIZE = 40000, /* as in the row `spool_sent` */
	SENT_EVERY_MS = 3600 * 1000
};

struct spool_queue {
	struct spool_queue *next;
	struct spool *spool;
	struct channel *channel;
	uint64_t instance;
};

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

/* -- Queues -- */

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

struct channel *
spool_find_queue(struct spool *spool, uint64_t instance)
{
	struct spool_queue *queue = spool->queues;

	while (queue != NULL && queue->instance != instance)
		queue = queue->next;
	return queue != NULL ? queue->channel : NULL;
}

struct channel *
spool_some_queue(struct spool *spool)
{
	return spool->queues != NULL ? spool->queues->channel : NULL;
}

struct channel *
spool_newest_queue(struct spool *spool, uint64_t *instance)
{
	*instance = spool->queues != NULL ? spool->queues->instance : 0;
	return spool_some_queue(spool);
}

static void
queue_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct spool_queue *queue = context;

	if (message->type == MESSAGE_spool_put)
		spool_puts_take(queue->spool->puts, queue->instance,
		    &message->spool_put, fds);
	else if (message->type == MESSAGE_report_routed)
		spool_reports_hear(
		    queue->spool->reports, &message->report_routed);
	else if (message->type == MESSAGE_due_routed)
		spool_jobs_released(queue->spool->jobs, &message->due_routed);
	else if (message->type == MESSAGE_spool_decide)
		spool_undecided_hear(
		    queue->spool->undecided, &message->spool_decide);
}

/* -- What accounts have sent -- */

struct sent_list {
	struct spool_queue *queue;
	struct message message;
	struct writer writer;
	uint8_t bytes[SENT_SIZE];
};

static void
send_list(struct sent_list *list)
{
	list->message.spool_sent.accounts =
	    text_make(list->bytes, list->writer.size);
	(void)channel_send(list->queue->channel, &list->message, NULL, 0);
	list->message.spool_sent.is_first = 0;
	writer_init(&list->writer, list->bytes, sizeof(list->bytes));
}

static void
list_sent(void *context, uint32_t account, uint32_t sent)
{
	struct sent_list *list = context;

	if (list->writer.max_size - list->writer.size < 8)
		send_list(list);
	writer_put_u32(&list->writer, account);
	writer_put_u32(&list->writer, sent);
}

static void
tell_sent(struct spool_queue *queue)
{
	struct sent_list *list = memory_new(1, sizeof(*list));
	struct error error;

	list->queue = queue;
	list->message.type = MESSAGE_spool_sent;
	list->message.spool_sent.is_first = 1;
	writer_init(&list->writer, list->bytes, sizeof(list->bytes));
	(void)spool_sent_each(spool_store_env(queue->spool->store),
	    spool_now() / 1000, list_sent, list, &error);
	send_list(list);
	free(list);
}

static void
tell_all_sent(void *context)
{
	struct spool *spool = context;
	struct spool_queue *queue;

	for (queue = spool->queues; queue != NULL; queue = queue->next)
		tell_sent(queue);
	timer_start(spool->hourly, SENT_EVERY_MS);
}

/* `queue` is in no list any more. */
static void
queue_free(struct spool_queue *queue)
{
	queue->spool->queue_count--;
	channel_free(&queue->channel);
	free(queue);
}

static void
queue_closed(struct channel *channel, const struct error *error, void *context)
{
	struct spool_queue *queue = context, **at = &queue->spool->queues;
	struct spool *spool = queue->spool;
	uint64_t instance = queue->instance;

	while (*at != queue)
		at = &(*at)->next;
	*at = queue->next;
	process_peer_closed(error, ROLE_QUEUE, 0, instance);
	queue_free(queue);
	spool_undecided_lose(spool->undecided, instance);
	spool_jobs_return(spool->jobs, instance);
}

static void
add_queue(struct spool *spool, int fd, uint64_t instance)
{
	static const struct channel_handler handler = { queue_received,
		queue_closed };
	struct message state = { .type = MESSAGE_spool_state };
	struct spool_queue *queue = memory_new(1, sizeof(*queue));

	queue->spool = spool;
	queue->instance = instance;
	queue->next = spool->queues;
	spool->queues = queue;
	spool->queue_count++;
	queue->channel = channel_new(
	    spool->loop, fd, ROLE_SPOOL, ROLE_QUEUE, &handler, queue);
	tell_sent(queue);
	state.spool_state.status = STATUS_OK;
	(void)channel_send(queue->channel, &state, NULL, 0);
	spool_reports_send_all(spool->reports);
	spool_undecided_offer(spool->undecided);
}

/* -- The relay -- */

static void
relay_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct spool *spool = context;

	if (message->type == MESSAGE_tls_session)
		spool_tls_reports_count(
		    spool->tls_reports, &message->tls_session);
	else if (message->type == MESSAGE_sts_keep)
		spool_policies_keep(spool->policies, &message->sts_keep);
	else
		spool_jobs_hear(spool->jobs, message);
}

static void
lose_relay(struct spool *spool)
{
	if (spool->relay == NULL)
		return;
	channel_free(&spool->relay);
	spool_jobs_return(spool->jobs, 0);
}

static void
relay_closed(struct channel *channel, const struct error *error, void *context)
{
	process_peer_closed(error, ROLE_RELAY, 0, 0);
	lose_relay(context);
}

static void
set_relay(struct spool *spool, int fd)
{
	static const struct channel_handler handler = { relay_received,
		relay_closed };

	lose_relay(spool);
	spool->relay = channel_new(
	    spool->loop, fd, ROLE_SPOOL, ROLE_RELAY, &handler, spool);
}

/* -- The fetcher -- */

static void
fetcher_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	struct spool *spool = context;

	spool_tls_reports_posted(spool->tls_reports, &message->report_posted);
}

static void
lose_fetcher(struct spool *spool)
{
	spool_tls_reports_use(spool->tls_reports, NULL);
	channel_free(&spool->fetcher);
}

static void
fetcher_closed(
    struct channel *channel, const struct error *error, void *context)
{
	process_peer_closed(error, ROLE_FETCHER, 0, 0);
	lose_fetcher(context);
}

static void
set_fetcher(struct spool *spool, int fd)
{
	static const struct channel_handler handler = { fetcher_received,
		fetcher_closed };

	lose_fetcher(spool);
	spool->fetcher = channel_new(
	    spool->loop, fd, ROLE_SPOOL, ROLE_FETCHER, &handler, spool);
	spool_tls_reports_use(spool->tls_reports, spool->fetcher);
}

/* -- The broker, who introduces queues -- */

static void
broker_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	const struct message_introduce *introduce = &message->introduce;
	struct spool *spool = context;

	if (message->type != MESSAGE_introduce || fds[0] == -1 ||
	    introduce->role != ROLE_QUEUE)
		return;
	spool_introduce(spool, ROLE_QUEUE, introduce->instance, fds[0]);
	fds[0] = -1;
}

static void
broker_closed(struct channel *channel, const struct error *error, void *context)
{
	struct spool *spool = context;

	process_peer_closed(error, ROLE_BROKER, 0, 0);
	channel_free(&spool->broker);
}

static void
set_broker(struct spool *spool, int fd)
{
	static const struct channel_handler handler = { broker_received,
		broker_closed };

	channel_free(&spool->broker);
	spool->broker = channel_new(
	    spool->loop, fd, ROLE_SPOOL, ROLE_BROKER, &handler, spool);
}

void
spool_introduce(struct spool *spool, enum role role, uint64_t instance, int fd)
{
	if (role == ROLE_BROKER)
		set_broker(spool, fd);
	else if (role == ROLE_RELAY)
		set_relay(spool, fd);
	else if (role == ROLE_FETCHER)
		set_fetcher(spool, fd);
	else if (role == ROLE_QUEUE && spool->queue_count < SPOOL_MAX_QUEUES)
		add_queue(spool, fd, instance);
	else
		close(fd);
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
	spool->hourly = timer_new(loop, tell_all_sent, spool);
	timer_start(spool->hourly, SENT_EVERY_MS);
	event_loop_on_round(loop, on_round, spool);
	return spool;
}

void
spool_free(struct spool **pointer)
{
	struct spool *spool = *pointer;
	struct spool_queue *queue;

	if (spool == NULL)
		return;
	event_loop_on_round(spool->loop, NULL, NULL);
	spool_puts_free(&spool->puts);
	if (spool->round != NULL)
		spool_round_run(spool->round);
	spool_round_free(&spool->round);
	while ((queue = spool->queues) != NULL) {
		spool->queues = queue->next;
		queue_free(queue);
	}
	channel_free(&spool->broker);
	channel_free(&spool->relay);
	channel_free(&spool->fetcher);
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
