/*
 * From accepted to filed.  An account rests while mail pours in, then waits for
 * a worker (`wanting`), has been asked for at the broker (`starting`), or has a
 * channel.
 *
 * Whoever hands in mail waits for his 250 and nobody waits for the filing, so
 * filing rests until nobody has been handing in mail for a moment, or somebody
 * was for long; what came meanwhile for an account is then filed together.  The
 * accounts come one after the other, a few messages at a time, so that no 250
 * waits for all of them: an account whose worker does not answer loses its
 * place in that after a moment.
 */
#include "smtpd/filing.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/process.h"
#include "smtpd/transaction.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_IN_FLIGHT = 32,    /* `file` requests a worker */
	MAX_DELIVERIES = 4096, /* an account; more are swept up together */
	ID_SIZE = sizeof(struct delivery_id)
};

enum filing_state {
	FILING_PAUSED,  /* failed: until the next filing_retry */
	FILING_RESTING, /* its first mail came just now */
	FILING_WANTING,
	FILING_STARTING,
	FILING_RUNNING
};

struct filing {
	struct filing_list *list;
	uint32_t account;
	enum filing_state state;
	bool is_resting;         /* it stands in `resting`, */
	bool is_ready;           /* or in `ready` */
	uint64_t turn;           /* of the list, when it was sent to, */
	size_t in_turn;          /* and how many of them are unanswered */
	uint64_t instance;       /* of the worker behind the channel */
	struct channel *channel; /* with FILING_RUNNING, or paused with it */
	struct buf unsent;       /* delivery ids */
	struct buf sent;
};

struct filing_list {
	struct queue *queue;
	struct table *by_account;
	struct buf resting; /* u32 accounts, first come first served, */
	struct buf ready;   /* as here, */
	struct buf wanting; /* and here */
	bool is_pouring;    /* mail came, and it was not quiet since */
	struct timer *quiet;
	struct timer *latest;
	struct timer *stuck;
	uint64_t turn;
	size_t in_flight; /* `file` requests of this turn */
	size_t unsent;    /* deliveries of all accounts */
	size_t starting;
};

static void grow_quiet(void *context);
static void release(void *context);
static void lose_place(void *context);

struct filing_list *
filing_list_new(struct queue *queue)
{
	struct filing_list *list = memory_new(1, sizeof(*list));

	list->queue = queue;
	list->by_account = table_new();
	buf_init(&list->resting, SIZE_MAX / 2);
	buf_init(&list->ready, SIZE_MAX / 2);
	buf_init(&list->wanting, SIZE_MAX / 2);
	list->quiet = timer_new(queue->loop, grow_quiet, list);
	list->latest = timer_new(queue->loop, release, list);
	list->stuck = timer_new(queue->loop, lose_place, list);
	return list;
}

/* What was sent to it holds nobody up any more. */
static void
leave_turn(struct filing *filing)
{
	if (filing->turn == filing->list->turn)
		filing->list->in_flight -= filing->in_turn;
	filing->in_turn = 0;
}

static void
put_unsent(struct filing *filing, const void *deliveries, size_t size)
{
	size_t before = filing->unsent.size;

	buf_put(&filing->unsent, deliveries, size);
	filing->list->unsent += (filing->unsent.size - before) / ID_SIZE;
}

static void
put_back(struct filing *filing)
{
	put_unsent(filing, filing->sent.data, filing->sent.size);
	buf_reset(&filing->sent);
	leave_turn(filing);
}

static void
filing_free(struct filing *filing)
{
	filing->list->unsent -= filing->unsent.size / ID_SIZE;
	leave_turn(filing);
	table_remove_u64(filing->list->by_account, filing->account);
	if (filing->state == FILING_STARTING)
		filing->list->starting--;
	channel_free(&filing->channel);
	buf_clear(&filing->unsent);
	buf_clear(&filing->sent);
	free(filing);
}

