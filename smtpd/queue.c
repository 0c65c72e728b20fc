/*
 * The queue's channels: who is there, and which of its parts hears what.
 */
#include "smtpd/queue.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "smtpd/filing.h"
#include "smtpd/srs.h"
#include "smtpd/transaction.h"

#include <stdlib.h>
#include <string.h>

/* An authd: there is one, or two while one is replaced. */
struct peer {
	struct peer *next;
	struct queue *queue;
	struct channel *channel;
	uint64_t instance;
};

static void
tell_front(struct front *front)
{
	struct message message = { .type = MESSAGE_queue_state };

	message.queue_state.status = (uint8_t)front->queue->store;
	(void)channel_send(front->channel, &message, NULL, 0);
}

static void
set_store(struct queue *queue, enum status status)
{
	struct front *front;

	if (queue->store == status && queue->is_store_known)
		return;
	queue->store = status;
	queue->is_store_known = true;
	log_info("store-state", "status=%s", status_name(status));
	for (front = queue->fronts; front != NULL; front = front->next)
		tell_front(front);
}

/* -- Grants -- */

const struct grant *
queue_find_grant(
    const struct queue *queue, uint64_t instance, uint64_t connection)
{
	const uint64_t key[2] = { instance, connection };

	return table_find(queue->grants, key, sizeof(key));
}

static void
remove_grant(struct queue *queue, uint64_t instance, uint64_t connection)
{
	const uint64_t key[2] = { instance, connection };

	free(table_remove(queue->grants, key, sizeof(key)));
}

static void
remove_grants_of(struct queue *queue, uint64_t instance)
{
	struct grant *grant;
	size_t position = 0;
	void *value;

	while (table_next(queue->grants, &position, NULL, NULL, &value)) {
		grant = value;
		if (grant->key[0] == instance)
			remove_grant(queue, instance, grant->key[1]);
	}
}

static void
authd_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_grant_sender *said = &message->grant_sender;
	struct message answer = { .type = MESSAGE_sender_granted };
	struct peer *peer = context;
	struct grant *grant;

	if (message->type != MESSAGE_grant_sender)
		return;
	if (table_count(peer->queue->grants) < QUEUE_MAX_GRANTS) {
		grant = memory_new(1, sizeof(*grant));
		grant->key[0] = said->instance;
		grant->key[1] = said->connection;
		grant->account = said->account;
		grant->is_trusted = said->is_trusted != 0;
		if (said->account == 0)
			(void)text_copy(
			    said->user, grant->user, sizeof(grant->user));
		free(table_put(peer->queue->grants, grant->key,
		    sizeof(grant->key), grant));
	}
	answer.sender_granted.instance = said->instance;
	answer.sender_granted.connection = said->connection;
	(void)channel_send(channel, &answer, NULL, 0);
}

/* `peer` is in no list any more. */
static void
authd_free(struct peer *peer)
{
	channel_free(&peer->channel);
	free(peer);
}

static void
authd_closed(struct channel *channel, const struct error *error, void *context)
{
	struct peer *peer = context, **at = &peer->queue->authds;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	process_peer_closed(error, ROLE_AUTHD, 0, peer->instance);
	authd_free(peer);
}

static void
add_authd(struct queue *queue, int fd, uint64_t instance)
{
	static const struct channel_handler handler = { authd_received,
		authd_closed };
	struct peer *peer = memory_new(1, sizeof(*peer));

	peer->queue = queue;
	peer->instance = instance;
	peer->next = queue->authds;
	queue->authds = peer;
	peer->channel = channel_new(
	    queue->loop, fd, ROLE_QUEUE, ROLE_AUTHD, &handler, peer);
}

/* -- Fronts -- */

static void
front_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct front *front = context;

	if (message->type == MESSAGE_sender_gone)
		remove_grant(front->queue, front->instance,
		    message->sender_gone.connection);
	else
		transaction_handle(front, message);
}

/* `front` is in no list any more. */
static void
front_free(struct front *front)
{
	struct queue *queue = front->queue;

	queue->front_count--;
	transaction_drop_all(front);
	remove_grants_of(front->queue, front->instance);
	table_free(&front->transactions);
	channel_free(&front->channel);
	free(front);
	if (queue->is_stopping && queue->front_count == 0)
		event_loop_stop(queue->loop);
}

static void
front_closed(struct channel *channel, const struct error *error, void *context)
{
	struct front *front = context, **at = &front->queue->fronts;

	while (*at != front)
		at = &(*at)->next;
	*at = front->next;
	process_peer_closed(error, ROLE_SMTPD, 0, front->instance);
	front_free(front);
}

static void
add_front(struct queue *queue, int fd, uint64_t instance)
{
	static const struct channel_handler handler = { front_received,
		front_closed };
	struct front *front = memory_new(1, sizeof(*front));

	front->queue = queue;
	front->instance = instance;
	front->transactions = table_new();
	front->next = queue->fronts;
	queue->fronts = front;
	queue->front_count++;
	front->channel = channel_new(
	    queue->loop, fd, ROLE_QUEUE, ROLE_SMTPD, &handler, front);
	/* Else it is told as soon as snapd has said: until then it waits. */
	if (queue->is_store_known)
		tell_front(front);
}

