/*
 * A part of the body that an URL names (BURL, RFC 4468): the worker of the
 * account that is logged in says whether the URL gives it, and hands it over in
 * memory of its own; it is added a few MiB at a time.  Whose account it is
 * stands in the transaction, by authd's grant, and nowhere in what a front
 * says.
 */
#include "smtpd/transaction_state.h"

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/smtp_verdict.h"
#include "smtpd/filing.h"
#include "smtpd/smtp_data.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	FETCH_TRIES = 3, /* of workers that ended meanwhile */
	FETCH_CHUNK = 32 * 1024,
	FETCH_TURN_CHUNKS = 128, /* before others have their turn */
	INLINE_SIZE = 16384      /* as in the row `url_fetched` */
};

struct url_fetch {
	struct transaction *transaction;
	uint64_t tag;
	char *url;
	bool is_last;
	uint8_t defects; /* of the chunks before it, as the front has them */
	bool is_sent;
	uint64_t bytes; /* of queue->fetch_bytes: as many as may come, or are
			 * there */
	unsigned int tries;
	int64_t deadline_ms;
	struct smtp_data data; /* as the front has one for its chunks */
	int fd;                /* with `size` bytes, or -1 */
	uint64_t size;
	uint64_t offset;
	struct timer *turn;
};

static void take_turn(void *context);
static void ask_waiting(struct queue *queue);

static void
count_bytes(struct url_fetch *fetch, uint64_t bytes)
{
	struct queue *queue = fetch->transaction->queue;

	queue->fetch_bytes = queue->fetch_bytes - fetch->bytes + bytes;
	fetch->bytes = bytes;
}

void
transaction_stop_fetch(struct transaction *t)
{
	struct url_fetch *fetch = t->fetch;

	if (fetch == NULL)
		return;
	t->fetch = NULL;
	table_remove_u64(t->queue->fetches, fetch->tag);
	count_bytes(fetch, 0);
	if (fetch->fd != -1)
		close(fetch->fd);
	timer_free(&fetch->turn);
	free(fetch->url);
	free(fetch);
	ask_waiting(t->queue);
}

/* What became of it: of the last one a bad verdict is the message's end. */
static void
finish(struct url_fetch *fetch, unsigned int verdict)
{
	struct transaction *t = fetch->transaction;
	struct message_transaction_end end = { .transaction = t->number,
		.defects = fetch->defects,
		.data = TEXT("") };
	bool is_last = fetch->is_last;

	t->defects |= fetch->data.defects & DEFECT_NUL;
	t->is_at_seam = true;
	transaction_stop_fetch(t);
	if (is_last && verdict == VERDICT_OK) {
		transaction_end(t, &end);
		return;
	}
	if (t->verdict == VERDICT_OK)
		t->verdict = verdict;
	transaction_say(t->front, t->number, verdict, "");
	if (is_last)
		transaction_free(t);
}

/* ---- The question ---- */

static size_t
count_of_account(const struct queue *queue, uint32_t account)
{
	size_t position = 0, count = 0;
	const struct url_fetch *fetch;
	void *value;

	while (table_next(queue->fetches, &position, NULL, NULL, &value)) {
		fetch = value;
		count += fetch->transaction->account == account;
	}
	return count;
}

/* One is asked for, however large. */
static bool
has_room(const struct queue *queue, uint64_t bytes)
{
	return queue->fetch_bytes == 0 ||
	       queue->fetch_bytes + bytes <= QUEUE_MAX_FETCH_BYTES;
}

/* To the worker, if there is one, and room for the answer. */
static void
ask(struct url_fetch *fetch)
{
	struct message message = { .type = MESSAGE_fetch_url };
	struct transaction *t = fetch->transaction;
	struct queue *queue = t->queue;
	uint64_t most = queue->settings->max_message_bytes - t->counted;
	const struct account *account =
	    account_find_number(queue->accounts, t->account);
	struct channel *worker = filing_channel(queue->filings, t->account);

	if (worker == NULL || account == NULL || !has_room(queue, most))
		return;
	message.fetch_url.tag = fetch->tag;
	message.fetch_url.max_size = most;
	message.fetch_url.address = text_of(account->address);
	message.fetch_url.url = text_of(fetch->url);
	fetch->is_sent = channel_send(worker, &message, NULL, 0) == 0;
	fetch->tries += fetch->is_sent;
	if (fetch->is_sent)
		count_bytes(fetch, most);
}

static void
ask_waiting(struct queue *queue)
{
	struct url_fetch *fetch;
	size_t position = 0;
	void *value;

	while (table_next(queue->fetches, &position, NULL, NULL, &value)) {
		fetch = value;
		if (!fetch->is_sent)
			ask(fetch);
	}
}

unsigned int
transaction_fetch(
    struct transaction *t, const struct message_transaction_url *said)
{
	struct queue *queue = t->queue;
	struct url_fetch *fetch;

	if (t->verdict != VERDICT_OK)
		return t->verdict;
	if (!t->is_authenticated || t->account == 0)
		t->verdict = VERDICT_NOT_LOGGED_IN;
	else if (t->count == 0 && t->outgoing.count == 0)
		t->verdict = VERDICT_NO_RECIPIENTS;
	else if (table_count(queue->fetches) >= QUEUE_MAX_FETCHES ||
		 count_of_account(queue, t->account) >=
		     QUEUE_MAX_ACCOUNT_FETCHES)
		t->verdict = VERDICT_BUSY;
	if (t->verdict != VERDICT_OK)
		return t->verdict;
	fetch = memory_new(1, sizeof(*fetch));
	fetch->transaction = t;
	fetch->tag = ++queue->next_tag;
	fetch->url = transaction_copy_text(said->url);
	fetch->is_last = said->is_last;
	fetch->defects = said->defects;
	fetch->deadline_ms =
	    clock_monotonic_us() / 1000 + QUEUE_FETCH_DEADLINE_MS;
	t->is_at_seam = true;
	smtp_data_init_chunks(&fetch->data, true);
	(void)smtp_data_flush(&fetch->data, NULL);
	fetch->fd = -1;
	fetch->turn = timer_new(queue->loop, take_turn, fetch);
	table_put_u64(queue->fetches, fetch->tag, fetch);
	t->fetch = fetch;
	ask(fetch);
	return VERDICT_OK;
}

