/* See spool_control.h. */
#include "smtpd/spool_control.h"

#include "common/log.h"
#include "common/memory.h"
#include "common/queue_record.h"
#include "common/status.h"
#include "smtpd/spool_jobs.h"
#include "smtpd/spool_tls_reports.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PAGE_SIZE_MAX = 60000, /* as in the row `queue_page` */
	RECORD_MAX = 4000,
	ID_DIGITS_LEAST = 8
};

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

/* What is asked for: which, and from where on. */
struct query {
	enum queue_selector selector;
	struct text word;
	uint64_t message; /* 0: from the first */
	uint16_t parcel;
	uint64_t only; /* the message of QUEUE_ID */
	bool is_over;  /* that message has gone */
};

/* -- Choosing -- */

/* A word of hex digits, or the start of an id: which message, if it is one. */
static enum status
find_id(struct spool *spool, struct query *query)
{
	uint8_t bytes[16] = { 0 };
	size_t digits = query->word.size & ~(size_t)1;
	struct spool_message message;
	struct error error;
	int found;

	if (digits > 32 || digits < ID_DIGITS_LEAST ||
	    text_parse_hex(
		text_make(query->word.data, digits), bytes, digits / 2) == -1)
		return STATUS_INVALID;
	found = spool_store_find_id(
	    spool->store, bytes, digits / 2, &query->only, &error);
	if (found == 1) {
		found = spool_store_message(
		    spool->store, query->only, &message, &error);
		query->is_over = found == 0;
		found = found == 0 ? 1 : found;
	}
	if (found == 1)
		return STATUS_OK;
	return found == 0 ? STATUS_MISSING : STATUS_DAMAGED;
}

static bool
has_recipient(
    struct spool *spool, const struct spool_parcel *parcel, struct text address)
{
	struct spool_recipient recipient;
	struct error error;

	for (uint16_t i = 0; i < parcel->count; i++)
		if (spool_store_recipient(spool->store, parcel->message,
			parcel->first + i, &recipient, &error) == 1 &&
		    text_equal_nocase(recipient.address, address))
			return true;
	return false;
}

static bool
is_chosen(struct spool *spool, const struct query *query,
    const struct spool_parcel *parcel)
{
	struct spool_message message;
	struct error error;

	switch (query->selector) {
	case QUEUE_ALL:
		return true;
	case QUEUE_ID:
		return parcel->message == query->only;
	case QUEUE_DOMAIN:
		return text_equal_nocase(parcel->domain, query->word);
	case QUEUE_HELD:
		return parcel->flags & SPOOL_HELD;
	case QUEUE_ADDRESS:
		return (spool_store_message(spool->store, parcel->message,
			    &message, &error) == 1 &&
			   text_equal_nocase(message.sender, query->word)) ||
		       has_recipient(spool, parcel, query->word);
	default:
		return false;
	}
}

/* -- A page -- */

struct page {
	struct spool *spool;
	const struct query *query;
	/* False: it does not fit any more. */
	bool (*take)(struct page *page, const struct spool_parcel *parcel);
	void *context;
	unsigned int looks;
	uint64_t next_message; /* where the next page begins */
	uint16_t next_parcel;
};

static int
look(void *context, const struct spool_parcel *parcel)
{
	struct page *page = context;

	if (page->query->only != 0 && parcel->message != page->query->only)
		return 1;
	page->next_message = parcel->message;
	page->next_parcel = parcel->number;
	if (page->looks++ >= SPOOL_PAGE_LOOKS)
		return 2;
	if (is_chosen(page->spool, page->query, parcel) &&
	    !page->take(page, parcel))
		return 2;
	return 0;
}

/* 1: it is the last, 0: there is more, -1: what cannot be read. */
static int
walk(struct page *page)
{
	const struct query *query = page->query;
	uint64_t from = query->message != 0 ? query->message : query->only;
	struct error error;
	int result;

	result = spool_store_each_parcel_from(
	    page->spool->store, from, query->parcel, look, page, &error);
	if (result == -1)
		return -1;
	return result != 2;
}

static enum status
prepare(struct spool *spool, struct query *query)
{
	if (query->selector > QUEUE_HELD)
		return STATUS_INVALID;
	return query->selector == QUEUE_ID ? find_id(spool, query) : STATUS_OK;
}

/* -- Listing -- */

static void
set_state(struct spool *spool, const struct spool_parcel *parcel,
    struct queue_parcel_record *record)
{
	struct schedule_destination at;

	record->next = parcel->next;
	if (parcel->flags & SPOOL_HELD)
		record->state = QUEUE_IS_HELD;
	else if (schedule_is_running(
		     spool->schedule, parcel->message, parcel->number))
		record->state = QUEUE_RUNS;
	else if (parcel->next > spool_now() / 1000)
		record->state = QUEUE_WAITS;
	else
		record->state = QUEUE_READY;
	if (record->state == QUEUE_READY &&
	    schedule_destination(spool->schedule, parcel->domain, &at) &&
	    at.until != 0) {
		record->state = QUEUE_PAUSED;
		record->next = at.until / 1000;
	}
}