/* -- The snapshot store -- */

static void
list_unfiled(struct queue *queue, uint32_t after)
{
	struct message message = { .type = MESSAGE_list_unfiled_accounts };

	message.list_unfiled_accounts.tag = ++queue->next_tag;
	message.list_unfiled_accounts.after = after;
	(void)channel_send(queue->snapd, &message, NULL, 0);
}

static void
take_unfiled(struct queue *queue, const struct message_unfiled_accounts *said)
{
	struct reader reader;
	uint32_t account = 0;

	if (said->status != STATUS_OK)
		return;
	reader_init(&reader, said->accounts.data, said->accounts.size);
	while (reader.size >= sizeof(account)) {
		account = reader_get_u32(&reader);
		filing_add(queue->filings, account, NULL);
	}
	if (account != 0)
		list_unfiled(queue, account);
}

static void
take_state(struct queue *queue, const struct message_store_state *state)
{
	set_store(queue, state->status < STATUS_COUNT
			     ? (enum status)state->status
			     : STATUS_UNAVAILABLE);
	if (queue->store != STATUS_OK)
		return;
	transaction_resend(queue, WAITS_FOR_STORE);
	list_unfiled(queue, 0);
}

static void
snapd_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct queue *queue = context;

	if (message->type == MESSAGE_accepted)
		transaction_accepted(queue, message->accepted.tag,
		    (enum status)message->accepted.status);
	else if (message->type == MESSAGE_delivery_found)
		transaction_found(queue, message->delivery_found.tag,
		    (enum status)message->delivery_found.status);
	else if (message->type == MESSAGE_store_state)
		take_state(queue, &message->store_state);
	else if (message->type == MESSAGE_unfiled_accounts)
		take_unfiled(queue, &message->unfiled_accounts);
}

static void
snapd_closed(struct channel *channel, const struct error *error, void *context)
{
	struct queue *queue = context;

	channel_free(&queue->snapd);
	transaction_forget_questions(queue);
	set_store(queue, STATUS_UNAVAILABLE);
}

static void
say_hello(struct queue *queue)
{
	struct message message = { .type = MESSAGE_queue_hello };

	message.queue_hello.tag = ++queue->next_tag;
	(void)channel_send(queue->snapd, &message, NULL, 0);
}

static void
add_snapd(struct queue *queue, int fd)
{
	static const struct channel_handler handler = { snapd_received,
		snapd_closed };

	channel_free(&queue->snapd);
	transaction_forget_questions(queue);
	queue->snapd = channel_new(
	    queue->loop, fd, ROLE_QUEUE, ROLE_SNAPD, &handler, queue);
	say_hello(queue);
}

/* -- The spool -- */

static void
set_sent(struct queue *queue, uint32_t account, uint32_t sent)
{
	table_put_u64(queue->sent, account, (void *)((uintptr_t)sent + 1));
}

static void
take_sent(struct queue *queue, const struct message_spool_sent *said)
{
	struct reader reader;
	uint32_t account;

	if (said->is_first) {
		table_free(&queue->sent);
		queue->sent = table_new();
	}
	reader_init(&reader, said->accounts.data, said->accounts.size);
	while (reader.size >= 2 * sizeof(account)) {
		account = reader_get_u32(&reader);
		set_sent(queue, account, reader_get_u32(&reader));
	}
}

bool
queue_may_send(const struct queue *queue, uint32_t number, size_t recipients)
{
	const struct account *account =
	    account_find_number(queue->accounts, number);
	uintptr_t sent = (uintptr_t)table_find_u64(queue->sent, number);

	if (number == 0 || account == NULL || account->send_per_day == 0)
		return true;
	return (sent > 0 ? sent - 1 : 0) + recipients <= account->send_per_day;
}

static void
spool_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct queue *queue = context;

	if (message->type == MESSAGE_spool_sent) {
		take_sent(queue, &message->spool_sent);
	} else if (message->type == MESSAGE_spool_kept) {
		if (message->spool_kept.account != 0)
			set_sent(queue, message->spool_kept.account,
			    message->spool_kept.sent);
		transaction_kept(queue, message->spool_kept.tag,
		    (enum status)message->spool_kept.status);
	} else if (message->type == MESSAGE_spool_report) {
		transaction_report(queue, &message->spool_report, fds[0]);
	} else if (message->type == MESSAGE_spool_due) {
		transaction_release(queue, &message->spool_due, fds[0]);
	} else if (message->type == MESSAGE_spool_undecided) {
		transaction_undecided(queue, &message->spool_undecided);
	} else if (message->type == MESSAGE_spool_state) {
		queue->is_spool_open = message->spool_state.status == STATUS_OK;
		log_info("spool-state", "is_open=%d", queue->is_spool_open);
		if (queue->is_spool_open)
			transaction_resend(queue, WAITS_FOR_SPOOL);
	}
}