void
filing_list_free(struct filing_list **list)
{
	size_t position = 0;
	void *value;

	if (*list == NULL)
		return;
	while (table_next((*list)->by_account, &position, NULL, NULL, &value))
		filing_free(value);
	table_free(&(*list)->by_account);
	buf_clear(&(*list)->resting);
	buf_clear(&(*list)->ready);
	buf_clear(&(*list)->wanting);
	timer_free(&(*list)->quiet);
	timer_free(&(*list)->latest);
	timer_free(&(*list)->stuck);
	memory_free(list);
}

size_t
filing_count(const struct filing_list *list)
{
	size_t position = 0, count = 0;
	const struct filing *filing;
	void *value;

	while (table_next(list->by_account, &position, NULL, NULL, &value)) {
		filing = value;
		count += filing->unsent.size + filing->sent.size > 0;
	}
	return count;
}

/* Asks the broker for workers as far as the window allows. */
static void
ask_for_workers(struct filing_list *list)
{
	struct message message = { .type = MESSAGE_need_worker };
	struct filing *filing;
	uint32_t account;

	while (list->starting < QUEUE_MAX_STARTING && list->wanting.size > 0 &&
	       list->queue->starter != NULL) {
		memcpy(&account, list->wanting.data, sizeof(account));
		buf_cut(&list->wanting, sizeof(account));
		filing = table_find_u64(list->by_account, account);
		if (filing == NULL || filing->state != FILING_WANTING)
			continue;
		message.need_worker.account = account;
		if (channel_send(list->queue->starter, &message, NULL, 0) ==
		    -1) {
			filing->state = FILING_PAUSED;
			return;
		}
		filing->state = FILING_STARTING;
		list->starting++;
	}
}

static void
want_worker(struct filing *filing)
{
	filing->state = FILING_WANTING;
	buf_put(
	    &filing->list->wanting, &filing->account, sizeof(filing->account));
	ask_for_workers(filing->list);
}

static void
count_sent(struct filing *filing)
{
	struct filing_list *list = filing->list;

	if (filing->turn != list->turn)
		filing->in_turn = 0;
	filing->turn = list->turn;
	filing->in_turn++;
	list->in_flight++;
}

static void
send_files(struct filing *filing)
{
	struct message message = { .type = MESSAGE_file };

	while (filing->state == FILING_RUNNING && filing->unsent.size > 0 &&
	       filing->sent.size < (size_t)MAX_IN_FLIGHT * ID_SIZE) {
		memcpy(&message.file.delivery, filing->unsent.data, ID_SIZE);
		if (channel_send(filing->channel, &message, NULL, 0) == -1)
			return;
		buf_put(&filing->sent, filing->unsent.data, ID_SIZE);
		buf_cut(&filing->unsent, ID_SIZE);
		filing->list->unsent--;
		count_sent(filing);
	}
}

/* The next account of `accounts` that is still there; NULL: none is left. */
static struct filing *
take_first(struct filing_list *list, struct buf *accounts)
{
	struct filing *filing = NULL;
	uint32_t account;

	while (filing == NULL && accounts->size > 0) {
		memcpy(&account, accounts->data, sizeof(account));
		buf_cut(accounts, sizeof(account));
		filing = table_find_u64(list->by_account, account);
	}
	return filing;
}

/* How many clients are handing in mail, or wait for its 250. */
static size_t
count_handing_in(const struct queue *queue)
{
	const struct front *front;
	size_t count = 0;

	for (front = queue->fronts; front != NULL; front = front->next)
		count += table_count(front->transactions);
	return count;
}

/* While mail comes a few more at a time than come in, and more where many have
 * gathered. */
static bool
has_place(const struct filing_list *list)
{
	return !list->is_pouring ||
	       list->in_flight < QUEUE_FILE_MORE +
				     count_handing_in(list->queue) +
				     list->unsent / 64;
}

/* Accounts come as others are done. */
static void
serve(struct filing_list *list)
{
	struct filing *filing;

	while (has_place(list) &&
	       (filing = take_first(list, &list->ready)) != NULL) {
		if (!filing->is_ready)
			continue; /* of one that was there before */
		filing->is_ready = false;
		if (filing->state == FILING_RESTING)
			want_worker(filing);
		else
			send_files(filing);
	}
	if (list->ready.size > 0)
		timer_start(list->stuck, list->queue->file_stuck_ms);
	else
		timer_stop(list->stuck);
}