static bool
take_record(struct page *page, const struct spool_parcel *parcel)
{
	struct spool *spool = page->spool;
	struct queue_parcel_record record = { .message = parcel->message,
		.parcel = parcel->number,
		.account = parcel->account,
		.time = parcel->time,
		.tries = parcel->tries,
		.recipients = parcel->count,
		.domain = parcel->domain,
		.code = parcel->words.code,
		.enhanced = parcel->words.enhanced,
		.words = parcel->words.text,
		.host = parcel->words.host };
	struct spool_recipient recipient = { .state = SPOOL_WAITING };
	struct spool_message message = { .size = 0 };
	struct writer *to = page->context;
	struct error error;

	if (to->max_size - to->size < RECORD_MAX)
		return false;
	(void)spool_store_message(
	    spool->store, parcel->message, &message, &error);
	(void)spool_store_recipient(
	    spool->store, parcel->message, parcel->first, &recipient, &error);
	record.delivery = message.delivery;
	record.size = message.size;
	record.sender = message.sender;
	record.first = recipient.address;
	if (record.words.size == 0) {
		record.code = recipient.words.code;
		record.enhanced = recipient.words.enhanced;
		record.words = recipient.words.text;
		record.host = recipient.words.host;
	}
	set_state(spool, parcel, &record);
	queue_put_parcel(to, &record);
	return true;
}

static void
list(struct client *client, const struct message_queue_list *said)
{
	struct spool *spool = client->controls->spool;
	struct message answer = { .type = MESSAGE_queue_page };
	struct query query = { .selector = said->selector,
		.word = said->word,
		.message = said->message,
		.parcel = said->parcel };
	struct page page = {
		.spool = spool, .query = &query, .take = take_record
	};
	enum status status = prepare(spool, &query);
	uint8_t *rows = memory_new(PAGE_SIZE_MAX, 1);
	struct writer writer;
	int last = 1;

	writer_init(&writer, rows, PAGE_SIZE_MAX);
	page.context = &writer;
	if (status == STATUS_OK && !query.is_over)
		last = walk(&page);
	answer.queue_page.tag = said->tag;
	answer.queue_page.status =
	    (uint8_t)(last == -1 ? STATUS_DAMAGED : status);
	answer.queue_page.is_last = last != 0;
	answer.queue_page.message = page.next_message;
	answer.queue_page.parcel = page.next_parcel;
	answer.queue_page.waiting = schedule_count(spool->schedule);
	answer.queue_page.rows = text_make(rows, writer.size);
	(void)channel_send(client->channel, &answer, NULL, 0);
	free(rows);
}

static void
put_recipient(struct writer *to, const struct spool_recipient *recipient)
{
	const struct queue_recipient_record record = {
		.state = recipient->state,
		.notify = recipient->notify,
		.time = recipient->time,
		.address = recipient->address,
		.original = recipient->original,
		.code = recipient->words.code,
		.enhanced = recipient->words.enhanced,
		.words = recipient->words.text,
		.host = recipient->words.host,
	};

	queue_put_recipient(to, &record);
}

static void
list_recipients(
    struct client *client, const struct message_queue_recipients *said)
{
	struct spool *spool = client->controls->spool;
	struct message answer = { .type = MESSAGE_queue_page };
	struct spool_recipient recipient;
	uint8_t *rows = memory_new(PAGE_SIZE_MAX, 1);
	uint16_t number = said->parcel;
	struct writer writer;
	struct error error;
	int found = 1;

	writer_init(&writer, rows, PAGE_SIZE_MAX);
	while (writer.max_size - writer.size >= RECORD_MAX &&
	       (found = spool_store_recipient(spool->store, said->message,
		    number, &recipient, &error)) == 1) {
		put_recipient(&writer, &recipient);
		number++;
	}
	answer.queue_page.tag = said->tag;
	answer.queue_page.status = found == -1 ? STATUS_DAMAGED : STATUS_OK;
	answer.queue_page.is_last = found != 1;
	answer.queue_page.message = said->message;
	answer.queue_page.parcel = number;
	answer.queue_page.rows = text_make(rows, writer.size);
	(void)channel_send(client->channel, &answer, NULL, 0);
	free(rows);
}

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
take_mark(struct page *page, const struct spool_parcel *parcel)
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
	struct query query = { .selector = said->selector,
		.word = said->word,
		.message = said->message,
		.parcel = said->parcel };
	struct page page = { .spool = spool,
		.query = &query,
		.take = take_mark,
		.context = change };
	enum status status = prepare(spool, &query);
	int last = 1;

	change->controls = client->controls;
	change->client = client->number;
	change->action = said->action;
	change->answer.type = MESSAGE_queue_changed;
	if (said->action > QUEUE_BOUNCE)
		status = STATUS_INVALID;
	if (status == STATUS_OK && !query.is_over)
		last = walk(&page);
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

	if (message->type == MESSAGE_queue_list)
		list(client, &message->queue_list);
	else if (message->type == MESSAGE_queue_recipients)
		list_recipients(client, &message->queue_recipients);
	else if (message->type == MESSAGE_queue_change)
		begin_change(client, &message->queue_change);
	else if (message->type == MESSAGE_tls_reports_list)
		spool_tls_reports_list(client->controls->spool->tls_reports,
		    channel, &message->tls_reports_list);
	else if (message->type == MESSAGE_tls_reports_send)
		spool_tls_reports_send(client->controls->spool->tls_reports,
		    channel, &message->tls_reports_send);
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