void
transaction_ask_urls(struct queue *queue, uint32_t account)
{
	struct url_fetch *fetch;
	size_t position = 0;
	void *value;

	while (table_next(queue->fetches, &position, NULL, NULL, &value)) {
		fetch = value;
		if (!fetch->is_sent && fetch->transaction->account == account)
			ask(fetch);
	}
}

/* One that no worker outlives is not asked for again. */
void
transaction_unask_urls(struct queue *queue, uint32_t account)
{
	struct url_fetch *fetch;
	size_t position = 0;
	void *value;

	while (table_next(queue->fetches, &position, NULL, NULL, &value)) {
		fetch = value;
		if (fetch->transaction->account != account || fetch->fd != -1)
			continue;
		fetch->is_sent = false;
		count_bytes(fetch, 0);
		if (fetch->tries >= FETCH_TRIES)
			finish(fetch, VERDICT_URL_UNAVAILABLE);
	}
	ask_waiting(queue);
}

void
transaction_retry_urls(struct queue *queue, int64_t now_ms)
{
	struct url_fetch *fetch;
	size_t position = 0;
	void *value;

	while (table_next(queue->fetches, &position, NULL, NULL, &value)) {
		fetch = value;
		if (now_ms >= fetch->deadline_ms && fetch->fd == -1)
			finish(fetch, VERDICT_URL_UNAVAILABLE);
		else if (!fetch->is_sent)
			ask(fetch);
	}
}

/* ---- The answer ---- */

/* As they are, or with line ends that are whole: like chunks of a client. */
static unsigned int
put(struct url_fetch *fetch, const uint8_t *data, size_t size)
{
	struct transaction *t = fetch->transaction;
	static uint8_t whole[2 * FETCH_CHUNK + 4 * SMTP_DATA_MIN_ROOM];
	size_t used, made;

	if (t->body.is_exact)
		return transaction_put(t, text_make(data, size));
	(void)smtp_data_scan(
	    &fetch->data, data, size, &used, whole, sizeof(whole), &made);
	return transaction_put(t, text_make(whole, made));
}

static unsigned int
put_rest(struct url_fetch *fetch)
{
	uint8_t rest[SMTP_DATA_MIN_ROOM];
	size_t size = smtp_data_flush(&fetch->data, rest);

	return transaction_put(fetch->transaction, text_make(rest, size));
}

static void
take_turn(void *context)
{
	struct url_fetch *fetch = context;
	static uint8_t chunk[FETCH_CHUNK];
	unsigned int verdict = VERDICT_OK;
	ssize_t got;

	for (int i = 0; i < FETCH_TURN_CHUNKS && verdict == VERDICT_OK &&
			fetch->offset < fetch->size;
	     i++) {
		uint64_t want = fetch->size - fetch->offset;

		if (want > sizeof(chunk))
			want = sizeof(chunk);
		got =
		    pread(fetch->fd, chunk, (size_t)want, (off_t)fetch->offset);
		verdict = got <= 0 ? VERDICT_URL_UNAVAILABLE
				   : put(fetch, chunk, (size_t)got);
		fetch->offset += got > 0 ? (uint64_t)got : 0;
	}
	if (verdict == VERDICT_OK && fetch->offset < fetch->size) {
		timer_start(fetch->turn, 0);
		return;
	}
	finish(fetch, verdict == VERDICT_OK ? put_rest(fetch) : verdict);
}

/* Whatever a worker says, it is one of these. */
static unsigned int
bad_verdict(unsigned int said)
{
	switch (said) {
	case VERDICT_URL_MALFORMED:
	case VERDICT_URL_FOREIGN:
	case VERDICT_URL_REFUSED:
	case VERDICT_URL_MISSING:
	case VERDICT_TOO_BIG:
	case VERDICT_BUSY:
		return said;
	default:
		return VERDICT_URL_UNAVAILABLE;
	}
}

void
transaction_fetched(struct queue *queue, uint32_t account,
    const struct message_url_fetched *said, int *fd)
{
	struct url_fetch *fetch = table_find_u64(queue->fetches, said->tag);
	unsigned int verdict;
	struct error error;

	if (fetch == NULL || !fetch->is_sent || fetch->fd != -1 ||
	    fetch->transaction->account != account)
		return;
	if (said->verdict != VERDICT_OK) {
		finish(fetch, bad_verdict(said->verdict));
	} else if (said->size > queue->settings->max_message_bytes) {
		finish(fetch, VERDICT_TOO_BIG);
	} else if (said->size <= said->data.size) {
		verdict = put(fetch, (const uint8_t *)said->data.data,
		    (size_t)said->size);
		finish(
		    fetch, verdict == VERDICT_OK ? put_rest(fetch) : verdict);
	} else if (*fd == -1 || file_check_sealed(*fd, &error) == -1) {
		finish(fetch, VERDICT_URL_UNAVAILABLE);
	} else {
		fetch->fd = *fd;
		fetch->size = said->size;
		count_bytes(fetch, said->size);
		*fd = -1;
		timer_start(fetch->turn, 0);
		ask_waiting(queue);
	}
}