static void
spool_closed(struct channel *channel, const struct error *error, void *context)
{
	struct queue *queue = context;

	channel_free(&queue->spool);
	queue->is_spool_open = false;
	log_info("spool-state", "is_open=0");
}

static void
add_spool(struct queue *queue, int fd)
{
	static const struct channel_handler handler = { spool_received,
		spool_closed };

	channel_free(&queue->spool);
	queue->is_spool_open = false;
	queue->spool = channel_new(
	    queue->loop, fd, ROLE_QUEUE, ROLE_SPOOL, &handler, queue);
}

/* -- All together -- */

static void
stop_at_last(void *context)
{
	struct queue *queue = context;

	log_warning("stop-unfinished", "fronts=%zu", queue->front_count);
	event_loop_stop(queue->loop);
}

void
queue_stop(struct queue *queue)
{
	queue->is_stopping = true;
	timer_start(queue->stop_timer, QUEUE_STOP_TIMEOUT_MS);
	if (queue->front_count == 0)
		event_loop_stop(queue->loop);
}

static void
tick(void *context)
{
	struct queue *queue = context;

	transaction_expire(queue, clock_monotonic_us() / 1000);
	filing_retry(queue->filings);
	transaction_retry_urls(queue, clock_monotonic_us() / 1000);
	if (queue->snapd != NULL && queue->store != STATUS_OK)
		say_hello(queue);
	timer_start(queue->timer, QUEUE_RETRY_MS);
}

struct queue *
queue_new(struct event_loop *loop, const struct settings *settings,
    const struct account_table *accounts)
{
	struct queue *queue = memory_new(1, sizeof(*queue));

	queue->loop = loop;
	queue->settings = settings;
	queue->accounts = accounts;
	queue->srs = srs_new(settings);
	queue->store = STATUS_UNAVAILABLE;
	queue->grants = table_new();
	queue->accepts = table_new();
	queue->questions = table_new();
	queue->fetches = table_new();
	queue->sent = table_new();
	queue->full = full_list_new();
	queue->quotas = quota_book_new();
	queue->file_stuck_ms = QUEUE_FILE_STUCK_MS;
	queue->filings = filing_list_new(queue);
	queue->stop_timer = timer_new(loop, stop_at_last, queue);
	queue->timer = timer_new(loop, tick, queue);
	timer_start(queue->timer, QUEUE_RETRY_MS);
	return queue;
}

void
queue_free(struct queue **pointer)
{
	struct queue *queue = *pointer;
	struct front *front;
	struct peer *authd;
	size_t position = 0;
	void *value;

	if (queue == NULL)
		return;
	while ((front = queue->fronts) != NULL) {
		queue->fronts = front->next;
		front_free(front);
	}
	transaction_expire(queue, INT64_MAX);
	while ((authd = queue->authds) != NULL) {
		queue->authds = authd->next;
		authd_free(authd);
	}
	filing_list_free(&queue->filings);
	srs_free(&queue->srs);
	channel_free(&queue->snapd);
	channel_free(&queue->spool);
	while (table_next(queue->grants, &position, NULL, NULL, &value))
		free(value);
	table_free(&queue->grants);
	table_free(&queue->accepts);
	transaction_forget_questions(queue);
	table_free(&queue->questions);
	table_free(&queue->fetches);
	table_free(&queue->sent);
	full_list_free(&queue->full);
	quota_book_free(&queue->quotas);
	timer_free(&queue->timer);
	timer_free(&queue->stop_timer);
	memory_free(pointer);
}

void
queue_reload(struct queue *queue, const struct settings *settings,
    const struct account_table *accounts)
{
	queue->settings = settings;
	queue->accounts = accounts;
	srs_free(&queue->srs);
	queue->srs = srs_new(settings);
}

void
queue_set_starter(struct queue *queue, struct channel *starter)
{
	queue->starter = starter;
	if (starter == NULL)
		filing_forget_starter(queue->filings);
}

void
queue_starter_says(struct queue *queue, const struct message *message, int *fds)
{
	const struct message_introduce *introduce = &message->introduce;

	if (message->type == MESSAGE_worker_started)
		filing_started(queue->filings, message->worker_started.account,
		    (enum status)message->worker_started.status);
	if (message->type != MESSAGE_introduce || fds[0] == -1)
		return;
	switch (introduce->role) {
	case ROLE_SNAPD:
		add_snapd(queue, fds[0]);
		break;
	case ROLE_SPOOL:
		add_spool(queue, fds[0]);
		break;
	case ROLE_AUTHD:
		add_authd(queue, fds[0], introduce->instance);
		break;
	case ROLE_WORKER:
		filing_worker(queue->filings, introduce, fds[0]);
		break;
	case ROLE_SMTPD:
		if (queue->front_count >= QUEUE_MAX_FRONTS)
			return;
		add_front(queue, fds[0], introduce->instance);
		break;
	default:
		return;
	}
	fds[0] = -1;
}
