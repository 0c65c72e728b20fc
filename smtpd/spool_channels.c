/*
 * Who is at the ends of the spool's channels, and which part of it hears what:
 * queues, the relay, the fetcher, and the broker, who introduces queues.
 */
#include "smtpd/spool_channels.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/process.h"
#include "common/status.h"
#include "smtpd/spool_jobs.h"
#include "smtpd/spool_policies.h"
#include "smtpd/spool_puts.h"
#include "smtpd/spool_reports.h"
#include "smtpd/spool_sent.h"
#include "smtpd/spool_tls_reports.h"
#include "smtpd/spool_undecided.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	SENT_SIZE = 40000 /* as in the row `spool_sent` */
};

struct spool_queue {
	struct spool_queue *next;
	struct spool *spool;
	struct channel *channel;
	uint64_t instance;
};

/* -- Queues -- */

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

void
spool_tell_all_sent(void *context)
{
	struct spool *spool = context;
	struct spool_queue *queue;

	for (queue = spool->queues; queue != NULL; queue = queue->next)
		tell_sent(queue);
	timer_start(spool->hourly, SPOOL_SENT_EVERY_MS);
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

/* -- The broker -- */

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
spool_end_channels(struct spool *spool)
{
	struct spool_queue *queue;

	while ((queue = spool->queues) != NULL) {
		spool->queues = queue->next;
		queue_free(queue);
	}
	channel_free(&spool->broker);
	channel_free(&spool->relay);
	channel_free(&spool->fetcher);
}
