/* See spool_control.h: its clients, and what they have changed. */
#include "smtpd/spool_control.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/status.h"
#include "smtpd/spool_jobs.h"
#include "smtpd/spool_page.h"
#include "smtpd/spool_tls_reports.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
	struct client *next;
	struct spool_controls *controls;
	struct channel *channel;
	uint64_t number;
};

struct spool_controls {
	struct spool *spool;
	struct client *clients;
	size_t count;
	uint64_t next_number;
};

/* -- Changing -- */

struct mark {
	uint64_t message;
	uint16_t parcel;
	int64_t next; /* 0: as soon as it may go */
};

/* A page of changes, which waits for its commit. */
struct change {
	struct spool_change change;
	struct spool_controls *controls;
	uint64_t client;
	enum queue_action action;
	struct message answer;
	size_t count;
	struct mark marks[SPOOL_PAGE_LOOKS];
};

/* Its sender said when, and that is not now. */
static bool
is_for_later(const struct spool_parcel *parcel)
{
	return parcel->flags & SPOOL_LATER && parcel->tries == 0 &&
	       parcel->next > spool_now() / 1000;
}

static bool
take_mark(struct spool_page *page, const struct spool_parcel *parcel)
{
	struct change *change = page->context;
	bool is_held = parcel->flags & SPOOL_HELD;
	bool is_later = is_for_later(parcel);

	if (schedule_is_running(
		page->spool->schedule, parcel->message, parcel->number)) {
		change->answer.queue_changed.busy++;
		if (change->action == QUEUE_BOUNCE)
			spool_jobs_cancel(
			    page->spool->jobs, parcel->message, parcel->number);
		return true;
	}
	if ((change->action == QUEUE_HOLD && is_held) ||
	    (change->action == QUEUE_RELEASE && !is_held) ||
	    (change->action == QUEUE_FLUSH && is_held) ||
	    (change->action == QUEUE_FLUSH && is_later &&
		page->query->selector != QUEUE_ID))
		return true;
	change->marks[change->count++] = (struct mark){ parcel->message,
		parcel->number, is_later ? 1000 * parcel->next : 0 };
	return true;
}

static int
apply(struct spool_change *base, struct error *error)
{
	struct change *change = (struct change *)base;
	struct spool_store *store = change->controls->spool->store;
	struct spool_parcel parcel;
	int found;

	if (change->action != QUEUE_HOLD && change->action != QUEUE_RELEASE)
		return 0;
	for (size_t i = 0; i < change->count; i++) {
		found = spool_store_parcel(store, change->marks[i].message,
		    change->marks[i].parcel, &parcel, error);
		if (found == 0)
			continue;
		parcel.flags = (uint8_t)(parcel.flags & ~SPOOL_HELD);
		if (change->action == QUEUE_HOLD)
			parcel.flags |= SPOOL_HELD;
		if (found == -1 ||
		    spool_store_set_parcel(store, &parcel, error) == -1)
			return -1;
	}
	return 0;
}

static void
carry_out(struct change *change, const struct mark *mark)
{
	struct spool *spool = change->controls->spool;

	switch (change->action) {
	case QUEUE_FLUSH:
		schedule_flush(
		    spool->schedule, mark->message, mark->parcel, spool_now());
		break;
	case QUEUE_HOLD:
	case QUEUE_RELEASE:
		schedule_hold(spool->schedule, mark->message, mark->parcel,
		    change->action == QUEUE_HOLD, mark->next, spool_now());
		break;
	default:
		spool_jobs_settle(
		    spool->jobs, mark->message, mark->parcel, SPOOL_BOUNCED);
		break;
	}
}

static struct client *
find_client(struct spool_controls *controls, uint64_t number)
{
	struct client *client = controls->clients;

	while (client != NULL && client->number != number)
		client = client->next;
	return client;
}

static void
done(struct spool_change *base, enum status status)
{
	struct change *change = (struct change *)base;
	struct client *client = find_client(change->controls, change->client);
	struct message_queue_changed *answer = &change->answer.queue_changed;

	if (status == STATUS_OK) {
		answer->changed = (uint32_t)change->count;
		for (size_t i = 0; i < change->count; i++)
			carry_out(change, &change->marks[i]);
	}
	answer->status = (uint8_t)status;
	if (client != NULL)
		(void)channel_send(client->channel, &change->answer, NULL, 0);
	free(change);
}

static void
begin_change(struct client *client, const struct message_queue_change *said)
{
	struct spool *spool = client->controls->spool;
	struct change *change = memory_new(1, sizeof(*change));
	struct message_queue_changed *answer = &change->answer.queue_changed;
	struct spool_query query = { .selector = said->selector,
		.word = said->word,
		.message = said->message,
		.parcel = said->parcel };
	struct spool_page page = { .spool = spool,
		.query = &query,
		.take = take_mark,
		.context = change };
	enum status status = spool_query_prepare(spool, &query);
	int last = 1;

	change->controls = client->controls;
	change->client = client->number;
	change->action = said->action;
	change->answer.type = MESSAGE_queue_changed;
	if (said->action > QUEUE_BOUNCE)
		status = STATUS_INVALID;
	if (status == STATUS_OK && !query.is_over)
		last = spool_page_walk(&page);
	answer->tag = said->tag;
	answer->is_last = last != 0;
	answer->message = page.next_message;
	answer->parcel = page.next_parcel;
	change->change.apply = apply;
	change->change.done = done;
	if (status == STATUS_OK && last != -1)
		spool_round_add(spool->round, &change->change);
	else
		done(&change->change, last == -1 ? STATUS_DAMAGED : status);
}

/* -- Clients -- */

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct client *client = context;
	struct spool *spool = client->controls->spool;

	if (message->type == MESSAGE_queue_list)
		spool_list(spool, channel, &message->queue_list);
	else if (message->type == MESSAGE_queue_recipients)
		spool_list_recipients(
		    spool, channel, &message->queue_recipients);
	else if (message->type == MESSAGE_queue_change)
		begin_change(client, &message->queue_change);
	else if (message->type == MESSAGE_tls_reports_list)
		spool_tls_reports_list(
		    spool->tls_reports, channel, &message->tls_reports_list);
	else if (message->type == MESSAGE_tls_reports_send)
		spool_tls_reports_send(
		    spool->tls_reports, channel, &message->tls_reports_send);
}

/* `client` is in no list any more. */
static void
client_free(struct client *client)
{
	client->controls->count--;
	channel_free(&client->channel);
	free(client);
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct client *client = context, **at = &client->controls->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client_free(client);
}

void
spool_controls_add(struct spool_controls *controls, int fd)
{
	static const struct channel_handler handler = { received, closed };
	struct client *client;

	if (controls->count >= SPOOL_MAX_CONTROLS) {
		close(fd);
		return;
	}
	client = memory_new(1, sizeof(*client));
	client->controls = controls;
	client->number = ++controls->next_number;
	client->next = controls->clients;
	controls->clients = client;
	controls->count++;
	client->channel = channel_new(controls->spool->loop, fd, ROLE_SPOOL,
	    ROLE_FIRNMAIL, &handler, client);
}

struct spool_controls *
spool_controls_new(struct spool *spool)
{
	struct spool_controls *controls = memory_new(1, sizeof(*controls));

	controls->spool = spool;
	return controls;
}

void
spool_controls_free(struct spool_controls **controls)
{
	struct client *client;

	if (*controls == NULL)
		return;
	while ((client = (*controls)->clients) != NULL) {
		(*controls)->clients = client->next;
		client_free(client);
	}
	memory_free(controls);
}