static void
lose_place(void *context)
{
	struct filing_list *list = context;

	list->turn++;
	list->in_flight = 0;
	serve(list);
}

static void
make_ready(struct filing *filing)
{
	if (filing->is_ready)
		return;
	filing->is_ready = true;
	buf_put(
	    &filing->list->ready, &filing->account, sizeof(filing->account));
}

/* Takes `delivery` out of the sent ones; false if it was not sent. */
static bool
take_sent(struct filing *filing, const struct delivery_id *delivery)
{
	struct buf *sent = &filing->sent;
	size_t at;

	for (at = 0; at < sent->size; at += ID_SIZE) {
		if (memcmp(sent->data + at, delivery, ID_SIZE) != 0)
			continue;
		memmove(sent->data + ID_SIZE, sent->data, at);
		buf_cut(sent, ID_SIZE);
		if (filing->turn == filing->list->turn && filing->in_turn > 0) {
			filing->in_turn--;
			filing->list->in_flight--;
		}
		return true;
	}
	return false;
}

/* What the quota has to know: the worker said before how much there is now. */
static void
count_filed(struct filing *filing, uint64_t size)
{
	struct quota_book *quotas = filing->list->queue->quotas;

	if (filing->unsent.size + filing->sent.size == 0)
		quota_book_settled(quotas, filing->account);
	else
		quota_book_filed(quotas, filing->account, size);
}

/* STATUS_MISSING: nothing of that id is unfiled, so it was filed before. */
static void
worker_received(struct channel *channel, const struct message *message,
    int *fds, void *context)
{
	const struct message_filed *filed = &message->filed;
	struct filing *filing = context;

	if (message->type == MESSAGE_url_fetched)
		transaction_fetched(filing->list->queue, filing->account,
		    &message->url_fetched, &fds[0]);
	if (message->type == MESSAGE_usage)
		quota_book_heard(filing->list->queue->quotas, filing->account,
		    message->usage.bytes, message->usage.messages);
	if (message->type != MESSAGE_filed ||
	    !take_sent(filing, &filed->delivery))
		return;
	if (filed->status != STATUS_OK && filed->status != STATUS_MISSING) {
		log_warning("file-failed", "account=%u status=%s",
		    filing->account,
		    filed->status < STATUS_COUNT ? status_name(filed->status)
						 : "unknown");
		put_unsent(filing, &filed->delivery, ID_SIZE);
		filing->state = FILING_PAUSED;
	} else {
		count_filed(filing, filed->size);
	}
	if (!filing->is_resting && filing->unsent.size > 0)
		make_ready(filing);
	serve(filing->list);
}

static void
worker_closed(struct channel *channel, const struct error *error, void *context)
{
	struct filing *filing = context;
	struct filing_list *list = filing->list;
	uint32_t account = filing->account;

	process_peer_closed(
	    error, ROLE_WORKER, filing->account, filing->instance);
	channel_free(&filing->channel);
	/* It left while mail came that it was not told of. */
	filing->state = filing->is_resting && filing->sent.size == 0
			    ? FILING_RESTING
			    : FILING_PAUSED;
	put_back(filing);
	if (filing->unsent.size == 0)
		filing_free(filing);
	serve(list);
	transaction_unask_urls(list->queue, account);
}

static struct filing *
find_or_add(struct filing_list *list, uint32_t account)
{
	struct filing *filing = table_find_u64(list->by_account, account);

	if (filing != NULL)
		return filing;
	filing = memory_new(1, sizeof(*filing));
	filing->list = list;
	filing->account = account;
	buf_init(&filing->unsent, (MAX_DELIVERIES + MAX_IN_FLIGHT) * ID_SIZE);
	buf_init(&filing->sent, (size_t)MAX_IN_FLIGHT * ID_SIZE);
	table_put_u64(list->by_account, account, filing);
	return filing;
}

struct channel *
filing_channel(struct filing_list *list, uint32_t account)
{
	struct filing *filing = find_or_add(list, account);

	if (filing->channel == NULL &&
	    (filing->state == FILING_PAUSED || filing->state == FILING_RESTING))
		want_worker(filing);
	return filing->channel;
}

