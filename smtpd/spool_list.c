/* What waits in the spool, as the administrator lists it: see spool_page.h. */
#include "smtpd/spool_page.h"

#include "common/memory.h"
#include "common/status.h"

#include <stdlib.h>

enum {
	PAGE_SIZE_MAX = 60000, /* as in the row `queue_page` */
	RECORD_MAX = 4000
};

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
take_record(struct spool_page *page, const struct spool_parcel *parcel)
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

void
spool_list(struct spool *spool, struct channel *channel,
    const struct message_queue_list *said)
{
	struct message answer = { .type = MESSAGE_queue_page };
	struct spool_query query = { .selector = said->selector,
		.word = said->word,
		.message = said->message,
		.parcel = said->parcel };
	struct spool_page page = {
		.spool = spool, .query = &query, .take = take_record
	};
	enum status status = spool_query_prepare(spool, &query);
	uint8_t *rows = memory_new(PAGE_SIZE_MAX, 1);
	struct writer writer;
	int last = 1;

	writer_init(&writer, rows, PAGE_SIZE_MAX);
	page.context = &writer;
	if (status == STATUS_OK && !query.is_over)
		last = spool_page_walk(&page);
	answer.queue_page.tag = said->tag;
	answer.queue_page.status =
	    (uint8_t)(last == -1 ? STATUS_DAMAGED : status);
	answer.queue_page.is_last = last != 0;
	answer.queue_page.message = page.next_message;
	answer.queue_page.parcel = page.next_parcel;
	answer.queue_page.waiting = schedule_count(spool->schedule);
	answer.queue_page.rows = text_make(rows, writer.size);
	(void)channel_send(channel, &answer, NULL, 0);
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

void
spool_list_recipients(struct spool *spool, struct channel *channel,
    const struct message_queue_recipients *said)
{
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
	(void)channel_send(channel, &answer, NULL, 0);
	free(rows);
}