/* -- Rest -- */

static void
rest(struct filing *filing)
{
	struct filing_list *list = filing->list;

	if (list->resting.size == 0)
		timer_start(list->latest, QUEUE_FILE_LATEST_MS);
	list->is_pouring = true;
	timer_start(list->quiet, QUEUE_FILE_QUIET_MS);
	if (filing->is_resting)
		return;
	filing->is_resting = true;
	buf_put(&list->resting, &filing->account, sizeof(filing->account));
}

static void
release(void *context)
{
	struct filing_list *list = context;
	struct filing *filing;

	timer_stop(list->latest);
	while ((filing = take_first(list, &list->resting)) != NULL) {
		if (!filing->is_resting)
			continue;
		filing->is_resting = false;
		make_ready(filing);
	}
	serve(list);
}

static void
grow_quiet(void *context)
{
	struct filing_list *list = context;

	list->is_pouring = count_handing_in(list->queue) > 0;
	if (list->is_pouring)
		timer_start(list->quiet, QUEUE_FILE_QUIET_MS);
	else
		release(list);
}

void
filing_add(struct filing_list *list, uint32_t account,
    const struct delivery_id *delivery)
{
	static const struct delivery_id whatever;
	struct filing *filing = find_or_add(list, account);
	bool is_new = filing->channel == NULL && filing->unsent.size == 0;

	if (filing->unsent.size >= (size_t)MAX_DELIVERIES * ID_SIZE) {
		/* The last place says: all that lies there. */
		memcpy(filing->unsent.data + filing->unsent.size - ID_SIZE,
		    &whatever, ID_SIZE);
		return;
	}
	put_unsent(filing, delivery != NULL ? delivery : &whatever, ID_SIZE);
	if (is_new && filing->state == FILING_PAUSED)
		filing->state = FILING_RESTING;
	rest(filing);
}

void
filing_worker(
    struct filing_list *list, const struct message_introduce *introduce, int fd)
{
	static const struct channel_handler handler = { worker_received,
		worker_closed };
	struct filing *filing = find_or_add(list, introduce->account);
	bool is_another = filing->channel != NULL;

	if (filing->state == FILING_STARTING)
		list->starting--;
	if (is_another) {
		channel_free(&filing->channel);
		put_back(filing);
	}
	filing->channel = channel_new(
	    list->queue->loop, fd, ROLE_QUEUE, ROLE_WORKER, &handler, filing);
	filing->instance = introduce->instance;
	filing->state = FILING_RUNNING;
	make_ready(filing);
	serve(list);
	ask_for_workers(list);
	if (is_another)
		transaction_unask_urls(list->queue, introduce->account);
	transaction_ask_urls(list->queue, introduce->account);
}

void
filing_started(struct filing_list *list, uint32_t account, enum status status)
{
	struct filing *filing = table_find_u64(list->by_account, account);

	if (filing != NULL && filing->state == FILING_STARTING) {
		/* With STATUS_OK its channel would have come before. */
		log_warning("worker-not-started", "account=%u status=%s",
		    account,
		    status < STATUS_COUNT ? status_name(status) : "unknown");
		list->starting--;
		filing->state = FILING_PAUSED;
	}
	ask_for_workers(list);
}

void
filing_forget_starter(struct filing_list *list)
{
	size_t position = 0;
	struct filing *filing;
	void *value;

	while (table_next(list->by_account, &position, NULL, NULL, &value)) {
		filing = value;
		if (filing->state == FILING_STARTING)
			filing->state = FILING_PAUSED;
	}
	list->starting = 0;
}

void
filing_retry(struct filing_list *list)
{
	size_t position = 0;
	struct filing *filing;
	void *value;

	while (table_next(list->by_account, &position, NULL, NULL, &value)) {
		filing = value;
		if (filing->state != FILING_PAUSED)
			continue;
		if (filing->channel != NULL) {
			filing->state = FILING_RUNNING;
			make_ready(filing);
		} else if (filing->unsent.size > 0) {
			want_worker(filing);
		} else {
			filing_free(filing); /* wanted for an URL */
		}
	}
	serve(list);
	ask_for_workers(list);
}
